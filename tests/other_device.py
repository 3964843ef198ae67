"""A second device where there is one alone: tensors on `meta` that do have numbers.

What takes tensors of both devices fails as it would with a GPU; a number on the CPU may take part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

OTHER = torch.device("meta")
_COPIES = (torch.ops.aten._to_copy, torch.ops.aten.copy_)


class _There(Tensor):
    """A tensor on the other device. here: its numbers."""

    here: Tensor

    def __new__(cls, here: Tensor) -> Self:
        made: Self = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, here.shape, here.stride(), here.storage_offset(), dtype=here.dtype, device=OTHER
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(function, args, kwargs or {})


class _Factories(TorchDispatchMode):
    """What makes tensors out of none asks here, too."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(function, args, kwargs or {})


def _compute(function: Any, args: Any, kwargs: Any) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there, copies = any(isinstance(one, _There) for one in tensors), function.overloadpacket in _COPIES
    if there and not copies and any(one.dim() for one in tensors if not isinstance(one, _There)):
        raise RuntimeError(f"{function} takes tensors of two devices")
    device = kwargs.get("device") or (OTHER if there else torch.device("cpu"))
    if "device" in kwargs:
        kwargs = kwargs | {"device": torch.device("cpu")}
    args_here, kwargs_here = tree_map_only(_There, lambda one: one.here, (args, kwargs))
    out = function(*args_here, **kwargs_here)
    if function._schema.is_mutable:
        return args[0]
    return tree_map_only(Tensor, _There, out) if device == OTHER else out


@contextmanager
def other_device() -> Iterator[torch.device]:
    """Within it the device can be used, by this thread; others may go on with what is there."""
    swaps = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)  # parameters change their class as they move
    try:
        with _Factories():
            yield OTHER
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swaps)
