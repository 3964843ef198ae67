"""The parts of the record of familiarity that need no model."""

from __future__ import annotations

from importlib.metadata import distributions
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.foreign import UNTOUCHED, foreign_texts, paragraphs
from benchmarks.model.familiarity import auroc, promised, refused, without_a_fact
from tuili.engine import (
    Answer,
    Budget,
    CheckedStep,
    Familiar,
    NotPromised,
    Outcome,
    Promise,
    Promises,
    Receipt,
    Request,
)
from tuili.steps import Context, Status, Verdict
from tuili.tasks import Problem, generate


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


def answer_to(request: Request) -> Answer:
    """A right answer to a claim by a chain that proves it; else the last word of the prompt, promised or withheld."""
    withheld = request.prompt.startswith("withhold")
    promise = Promise(request.budget.error_tolerance, 0.05)
    outcome = Outcome.ABSTAINED if withheld else Outcome.ANSWERED
    receipt = Receipt(1, {}, {}, 3.0, 9, "end", {}, outcome=outcome, promise=promise)
    steps = tuple(CheckedStep(line, Verdict(Status.VALID), 3.0, ()) for line in CLAIMED.steps)
    if request.prompt == CLAIMED.prompt:
        return Answer(request.prompt, CLAIMED.answer, steps, receipt)
    return Answer(request.prompt, "" if withheld else request.prompt.split()[-1], (), receipt)


class Scripted:
    """An engine that refuses what begins with "refuse"."""

    promises = Promises(None)

    def answer(self, requests: list[Request]) -> list[Answer]:
        if requests[0].prompt.startswith("refuse"):
            raise NotPromised("unfamiliar")
        return [answer_to(request) for request in requests]


CLAIMED = next(one for one in (generate("proofs", 3, index, 2) for index in range(30)) if one.answer == "proven")


def test_how_requests_end_and_what_is_wrong_of_the_stream() -> None:
    own = [
        CLAIMED,
        *(
            Problem("word_problems", 1, 0, 0, prompt, (), "19", Context())
            for prompt in ("It is 19", "It is 18", "refuse 19", "withhold 19")
        ),
    ]
    strangers = [("That is 7", "7"), ("That is 8", ""), *[("refuse", "")] * 6, *[("withhold", "")] * 2]
    engine: Any = Scripted()
    found = promised(engine, own, strangers, ["refuse", "It is"], Budget(error_tolerance=0.1))
    assert {name: value for name, value in found.items() if name.startswith(("own", "foreign", "reduced"))} == {
        "own_promised": 3 / 5,
        "own_abstained": 1 / 5,
        "own_refused": 1 / 5,
        "foreign_promised": 2 / 10,
        "foreign_abstained": 2 / 10,
        "foreign_refused": 6 / 10,
        "reduced_promised": 1 / 2,
        "reduced_abstained": 0,
        "reduced_refused": 1 / 2,
    }
    assert found["wrong_of_own_promised"] == pytest.approx(1 / 3), "a claim is settled by steps"
    wrong, given = 0.95 * 1 / 5 + 0.05 * 1 / 10, 0.95 * 3 / 5 + 0.05 * 2 / 10
    assert found["wrong_of_promised"] == pytest.approx(wrong / given)


def test_foreign_texts_are_of_many_kinds_and_always_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("benchmarks.harness.foreign.subprocess.run", unreachable)
    few = sorted(distributions(), key=lambda one: one.name)[:60]
    monkeypatch.setattr("benchmarks.harness.foreign.distributions", lambda: few)
    found = foreign_texts(5, 7, tmp_path, gsm8k=tmp_path / "missing")
    counts = {kind: len(set(texts)) for kind, texts in found.items()}
    assert counts == {"descriptions": 5, "code": 5, "mail": 7, "manual": 7, "licences": 7}
    assert set(UNTOUCHED) < counts.keys()
    assert foreign_texts(5, 7, tmp_path, gsm8k=tmp_path / "missing") == found


def test_paragraphs_are_texts_of_a_fitting_length() -> None:
    long = "A sentence that is long enough to be a text of its own."
    assert list(paragraphs(f"short\n\n{long}\n\n# {long}\n\n{long}\n{long}\n\n{long * 9}")) == [long, f"{long}\n{long}"]
