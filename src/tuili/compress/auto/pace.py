"""How fast this machine makes and measures candidates: times a few steps of each method, one link of a chain by each,
and a few answers of the parent."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from rich.console import Console

from tuili.compress.auto import making
from tuili.compress.auto.latency import measure_latency
from tuili.compress.auto.making import Interrupted, least_steps, way_of
from tuili.compress.auto.space import Candidate, Step
from tuili.compress.plan import try_steps
from tuili.compress.result import REMEDY
from tuili.compress.run import compress
from tuili.compress.trial import answering_seconds
from tuili.compress.watch import Tell
from tuili.errors import InputError
from tuili.tasks import Problem

TRIED_STEPS = 10
"""Recovery steps of a trial; `tuili.compress.plan` decides which of them are run."""
_SCRATCH = ".trial-"
MARGIN = 1.3
"""Steps are planned at this multiple of their measured time, to allow for changes, checkpoints and writing."""


@dataclass(frozen=True)
class Pace:
    """step: seconds per recovery step. model: the other seconds per candidate, which are measuring and what each link
    of its chain takes before and after its steps; the mean over candidates. memory: the most bytes of a trial. links:
    seconds per link, by method."""

    step: float
    model: float
    memory: int = 0
    links: Mapping[str, float] = field(default_factory=dict)

    def times(self, factor: float) -> Pace:
        """The pace of a machine that takes this many times as long."""
        return Pace(factor * self.step, factor * self.model, self.memory)

    def of_first(self, count: int, tried: Sequence[Candidate]) -> Pace:
        """The pace if only the first `count` of the candidates that it was measured for are tried."""
        return replace(self, model=self.model + self._linked(tried[:count]) - self._linked(tried))

    def _linked(self, tried: Sequence[Candidate]) -> float:
        return fmean(sum(self.links.get(step.verb, 0.0) for step in one.chain) for one in tried)

    def steps_in(self, seconds: float, models: int) -> int:
        """The steps that fit into the time left over from this many models."""
        return int((seconds - models * self.model) / (MARGIN * self.step))

    def seconds_for(self, steps: int, models: int) -> float:
        """The time that the steps and models take together."""
        return MARGIN * steps * self.step + models * self.model


def measure_pace(
    model: Path, tried: Sequence[Candidate], file: Path | None, changes: Sequence[str],
    problems: Sequence[Problem], tell: Tell, place: Path | None, clock: Callable[[], float] = time.perf_counter,
) -> Pace:  # fmt: skip
    """Measure the pace; the slowest step of all methods among the candidates counts. file: what candidates recover on.
    place: a folder for temporary links; None for the system's temporary folder. Raises `Interrupted` after a Ctrl-C,
    and `InputError` if nothing can be written."""
    chains = [one.chain for one in tried]
    slowest, memory, links = 0.0, 0, dict[str, float]()
    for step in {step.verb: step for chain in chains for step in chain}.values():
        least = least_steps(step, model, changes)
        way, healing = way_of(step, model, max(least, TRIED_STEPS), changes)
        tell(f"trying a few steps of {step.label}")
        steps = try_steps(way, healing, way.parent.data(file, lambda line: None), clock)
        slowest, memory = max(slowest, steps.seconds), max(memory, steps.memory)
        tell(f"trying what {step.label} takes besides its steps")
        with _scratch(place) as scratch:
            whole = _link_seconds(step, least, model, file, changes, scratch, clock)
        links[step.verb] = max(0.0, whole - (least - 1) * steps.seconds)
    besides = fmean(sum(links[step.verb] for step in chain) for chain in chains)
    return Pace(slowest, besides + _measuring_seconds(model, problems, clock), memory, links)


@contextmanager
def _scratch(place: Path | None) -> Iterator[Path]:
    """A temporary folder. Also removes any that a killed process has left in `place`. Raises `InputError` if nothing
    can be written."""
    remedy = "make room there, or name another folder by TMPDIR" if place is None else REMEDY
    for left in () if place is None else place.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    with ExitStack() as opened:
        try:
            folder = opened.enter_context(TemporaryDirectory(prefix=_SCRATCH, dir=place))
        except OSError as error:
            reason = f"{place or 'the system'}: no folder can be made for what is tried: {error.strerror or error}"
            raise InputError(f"{reason}; {remedy}") from error
        try:
            yield Path(folder)
        except InputError as error:
            if place is not None:
                raise
            raise InputError(str(error).replace(REMEDY, remedy)) from error


def _link_seconds(
    step: Step, steps: int, model: Path, file: Path | None, changes: Sequence[str], scratch: Path,
    clock: Callable[[], float],
) -> float:  # fmt: skip
    """Seconds of a link with few steps. One step counts as part of the link, because reading the first texts takes
    time too."""
    begun = clock()
    way, healing = way_of(step, model, steps, changes)
    made = compress(way, healing, file, scratch / "run", resume=False, console=Console(quiet=True))
    if made.model is None:
        raise Interrupted("nothing is made yet")
    return clock() - begun


def _measuring_seconds(model: Path, problems: Sequence[Problem], clock: Callable[[], float]) -> float:
    answering = answering_seconds(model, problems, clock)
    begun = clock()
    measure_latency(model, model, making.TURNS)
    return answering + clock() - begun
