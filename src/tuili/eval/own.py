"""Problems of one's own, from a file of questions: for measuring and calibrating a model on what it will be asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tuili.data import read_questions
from tuili.engine import dialect_of
from tuili.errors import PromptError, RecordError
from tuili.steps import Context, read_turns, split_response
from tuili.store import AnyTokenizer
from tuili.tasks import Problem


@dataclass(frozen=True)
class OwnProblem(Problem):
    """A record as a problem. It has no seed; `name` is the record's `id`."""

    name: str = ""

    @property
    def id(self) -> str:
        """The record's `id`."""
        return self.name


def own_problems(file: Path, tokenizer: AnyTokenizer, context: int) -> list[Problem]:
    """The problems of a file, in any form that `read_questions` knows, each with the facts that the checker reads in
    its prompt, and with its steps where all of them check.

    Raises `RecordError`, with file and line, for a line that is no question, for a prompt that does not fit `context`
    tokens, and for a program that is not right by its specification.
    """
    problems, dialect = list[Problem](), dialect_of(tokenizer)
    for read in read_questions(file):
        number, record = read.line, read.record
        prompt, earlier = record.turns
        question, before = read_turns(prompt, earlier)
        try:
            dialect.encode(record.turns, context)
        except PromptError as error:
            raise RecordError(f"{file}:{number}: {error}") from error
        if fault := record.program_fault:
            raise RecordError(f"{file}:{number}: the output is not right by its specification: {fault}")
        response = split_response(record.response)
        facts = Context.from_prompt(question, before)
        place = (record.domain, record.level, 0, number)
        texts = prompt, tuple(response.steps), response.answer
        specification = record.program_specification
        named = OwnProblem(*place, *texts, facts, earlier=earlier, specification=specification, name=record.id)
        problems.append(named)
    return problems


def file_hash(file: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
