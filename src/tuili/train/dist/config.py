"""The section `train.dist` of a recipe: how processes share a training, and in which form their gradients travel.

What the backends do is left to `backend`, `ddp`, `fsdp2` and `zero3`, and how gradients travel to `hooks`.
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
    """In which form gradients travel, and what happens to the resulting errors."""

    form: GradientFormat = "fp32"
    """Packed numbers have so many bits each, and a scale for each 256; fp16 and torch's PowerSGD are for comparison."""
    rotate: bool = False
    """Packed gradients: rotate each block by random signs and a Hadamard matrix before it is rounded."""
    clip: float = Field(1.0, ge=0.01, le=1)
    """Packed gradients: the fraction of a block's largest number that the codes reach; larger numbers are clipped."""
    precondition: bool = False
    """Packed gradients of DDP: divide each number by the root of AdamW's mean square of it before it is rounded, so
    that its error is proportional to its own size."""
    keep_errors: float | None = Field(None, ge=0, lt=1)
    """Packed gradients: weight of the past in the moving average of the errors, 0.8 in ZeRO++; null drops errors."""
    reset_errors: PositiveInt = RESET_ERRORS
    """Steps after which that average starts again."""
    rank: PositiveInt = 1
    """PowerSGD: the rank of its matrices."""
    start: int = Field(10, ge=2)
    """PowerSGD: plain steps before the first one with matrices. Torch advises a tenth of all steps, and at least the
    warm-up."""

    @property
    def bits(self) -> CodeBits | None:
        """The bits of a packed number; None if gradients are not packed."""
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
    """`replicas` are processes of one machine that exchange gradients in shared memory. The other backends run
    processes on any machines: torch's `ddp`, where each holds the whole model, and `fsdp2`, where each holds a shard of
    it, as in DeepSpeed's `zero3`."""
    islands: PositiveInt = 1
    """FSDP2: the number of groups of processes that each hold the whole model; gradients are packed between them."""
    expert_parallel: PositiveInt = 1
    """FSDP2: the number of processes that divide the experts of each layer by index. A plan for GPUs, which `tuili plan
    train` shows: no training starts with it."""
    gradients: GradientConfig = GradientConfig()
    weights: Literal["fp32", "8bit"] = "fp32"
    """FSDP2: the form in which processes send each other the shards of a layer that they are about to compute. With
    8bit, packed numbers stand in for the weights in each pass, as in ZeRO++; the trained weights stay in fp32."""
    bucket_mb: PositiveFloat | None = None
    """DDP: MiB of gradients that are sent together; null means 1 for the first bucket, and 25 for the others."""
    overlap: Literal["off", "communication", "update"] = "communication"
    """DDP: what runs during the backward pass: nothing, as always with PowerSGD; the averaging of buckets; or also
    their updates."""
    trace: PositiveInt | None = None
    """The number of steps, after the first two of a session, that each process records in a profiler trace,
    `trace-0.json`, or `trace-0-from-500.json` if the session resumes from step 500."""
    timeout: PositiveInt = TIMEOUT
    """Seconds that a process waits for another one in a step, on top of the duration of the last step, and otherwise
    for a sign of life."""

    @model_validator(mode="after")
    def _has_effect(self) -> DistConfig:
        form = self.gradients.form
        for name in ("bucket_mb", "overlap"):
            if (value := getattr(self, name)) == type(self).model_fields[name].default:
                continue
            if self.backend != "ddp":
                raise ValueError(f"{name} = {value} is of ddp's buckets, and backend = {self.backend}: "
                                 f"use ddp, or leave {name} out")  # fmt: skip
            if form == "powersgd" and value != "off":  # which is what PowerSGD does anyway
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
