"""The guide to the step language: its examples are decided as it says, its bounds are the real ones."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tuili.steps import Status, check, prompt, universal
from tuili.steps.language import lexer, parser, units
from tuili.steps.theories import linear, logic, polynomial, regions
from tuili.steps.values import arithmetic

GUIDE = (Path(__file__).parents[2] / "docs" / "steps.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \| (`.*`) \|", GUIDE, re.MULTILINE)
EXAMPLES = [(kind, line) for kind, lines in ROWS for line in re.findall(r"`([^`]+)`", lines)]


def test_the_guide_has_examples() -> None:
    assert {kind for kind, _ in EXAMPLES} == {
        *("arithmetic", "quantity", "boolean", "date", "set"),
        *("propositional", "categorical", "linear", "polynomial"),
        *("universal", "instance"),
    }


@pytest.mark.parametrize(("kind", "line"), EXAMPLES)
def test_an_example_is_valid(kind: str, line: str) -> None:
    verdict = check(line)
    assert (verdict.status, verdict.kind) == (Status.VALID, kind)


def listed(before: str, after: str) -> list[str]:
    """The words in backticks between two pieces of the guide."""
    return " ".join(re.findall(r"`([^`]+)`", GUIDE.partition(before)[2].partition(after)[0])).split()


def test_the_units_are_those_of_the_code() -> None:
    marks = ("\nUnits: ", "with the prefixes", "without them", "Written out", "may be plural")
    prefixed, prefixes, others, written = (listed(*between) for between in pairwise(marks))
    plurals = {{"inch": "inches", "foot": "feet"}.get(word, f"{word}s") for word in written}
    with_prefix = {prefix + symbol for symbol in prefixed for prefix in ("", *prefixes)}
    assert {*with_prefix, *others, *written, *plurals} == set(units.UNITS)


@pytest.mark.parametrize("line", ["1 m = 1 s", "1 = true", "1 m < 1 s", "1 != true", "1 m != 1 s"])
def test_values_of_different_kinds_cannot_be_compared(line: str) -> None:
    assert check(line).status is Status.INVALID


def test_the_bounds_are_those_of_the_code() -> None:
    section = GUIDE.partition("## Bounds")[2].replace(",", "")
    for bound in (
        f"{lexer.MAX_LINE_CHARACTERS} characters",
        f"{lexer.MAX_TOKENS} tokens",
        f"{parser.MAX_OPERATORS} operators",
        f"{parser.MAX_DEPTH} levels",
        f"{lexer.MAX_DIGITS} digits",
        f"{arithmetic.MAX_BITS} bits",
        f"{units.MAX_FACTORS} factors",
        f"no power over {arithmetic.MAX_UNIT_POWER}",
        f"lists {arithmetic.MAX_ELEMENTS}",
        f"{logic.MAX_ATOMS} atoms",
        f"{regions.MAX_CLASSES} classes",
        f"degree {polynomial.MAX_DEGREE}",
        f"{linear.MAX_BRANCHES} cases",
        f"latest {universal.MAX_SHOWN} of its kind",
        f"{prompt.MAX_PROMPT_CHARACTERS} characters",
        f"{prompt.MAX_PROMPT_ENTRIES} entries",
    ):
        assert bound in " ".join(section.split())
