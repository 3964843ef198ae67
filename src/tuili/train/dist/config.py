"""The section `train.dist` of a recipe: how processes share a training, and in what form their gradients travel.

What the backends do is left to `backend`, `ddp`, `fsdp2` and `zero3`, how gradients travel to `hooks`.
"""

from __future__ import annotations

from typing import Literal, cast

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from tuili.config import Config
from tuili.native import CodeBits

BackendName = Literal["replicas", "ddp", "fsdp2", "zero3"]
GradientFormat = Literal["fp32", "fp16", "powersgd", "8bit", "4bit", "3bit", "2bit"]
RESET_ERRORS = 1024
TIMEOUT = 15


class GradientConfig(Config):
    """In what form gradients travel, and what becomes of what that loses."""

    form: GradientFormat = "fp32"
    """Packed numbers of so many bits with a scale for each 256; fp16 and torch's PowerSGD are for comparison."""
    rotate: bool = False
    """Packed ones: turn each block by random signs and a Hadamard matrix before it is rounded."""
    clip: float = Field(1.0, ge=0.01, le=1)
    """Packed ones: the share of a block's largest number that codes reach; what is beyond is cut off."""
    precondition: bool = False
    """Packed ones of DDP: divide each number by the root of AdamW's mean square of it before it is rounded, so that it
    errs in proportion to its own size."""
    keep_errors: float | None = Field(None, ge=0, lt=1)
    """Packed ones: weight of the past in the moving average of the errors, 0.8 in ZeRO++; null: errors are lost."""
    reset_errors: PositiveInt = RESET_ERRORS
    """Steps after which that average begins anew."""
    rank: PositiveInt = 1
    """PowerSGD: the rank of its matrices."""
    start: int = Field(10, ge=2)
    """PowerSGD: plain steps before the first one with matrices. Torch advises a tenth of all, and the warm-up."""

    @property
    def bits(self) -> CodeBits | None:
        """The bits of a packed number; None where gradients are not packed."""
        return cast(CodeBits, int(self.form[0])) if self.form.endswith("bit") else None

    @model_validator(mode="after")
    def _has_effect(self) -> GradientConfig:
        if self.bits is None and (self.rotate or self.precondition or self.keep_errors is not None or self.clip < 1):
            names = "rotate, clip, precondition and keep_errors"
            raise ValueError(f"{names} go with packed gradients, and form = {self.form}: use 3bit")
        if self.rank > 1 and self.form != "powersgd":
            raise ValueError(f"rank is that of PowerSGD's matrices, and form = {self.form}: use powersgd")
        if self.start != type(self).model_fields["start"].default and self.form != "powersgd":
            raise ValueError(f"start is that of PowerSGD's matrices, and form = {self.form}: use powersgd")
        if self.precondition and self.keep_errors is not None:
            raise ValueError(
                "precondition and keep_errors: what was lost was divided by other moments: use one of them"
            )
        if self.reset_errors != RESET_ERRORS and self.keep_errors is None:
            raise ValueError("reset_errors goes with keep_errors, and that is null: set it, to 0.8 for example")
        return self


class DistConfig(Config):
    """How processes share a training."""

    backend: BackendName = "replicas"
    """`replicas` are processes of one machine that meet in shared memory. The others are processes
    of any machines: torch's `ddp`, each with the whole model, and `fsdp2`, each with a share of it, as in DeepSpeed's
    `zero3`."""
    islands: PositiveInt = 1
    """FSDP2: groups of processes that each hold the whole model; gradients are packed between them."""
    expert_parallel: PositiveInt = 1
    """FSDP2: processes that divide the experts of each layer by number. A plan for GPUs: no training is begun with it,
    and `tuili plan train` shows it."""
    gradients: GradientConfig = GradientConfig()
    weights: Literal["fp32", "8bit"] = "fp32"
    """FSDP2: in what form processes send one another the shares of a layer that they are about to compute. 8bit are
    packed numbers, which stand in for the weights in each pass, as ZeRO++ has it; what is learnt stays in fp32."""
    bucket_mb: PositiveFloat | None = None
    """DDP: MiB of gradients that are sent together; null is 1 for those that come first, and 25."""
    overlap: Literal["off", "communication", "update"] = "communication"
    """DDP: what runs beside the backward pass: nothing, as always with PowerSGD; the averages of the buckets; or also
    their updates."""
    trace: PositiveInt | None = None
    """Steps behind the first two of a session of which each process writes a profiler's trace, `trace-0.json`, or
    `trace-0-from-500.json` where the session goes on from step 500."""
    timeout: PositiveInt = TIMEOUT
    """Seconds for which a process waits for another one in a step, beside those of the last step, and else for a sign
    that it lives."""

    @model_validator(mode="after")
    def _has_effect(self) -> DistConfig:
        form = self.gradients.form
        for name in ("bucket_mb", "overlap"):
            if (value := getattr(self, name)) == type(self).model_fields[name].default:
                continue
            if self.backend != "ddp":
                raise ValueError(f"{name} = {value} is of ddp's buckets, and backend = {self.backend}: "
                                 f"use ddp, or leave {name} out")  # fmt: skip
            if form == "powersgd" and value != "off":  # which is what happens
                raise ValueError(f"{name} = {value}: torch's PowerSGD takes all gradients together: "
                                 f"use another form of gradients, or leave {name} out")  # fmt: skip
        if self.islands > 1 and self.backend != "fsdp2":
            raise ValueError(f"islands = {self.islands} are groups that share a model, and backend = {self.backend}: "
                             "use fsdp2, or leave islands out")  # fmt: skip
        if self.weights != "fp32" and self.backend != "fsdp2":
            raise ValueError(f"weights = {self.weights}: backend = {self.backend} gathers none, or as it computes: "
                             "use fsdp2, or leave weights out")  # fmt: skip
        if self.expert_parallel > 1 and (self.backend, self.islands) != ("fsdp2", 1):
            raise ValueError(f"expert_parallel = {self.expert_parallel} goes with FSDP2 and one island: "
                             "use backend = fsdp2, or leave expert_parallel out")  # fmt: skip
        if self.gradients.precondition and self.backend != "ddp":
            raise ValueError(f"gradients.precondition takes the moments of the whole model, and backend = "
                             f"{self.backend}: use ddp, or leave it out")  # fmt: skip
        if form == "fp32":
            return self
        if self.backend == "replicas":
            raise ValueError(f"gradients.form = {form}: replicas add up in shared memory, where nothing travels: "
                             "use backend = ddp, or fp32")  # fmt: skip
        if self.backend == "zero3":
            raise ValueError(f"gradients.form = {form}: DeepSpeed sends them as it computes with them: "
                             "use backend = ddp, or leave the form out")  # fmt: skip
        if self.backend == "fsdp2" and self.gradients.bits is None:
            raise ValueError(f"gradients.form = {form}: between islands of FSDP2 gradients are packed or fp32: "
                             "use 3bit, or backend = ddp")  # fmt: skip
        if self.backend == "fsdp2" and self.islands == 1:
            raise ValueError(f"gradients.form = {form}: FSDP2 packs gradients between islands, and there is one: "
                             "set islands to 2 or more, or use backend = ddp")  # fmt: skip
        return self
