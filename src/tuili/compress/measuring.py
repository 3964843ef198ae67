"""Right answers before and after: the parent and the compressed model answer the same problems.

The parent provides the problems; `tuili.eval` scores the answers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuili.compress.parent import Parent
from tuili.compress.result import REMEDY
from tuili.compress.watch import Tell, Watch
from tuili.data import read_questions
from tuili.engine import Numbers
from tuili.errors import InputError
from tuili.eval import own_problems, paired_difference, right_answers
from tuili.files import file_hash, write_durably, writing
from tuili.store import model_hash
from tuili.tasks import Problem

ANSWERS_FILE = "answers.json"
"""A file in the run folder: what has been measured, so that another session need not measure it again."""


@dataclass(frozen=True)
class Measuring:
    """What accuracy is measured on. problems: about how many, 0 for none. file: questions that replace those that the
    parent has not been trained on."""

    problems: int
    file: Path | None = None

    def __post_init__(self) -> None:
        if self.problems < 0:
            raise InputError(f"--problems is {self.problems}: give 0 to measure nothing, or more")
        if self.file is not None and not self.problems:
            raise InputError(f"--test {self.file} is not used where --problems is 0: leave it out")

    def chosen(self, parent: Parent, learnt: Sequence[Path]) -> Sequence[Problem]:
        """The problems, without duplicate questions; none if none are asked for or the parent has none.

        learnt: the files that the model recovers on. Raises `RecordError` for a bad file, and `InputError` if the file
        is one of `learnt` or shares a question with them.
        """
        if not self.problems:
            return ()
        recovers_with = {path.resolve() for path in learnt}
        if self.file is not None and _digest(self.file) in map(_digest, recovers_with):
            raise InputError(f"--test {self.file} is what the model recovers with: give other questions")
        held_back = [path for path in parent.held_back if path.resolve() not in recovers_with]
        files = [self.file] if self.file is not None else held_back
        if not files:
            return parent.unseen(self.problems)
        context = parent.shape.max_position_embeddings
        every = [one for file in files for one in own_problems(file, parent.stored.tokenizer, context)]
        seen = {question.record.turns for path in recovers_with for question in read_questions(path)}
        if self.file is not None and (known := [one for one in every if (one.prompt, one.earlier) in seen]):
            raise InputError(
                f"--test {self.file}:{known[0].index}: the model recovers with this question, and with "
                f"{len(known) - 1} others of the file: leave them out"
            )
        found = list({turns: one for one in every if (turns := (one.prompt, one.earlier)) not in seen}.values())
        count = min(self.problems, len(found))
        return [found[number * len(found) // count] for number in range(count)]


def _digest(file: Path) -> str | Path:
    """What identifies a file whatever its name: its content, or its path if it cannot be read."""
    return file_hash(file) if file.is_file() else file.resolve()


class RightAnswers:
    """Measures models on the same problems. Results are stored in a folder, by the hash of the model."""

    def __init__(self, problems: Sequence[Problem], folder: Path, tell: Tell, check: Callable[[], None]) -> None:
        """check: is called after each problem; an exception from it ends the measurement."""
        self.problems, self._file, self._watch = problems, folder / ANSWERS_FILE, Watch(tell, check)
        asked = json.dumps([(problem.prompt, problem.earlier, problem.answer) for problem in problems])
        self._asked = hashlib.sha256(asked.encode()).hexdigest()

    def of(self, model: Path, name: str, numbers: Numbers = "auto") -> list[bool]:
        """Whether each answer of a model is right, computed in this numeric format. name: the model's name in
        messages."""
        kept, digest = self._kept(), model_hash(model) if numbers == "auto" else f"{model_hash(model)} in {numbers}"
        if digest not in kept:
            self._watch.tell(f"{name} answers {len(self.problems)} problems")
            work = self._watch.work(name, len(self.problems), "answers")
            right = right_answers(model, self.problems, lambda done, count: work.at(done), numbers)
            kept[digest] = "".join("01"[one] for one in right)
            with writing(self._file, REMEDY):
                write_durably(self._file, json.dumps({"problems": self._asked, "right": kept}).encode())
        return [mark == "1" for mark in kept[digest]]

    def _kept(self) -> dict[str, str]:
        try:
            document = json.loads(self._file.read_bytes())
            return dict(document["right"]) if document["problems"] == self._asked else {}
        except (OSError, ValueError, LookupError, TypeError):  # there is no file, or it has other problems
            return {}


def compared(problems: Sequence[Problem], before: Sequence[bool], after: Sequence[bool]) -> Mapping[str, float]:
    """The figures of a lineage: `right`, the share of right answers, and `right_before`, the parent's share; their
    difference with its paired 95% interval; and both shares for each level of the problems."""
    if not problems:
        return {}
    gain, (low, high) = paired_difference(after, before)
    figures = {"problems": float(len(problems)), "right_before": sum(before) / len(problems)}
    figures |= {"right": sum(after) / len(problems), "gain": gain, "gain_low95": low, "gain_high95": high}
    for name, right in (("right_before", before), ("right", after)):
        if len(of_levels := by_level(problems, right)) > 1:
            figures |= {f"{name}_level_{level}": share for level, share in of_levels.items()}
    return figures


def by_level(problems: Sequence[Problem], right: Sequence[bool]) -> dict[str, float]:
    """The share of right answers at each level, by the level's number as text."""
    levels = sorted({problem.level for problem in problems})
    marks = {level: [mark for one, mark in zip(problems, right, strict=True) if one.level == level] for level in levels}
    return {str(level): sum(of_level) / len(of_level) for level, of_level in marks.items()}
