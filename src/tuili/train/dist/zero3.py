"""DeepSpeed's ZeRO-3 as a backend: each process holds a shard of every parameter and of its optimizer state.

A layer's parameters are gathered for its forward and its backward pass, and its gradients go back in shards
(Rajbhandari et al. 2020, arXiv 1910.02054). DeepSpeed flattens the shards, so that only AdamW can update them. Its own
checkpoints are pickles; ours contain the shards. DeepSpeed's settings are left to `zero3_settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tuili.data import Block
from tuili.errors import TuiliError
from tuili.train.checkpoint import Piece, Pieces, Tensors, load_weights
from tuili.train.dist.backend import DIVERGED_REMEDY, Backend, LossModule, begin_alike, confirm, processes_on
from tuili.train.dist.gradients.error_feedback import load_errors
from tuili.train.dist.group import told_once
from tuili.train.dist.torch_group import TorchGroup
from tuili.train.dist.zero3_settings import Processes, deepspeed_settings, load_deepspeed
from tuili.train.objective import ObjectiveResult
from tuili.train.optim import build_adamw
from tuili.train.setup import TrainingSetup

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps for each number, besides the step count."""
SCALER, SCALER_STATE = "loss_scaler", ("cur_scale", "cur_iter", "last_overflow_iter", "cur_hysteresis")
"""The group of a checkpoint's tensors that holds the state of the loss scaler, and the names in that state."""


