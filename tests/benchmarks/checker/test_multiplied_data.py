"""The program that recomputes multiplied records finds every kind of fault, and knows none of Tuili's code."""

from __future__ import annotations

import ast
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks.checker.multiplied_data import recomputed
from benchmarks.checker.multiplied_data.__main__ import measure
from benchmarks.checker.multiplied_data.recomputed import fault, masked, may_be_several, numbers_of_text, value_of

ORIGINAL = (
    "Tom has 3 bags of 14 cards and 2 dozen pens. 50% of all?",
    ["3 * 14 = 42", "2 * 12 = 24", "42 * 0.5 = 21"],
    "21",
)
MADE = (
    "Tom has 5 bags of 20 cards and 4 dozen pens. 25% of all?",
    ["5 * 20 = 100", "4 * 12 = 48", "100 * 0.25 = 25"],
    "25",
)


def test_a_right_record_has_no_fault() -> None:
    assert fault(ORIGINAL, MADE) == ""
    assert not may_be_several(ORIGINAL, MADE)


@pytest.mark.parametrize(
    ("step", "wrong", "what"),
    [
        (0, "5 * 20 = 101", "does not hold"),
        (0, "5 * 21 = 105", "does not come from 14"),
        (1, "4 * 13 = 52", "does not come from 12"),
        (0, "5 + 20 = 25", "another calculation"),
        (2, "48 * 0.25 = 12", "does not come from 42"),
        (2, "100 * 0.5 = 50", "does not come from 0.5"),
    ],
)
def test_a_wrong_step_is_found(step: int, wrong: str, what: str) -> None:
    steps = [*MADE[1][:step], wrong, *MADE[1][step + 1 :]]
    assert what in fault(ORIGINAL, (MADE[0], steps, wrong.rpartition(" = ")[2]))


def test_a_wrong_answer_and_missing_parts_are_found() -> None:
    assert fault(ORIGINAL, (*MADE[:2], "48")) == "48 is not the answer"
    assert "not as many" in fault(ORIGINAL, (MADE[0], MADE[1][1:], "25"))
    assert "not as many" in fault(ORIGINAL, (MADE[0].replace("4 dozen", "dozen"), *MADE[1:]))


def test_numbers_that_may_be_several_are_counted() -> None:
    assert may_be_several(("6 of 3", ["6 - 3 = 3", "3 * 2 = 6"], "6"), ("9 of 4", ["9 - 4 = 5", "5 * 2 = 10"], "10"))


def test_calculations_and_numbers_are_read() -> None:
    assert value_of("-(2 + 3 * 4) / 7 * 50%") == -1
    assert numbers_of_text("Forty-two, 1,250.5 and .5, not mp3") == [42, Fraction("1250.5"), Fraction("0.5")]
    assert masked("Ann has 1,200 or two cats.") == "annhas#or#cats"
    for wrong in ("2 ^ 3", "2 3", "x + 1"):
        with pytest.raises(ValueError, match=r".*"):
            value_of(wrong)


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(Path(recomputed.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "collections.abc", "fractions"}


def test_it_measures_what_is_made(tmp_path: Path) -> None:
    lines = {
        "mwp/mawps-train.jsonl": '{"question": "He has 14 cups and 23 pans.", "answer": "37", "equation": "+ 14 23"}',
        "gsm8k/train.jsonl": '{"question": "He has 14 cups, loses 5. Left?", "answer": "<<14-5=9>>\\n#### 9"}\n'
        '{"question": "Ann has 14 pens and 5 caps. How many?", "answer": "<<14+5=19>>\\n#### 19"}',
        "mwp/mawps-dev.jsonl": '{"question": "He has 9 cups, loses 5. Left?", "answer": "4", "equation": "- 9 5"}',
        "mwp/asdiv-a.jsonl": '{"question": "He has 9 ants. How many?", "answer": "9", "equation": "* 9 1"}',
    }
    for name, line in lines.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(line + "\n")
    _, figures = measure(times=3, sample=0, held=1, data=str(tmp_path))
    assert figures["gsm8k_records"].median == 1, "what is tested is not multiplied: Ann's question is drawn"
    assert [figures[f"mawps_{key}"].median for key in ("can_be_multiplied", "written", "held_back")] == [1, 3, 0]
    assert [figures[f"gsm8k_{key}"].median for key in ("can_be_multiplied", "written", "held_back")] == [1, 0, 1]
    assert all(figures[f"{name}_like_one_held_back"].median == 0 for name in ("mawps", "gsm8k"))
