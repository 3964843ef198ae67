"""Everyday questions: all are asked, and the record keeps what came out, misses included."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.tiny import save_tiny
from benchmarks.model import everyday
from benchmarks.model.everyday import QUESTIONS, Question, all_questions, came_out, measure
from tuili.engine import Answer, Outcome, Receipt


def test_there_are_thirty_everyday_questions_the_six_and_the_record() -> None:
    questions = all_questions(QUESTIONS)
    groups = [question.group for question in questions]
    assert [groups.count(group) for group in ("everyday", "six", "record")] == [30, 6, 1]
    assert len({question.text for question in questions}) == 37


def answer(text: str, outcome: Outcome) -> Answer:
    return Answer("?", text, (), Receipt(1, {}, {}, 3.0, 9, "end", {}, outcome, "why", 0.5))


def test_what_came_out_is_kept_and_judged_by_type() -> None:
    question = Question("six", "What is 1 + 1?", "2")
    kept = came_out(question, answer("2.0", Outcome.BEST_EFFORT))
    assert (kept["right"], kept["outcome"], kept["reason"], kept["confidence"]) == (True, "best_effort", "why", 0.5)
    assert not came_out(question, answer("12", Outcome.ANSWERED))["right"]
    assert not came_out(question, answer("", Outcome.ABSTAINED))["right"]


def test_all_questions_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everyday, "SIX", {"What is 48 + 27 - 3?": "72"})
    file = tmp_path / "own.jsonl"
    file.write_text('{"input": "1 + 1", "output": "2"}\n')
    config, figures = measure(str(save_tiny(tmp_path / "model")), str(file))
    assert [kept["group"] for kept in config["answers"]] == ["everyday", "six", "record"]
    assert [figures[f"{group}_n"].median for group in ("everyday", "six", "record")] == [1, 1, 1]
    wrong = sum(kept["outcome"] == "answered" and not kept["right"] for kept in config["answers"])
    assert sum(figures[f"{group}_wrong_without_shortcoming"].median for group in ("everyday", "six", "record")) == wrong