class Zero3(Backend):
    """Each layer is a unit whose parameters are gathered together; those outside the layers are gathered one by one."""

    def __init__(
        self, setup: TrainingSetup, group: TorchGroup, tensors: Tensors | None, tell: Callable[[str], None]
    ) -> None:
        super().__init__(setup, group)
        model, recipe = setup.model, setup.recipe
        if tensors is not None:
            load_weights(model, tensors["model"])
        begin_alike(self)
        self._named = dict(model.named_parameters())
        sizes = [parameter.numel() for parameter in self._named.values()]
        deepspeed = load_deepspeed(setup.plan.device)
        self._library: Any = deepspeed.utils
        layers = (*model.model.trunk, *model.model.reasoning)
        for layer in layers:
            self._library.set_z3_leaf_module(layer, True)
        largest = max(sum(parameter.numel() for parameter in layer.parameters()) for layer in layers)
        module = LossModule(setup)
        self._engine, *_ = deepspeed.initialize(
            model=module,
            optimizer=build_adamw(
                recipe.optimizer,
                [parameter for parameter in self._named.values() if parameter.ndim >= 2],
                [parameter for parameter in self._named.values() if parameter.ndim < 2],
            ),
            config=deepspeed_settings(recipe, setup.plan, group.world_size, largest),
            mpu=Processes(group.of_gradients()),
            dist_init_required=False,
        )
        self._zero: Any = self._engine.optimizer
        for parameter in model.model.shared_key_value.parameters():  # it returns no tensors from which DeepSpeed
            deepspeed.zero.register_external_parameter(module, parameter)  # would see that its backward pass begins
        if tensors is not None:
            self._load(tensors)
            load_errors(group, "zero3", None, tensors, tell)
        self._confirm(sizes, tell)

    def learn(self, block: Block, progress: float, generator: torch.Generator, last: bool) -> ObjectiveResult:
        """Run the forward and backward pass. Gradients reach their shards with each block."""
        self._engine.set_gradient_accumulation_boundary(last)
        loss, metrics = self._engine(block, progress, generator)
        self._engine.backward(loss)  # divides by the blocks per process, and averages over the processes
        return ObjectiveResult(loss, metrics)

    def reduce_gradients(self) -> None:
        """The backward passes have done this."""

    def update(self) -> float:
        """DeepSpeed's own step, which also clips. In fp16 a step that overflows is skipped and has an infinite norm."""
        for group in self._zero.param_groups:
            group["lr"] = self._setup.recipe.optimizer.learning_rate * self._scale
        try:
            self._engine.step()
        except Exception as error:
            if "loss scale already at minimum" not in str(error):  # the error has no class of its own
                raise
            fault = f"gradients overflow in fp16 however small the loss is made: {DIVERGED_REMEDY}"
            raise told_once(self._group, TuiliError(fault)) from error
        return float(self._engine.get_global_grad_norm())

    @property
    def loss_scale(self) -> float | None:
        """The factor by which the loss is multiplied in fp16."""
        return float(self._zero.loss_scale) if self._engine.fp16_enabled() else None

    def collect(self) -> Pieces:
        """The shards of this process in fp32; process 0 also writes what is the same in all processes."""
        first, library = self._group.rank == 0, self._library
        model, optimizer = dict[str, Tensor | Piece](), dict[str, Tensor | Piece]()
        for name, value in self._setup.model.state_dict(keep_vars=True).items():
            if hasattr(value, "ds_id"):  # DeepSpeed's mark of a parameter
                model |= self._piece(name, value, library.safe_get_local_fp32_param(value))
            elif first:
                model[name] = value
        for flat, names in self._shares():
            if not (state := self._zero.optimizer.state.get(flat)):  # every step so far was skipped
                continue
            for name in names:
                parameter = self._named[name]
                optimizer |= {f"{name}:step": state["step"]} if first else {}
                for quantity in MOMENTS:
                    share = library.safe_get_local_optimizer_state(parameter, quantity)
                    optimizer |= self._piece(f"{name}:{quantity}", parameter, share)
        pieces: dict[str, dict[str, Tensor | Piece]] = {"model": model, "optimizer": optimizer}
        if self.loss_scale is not None and first:
            values = {name: float(getattr(self._zero.loss_scaler, name)) for name in SCALER_STATE}
            pieces[SCALER] = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
        return pieces

    def close(self) -> None:
        """Remove DeepSpeed's hooks from the model."""
        self._engine.destroy()

    def _piece(self, name: str, parameter: Any, share: Tensor) -> dict[str, Piece]:
        """A shard without its padding, under a name; nothing if it is all padding."""
        begin = share.numel() * self._group.rank
        numbers = share.detach()[: max(0, parameter.ds_numel - begin)]
        return {name: Piece(numbers, parameter.ds_shape, begin)} if numbers.numel() else {}

    def _shares(self) -> Iterator[tuple[Tensor, list[str]]]:
        """The flat fp32 shards that this process holds, each with the names of the parameters in it."""
        names = {id(parameter): name for name, parameter in self._named.items()}
        for flat, parameters in zip(self._zero.fp32_partitioned_groups_flat, self._zero.fp16_groups, strict=True):
            yield flat, [names[id(parameter)] for parameter in parameters]

    def _load(self, tensors: Tensors) -> None:
        """Continue from what any backend has collected. All parameters in a flat shard have a common step count."""
        model, saved, states = tensors["model"], tensors["optimizer"], self._zero.optimizer.state
        for flat, names in self._shares():
            steps = [saved[key] for name in names if (key := f"{name}:step") in saved]
            if steps:
                moments = {quantity: torch.zeros_like(flat) for quantity in MOMENTS}
                states[flat] = {"step": torch.stack(steps).max().to(flat.device)} | moments
            for name in names:
                parameter = self._named[name]
                self._library.safe_set_local_fp32_param(parameter, self._own_share(model[name], parameter))
                for quantity in MOMENTS:
                    if (value := saved.get(f"{name}:{quantity}")) is not None:
                        share = self._own_share(value, parameter)
                        self._library.safe_set_local_optimizer_state(parameter, share, quantity)
        if self.loss_scale is not None:
            scaler = self._zero.loss_scaler
            for name, value in tensors.get(SCALER, {}).items():
                setattr(scaler, name, type(getattr(scaler, name))(value))

    def _own_share(self, value: Tensor, parameter: Any) -> Tensor:
        """This process's shard of a value for a parameter: all shards have the same size, padded with zeros."""
        size, begin = parameter.ds_tensor.numel(), parameter.ds_tensor.numel() * self._group.rank
        return functional.pad(value.flatten(), (0, size * self._group.world_size - value.numel()))[begin : begin + size]

    def _confirm(self, sizes: Sequence[int], tell: Callable[[str], None]) -> None:
        """Report what DeepSpeed has made of the model. Raises `TuiliError` if that is not what was asked for."""
        device, count, precision = self._setup.plan.device.type, self._group.world_size, self._setup.plan.precision
        model, parameters = self._setup.model.model, list(self._named.values())
        shares: list[Tensor] = [getattr(parameter, "ds_tensor", torch.empty(0)) for parameter in parameters]
        facts = {
            "ZeRO stage": (int(self._engine.zero_optimization_stage()), 3),
            "optimizer": (type(self._zero).__name__, "DeepSpeedZeroOptimizer_Stage3"),
            "processes that share the model": (self._engine.dp_world_size, count),
            "layers that are gathered together": (
                len(self._library.get_z3_leaf_modules(self._engine.module)),
                len(model.trunk) + len(model.reasoning),
            ),
            "parameters that are not divided": (sum(parameter.numel() > 0 for parameter in parameters), 0),
            "devices": (sorted({share.device.type for share in shares}), [device]),
            "weights in all shares": (
                sum(self._group.all_gather(sum(share.numel() for share in shares))),
                sum(-(-size // count) * count for size in sizes),
            ),
            "number format": (str(parameters[0].dtype), "torch.float16" if precision == "fp16" else "torch.float32"),
        }
        confirm(self._group, facts)
        tell(f"zero3: {processes_on(device, count)}, each with one of {count} shares of the model; gradients travel as "
             f"{'fp16' if precision == 'fp16' else 'fp32'}")  # fmt: skip
