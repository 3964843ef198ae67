"""The choices of a user for an adaptation. Everything else follows from the data, the model and the machine."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from tuili.config import Config
from tuili.data import QuestionForm
from tuili.engine import MAX_ATTEMPTS
from tuili.errors import InputError
from tuili.files import is_special
from tuili.store import ImportedModel, StoredModel, learnt_numbers, read_lineage
from tuili.tasks import read_domains

_Share = Annotated[float, Field(gt=0, lt=1)]


class AdaptOptions(Config):
    """The choices of one run. A run in a folder can only be resumed with the same choices."""

    model: str
    """A folder, a hub name or a shipped name."""
    data: Path
    """Questions with answers, in any form that `tuili.data.read_questions` knows."""
    form: Literal["auto"] | QuestionForm = "auto"
    times: NonNegativeInt = Field(10, le=1000)
    """Variants of each taught question, with other numbers; 0 for none."""
    minutes: PositiveFloat = 30.0
    """The longest that teaching may take. It takes less if the data need less."""
    passes: PositiveInt | None = None
    """How often the questions are read, if the minutes allow it; None for what suits the kind of the model."""
    rehearse: Annotated[tuple[str, ...], AfterValidator(read_domains)] = ()
    """Tuili's own domains that an imported model learns alongside. A model of Tuili's own rehearses all."""
    exits: tuple[PositiveInt, ...] = ()
    """Depths of exits that an imported model gets, such as (12, 18, 24)."""
    verifier: bool = True
    """Whether the model gets a verifier, which distinguishes right answers from wrong ones."""
    tolerances: tuple[_Share, ...] = Field((0.05, 0.1, 0.2), min_length=1)
    """Shares of wrong answers that requests may tolerate."""
    attempts: tuple[Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)], ...] = Field((1, 4), min_length=1)
    """Limits on attempts that requests may have."""
    seed: Annotated[int, Field(ge=0, lt=1000)] = 1

    @field_validator("exits", "tolerances", "attempts")
    @classmethod
    def _rising(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if any(left >= right for left, right in pairwise(values)):
            raise ValueError("they must rise, each once")
        return values


def refuse_unfit(options: AdaptOptions, stored: StoredModel | ImportedModel) -> None:
    """Raise `InputError` for options that a model does not support, and for a file that can be read only once."""
    if isinstance(stored, StoredModel):
        if options.exits:
            raise InputError(f"--exits: {options.model} is of Tuili's own kind, which has exits: leave it out")
        if options.rehearse:
            raise InputError(f"--rehearse: {options.model} is of Tuili's own kind and rehearses all: leave it out")
    elif stored.shape.quantization is not None or stored.shape.ranks:
        whole = stored.shape.quantization is not None
        why = "is in whole numbers, which is the last step of all" if whole else "has factors, which get no terms"
        raise InputError(f"{options.model} {why}: adapt the model that it was made of")
    elif (taught := learnt_numbers(read_lineage(stored.path))) is not None:
        raise InputError(
            f"{options.model} was taught in {taught}, which adapting would undo: adapt the model that it was made of"
        )
    elif options.exits and options.exits[-1] >= (layers := stored.shape.num_hidden_layers):
        raise InputError(f"--exits: {options.model} has {layers} layers: give depths below")
    if options.data.exists() and is_special(options.data) and not options.data.is_dir():
        raise InputError(f"{options.data} is a pipe or a device, and is read more than once: give a file")
