"""Results of a model by the examples that it was taught with: equations or prose, each question once or multiplied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from benchmarks.table.rows import Record, Row, Value, bench, figure, joined, middle, results, text

RECORD = "taught_examples"
TESTS = {"mawps_dev": "MAWPS-dev", "asdiv_a": "ASDiv-A", "gsm8k": "GSM8K, held back"}
FORCED, OFF, PROSE = "the checker calculates", "no calculator", "the last number counts"
BASE = "the model as it came"
ASKED = {
    "once": ("MAWPS and GSM8K, equations", {"_forced": FORCED, "_off": OFF}),
    "multiplied": ("MAWPS and GSM8K, equations, ×10", {"_forced": FORCED, "_off": OFF}),
    "equations": ("GSM8K, equations", {"_forced": FORCED, "_off": OFF}),
    "prose": ("GSM8K, prose", {"": PROSE}),
    "base": (BASE, {"": PROSE}),
}
"""By kind: the examples, and the ways in which the model is asked, by the ends of their keys."""
COLUMNS = ("learnt", "asked", *(f"{name}: all; new" for name in TESTS.values()))
OVER = {
    "equations_over_prose": "equations over prose of the same questions of GSM8K",
    "multiplied_over_once": "questions and others made of them over the questions alone, equations of MAWPS and GSM8K",
}


def _cells(kind: str, end: str, how: str) -> tuple[Value, ...]:
    return (text(how), *(_both(f"{kind}_{test}{end}") for test in TESTS))


def _both(test: str) -> Value:
    """The share of right answers to all questions of a test set, and to those that are none of training."""
    return joined("{}; {}", figure(test, "{:.3f}"), middle(f"{test}_unmatched", "{:.3f}"))


EXAMPLES = tuple(
    Row(what, results(RECORD), _cells(kind, end, how), linked=False)
    for kind, (what, ways) in ASKED.items()
    for end, how in ways.items()
)
"""A row for each model and way of asking it."""

COMPARED = tuple(
    bench(
        f"SmolLM2-135M-Instruct, taught with equally many tokens: points of accuracy of {what}; {name}, {how}",
        RECORD,
        f"{key}_{test}_{mode}",
        "{:+.1f}",
    )
    for key, what in OVER.items()
    for test, name in TESTS.items()
    for mode, how in (("forced", FORCED), ("off", OFF))
)


def accuracies(record: Record) -> dict[str, dict[str, dict[str, Sequence[float]]]]:
    """The accuracies of all runs by test set, examples and way of asking, as far as they were measured."""
    found = dict[str, dict[str, dict[str, Sequence[float]]]]()
    for (test, name), (kind, (what, ways)) in product(TESTS.items(), ASKED.items()):
        measured = {how: record["figures"].get(f"{kind}_{test}{end}") for end, how in ways.items()}
        if runs := {how: one["runs"] for how, one in measured.items() if one}:
            found.setdefault(name, {})[what] = runs
    return found
