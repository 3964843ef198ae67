"""The rooms of `tuili.steps` import one way: language, reading, values, theories, then the modules of the checker."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuili.steps.language.grammar import FUNCTIONS
from tuili.steps.values.functions import COMPUTATIONS

STEPS = Path(__file__).parents[2] / "src" / "tuili" / "steps"
ORDER = (
    {"programs"},
    {"verdict", "work_budget"},
    {"language"},
    {"reading"},
    {"values"},
    {"theories"},
    {"sentences"},
    {"bare_logic", "headings"},
    {"prompt"},
    {"context"},
    {"sources"},
    {"claims", "grounding", "inference", "trace", "universal"},
    {"checker"},
    {"calculation"},
    {"proofs"},
)
"""Rooms and modules of one line may import those of the lines before it, and each other."""
LANGUAGE_ORDER = (
    "characters",
    "grammar",
    "units",
    "terms",
    "relations",
    "substitution",
    "lexer",
    "parser",
    "printer",
    "program",
)
"""Each module of the room `language` may import those before it."""


def rank(room: str) -> int:
    return next(i for i, rooms in enumerate(ORDER) if room in rooms)


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """The modules of `tuili.steps` that a file imports, as paths below `tuili.steps`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tuili.steps"):
            module = tuple((node.module or "").split(".")[2:])
            is_package = (STEPS / "/".join(module)).is_dir()
            yield from ((*module, alias.name) for alias in node.names) if is_package else (module,)


@pytest.mark.parametrize("file", sorted(STEPS.rglob("*.py")), ids=lambda file: str(file.relative_to(STEPS)))
def test_rooms_import_one_way(file: Path) -> None:
    room, *inside = file.relative_to(STEPS).with_suffix("").parts
    if room == "__init__":
        return
    for imported in imports(file):
        assert rank(imported[0]) <= rank(room)
        if room == imported[0] == "language" and inside != ["__init__"]:
            assert LANGUAGE_ORDER.index(imported[1]) < LANGUAGE_ORDER.index(inside[0])


def test_every_function_of_the_grammar_has_a_computation() -> None:
    assert FUNCTIONS.keys() == COMPUTATIONS.keys()
