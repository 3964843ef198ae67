"""Results of the shipped model's answers: wordings, conversations, proofs, programs, and everyday questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from typing import Any

from benchmarks.model.everyday import QUESTIONS, RECORD, SIX
from benchmarks.table.rows import Record, Row, Value, interval, middle, results, text

LANGUAGES = {"en": "English", "zh": "Chinese"}
WORDINGS = {
    "seen": ("wordings that training uses", ("0.94", "0.85", "0.65")),
    "unseen": ("wordings that no training uses", ("0.90", "0.78")),
    "bare": ("notation without words such as `48+27-3=?`", ("0.97",)),
}
"""By wording: what it is, and the goals by level, from 1."""


def with_interval(key: str, form: str = "{:.3f}", what: str = "accuracy") -> Value:
    """A share with its 95% interval and the number of problems."""

    def value(record: Record) -> str:
        middles = [record["figures"][f"{key}_{part}"]["median"] for part in (what, "low95", "high95", "n")]
        shown, low, high = (form.format(part) for part in middles[:3])
        return f"{shown} ({low} to {high}, n = {middles[3]:,.0f})"

    return value


def points(key: str) -> Value:
    """A difference in points with its 95% interval."""
    return interval(key, "{:+.1f}")


def count(part: str, whole: str) -> Value:
    """A number out of another one."""

    def value(record: Record) -> str:
        return " of ".join(f"{record['figures'][key]['median']:,.0f}" for key in (part, whole))

    return value


def lowest(name: str) -> Value:
    """The domain with the lowest accuracy at level 1 in a wording and language."""

    def value(record: Record) -> str:
        first = [cell for cell in record["config"]["cells"][name] if cell["level"] == 1]
        cell = min(first, key=lambda cell: cell["accuracy"])
        return f"{cell['accuracy']:.3f} ({cell['domain']}, n = {cell['n']})"

    return value


def row(what: str, name: str, value: Value, goal: str = "none") -> Row:
    """A row for one value of a benchmark."""
    return Row(what, results(name), (value, text(goal)))


UNDERSTANDING = (
    *(
        row(
            f"{language}, {words}, level {level}: share of right answers",
            "understanding",
            with_interval(f"{wording}_{short}_level{level}"),
            goal,
        )
        for wording, (words, goals) in WORDINGS.items()
        for short, language in LANGUAGES.items()
        for level, goal in enumerate(goals, start=1)
    ),
    *(
        row(f"{language}, wordings that training uses{what}", "understanding", value, goal)
        for short, language in LANGUAGES.items()
        for what, value, goal in (
            (", level 1: accuracy of the domain with the lowest one", lowest(f"seen_{short}"), "0.75"),
            (": mean layers of a token that chooses its depth", middle(f"seen_{short}_mean_depth", "{:.2f}"), "4.5"),
            (": points of accuracy of full depth over chosen depth", points(f"seen_{short}_full_over_auto"), "0.5"),
            (
                ": domains in which the mean depth of a token rises with the level",
                count(f"seen_{short}_deeper", f"seen_{short}_domains"),
                "14 of 16",
            ),
        )
    ),
    *(
        row(
            f"Points of accuracy of Chinese over English, {WORDINGS[wording][0]}",
            "understanding",
            points(f"{wording}_zh_over_en"),
            "-4",
        )
        for wording in ("seen", "unseen")
    ),
)

TALKING = (
    row(
        "Points of accuracy behind a system message that no training uses, over the same questions alone",
        "talking",
        points("system_all_difference"),
        "-2",
    ),
    row(
        "Points of accuracy behind 1 to 3 earlier turns that the question does not need, over the questions alone",
        "talking",
        points("turns_all_difference"),
        "-2",
    ),
    *(
        row(
            f"{language}, follow-ups in texts {texts}, level 1: share of right answers",
            "talking",
            with_interval(f"{kind}_{short}_level1"),
            "0.85",
        )
        for short, language in LANGUAGES.items()
        for kind, texts in (("follow_up_seen", "of training"), ("follow_up", "that no training uses"))
    ),
)

PROVING = (
    *(
        row(
            f"True claims that are proven in up to 4 attempts, level {level}",
            "proving",
            with_interval(f"true_level{level}", what="proven"),
            goal,
        )
        for level, goal in ((1, "0.90"), (2, "0.75"))
    ),
    row("False claims that are said to be proven", "proving", count("false_proven", "false_claims"), "0"),
    row("False claims that are refuted by a counter-example", "proving", count("false_refuted", "false_claims")),
    *(
        row(
            f"Programs that are right on inputs that the prompt does not show, one attempt, level {level}",
            "proving",
            with_interval(f"programs_level{level}", what="right"),
            goal,
        )
        for level, goal in ((1, "0.85"), (2, "0.65"))
    ),
)

EVERYDAY = (
    row(
        "Everyday questions that were written before training, English and Chinese: share of right answers",
        "everyday",
        with_interval("everyday", "{:.2f}", "right"),
    ),
)

ANSWERS = (*UNDERSTANDING, *TALKING, *PROVING, *EVERYDAY)


def shown_question(question: str) -> str:
    """A question as a cell of a table, each of its lines as it was typed."""
    return "<br>".join(f"`{line}`" for line in question.replace("|", r"\|").split("\n"))


def of_question(question: str, key: str) -> Value:
    """What the record says of a question."""

    def value(record: Record) -> str:
        return _FORMS[key](_kept(record, question))

    return value


def _kept(record: Record, question: str) -> dict[str, Any]:
    for kept in record["config"]["answers"]:
        if kept["question"] == question:
            return dict(kept)
    raise LookupError(f"the record lacks the question {question!r}")


def _result(kept: dict[str, Any]) -> str:
    if not kept["answer"]:
        return "no answer"
    shortcoming = "" if kept["outcome"] == "answered" else f" ({kept['outcome'].replace('_', ' ')})"
    return f"{'right' if kept['right'] else 'wrong'}{shortcoming}"


_FORMS: dict[str, Callable[[dict[str, Any]], str]] = {
    "expected": lambda kept: str(kept["expected"]),
    "answer": lambda kept: shown_question(kept["answer"]) if kept["answer"] else "–",
    "result": _result,
    "confidence": lambda kept: "–" if kept["confidence"] is None else f"{kept['confidence']:.2f}",
}
QUESTION_COLUMNS = ("question", "expected", "answer", "what came out", "confidence")
ASKED = tuple(
    Row(
        shown_question(question), results("everyday"), tuple(of_question(question, key) for key in _FORMS), linked=False
    )
    for question in chain((json.loads(line)["input"] for line in QUESTIONS.read_text().splitlines()), SIX, RECORD)
)
"""A row for each question of `everyday`."""
