"""The guide to the step language: its examples are decided as it says, its bounds are the real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tuili.steps import Status, arithmetic, check, lexer, linear, logic, parser, polynomial, regions

GUIDE = (Path(__file__).parents[2] / "docs" / "steps.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \| (`.*`) \|", GUIDE, re.MULTILINE)
EXAMPLES = [(kind, line) for kind, lines in ROWS for line in re.findall(r"`([^`]+)`", lines)]


def test_the_guide_has_examples() -> None:
    assert {kind for kind, _ in EXAMPLES} == {
        *("arithmetic", "quantity", "boolean", "date", "set"),
        *("propositional", "categorical", "linear", "polynomial"),
    }


@pytest.mark.parametrize(("kind", "line"), EXAMPLES)
def test_an_example_is_valid(kind: str, line: str) -> None:
    verdict = check(line)
    assert (verdict.status, verdict.kind) == (Status.VALID, kind)


def test_the_bounds_are_those_of_the_code() -> None:
    section = GUIDE.partition("## Bounds")[2].replace(",", "")
    for bound in (
        f"{lexer.MAX_LENGTH} characters",
        f"{lexer.MAX_TOKENS} tokens",
        f"{parser.MAX_OPERATORS} operators",
        f"{parser.MAX_DEPTH} levels",
        f"{arithmetic.MAX_BITS} bits",
        f"lists {arithmetic.MAX_ITEMS}",
        f"{logic.MAX_ATOMS} atoms",
        f"{regions.MAX_CLASSES} classes",
        f"degree {polynomial.MAX_DEGREE}",
        f"{linear.MAX_BRANCHES} cases",
    ):
        assert bound in section
