"""A second device where there is one alone: tensors on `meta` that do have numbers.

What takes tensors of both devices fails as it would with a GPU; a number on the CPU may take part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

OTHER = torch.device("meta")
_COPIES = (torch.ops.aten._to_copy, torch.ops.aten.copy_)
_GENERATORS = dict[int, torch.Generator]()
"""Those of the other device, by their addresses: torch hands on new objects for them."""
_STRICT = (torch.ops.aten.index_select, torch.ops.aten._fused_adamw_)
"""These take no number of the CPU either."""
_INDEXED = (torch.ops.aten.index, torch.ops.aten.index_put_)
"""These take indices of the CPU, too, as their second argument."""


class _There(Tensor):
    """A tensor on the other device. here: its numbers."""

    here: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # all is done below, where operations arrive

    def __new__(cls, here: Tensor) -> Self:
        with torch.inference_mode(False):
            made: Self = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
                cls, here.shape, here.stride(), here.storage_offset(), dtype=here.dtype, device=OTHER
            )
        made.here = here
        return made

    # What C++ does here goes round `__torch_dispatch__`.
    def tolist(self) -> Any:
        return self.here.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError("a GPU's tensors are no arrays of the CPU")
        return self.here.numpy(force=True)

    def __getitem__(self, index: Any) -> Tensor:
        return super().__getitem__(torch.tensor(index) if isinstance(index, list) else index)

    def new_tensor(self, data: Any) -> Tensor:  # type: ignore[override]
        return self.here.new_tensor(data).to(OTHER)

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(function, args, kwargs or {})


class _Factories(TorchDispatchMode):
    """What makes tensors out of none asks here, too."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(function, args, kwargs or {})


def _compute(function: Any, args: Any, kwargs: Any) -> Any:
    given = _tensors((args, kwargs))
    if any(not isinstance(one, _There) and one.is_meta for one in given):
        raise RuntimeError(f"{function} takes a tensor that has no numbers")
    packet = function.overloadpacket
    tensors = _tensors((args[:1] + args[2:], kwargs)) if packet in _INDEXED else given
    there, copies = any(isinstance(one, _There) for one in tensors), packet in _COPIES
    strict = packet in _STRICT
    if there and not copies and any(strict or one.dim() for one in tensors if not isinstance(one, _There)):
        raise RuntimeError(f"{function} takes tensors of two devices")
    device = kwargs.get("device") or (OTHER if there else torch.device("cpu"))
    drawn = kwargs.get("generator")
    if drawn is not None and (drawn._cdata in _GENERATORS) != (device == OTHER):
        raise RuntimeError(f"{function} draws from the generator of another device")
    args_here, kwargs_here = _here(args), _here(kwargs)
    if "device" in kwargs:
        kwargs_here["device"] = torch.device("cpu")
    out = function(*args_here, **kwargs_here)
    if function._schema.is_mutable:
        return kwargs.get("out", args[0]) if function._schema.returns else None
    return _there(out) if device == OTHER else out


def _tensors(tree: Any) -> list[Tensor]:
    if isinstance(tree, Tensor):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return [tensor for part in parts for tensor in _tensors(part)]


def _here(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _here(part) for name, part in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(map(_here, tree))
    return tree.here if isinstance(tree, _There) else tree


def _there(tree: Any) -> Any:
    if isinstance(tree, list | tuple):
        return type(tree)(map(_there, tree))
    return _There(tree) if isinstance(tree, Tensor) else tree


@contextmanager
def other_device() -> Iterator[torch.device]:
    """Within it the device can be used, by this thread; others may go on with what is there.

    Its generators draw what those of the CPU draw, and there are no fewer bits for `torch.autocast`.
    """
    tensor, generator, autocast, autocasts = torch.tensor, torch.Generator, torch.autocast, torch.is_autocast_enabled

    def tensor_there(data: Any, *, device: Any = None, **more: Any) -> Tensor:
        made = tensor(data, **more)
        return made if device is None else made.to(device)

    def generator_there(device: Any = "cpu") -> torch.Generator:
        made = generator()
        if torch.device(device) == OTHER:
            _GENERATORS[made._cdata] = made
        return made

    def autocast_there(device: str, **more: Any) -> AbstractContextManager[None]:
        return nullcontext() if device == OTHER.type else autocast(device, **more)

    swaps = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)  # parameters change their class as they move
    try:
        with (
            patch.object(torch, "tensor", tensor_there),
            patch.object(torch, "Generator", generator_there),
            patch.object(torch, "autocast", autocast_there),
            patch.object(torch, "is_autocast_enabled", lambda *device: OTHER.type not in device and autocasts(*device)),
            patch("torch.optim.adam._device_dtype_check_for_fused"),
            _Factories(),
        ):
            yield OTHER
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swaps)
