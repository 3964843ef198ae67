"""Which problems models answer rightly, and their figures by level beside those of a parent.

Which models, and what they are compared for, is left to each benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness.cells import Cells
from benchmarks.harness.record import Figure
from benchmarks.harness.shares import paired
from tuili.engine import Numbers
from tuili.eval import paired_difference, right_answers
from tuili.store import model_hash
from tuili.tasks import Problem


class Answers:
    """The answers of models to the same problems. What was measured of the same weights is not measured again."""

    def __init__(self, problems: Sequence[Problem], cells: Cells) -> None:
        self._problems, self._cells = problems, cells

    def of(self, model: Path, numbers: Numbers = "auto") -> list[bool]:
        """Whether each answer of a model is right, where it computes in these numbers."""

        def marks() -> str:
            print(f"bench: {len(self._problems)} problems for {model.parent.name}", flush=True)
            return "".join("01"[right] for right in right_answers(model, self._problems, numbers=numbers))

        key = model_hash(model) + ("" if numbers == "auto" else f" in {numbers}")
        return [mark == "1" for mark in self._cells.get(key, marks)]

    def figures(self, name: str, right: Sequence[bool], parent: Sequence[bool]) -> dict[str, Figure]:
        """The share of right answers at each level, and of the parent's share with its 95% interval, by pairs; all
        together in points beside it.

        The interval of the share that is kept is that of the difference, over the parent's share.
        """
        figures = dict[str, Figure]()
        for level, (of_level, of_parent) in self._by_level(right, parent).items():
            share, whole = (sum(marks) / len(marks) for marks in (of_level, of_parent))
            figures[f"{name}_level_{level}"] = Figure("share", [share])
            if name != "parent" and whole:
                _, ends = paired_difference(of_level, of_parent)
                kept = (
                    ("", share / whole),
                    *zip(("_low95", "_high95"), (1 + end / whole for end in ends), strict=True),
                )
                for end, value in kept:
                    figures[f"{name}_level_{level}_kept{end}"] = Figure("share of the parent's", [value])
        return figures if name == "parent" else figures | paired(f"{name}_over_parent", right, parent)

    def _by_level(
        self, right: Sequence[bool], parent: Sequence[bool]
    ) -> Mapping[int, tuple[Sequence[bool], Sequence[bool]]]:
        places: dict[int, list[int]] = {}
        for place, problem in enumerate(self._problems):
            places.setdefault(problem.level, []).append(place)
        return {
            level: ([right[place] for place in of_level], [parent[place] for place in of_level])
            for level, of_level in places.items()
        }
