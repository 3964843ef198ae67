"""Gradients are divided by the root of AdamW's second moment while they are packed.

Rounding errs alike for all numbers that share a scale. AdamW divides each by the root of its own mean square: where
small numbers stand beside large ones, the error is most of what their step is made of. All processes of DDP have the
same moments, so that none has to be sent; and what is divided by them errs everywhere in proportion to what AdamW
expects. 1-bit Adam (Tang et al. 2021, arXiv 2102.02888) packs what such moments scale, too, and lets them stand still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

Moments = Callable[[str], Tensor | None]
"""The mean square of a parameter's gradients by its name; None where there is none."""
LEAST = 0.3
"""The least divisor over the mean one of a parameter: numbers that hardly ever had a gradient would else be far larger
than all that share their scale."""


@contextmanager
def preconditioned(gradients: Mapping[str, Tensor], moments: Moments) -> Iterator[None]:
    """Divide the gradients, by name, in place, and multiply by the same behind the `with` block."""
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
