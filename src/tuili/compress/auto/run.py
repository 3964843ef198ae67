"""A search in a run folder: what is tried and within which time; the chosen model ends up at `OUT/model`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from tuili.compress.auto.halving import fitting
from tuili.compress.auto.kept import Kept, Schedule
from tuili.compress.auto.making import CandidateMaker
from tuili.compress.auto.pace import Pace, measure_pace
from tuili.compress.auto.possible import possible
from tuili.compress.auto.report import AutoReport
from tuili.compress.auto.search import Impossible, Search, told
from tuili.compress.auto.settings import CHECKED_MODELS, AutoPlan, AutoSettings
from tuili.compress.auto.space import Candidate, spread
from tuili.compress.auto.stopwatch import Stopwatch
from tuili.compress.auto.targets import Found
from tuili.compress.auto.timing import Timing
from tuili.compress.measuring import Measuring, RightAnswers, compared
from tuili.compress.parent import HealingData, Parent, open_parent
from tuili.compress.recipe import HealingConfig
from tuili.compress.result import REMEDY, refusing_full_disks
from tuili.compress.watch import Tell
from tuili.errors import InputError
from tuili.files import file_hash, writing
from tuili.store import model_hash, read_lineage, replaced_folder, weight_bytes, write_lineage
from tuili.tasks import Problem
from tuili.train import RunFolder, keep_freed_memory

MeasurePace = Callable[
    [Path, Sequence[Candidate], Path | None, Sequence[str], Sequence[Problem], Tell, Path | None], Pace
]


class AutoRun:
    """A search for one parent. Raises `InputError` for a parent that cannot be searched, or targets that no chain can
    meet."""

    def __init__(
        self, model: str | Path, settings: AutoSettings, console: Console,
        clock: Callable[[], float] = time.monotonic, pace: MeasurePace = measure_pace,
    ) -> None:  # fmt: skip
        self._settings, self._console, self._clock, self._pace = settings, console, clock, pace
        self._parent: Parent = open_parent(model, HealingConfig())
        self._data: HealingData = self._parent.data(settings.data, self._tell)
        found = Measuring(2 * settings.problems, settings.test).chosen(self._parent, self._data.files)
        self._searched, self._checked = halves(self._parent, found)
        self._possible = self._candidates()

    def plan(self, place: Path | None = None) -> AutoPlan:
        """What `run` would try, with time estimates from a trial that leaves nothing behind. place: the folder for the
        trial; None for the system's temporary folder."""
        settings = self._settings
        tried, limit = self._possible, 60 * settings.minutes
        given = (self._parent.path, tried, settings.data, settings.changes, self._searched)
        pace = self._pace(*given, self._tell, place)

        def steps(count: int, models: int) -> int:
            return pace.of_first(count, tried).steps_in(limit, models + CHECKED_MODELS)

        planned = fitting(len(tried), settings.first, steps)
        if not planned:
            least = pace.of_first(1, tried).seconds_for(settings.first, 1 + CHECKED_MODELS) / 60
            raise InputError(
                f"--minutes {settings.minutes:g}: one candidate with {settings.first} steps takes about {least:.1f}: "
                "give more, or lower --first or --problems"
            )
        count = planned[0].count
        return AutoPlan(tried[:count], planned, pace.of_first(count, tried), weight_bytes(self._parent.path))

    def run(self, out: Path, resume: bool) -> AutoReport:
        """Search in a folder and leave the chosen model at `out/model`; with `resume`, continue an earlier search.

        Raises `Interrupted` after a Ctrl-C, and `InputError` if the folder holds something else.
        """
        folder = RunFolder(out)
        folder.refuse_inside(self._parent.path, f"MODEL {self._parent.path}")
        with refusing_full_disks(), folder.locked():
            if folder.changes_since(self._fixed(), resume, out / "candidates", newer=("data", "test")) is None:
                folder.begin_with(self._fixed())
            keep_freed_memory()
            return self._searched_in(out)

    def _searched_in(self, out: Path) -> AutoReport:
        kept, targets = Kept(out), self._settings.targets
        with Stopwatch(out, self._clock) as watch:
            tried, timing = self._scheduled(kept, out), Timing(kept, watch, 60 * self._settings.minutes)
            maker = self._maker(out, "searched", self._searched)
            if (parent := kept.get("parent", 0)) is None:
                parent = maker.measured("parent", 0, self._parent.path)
                kept.add(parent)
            self._tell(f"the parent: {told(parent)}")
            if not parent.right:
                self._tell("the parent answers no problem rightly, so that --loss asks for nothing")
            make = partial(self._make, kept, replace(maker, reference=parent.latency), timing)
            search = Search(tried, timing.rungs, timing.rung, targets, parent, make, self._tell)
            found = search.run()
            if not found:
                raise InputError(f"{self._parent.path}: no candidate could be made: ask for less")
            report = self._report(out, parent, found, search.best(found))
            chosen, model = out / report.chosen.model, out / "model"
            if not model.is_dir() or model_hash(model) != model_hash(chosen):
                with replaced_folder(model) as fresh, writing(model, REMEDY):
                    shutil.copytree(chosen, fresh)
                    *before, last = read_lineage(fresh)
                    write_lineage(fresh, (*before, replace(last, figures={**last.figures, **report.compared})))
            report.write(out)
            return report

    def _make(self, kept: Kept, maker: CandidateMaker, timing: Timing, candidate: Candidate, steps: int) -> Found:
        """Make and measure a candidate. A stored result takes no time."""
        if (known := kept.get(candidate.name, steps)) is not None:
            return known
        if (reason := kept.failed(candidate.name, steps)) is not None:
            raise Impossible(reason)
        timing.check(steps)
        try:
            made = maker.make(candidate, steps)
        except Impossible as error:
            kept.fail(candidate.name, steps, str(error))
            raise
        kept.add(made)
        return made

    def _report(self, out: Path, parent: Found, found: Sequence[Found], chosen: Found) -> AutoReport:
        """The report. The chosen model and its parent are measured on problems that the search did not choose on."""
        check, model = self._maker(out, "checked", self._checked), out / chosen.model
        before = check.measured("parent", 0, self._parent.path)
        after = replace(check, reference=before.latency).measured(chosen.name, chosen.steps, model)
        answers = (check.answers.of(self._parent.path, "the parent"), check.answers.of(model, chosen.name))
        figures = compared(self._checked, *answers)
        return AutoReport(self._settings.targets, parent, found, chosen, after, before, figures)

    def _scheduled(self, kept: Kept, out: Path) -> Sequence[Candidate]:
        """The candidates fixed by the first session, which all sessions follow. Stores the schedule."""
        if (known := kept.schedule) is None:
            plan = self.plan(out)
            kept.fix(Schedule([one.name for one in plan.tried], plan.planned, plan.pace))
            for line in plan.lines:
                self._tell(line)
            return plan.tried
        by_name = {one.name: one for one in self._possible}
        return [by_name[name] for name in known.names if name in by_name]

    def _candidates(self) -> list[Candidate]:
        parent, settings = self._parent, self._settings
        found = possible(parent, settings.changes, settings.first, self._tell)
        if not found:
            raise InputError(f"{parent.path}: no way to compress takes it")
        chosen = spread(found, settings.targets, settings.most)
        if not chosen:
            least, asked = min(found, key=lambda one: one.left.bytes), settings.targets.size or 1.0
            raise InputError(
                f"--size {100 * (asked - 1):+.4g}%: no chain of compressions makes {parent.path} so small; the "
                f"smallest, {least.name}, leaves about {least.left.bytes:.1%}: ask for less"
            )
        return chosen

    def _maker(self, out: Path, name: str, problems: Sequence[Problem]) -> CandidateMaker:
        """The maker of candidates, which measures them on these problems."""
        with writing(out / name, REMEDY):
            (out / name).mkdir(exist_ok=True)
        answers = RightAnswers(problems, out / name, self._tell, lambda: None)
        settings = self._settings
        return CandidateMaker(
            self._parent.path, out / "candidates", settings.data, settings.changes, answers, self._console
        )  # fmt: skip

    def _fixed(self) -> dict[str, object]:
        """What must be the same in all sessions of a run."""
        given = {"data": self._settings.data, "test": self._settings.test}
        files = [*self._data.files, *(file for file in given.values() if file is not None)]
        roles = {name: None if file is None else str(file) for name, file in given.items()}
        hashed = {str(file): file_hash(file) for file in files}
        return {"auto": self._settings.fixed(), "model": self._parent.hash, "files": hashed, **roles}

    def _tell(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def halves(parent: Parent, problems: Sequence[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Split the problems: of each domain and level two go to the search, the next two to the check, and so on, so that
    languages alternate."""
    cells: dict[tuple[str, int], list[Problem]] = {}
    for problem in problems:
        cells.setdefault((problem.domain, problem.level), []).append(problem)
    halves: tuple[list[Problem], list[Problem]] = ([], [])
    for number, cell in enumerate(cells.values()):
        for place, problem in enumerate(cell):
            halves[(place // 2 + number) % 2].append(problem)
    if not all(halves):
        raise InputError(f"{parent.path}: there is too little to measure it on: give --test FILE, or more --problems")
    return halves
