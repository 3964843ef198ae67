"""The parts of the record of familiarity that need no model."""

from __future__ import annotations

from itertools import product

import pytest

from benchmarks.harness.foreign import paragraphs
from benchmarks.model.familiarity import auroc, refused, without_a_fact
from tuili.engine import Familiar
from tuili.steps import Context
from tuili.tasks import Problem


def told(*p_values: float) -> list[Familiar]:
    return [Familiar(p, 0.02) for p in p_values]


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    mine, theirs = told(0.5, 0.01, 0.2, 0.2, 1.0), told(0.2, 0.001, 0.01, 0.3)
    pairs = [(one.p > other.p) + (one.p == other.p) / 2 for one, other in product(mine, theirs)]
    assert auroc(mine, theirs) == pytest.approx(sum(pairs) / len(pairs))
    assert auroc(told(0.5), told(0.1)) == 1
    assert refused(mine) == 1 / 5


def test_a_fact_is_taken_away_where_there_are_two() -> None:
    prompt = "Ann has 12 plums. She is kind.\nShe buys 7 more.\nHow many has she?"
    problem = Problem("word_problems", 1, 0, 0, prompt, (), "19", Context())
    assert without_a_fact(problem) in (
        "She is kind.\nShe buys 7 more.\nHow many has she?",
        "Ann has 12 plums. She is kind.\n\nHow many has she?",
    )
    assert without_a_fact(Problem("word_problems", 1, 0, 0, "What is 12 + 7?", (), "19", Context())) == ""


def test_paragraphs_are_texts_of_a_fitting_length() -> None:
    long = "A sentence that is long enough to be a text of its own."
    assert list(paragraphs(f"short\n\n{long}\n\n# {long}\n\n{long}\n{long}\n\n{long * 9}")) == [long, f"{long}\n{long}"]
