"""Functions of tensors compiled into graphs that are called without guards.

`torch.compile` checks every tensor of every call against the graph. For a small model these guards take as long as the
graph. So a graph is made here from one example, of which named dimensions may take any size. No other difference is
noticed, so `lean_model` must not pass one. Tests compare graphs with the functions that they were made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from tuili.errors import InputError

COMPILER_OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {
    "guard_filter_fn": torch.compiler.skip_all_guards_unsafe,
    "size_asserts": False,
    "assert_indirect_indexing": False,
}


def graph(
    function: Callable[..., Any], example: tuple[Any, ...], free: Mapping[Tensor, tuple[int, ...]]
) -> Callable[..., Any]:
    """Compile a function for arguments that differ from an example in free dimensions alone.

    Args:
        free: dimensions of tensors in the example that may take any size. In the example, dimensions that are free
            independently of each other must have different sizes, and none may be 1.
    Raises `InputError` where nothing can be compiled.
    """
    for tensor, dimensions in free.items():
        torch._dynamo.mark_dynamic(tensor, dimensions)
    compiler: Any = torch.compile(function, fullgraph=True, options=COMPILER_OPTIONS)
    try:
        compiled = compiler.aot_compile((example, {}))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"compiled: no graph can be made here ({reason}); install a C++ compiler, or leave it out"
        ) from error
    compiled.disable_guard_check()
    unguarded: Callable[..., Any] = compiled.fn
    return unguarded
