"""The user's own problems, from a file of questions: for measuring and calibrating a model on what it will be asked.

`tuili.data` reads the files; `comparing` compares answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuili.data import QuestionForm, read_questions
from tuili.engine import dialect_of
from tuili.errors import PromptError, RecordError
from tuili.steps import Context, read_turns
from tuili.store import AnyTokenizer
from tuili.tasks import Problem


@dataclass(frozen=True)
class OwnProblem(Problem):
    """A question from a file as a problem. It has no seed; `name` and `source` are the record's `id` and `source`."""

    name: str = ""
    source: str = ""

    @property
    def id(self) -> str:
        """The record's `id`."""
        return self.name


def own_problems(
    file: Path, tokenizer: AnyTokenizer, context: int, form: Literal["auto"] | QuestionForm = "auto"
) -> list[OwnProblem]:
    """The problems of a file, each with the facts that the checker reads in its prompt.

    Raises `RecordError`, with file and line, for a line that is not a question, for a prompt that does not fit into
    `context` tokens, and for a program that does not satisfy its specification.
    """
    problems: list[OwnProblem] = []
    dialect = dialect_of(tokenizer)
    for question in read_questions(file, form):
        record, place = question.record, f"{file}:{question.line}"
        prompt, earlier = record.turns
        try:
            dialect.encode(record.turns, context)
        except PromptError as error:
            raise RecordError(f"{place}: {error}") from error
        if fault := record.program_fault:
            raise RecordError(f"{place}: the output is not right by its specification: {fault}")
        problem = OwnProblem(
            domain=record.domain,
            level=record.level,
            seed=0,
            index=question.line,
            prompt=prompt,
            steps=record.steps,
            answer=record.output,
            labelled=Context.from_prompt(*read_turns(prompt, earlier)),
            earlier=earlier,
            specification=record.program_specification,
            name=record.id,
            source=record.source,
        )
        problems.append(problem)
    return problems


def questions_of(files: Iterable[Path]) -> list[str]:
    """The questions in files, which a model trained on them has seen.

    Raises `RecordError` as `tuili.data.read_questions` does.
    """
    return [one.record.input for file in files for one in read_questions(file)]
