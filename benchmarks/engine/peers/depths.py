"""Where the tokens of the shipped nano leave at chosen depth: measured once, and replayed by models of other sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tuili.engine import load_decoder
from tuili.model import LoadedModel
from tuili.tasks import trained_domains, unseen_problems

SEED = 3
"""Of the problems."""


def measured_exits(loaded: LoadedModel) -> list[str]:
    """For each of some unseen problems the exits at which the tokens of its response leave: a digit for each token."""
    problems = unseen_problems(trained_domains(loaded.model.config.domains), (1, 2, 3), per_cell=1, seed=SEED)
    written = load_decoder(loaded, "auto").generate([problem.prompt for problem in problems])
    exits = loaded.model.config.exit_layers
    return ["".join(str(exits.index(depth)) for depth in generation.depths) for generation in written]


def shares(depths: Sequence[str]) -> list[float]:
    """The share of the tokens that leave at each exit."""
    counts = Counter("".join(depths))
    return [counts[exit_] / counts.total() for exit_ in sorted(counts)]
