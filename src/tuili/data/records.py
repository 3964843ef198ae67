"""Records: the lines of JSONL data files, and how such files are read, checked and written.

A bad line is refused with the file, the line number and what would be right; no line is skipped silently. `tuili.steps`
defines the form of a response; `tuili.tasks` defines problems and their splits.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from tuili.data.lines import numbered_lines, read_json
from tuili.data.specifications import ProgramSpecification
from tuili.errors import InputError, RecordError
from tuili.files import whole_file
from tuili.steps import (
    END,
    END_THINK,
    THINK,
    Context,
    MisplacedMessage,
    Status,
    Turns,
    check_chain,
    programs,
    read_turns,
    render_response,
    split_response,
    turns_of,
)
from tuili.tasks import LEVELS, Conversation, Problem, Split, domain_names, is_unseen_form, read_domain

GENERATED_SOURCE = "tuili"
"""The `source` of records that are generated problems."""
MULTIPLIED_SOURCE = "multiplied"
"""The `source` of records that were derived from other records with other numbers."""
_GENERATED_ID = re.compile(r"([^/]+)/[1-5]/([0-2]?[0-9]{1,9})/[0-9]+(?:/([^/]+)/([^/]+))?(?:/|$)")
"""The id of a generated problem: `domain/level/seed/index`, optionally followed by language and form."""
_MULTIPLES = re.compile(r"(?:/x[0-9]+)+$")
NonBlankText = Annotated[str, StringConstraints(pattern=r"\S")]
StrippedText = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class RecordMessage(BaseModel):
    """One message of a conversation before the question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "developer", "user", "assistant"] = Field(description="Who says it.")
    content: NonBlankText = Field(description="What is said.")


