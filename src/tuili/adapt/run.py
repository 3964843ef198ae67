"""An adaptation from a file of questions to a model and a report: the order of its stages.

Each stage has its own file; `stages` stores results, so that a run can continue where it ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from tuili.adapt.checking import CheckedFile, check_questions, count_kinds
from tuili.adapt.measuring import measure, measure_attempts, measure_promises
from tuili.adapt.options import AdaptOptions, refuse_unfit
from tuili.adapt.pace import measure_pace
from tuili.adapt.plan import Plan, PlannedStage, make_plan
from tuili.adapt.questions import PARTS, QuestionFiles, split_questions, write_parts
from tuili.adapt.report import told_of, write_report
from tuili.adapt.stages import TIMING, StageFolder, TaskCallback, begin
from tuili.adapt.teaching import Teacher, teacher_of
from tuili.adapt.trust import add_calibration, add_exits, add_verifier, assemble, promised
from tuili.adapt.variants import JUDGED, LEARNT, WHOLE, vary
from tuili.engine import CALIBRATION_FILE, dialect_of
from tuili.errors import InputError
from tuili.files import check_folder_place
from tuili.machine import machine
from tuili.store import ImportedModel, StoredModel, model_hash, open_model
from tuili.train import RunFolder, read_log

VERSION = 3
"""The version of what stages store. A run that was begun with another version cannot be resumed."""
FEW = 10
"""With fewer test questions than this, the test says little."""


@dataclass(frozen=True)
class Listener:
    """The callbacks that report on a run.

    told: gets a line about what was found. planned: gets the plan, before the long stages begin. bar: shows a bar while
    its block runs, and yields a callback that gets the name of the task, how many of its parts are finished, and how
    many there are. console: for the log of the teaching, which has a bar of its own.
    """

    told: Callable[[str], None]
    planned: Callable[[Plan], None]
    bar: Callable[[], AbstractContextManager[TaskCallback]]
    console: Console


@dataclass(frozen=True)
class AdaptResult:
    """The model, and the content of its report."""

    model: Path
    document: Mapping[str, Any]


def adapt(options: AdaptOptions, out: Path, *, resume: bool, listener: Listener) -> AdaptResult:
    """Adapt a model in the folder `out`; with `resume`, continue the run that was begun there.

    Raises `RecordError` for a line that cannot be used, `InputError` if there are too few questions, if the folder
    holds another run, and for options that the model's kind does not support, `Interrupted` after a Ctrl-C in a stage
    that can be resumed.
    """
    stored = open_model(options.model)
    refuse_unfit(options, stored)
    dialect = dialect_of(stored.tokenizer)
    encode = partial(dialect.encode, context=stored.shape.max_position_embeddings)
    file = check_questions(options.data, options.form, encode)  # fails before a folder is made
    folder = RunFolder(out)
    folder.refuse_own_model(stored.path, f"MODEL {options.model}")
    check_folder_place(out)
    begun = {
        "version": VERSION,
        "model": model_hash(stored.path),
        "data file": hashlib.sha256(options.data.read_bytes()).hexdigest(),
        "options": options.model_dump(mode="json", exclude={"model", "data"}),
    }
    places = {"folder of the model": str(stored.path), "name of the folder": str(out)}
    with folder.locked():
        begin(folder, begun, places, resume)
        return _Run(options, out, stored, file, StageFolder(out / "stages", begun), listener).run()


class _Run:
    def __init__(
        self, options: AdaptOptions, out: Path, stored: StoredModel | ImportedModel, file: CheckedFile,
        stages: StageFolder, listener: Listener,
    ) -> None:  # fmt: skip
        self._options, self._out, self._stored, self._file = options, out, stored, file
        self._stages, self._listener, self._files = stages, listener, QuestionFiles(out / "data")

    def run(self) -> AdaptResult:
        options, out, stages = self._options, self._out, self._stages
        counts = self._prepare()
        teacher = teacher_of(self._stored, options, self._files.records(LEARNT))
        plan = self._plan(teacher, counts)
        self._measured("before", self._stored.path)
        model = self._teach(teacher, plan)
        if options.exits:
            exits = partial(add_exits, model, self._files.file(WHOLE), options.exits, out / "exits", options.seed)
            model = self._added("exits", exits, model)
        if options.verifier:
            judged = self._files.file(JUDGED)
            verifier = partial(add_verifier, model, judged, counts["judged"], out / "verifier", options.seed)
            model = self._added("verifier", verifier, model)
        final = out / "model"
        stages.run("assemble", partial(assemble, model, final, teacher.calculator), [final])
        calibrate = partial(add_calibration, final, self._files.file("calibrate"), options)
        calibrated = self._watched("calibrate", calibrate, [final / CALIBRATION_FILE])
        self._tell_why("calibrate", calibrated)
        self._measured("after", final, promised(calibrated, max(options.attempts)))
        document = self._document(plan)
        write_report(out, document, read_log(out / "teach"))
        return AdaptResult(final, document)

    def _prepare(self) -> dict[str, int]:
        """Make the data of the run. Returns how many questions each part has, and how many a verifier learns from."""
        options, files = self._options, self._files
        for line in told_of(self._stages.run("check", self._file.described)):
            self._tell(line)

        def split() -> dict[str, int]:
            parts = split_questions(self._file.questions, options.seed)
            write_parts(files, parts)
            counts: dict[str, int] = {part: len(records) for part, records in parts.items()}
            return counts | {"kinds": count_kinds(parts["teach"])}

        counts = dict(self._stages.run("split", split, [files.file(part) for part in PARTS]))
        kinds = f"split by what they ask, numbers aside: {counts['teach']} of {counts['kinds']} kinds to teach"
        told = [kinds, *(f"one of each of {counts[part]} kinds to {part}" for part in PARTS[1:])]
        if left_out := self._left_out(counts):
            told.append(f"{left_out} that ask the same as others of these left out")
        self._tell(", ".join(told))
        if counts["test"] < FEW:
            self._tell(f"{counts['test']} test questions say little: give questions that differ in more than numbers")

        def multiply() -> dict[str, Any]:
            with self._listener.bar() as tell:
                return vary(files, options.times, options.seed, partial(tell, "multiply"))

        makes = [files.file(name) for name in (LEARNT, JUDGED, WHOLE)]
        varied = dict(self._stages.run("multiply", multiply, makes))
        self._tell(
            f"{varied['multiplied']} of {varied['originals']} taught questions can be varied: {varied['variants']} "
            "variants with other numbers, names and things"
        )
        for why, count in varied["refused"].items():
            self._tell(f"  {count} not: {why}")
        return {part: counts[part] for part in PARTS} | {"judged": varied["originals"] + varied["spare"]}

    def _plan(self, teacher: Teacher, counts: Mapping[str, int]) -> Plan:
        """The plan, which may come from an earlier session."""
        files, options = self._files, self._options

        def work(tell: TaskCallback) -> dict[str, Any]:
            learnt = files.records(LEARNT)
            fitting = [one for one in learnt if teacher.tokens_of(one) <= teacher.longest]
            if not fitting:
                raise InputError(
                    f"{options.data}: with its steps, every taught question has more than {teacher.longest} tokens, "
                    "which is more than is learnt at a time: give shorter ones"
                )
            trial = self._out / "trial"
            pace = measure_pace(self._stored.path, teacher, files.file(LEARNT), files.records("test"), trial, tell)
            made = make_plan(options, teacher, pace, fitting, counts)
            told = {"steps": made.steps, "passes": made.passes, "too_long": len(learnt) - len(fitting)}
            return told | {TIMING: pace | {"stages": [*map(asdict, made.stages)]}}

        kept = self._watched("plan", work)
        if kept["too_long"]:
            self._tell(f"{kept['too_long']} with their steps have more than {teacher.longest} tokens: not learnt")
        made = Plan(tuple(PlannedStage(**one) for one in kept[TIMING]["stages"]), kept["steps"], kept["passes"])
        self._listener.planned(made)
        return made

    def _teach(self, teacher: Teacher, plan: Plan) -> Path:
        folder = self._out / "teach"

        def work() -> dict[str, Any]:
            interval = max(1, plan.steps // 60)
            taught = teacher.teach(self._files.file(LEARNT), plan.steps, folder, interval, self._listener.console)
            return {"steps": taught.steps, "tokens": taught.tokens, "model": model_hash(taught.model)}

        self._stages.run("teach", work, [folder / "model"])
        return folder / "model"

    def _added(self, name: str, work: Callable[[TaskCallback], Mapping[str, Any]], model: Path) -> Path:
        """The model with the additions of a stage; the model itself if they cannot be made.

        The result of an earlier session may be missing if no later stage needs it.
        """
        made = self._out / name / "model"
        done = (self._out / "model").exists() and all(map(self._stages.is_kept, self._later(name)))
        result = self._watched(name, work, [] if done else [made])
        self._tell_why(name, result)
        return model if "why" in result else made

    def _later(self, name: str) -> Sequence[str]:
        """The stages that read the model that a stage makes."""
        return ("verifier", "assemble") if name == "exits" and self._options.verifier else ("assemble",)

    def _measured(self, name: str, model: Path, tolerances: Sequence[float] = ()) -> dict[str, Any]:
        files = self._files
        records, attempts = files.records("test"), max(self._options.attempts)

        def work(tell: TaskCallback) -> dict[str, Any]:
            measured = measure(model, records, (one.input for one in files.records(LEARNT)), partial(tell, name))
            if name == "before":
                return measured
            several = None
            if measured["calculator"] != "forced":  # with forced, no step is wrong, so no further attempt would follow
                several = measure_attempts(model, records, attempts, partial(tell, f"{name}: {attempts} attempts"))
            promises = measure_promises(model, records, tolerances, attempts, partial(tell, f"{name}: promises"))
            return measured | {"attempts": attempts, "several": several, "promises": promises}

        measured = self._watched(name, work)
        unlike = measured["unlike"]
        self._tell(
            f"{name}: {measured['right']} of {measured['questions']} right ({measured['accuracy']:.0%}), "
            f"{unlike['right']} of the {unlike['questions']} that are unlike all taught"
        )
        if told := measured.get("several"):
            self._tell(f"{name}, in {told['attempts']} attempts: {told['right']} right ({told['accuracy']:.0%})")
        return measured

    def _watched(
        self, name: str, work: Callable[[TaskCallback], Mapping[str, Any]], makes: Sequence[Path] = ()
    ) -> dict[str, Any]:
        """The result of a stage that shows a bar. makes: see `StageFolder.run`."""

        def with_bar() -> Mapping[str, Any]:
            with self._listener.bar() as tell:
                return work(tell)

        return dict(self._stages.run(name, with_bar, makes))

    def _document(self, plan: Plan) -> dict[str, Any]:
        """The content of the report."""
        planned = {stage.name: stage.seconds for stage in plan.stages}
        done = self._stages.done
        stages = [
            {
                "name": name,
                "seconds": one.seconds,
                "planned": planned.get(name),
                "why": f"left out: {one.result['why']}" if "why" in one.result else "",
            }
            for name, one in done.items()
        ]
        head: dict[str, Any] = {"name": self._options.model, "data": self._options.data.name, "stages": stages}
        head["seconds"] = sum(one.seconds for one in done.values())
        head["left_out"] = self._left_out(done["split"].result)
        return head | {name: dict(one.result) for name, one in done.items()} | {"machine": machine()}

    def _left_out(self, split: Mapping[str, int]) -> int:
        """How many questions are in no part."""
        return len(self._file.questions) - sum(split[part] for part in PARTS)

    def _tell_why(self, name: str, result: Mapping[str, Any]) -> None:
        if "why" in result:
            self._tell(f"{name}: left out, {result['why']}")

    def _tell(self, line: str) -> None:
        self._listener.told(line)
