"""Updates the parameters of a bucket as soon as the mean of its gradients is available.

Updates run while later buckets are averaged, and during the next forward pass, which waits before each layer for that
layer's own parameters. Nothing can be clipped: the norm of the gradient is known only when the last bucket is there.
How buckets are averaged is left to `hooks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.profiler import record_function

from tuili.model import TuiliForCausalLM
from tuili.train.dist.group import SingleProcess
from tuili.train.dist.overlap.lanes import Done, Lane
from tuili.train.dist.overlap.spans import Span
from tuili.train.optim import OptimizerConfig, Optimizers


class BucketOptimizers(Optimizers):
    """Optimizers that update some parameters at a time, by gradients that are not the parameters' own `grad`.

    They see each parameter as a further tensor in the same memory, so that nothing else touches its gradient. AdamW
    gives the same bits as all at once; Muon, which multiplies matrices of one shape together, may round differently.
    """

    def __init__(self, config: OptimizerConfig, model: nn.Module) -> None:
        super().__init__(config, model, SingleProcess())
        self._twins = {name: parameter.detach() for name, parameter in self._named.items()}
        twin_of = {id(parameter): self._twins[name] for name, parameter in self._named.items()}
        for optimizer, _ in self._optimizers:
            for group in optimizer.param_groups:
                group["params"] = [twin_of[id(parameter)] for parameter in group["params"]]

    def step_of(self, gradients: Mapping[str, Tensor], scale: float) -> None:
        """Update these parameters once, with the learning rate at `scale` of its peak."""
        for name, gradient in gradients.items():
            self._twins[name].grad = gradient
        self._update(scale)
        for name in gradients:
            self._twins[name].grad = None


class BucketUpdates:
    """The updates of a step, in their own lane. `scale` is the learning rate of the next updates, over its peak."""

    def __init__(self, optimizers: BucketOptimizers, root: nn.Module, model: TuiliForCausalLM) -> None:
        self._optimizers, self.scale, self.lane = optimizers, 1.0, Lane("updates", model.device)
        self.names = set[str]()
        """The parameters that have been updated, or are about to be, since this set was last cleared."""
        units = [root, *model.model.reasoning]  # in the order in which the next forward pass needs them
        of_layers = {id(own): number for number, layer in enumerate(units[1:], 1) for own in layer.parameters()}
        self._places = {id(own): (name, of_layers.get(id(own), 0)) for name, own in model.named_parameters()}
        self._pending: list[list[Done]] = [[] for _ in units]
        self._hooks = [
            unit.register_forward_pre_hook(lambda *_, number=number: self._wait(number))
            for number, unit in enumerate(units)
        ]

    def start(self, parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Start to update parameters by their gradients, which must not change until `settle`."""
        scale, (names, units) = self.scale, zip(*(self._places[id(own)] for own in parameters), strict=True)
        of_names = dict(zip(names, gradients, strict=True))

        def work() -> None:
            with record_function(Span.UPDATE):
                self._optimizers.step_of(of_names, scale)

        done = self.lane.put(work, order=min(units))
        for unit in set(units):
            self._pending[unit].append(done)
        self.names.update(names)

    def settle(self) -> None:
        """Wait until all pending updates are done."""
        for unit in range(len(self._pending)):
            self._wait(unit)

    def close(self) -> None:
        """End the thread after its pending updates; nothing waits for it any more."""
        for hook in self._hooks:
            hook.remove()
        self.lane.close()

    def _wait(self, unit: int) -> None:
        pending, self._pending[unit] = self._pending[unit], []
        if pending:
            with record_function(Span.WAIT):
                for done in pending:
                    done.wait()
