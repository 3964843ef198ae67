"""Specifications of programs as a part of a record, for answers that any correct program may replace.

`tuili.steps.programs` defines what a specification means and which programs meet it.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from tuili.steps import programs

ProgramValue: TypeAlias = StrictBool | StrictInt | list[StrictBool | StrictInt] | None
Arguments: TypeAlias = tuple[ProgramValue, ...]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProgramCase(_Part):
    """What a program gives for one input."""

    arguments: Arguments = Field(description="The values that the function is given.")
    value: ProgramValue = Field(description="The value that it returns.")


class AllIntegers(_Part):
    """All whole numbers between two bounds."""

    low: StrictInt = Field(description="The smallest number.")
    high: StrictInt = Field(description="The largest number.")


class AllLists(AllIntegers):
    """All lists, of so many numbers, of whole numbers between two bounds."""

    shortest: Annotated[StrictInt, Field(ge=0, description="The fewest numbers in a list.")]
    longest: Annotated[StrictInt, Field(ge=0, description="The most numbers in a list.")]


class ProgramSpecification(_Part):
    """Which programs are right: those whose function gives the same values as `output`, in every case."""

    function: str = Field(pattern=r"^[A-Za-z_]\w*$", description="The name of the function.")
    examples: tuple[ProgramCase, ...] = Field(min_length=1, description="Cases that the prompt tells.")
    hidden: tuple[Arguments, ...] = Field((), description="Inputs that the prompt does not tell.")
    domain: tuple[AllLists | AllIntegers, ...] = Field((), description="For each parameter, values that are all tried.")

    @classmethod
    def of(cls, specification: programs.Specification) -> ProgramSpecification:
        """Convert a specification to the form that a record stores."""
        return cls(
            function=specification.function,
            examples=tuple(
                ProgramCase(arguments=_jsonable(case.arguments), value=case.value) for case in specification.examples
            ),
            hidden=tuple(map(_jsonable, specification.hidden)),
            domain=tuple(map(_bounds, specification.domain)),
        )

    def with_reference(self, reference: str) -> programs.Specification:
        """The specification, with the expected values of hidden inputs and domain computed by a correct program.

        Raises `InputError` for a specification that tries too many inputs or none.
        """
        return programs.Specification(
            self.function,
            tuple(programs.Case(case.arguments, case.value) for case in self.examples),
            self.hidden,
            tuple(map(_inputs, self.domain)),
            reference,
        )


def _jsonable(arguments: tuple[programs.Value, ...]) -> Arguments:
    return tuple([*value] if isinstance(value, list) else value for value in arguments)


def _bounds(inputs: programs.Inputs) -> AllLists | AllIntegers:
    if isinstance(inputs, programs.Lists):
        return AllLists(low=inputs.low, high=inputs.high, shortest=inputs.shortest, longest=inputs.longest)
    return AllIntegers(low=inputs.low, high=inputs.high)


def _inputs(bounds: AllLists | AllIntegers) -> programs.Inputs:
    if isinstance(bounds, AllLists):
        return programs.Lists(bounds.low, bounds.high, bounds.shortest, bounds.longest)
    return programs.Integers(bounds.low, bounds.high)
