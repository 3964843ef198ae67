"""The outcomes of multiplying a record: the reasons against it, and how often each occurred."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Refusal(StrEnum):
    """Why a record yields nothing, or fewer records than were wanted. The values are texts for users."""

    NO_STEPS = "it has no steps that all check"
    OTHER_FORM = "it is a conversation or a program"
    OTHER_STEPS = "a step is no calculation with + - * / of numbers"
    TOO_LONG = "it has more than 40 numbers, 20 steps or 4000 characters"
    NO_BARE_ANSWER = "its answer is not a bare number"
    NO_ANSWER = "no step, or more than one, gives the answer"
    NOWHERE = "a number of a step stands neither in the question nor in an earlier step"
    USELESS_STEP = "a step gives neither the answer nor a number of a later step"
    REDUNDANT = "a number that no step uses hangs together with others"
    LEFT_OUT = "no step uses a percentage, a share or a limit of the question"
    NOTHING_TO_CHANGE = "no number can be told apart well enough to change it"
    NO_OTHER_NUMBERS = "no other numbers keep it plausible"
    HELD_BACK = "with numbers masked it is a question that is held back"


@dataclass
class MultiplyReport:
    """How many records were read, multiplied and written, and the records that yield nothing, by reason.

    short: records that yield some, but fewer than were wanted.
    """

    read: int = 0
    multiplied: int = 0
    written: int = 0
    short: int = 0
    refused: Counter[Refusal] = field(default_factory=Counter)
