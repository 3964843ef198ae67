"""What a problem is, and how problems are divided into train, validation and test.

The splits are disjoint in two ways: their seeds do not overlap, and a fingerprint assigns each content to exactly one
split, whatever its wording. `domains` decide what a problem asks, and `registry` draws it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from tuili.errors import InputError
from tuili.steps import Context, Status, check_chain, programs, read_turns
from tuili.tasks.content import Language

SEEDS_PER_SPLIT = 1_000_000_000
LEVELS = (1, 2, 3, 4, 5)
OWN_FORM = "own"
"""The form id of a problem whose domain writes its own prompts."""


class Split(StrEnum):
    """The three parts into which problems are divided."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"

    def seed(self, number: int) -> int:
        """The seed with this number in the split's range. Raises `InputError` unless 0 ≤ number < 10⁹."""
        if not 0 <= number < SEEDS_PER_SPLIT:
            raise InputError(f"seed {number} is out of range: use 0 to {SEEDS_PER_SPLIT - 1}")
        return list(Split).index(self) * SEEDS_PER_SPLIT + number

    @classmethod
    def of_seed(cls, seed: int) -> Split:
        """The split that a seed belongs to. Raises `InputError` outside 0 … 3·10⁹ − 1."""
        if not 0 <= seed < SEEDS_PER_SPLIT * len(cls):
            raise InputError(f"seed {seed} is out of range: use 0 to {SEEDS_PER_SPLIT * len(cls) - 1}")
        return list(cls)[seed // SEEDS_PER_SPLIT]

    @classmethod
    def of_fingerprint(cls, fingerprint: bytes) -> Split:
        """The split that a content belongs to by its fingerprint: 80% train, 10% validation, 10% test."""
        bucket = fingerprint[0] % 10
        return {8: cls.VALIDATION, 9: cls.TEST}.get(bucket, cls.TRAIN)


@dataclass(frozen=True)
class Draft:
    """What the `sample` of a domain that words its own prompts returns, instead of a `Content`.

    `facts` maps a label in the prompt (`P1`) to a statement, `program` a label (`L2`) to a line of a program.
    If the answer is a program, `specification` says which programs are right.
    """

    prompt: str
    steps: tuple[str, ...]
    answer: str
    facts: Mapping[str, str] = field(default_factory=dict)
    program: Mapping[str, str] = field(default_factory=dict)
    specification: programs.Specification | None = None

    def __post_init__(self) -> None:
        """Raises `InputError` for a prompt or an answer that is not a text or is blank."""
        for name, text in (("prompt", self.prompt), ("answer", self.answer)):
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"a draft of a problem has the {name} {text!r}: it must be a text that is not blank")

    @property
    def fingerprint(self) -> bytes:
        """The hash of the prompt."""
        return hashlib.sha256(self.prompt.encode()).digest()


@dataclass(frozen=True)
class Problem:
    """One problem with its checked chain of steps and its canonical answer."""

    domain: str
    level: int
    seed: int
    index: int
    prompt: str
    steps: tuple[str, ...]
    answer: str
    labelled: Context = field(repr=False)
    """The labelled facts and the program in the prompt, as the domain gives them."""
    language: Language = Language.EN
    form: str = OWN_FORM
    """The id of the form that words the problem."""
    earlier: tuple[tuple[str, str], ...] = ()
    """Questions and answers before the prompt, if the prompt is the last question of a conversation."""
    specification: programs.Specification | None = field(default=None, repr=False)
    """Which programs are right, if the answer is a program."""
    claim: str = ""
    """What the steps of a response must prove or refute; empty if only the answer counts."""

    @cached_property
    def context(self) -> Context:
        """Everything that the prompt gives, read on first use because training does not need it."""
        read = Context.from_prompt(*read_turns(self.prompt, self.earlier))
        return replace(read, facts=self.labelled.facts, program=self.labelled.program)

    @property
    def id(self) -> str:
        """`domain/level/seed/index/language/form`, which is enough to generate the same problem again."""
        return f"{self.domain}/{self.level}/{self.seed}/{self.index}/{self.language}/{self.form}"

    def checked(self) -> Problem:
        """The problem itself. Raises `InputError` for the first step that is not valid."""
        for step, verdict in zip(self.steps, check_chain(self.steps, self.context), strict=True):
            if verdict.status is not Status.VALID:
                raise InputError(f"problem {self.id}: the step {step!r} is {verdict.status}: {verdict.reason}")
        return self
