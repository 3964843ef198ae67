"""The report at the end of a search: a table of the front, the result for each target, a picture and a record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tuili.compress.auto.front import front
from tuili.compress.auto.picture import write_picture
from tuili.compress.auto.search import told
from tuili.compress.auto.targets import Found, Targets
from tuili.compress.result import REMEDY
from tuili.files import write_durably, writing

PICTURE_FILE, RECORD_FILE = "front.svg", "report.json"


@dataclass(frozen=True)
class AutoReport:
    """chosen: as measured in the search. checked, checked_parent: on problems that the search did not choose on.
    compared: the paired comparison of both on these problems, in the form of a compression's lineage."""

    targets: Targets
    parent: Found
    found: Sequence[Found]
    chosen: Found
    checked: Found
    checked_parent: Found
    compared: Mapping[str, float]

    @property
    def met(self) -> bool:
        """Whether all targets are met on the problems of the check."""
        return not self.targets.missed(self.checked, self.checked_parent)

    def lines(self) -> Iterator[str]:
        """The report as lines for readers."""
        yield "front, the smallest first, with the share of right answers at each level:"
        for one in front([*self.found, self.parent]):
            levels = ", ".join(f"level {level} {right:.1%}" for level, right in one.levels.items())
            yield f"  {one.name}, {one.told_steps}: {told(one)} ({levels})"
        yield f"chosen: {self.chosen.name}, {self.chosen.told_steps}"
        yield from (f"  {line}" for line in self.targets.lines(self.checked, self.checked_parent))
        gain, low, high = (100 * self.compared[name] for name in ("gain", "gain_low95", "gain_high95"))
        told_of = f"on {self.compared['problems']:,.0f} problems that the search did not choose on"
        yield f"  {told_of}: {gain:+.1f} points (95%: {low:+.1f} to {high:+.1f})"
        if low <= -100 * self.targets.loss * self.checked_parent.right <= high:
            yield "  the loss that was asked lies within this interval: more --problems would tell"
        if not self.met:
            missed = " and ".join(sorted(self.targets.missed(self.checked, self.checked_parent)))
            if self.targets.missed(self.chosen, self.parent):
                yield f"no candidate was found that meets all targets: this one is the nearest, and misses {missed}"
            else:
                yield f"it meets all targets on the problems of the search; the check misses {missed}"

    def write(self, folder: Path) -> None:
        """Write the picture and the record."""
        best = [{"name": one.name, "steps": one.steps} for one in front([*self.found, self.parent])]
        document = asdict(self) | {"front": best, "met": self.met}
        with writing(folder / RECORD_FILE, REMEDY):
            write_picture(folder / PICTURE_FILE, self.found, self.parent, self.chosen)
            write_durably(folder / RECORD_FILE, json.dumps(document, indent=1).encode())
