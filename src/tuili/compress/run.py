"""A compression in a run folder: changes, each followed by recovery, and the resulting model folder.

`Compression` defines the changes, `healing` the recovery, and `result` what a run writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from tuili.compress.compression import Compression, StageSetting
from tuili.compress.decisions import recall_decisions, record_decisions
from tuili.compress.measuring import Measuring, RightAnswers, compared
from tuili.compress.network import Network
from tuili.compress.parent import HealingData, Samples
from tuili.compress.plan import make_plan
from tuili.compress.recipe import HealingConfig
from tuili.compress.result import (
    CompressionResult,
    made_before,
    measured_again,
    refusing_full_disks,
    write_result,
)
from tuili.compress.watch import Tell, Watch
from tuili.data import Block
from tuili.files import file_hash
from tuili.posttrain import LearningSession
from tuili.store import LineageEntry, count_parameters
from tuili.tasks import Problem
from tuili.train import RunFolder, hidden_matrices, keep_freed_memory

_CHANGEABLE = {"checkpoint", "log"}
"""Keys of the healing that a later session may change, because they do not influence the weights."""


def compress(
    compression: Compression,
    healing: HealingConfig,
    file: Path | None,
    out: Path,
    *,
    resume: bool,
    measuring: Measuring | None = None,
    console: Console | None = None,
) -> CompressionResult:
    """Compress a model in the folder `out`; with `resume`, continue from its newest checkpoint.

    The model is `out/model`. file: healing data that replaces what the lineage names. measuring: what accuracy is
    measured on before and after; None to measure nothing. Raises `InputError` for data that nothing can be learnt from,
    if the folder holds a run that began with other settings or is not to be resumed, and if nothing can be written.
    """
    console = console or Console(stderr=True)

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    data = compression.parent.data(file, tell)
    problems = () if measuring is None else measuring.chosen(compression.parent, data.files)
    folder = RunFolder(out)
    for name, read in compression.read_from.items():
        folder.refuse_inside(read, f"{name} {read}")
    with refusing_full_disks(), folder.locked():
        fixed = _fixed(compression, healing, data, file)
        if (changes := folder.changes_since(fixed, resume, newer=("data",))) is None:
            folder.begin_with(fixed)
        elif changes:
            tell(f"changed since the run began: {', '.join(changes)}; the weights may differ")
        keep_freed_memory()
        for line in make_plan(compression, healing, data, len(problems)).lines:
            tell(line)
        return _Run(compression, healing, data, problems, file, out, tell, console).run()


def _fixed(compression: Compression, healing: HealingConfig, data: HealingData, file: Path | None) -> dict[str, object]:
    """What must be the same in all sessions of a run."""
    recipe = dict(compression.recipe) | {"healing": healing.model_dump(mode="json", exclude=_CHANGEABLE)}
    hashed = {str(file): file_hash(file) for file in data.files}
    given = None if file is None else str(file)
    return {
        "step": compression.step,
        "recipe": recipe,
        "model": compression.parent.hash,
        "files": hashed,
        "data": given,
    }


class _Stopped(Exception):
    """The user pressed Ctrl-C, and all steps so far are saved."""


class _Run:
    """One session of a run."""

    def __init__(
        self, compression: Compression, healing: HealingConfig, data: HealingData, problems: Sequence[Problem],
        file: Path | None, out: Path, tell: Tell, console: Console,
    ) -> None:  # fmt: skip
        self._compression, self._healing, self._data, self._problems = compression, healing, data, problems
        self._file, self._out, self._tell, self._console = file, out, tell, console

    def run(self) -> CompressionResult:
        """Run the remaining stages, and write the resulting model."""
        compression, healing = self._compression, self._healing
        if (entry := made_before(compression.begun_as, self._out / "model", compression.step)) is not None:
            return self._made(entry)
        teacher = compression.teacher()
        with LearningSession(healing, healing.steps, self._out, self._console, self._tell) as session:
            watch = Watch(self._tell, partial(self._check, session))
            try:
                student = self._last_stage(teacher, session, watch)
                held = partial(self._first, watch, "closeness", self._data.held)
                figures = compression.parent.finish(teacher, student, held, watch)
                return self._written(student, figures, session)
            except _Stopped:
                state = session.state
                return CompressionResult(state.step, state.tokens, session.seconds, dict(session.last))

    def _last_stage(self, teacher: Network, session: LearningSession, watch: Watch) -> Network:
        """The model after recovery from its last change. Raises `_Stopped` if the run is interrupted."""
        compression, parent = self._compression, self._compression.parent
        model = None
        for stage in range(compression.stages):
            first, until = compression.span(stage, self._healing.steps)
            if session.state.step > until:
                continue
            if first < session.state.step:  # a checkpoint holds what this stage has learnt
                recall_decisions(compression, self._out)
                model = compression.blank(stage)
            else:
                begun = parent.load() if model is None else model
                samples = partial(self._first, watch, "samples", self._data.samples)
                model = compression.change(stage, begun, samples, watch)
                record_decisions(compression, self._out)
            student = parent.network(model, learns=True)
            setting = StageSetting(self._data, first, until, self._out, lambda: session.interrupted, self._tell)
            learner = compression.learner(stage, student, teacher)
            blocks = compression.blocks(stage, student, teacher, setting)
            hidden = hidden_matrices(student.model) if self._healing.optimizer == "muon" else ()
            if not session.learn(learner, blocks, first, until, hidden=hidden):
                raise _Stopped
            model = student.model
        return student

    def _check(self, session: LearningSession) -> None:
        if session.interrupted:
            raise _Stopped  # the steps so far are saved; everything after them starts again

    def _first(self, watch: Watch, what: str, blocks: Samples, documents: int) -> Iterator[Block]:
        work, read = watch.work(what, documents, "documents"), 0
        for block in blocks(documents):
            work.at(read)
            read += block.documents
            yield block

    def _written(self, student: Network, figures: Mapping[str, float], session: LearningSession) -> CompressionResult:
        compression, healing, parent = self._compression, self._healing, self._compression.parent
        state, seconds = session.state, session.seconds
        sizes = {"parameters": float(compression.parameters.total)}
        sizes["parameters_before"] = float(count_parameters(parent.shape).total)
        recipe = dict(compression.recipe) | {"healing": healing.model_dump(mode="json")}
        if self._file is not None:
            recipe["data"] = str(self._file)
        entry = LineageEntry(
            compression.step,
            {compression.step: recipe} | dict(compression.trained_with(self._data)),
            sizes | dict(compression.figures) | dict(figures),
            {compression.step: healing.seed},
            state.tokens,
            seconds / 3600,
        )
        entry = write_result(
            compression.begun_as,
            self._out / "model",
            partial(compression.write, student),
            entry,
            partial(self._measured, partial(self._check, session)),
        )
        if left := parent.parts_left_behind():
            self._tell(f"not taken over, because it was made for the parent's weights: {', '.join(left)}")
        return CompressionResult(state.step, state.tokens, seconds, entry.figures, self._out / "model")

    def _measured(self, check: Callable[[], None], model: Path) -> Mapping[str, float]:
        """The right answers of the parent and of the result; empty if there are no problems."""
        if not self._problems:
            return {}
        answers = RightAnswers(self._problems, self._out, self._tell, check)
        before = answers.of(self._compression.parent.path, "the parent", self._compression.compared_with)
        return compared(self._problems, before, answers.of(model, "the smaller model"))

    def _made(self, entry: LineageEntry) -> CompressionResult:
        """The result of a run whose model exists. The model stays as it is, with everything added to it; only its right
        answers are measured, if they are missing or for other problems."""
        model = self._out / "model"
        self._tell(f"{model} is made: it stays as it is")
        entry = measured_again(model, entry, self._measured(lambda: None, model))
        return CompressionResult(self._healing.steps, entry.tokens, 3600 * entry.hours, entry.figures, model)