class Record(BaseModel):
    """One question with its answer and, where known, the steps between them.

    `input` and `output` are enough. `output` is a bare answer or a whole response `<think>…</think>answer`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", title="Tuili record")

    input: NonBlankText = Field(description="The prompt.")
    output: StrippedText = Field(description="A bare answer, or a whole response `<think>\\n…\\n</think>answer`.")
    domain: NonBlankText = Field("own", description="A domain's name; a built-in one leads to its expert.")
    level: int = Field(1, strict=True, ge=LEVELS[0], le=LEVELS[-1], description="Difficulty, 1 (easy) to 5 (hard).")
    steps: tuple[StrippedText, ...] = Field((), description="The reasoning, one step a line, where `output` is bare.")
    source: str = Field("", description="Where it comes from; by default the file's name.")
    id: str = Field("", description="A name unique in the file; by default `file:line`.")
    messages: tuple[RecordMessage, ...] = Field(
        (), description="What was said before, where `input` is the last question of a conversation."
    )
    specification: ProgramSpecification | None = Field(
        None, description="Where `output` is a program: by which cases others are judged."
    )

    @classmethod
    def of(cls, problem: Problem) -> Record:
        """The record of a generated problem. Raises `RecordError` for a problem that cannot be a record."""
        return cls._generated(problem, problem.prompt, problem.domain, problem.id, problem)

    @classmethod
    def of_conversation(cls, conversation: Conversation) -> Record:
        """The record of a generated conversation. Raises `RecordError` for one that cannot be a record."""
        *before, last = conversation.messages
        messages = tuple(RecordMessage(role=role, content=content) for role, content in before)
        domain, name = conversation.domain, conversation.id
        return cls._generated(conversation, last.content, domain, name, conversation.problem, messages)

    @classmethod
    def _generated(
        cls,
        worked: Problem | Conversation,
        prompt: str,
        domain: str,
        name: str,
        problem: Problem,
        messages: tuple[RecordMessage, ...] = (),
    ) -> Record:
        wanted = problem.specification if worked.answer == problem.answer else None
        try:
            return cls(
                input=prompt,
                output=worked.answer,
                domain=domain,
                level=problem.level,
                messages=messages,
                steps=worked.steps,
                source=GENERATED_SOURCE,
                id=name,
                specification=ProgramSpecification.of(wanted) if wanted else None,
            )
        except ValidationError as error:
            raise RecordError(f"problem {name}: {explain(error)}") from error

    @property
    def turns(self) -> Turns:
        """The model's input: the last question, with the instructions before it, and the earlier turns."""
        return turns_of([*((one.role, one.content) for one in self.messages), ("user", self.input)])

    @property
    def response(self) -> str:
        """The whole response `<think>\\n…\\n</think>answer` that a model should give to `input`."""
        return self.output if self.output.startswith(THINK) else render_response(self.steps, self.output)

    @property
    def program_specification(self) -> programs.Specification | None:
        """Which programs are correct, if the answer is a program, which then provides the values; else None."""
        if self.specification is None:
            return None
        return self.specification.with_reference(split_response(self.response).answer)

    @property
    def is_held_out(self) -> bool:
        """Whether the record is a generated problem of the validation or the test split, or in an unseen form.

        Records derived from such a problem are held out, too.
        """
        is_generated = self.source in (GENERATED_SOURCE, MULTIPLIED_SOURCE) and self.domain in domain_names()
        return is_generated and (self.split is not Split.TRAIN or bool(self.unseen_form))

    @property
    def unseen_form(self) -> str:
        """The form in the `id` of a generated problem if that form is never trained on; else an empty string."""
        found = _GENERATED_ID.match(self.id)
        return found[4] if found and found[4] and is_unseen_form(found[1], found[3], found[4]) else ""

    @property
    def form(self) -> str:
        """Domain, language and form in the `id` of a generated problem; the whole `id` of any other record."""
        found = _GENERATED_ID.match(self.id)
        return "/".join((found[1], found[3], found[4])) if found and found[4] else self.id

    @property
    def split(self) -> Split:
        """The split given by the seed in the `id` of a generated problem; train if the id has no seed."""
        number = _GENERATED_ID.match(self.id)
        return Split.of_seed(int(number[2])) if number else Split.TRAIN

    @field_validator("domain")
    @classmethod
    def _of_today(cls, domain: str) -> str:
        return read_domain(domain)

    @field_validator("output", mode="before")
    @classmethod
    def _number_as_text(cls, output: object) -> object:
        return as_text(output)

    @field_validator("output")
    @classmethod
    def _without_end(cls, output: str) -> str:
        return output.removesuffix(END).rstrip()

    @model_validator(mode="after")
    def _messages_are_in_order(self) -> Record:
        try:
            turns_of((one.role, one.content) for one in self.messages)
        except MisplacedMessage as error:
            raise ValueError(f"messages: number {error.place + 1}: {error}") from None
        return self

    @model_validator(mode="after")
    def _response_reads_back(self) -> Record:
        whole = self.output.startswith(THINK)
        if whole and self.steps:
            raise ValueError("steps stand both in `steps` and in `output`: keep one of them")
        if whole and [self.output.count(mark) for mark in (THINK, END_THINK, END)] not in ([1, 0, 0], [1, 1, 0]):
            raise ValueError("a response holds <think> and </think> once, and <|end|> nowhere but at its end")
        read = split_response(self.response)
        if not read.complete or not read.answer.strip():
            raise ValueError(f"output {self.output[:40]!r} has no answer after </think>")
        if not whole and (tuple(read.steps), read.answer) != (self.steps, self.output):
            raise ValueError("a step is one line, and neither steps nor answer hold <think>, </think> or <|end|>")
        try:
            specification = self.program_specification
        except InputError as error:
            raise ValueError(str(error)) from error
        if specification is not None:
            self._check_examples(specification)
        return self

    def _check_examples(self, specification: programs.Specification) -> None:
        """Raises `ValueError` if the answer fails an example. The other cases are not checked: they take longer."""
        examples = programs.Specification(specification.function, specification.examples)
        verdict = programs.decide(specification.reference, examples)
        if not verdict.right:
            raise ValueError(f"the output is not right by its specification: {verdict.reason}")

    @property
    def program_fault(self) -> str:
        """Why the answer fails its specification in any of its cases; empty if it meets it."""
        specification = self.program_specification
        try:
            return programs.decide(specification.reference, specification).reason if specification else ""
        except InputError as error:
            return str(error)


def original_id(name: str) -> str:
    """The `id` of the record from which this one was multiplied, directly or in several stages; else `name` itself."""
    return _MULTIPLES.sub("", name)


def record_schema() -> dict[str, Any]:
    """The JSON schema of a line of a data file."""
    return Record.model_json_schema()


def read_records(path: str | Path) -> Iterator[Record]:
    """Yield the records of a JSONL file in order. Blank lines are allowed.

    Raises `RecordError` at the first bad line, with the file, the line and what would be right, and for a file that
    is missing or holds no record.
    """
    return (record for _, record in numbered_records(path))


def numbered_records(path: str | Path) -> Iterator[tuple[int, Record]]:
    """Yield the records of a file with their line numbers. Raises as `read_records` does."""
    count = 0
    for number, line in numbered_lines(Path(path)):
        yield number, parse_record(Path(path), number, line)
        count += 1
    if not count:
        raise RecordError(f'{path} holds no record: write one JSON object a line, {{"input": "…", "output": "…"}}')


