"""Questions as people ask them, each asked as `tuili ask` asks: what came out, misses included.

Thirty questions were written down before the model was trained. Six are short ones, three of which ask the same, and
one is the record that the format of data was taken from. The page `docs/asking.md` shows all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.shares import share
from tuili.data import read_records
from tuili.engine import Answer, Outcome, Request, load_engine
from tuili.store import model_hash, resolve_model, shipped_names
from tuili.tasks import same_answer

QUESTIONS = Path(__file__).with_suffix(".jsonl")
SIX = {
    "What is 48 + 27 - 3?": "72",
    "48+27-3": "72",
    "how much is 48 plus 27 minus 3": "72",
    "All cats are pets. All pets are animals. Are all cats animals?": "yes",
    "Solve 2*x + 3 = 11 for x.": "4",
    "What day of the week is 2024-03-01?": "Friday",
}
RECORD = {"证明勾股定理:在直角三角形中,a² + b² = c²": "得证"}


class Question(NamedTuple):
    """A question with the answer that a person would give. group: `everyday`, `six` or `record`."""

    group: str
    text: str
    expected: str


def measure(model: str = "nano", questions: str = str(QUESTIONS)) -> Measured:
    """Shares of right answers, and counts of wrong answers without a shortcoming and of questions without an answer."""
    engine, asked = load_engine(model, slots=1), all_questions(Path(questions))
    answers = [came_out(one, engine.answer([Request(one.text)])[0]) for one in asked]
    figures: dict[str, Figure] = {}
    for group in dict.fromkeys(one.group for one in asked):
        chosen = [answer for answer in answers if answer["group"] == group]
        figures |= share(group, [answer["right"] for answer in chosen], "right")
        wrong = [not answer["right"] and answer["outcome"] == Outcome.ANSWERED for answer in chosen]
        figures[f"{group}_wrong_without_shortcoming"] = Figure("answers", [sum(wrong)])
        figures[f"{group}_without_answer"] = Figure("questions", [sum(not answer["answer"] for answer in chosen)])
    return {
        "model": model if model in shipped_names() else "given",
        "model_hash": model_hash(resolve_model(model)),
        "runtime": str(engine.scheduler.runner.runtime),
        "asked": "as `tuili ask` asks: the budget and the depth that hold where nothing is said",
        "answers": answers,
    }, figures


def all_questions(file: Path) -> list[Question]:
    """The questions of a file of records, then the six, then the record."""
    everyday = [Question("everyday", record.input, record.output) for record in read_records(file)]
    rest = [Question(group, *pair) for group, pairs in (("six", SIX), ("record", RECORD)) for pair in pairs.items()]
    return everyday + rest


def came_out(question: Question, answer: Answer) -> dict[str, Any]:
    """A question with what came of it, as the record keeps it."""
    receipt = answer.receipt
    return {
        "group": question.group,
        "question": question.text,
        "expected": question.expected,
        "answer": answer.answer,
        "right": same_answer(question.expected, answer.answer),
        "outcome": str(receipt.outcome),
        "reason": receipt.reason,
        "confidence": receipt.confidence,
        "familiar": None if receipt.familiar is None else vars(receipt.familiar),
    }


if __name__ == "__main__":
    run("everyday", measure)
