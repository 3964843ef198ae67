"""Divides gradients by the root of AdamW's second moment while they are packed.

Rounding makes errors of the same size in all numbers that share a scale. AdamW divides each number by the root of its
own mean square: if small numbers share a scale with large ones, their steps consist mostly of error. All DDP processes
hold the same moments, so none has to be sent; and the error of a number divided by them is in proportion to what
AdamW expects. 1-bit Adam (Tang et al. 2021, arXiv 2102.02888) also packs what such moments scale, but freezes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

Moments = Callable[[str], Tensor | None]
"""The mean square of a parameter's gradients, by the parameter's name; None if there is none."""
LEAST = 0.3
"""The smallest divisor relative to a parameter's mean divisor: otherwise, numbers that hardly ever had a gradient would
become far larger than all others that share their scale."""


@contextmanager
def preconditioned(gradients: Mapping[str, Tensor], moments: Moments) -> Iterator[None]:
    """Divide the gradients, given by name, in place, and multiply them by the same divisors after the `with` block."""
    divisors = {name: divisor for name in gradients if (divisor := _divisor(moments(name))) is not None}
    for name, divisor in divisors.items():
        gradients[name].div_(divisor)
    yield
    for name, divisor in divisors.items():
        gradients[name].mul_(divisor)


def _divisor(moment: Tensor | None) -> Tensor | None:
    if moment is None or (mean := (root := moment.sqrt()).mean()) == 0:
        return None
    return root.add_(LEAST * mean)