def read_training_records(path: str | Path) -> Iterator[Record]:
    """Yield the records of a file for training, as `read_records` does.

    Also raises `RecordError` at the first generated problem of the validation or the test split, or in an unseen form.
    """
    for number, record in numbered_records(path):
        if record.is_held_out:
            if record.split is Split.TRAIN:
                raise RecordError(
                    f"{path}:{number}: a problem in the unseen form {record.unseen_form}: train on --wording seen"
                )
            raise RecordError(
                f"{path}:{number}: a problem of the {record.split} split: train on those of --split train"
            )
        yield record


@dataclass(frozen=True)
class RecordReport:
    """What a data file holds: records counted by domain and level, steps counted by verdict, and the faults.

    errors: one message for each line that is not a record. repeated: one for each `id` that an earlier line has.
    invalid: one for each invalid step. Each message begins with the file and the line.
    """

    records: Counter[tuple[str, int]] = field(default_factory=Counter)
    steps: Counter[Status] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)

    @property
    def lines(self) -> int:
        """The number of lines that are not blank."""
        return self.records.total() + len(self.errors)

    @property
    def verdict(self) -> str:
        """The number of faults of each kind; empty if there are none."""
        counted = (
            (len(self.errors), f"of {self.lines} lines are bad"),
            (len(self.repeated), "ids are repeated"),
            (len(self.invalid), f"of {self.steps.total()} steps are invalid"),
        )
        return ", ".join(f"{number} {what}" for number, what in counted if number)


def check_records(path: str | Path) -> RecordReport:
    """Read a whole file, including bad lines, and check every step. Raises `RecordError` if it cannot be opened."""
    report, places = RecordReport(), dict[str, int]()
    for number, line in numbered_lines(Path(path)):
        try:
            record = parse_record(Path(path), number, line)
        except RecordError as error:
            report.errors.append(str(error))
            continue
        if fault := record.program_fault:
            report.errors.append(f"{path}:{number}: the output is not right by its specification: {fault}")
            continue
        report.records[record.domain, record.level] += 1
        if (first := places.setdefault(record.id, number)) != number:
            report.repeated.append(f"{path}:{number}: id {record.id!r} is that of line {first}, too")
        steps = split_response(record.response).steps
        verdicts = check_chain(steps, Context.from_prompt(*read_turns(*record.turns)))
        for place, (step, verdict) in enumerate(zip(steps, verdicts, strict=True), start=1):
            report.steps[verdict.status] += 1
            if verdict.status is Status.INVALID:
                right = f"; right: {verdict.expected}" if verdict.expected else ""
                report.invalid.append(f"{path}:{number}: step {place} {step!r} is invalid: {verdict.reason}{right}")
    return report


def write_records(path: str | Path, records: Iterable[Record]) -> int:
    """Write records as JSONL and return their number. The file appears either complete or not at all.

    Raises `InputError` if it cannot be written.
    """
    count = 0
    with whole_file(Path(path)) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record_fields(record), ensure_ascii=False) + "\n")
            count += 1
    return count


def record_fields(record: Record) -> dict[str, Any]:
    """The fields of a record as they are written to a file."""
    without = {name for name in ("messages", "specification") if not getattr(record, name)}
    return record.model_dump(mode="json", exclude=without)


def as_text(value: object) -> object:
    """Convert a number from JSON to a string without an exponent; return anything else unchanged."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def parse_record(path: Path, number: int, line: bytes) -> Record:
    """Parse a line of a file as a record. Raises `RecordError` for a line that is not a record."""
    return record_of(path, number, read_json(f"{path}:{number}", line, '{"input": "…", "output": "…"}'))


def record_of(path: Path, number: int, fields: object) -> Record:
    """Validate the parsed JSON of a line as a record. Raises `RecordError` if it is not a record."""
    where = f"{path}:{number}"
    try:
        record = Record.model_validate(fields)
    except ValidationError as error:
        raise RecordError(f"{where}: {explain(error)}") from error
    return record.model_copy(update={"source": record.source or path.name, "id": record.id or f"{path.name}:{number}"})


def explain(error: ValidationError) -> str:
    """Describe the first validation error in one line, with what would be right."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}: known are {', '.join(Record.model_fields)}"
    if problem["type"] == "missing":
        return f"key {key!r} is missing: a record needs input and output"
    if problem["type"] in ("string_type", "tuple_type"):
        example = '["3 * 4 = 12"]' if problem["loc"][0] == "steps" else '"…"'
        what = "list" if problem["type"] == "tuple_type" else "text"
        return f'{key} is no {what}: write "{problem["loc"][0]}": {example}'
    if problem["type"] in ("string_pattern_mismatch", "string_too_short"):
        return f"{key} is empty: it must hold text"
    return f"{key}: {message}" if key else message
