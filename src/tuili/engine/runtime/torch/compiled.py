"""Functions of tensors as graphs, compiled once and called without asking each time whether they fit.

For small models that question, which `torch.compile` asks of every tensor in every call, takes as long as the answer.
A graph is made from one example, of which named dimensions may then take any size; what else differs goes unnoticed.
So whoever calls it answers for that, which is `network`, and tests compare it with what was compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from tuili.errors import InputError

OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {
    "guard_filter_fn": torch.compiler.skip_all_guards_unsafe,
    "size_asserts": False,
    "assert_indirect_indexing": False,
}


def graph(
    function: Callable[..., Any], example: tuple[Any, ...], free: Mapping[Tensor, tuple[int, ...]]
) -> Callable[..., Any]:
    """A function compiled for one example of its arguments, and for others that differ in free sizes alone.

    Args:
        free: dimensions of tensors in the example that may take any size. No two that may differ may be alike in the
            example, and none may be 1 there.
    Raises `InputError` where nothing can be compiled.
    """
    for tensor, dimensions in free.items():
        torch._dynamo.mark_dynamic(tensor, dimensions)
    compiler: Any = torch.compile(function, fullgraph=True, options=OPTIONS)
    try:
        compiled = compiler.aot_compile((example, {}))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"compiled: no graph can be made here ({reason}); install a C++ compiler, or leave it out"
        ) from error
    compiled.disable_guard_check()
    called: Callable[..., Any] = compiled.fn
    return called
