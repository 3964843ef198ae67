"""Results of models that were taught word problems, and of models that `tuili adapt` made fit for one's own."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.imported.source import REAL
from benchmarks.table.example_rows import BASE, FORCED, PROSE, TESTS
from benchmarks.table.imported_rows import MODEL
from benchmarks.table.rows import Row, Value, before_and_after, bench, joined, middle, results, text, threads

RECORD = "imported_taught"
REPAIR = "the checker mends what is wrong"
NEVER_LEARNT = "no calculator; values were never learnt"
WAYS = {"_forced": FORCED, "_repair": REPAIR, "_off": NEVER_LEARNT}
ASKED = {
    "base": (BASE, {"": PROSE}),
    "prose": ("GSM8K, prose", {"": PROSE}),
    "hour": ("MAWPS and GSM8K, equations, the first hour", WAYS),
    "long": ("the same, in more hours", WAYS),
}
"""By kind: what was learnt, and the ways in which the model is asked, by the ends of their keys."""
COLUMNS = ("learnt", "hours", "asked", *(f"{name}: all; new; unlike" for name in TESTS.values()))
ATTEMPTS = (1, 4, 8)
GOALS = {"mawps_dev": ("0.90", "0.87"), "asdiv_a": ("0.70", "0.68"), "gsm8k": ("0.10, wished 0.15", "none")}
"""By test set: for all questions, and for those that are no questions of training with numbers masked."""


def _shares(test: str) -> Value:
    """The shares of right answers to all questions of a test set, to those that are none of training with other
    numbers, and to those that have not even most of the words of one."""
    return joined("{}; {}; {}", *(middle(f"{test}{part}", "{:.3f}") for part in ("", "_unmatched", "_unlike")))


def _hours(kind: str) -> Value:
    return text("none") if kind == "base" else middle(f"{kind}_hours", "{:.1f}")


TABLE = tuple(
    Row(
        what,
        results(RECORD),
        (_hours(kind), text(how), *(_shares(f"{kind}_{test}{end}") for test in TESTS)),
        linked=False,
    )
    for kind, (what, ways) in ASKED.items()
    for end, how in ways.items()
)
"""A row for each model and way of asking it."""


def _taught(what: str, key: str, form: str = "{:.3f}", goal: str = "none") -> Row:
    return bench(f"{MODEL}, taught equations, {what}", RECORD, key, form, goal)


TAUGHT = (
    _taught("in all: hours of two cores", "long_hours", "{:.1f}", "10"),
    *(
        row
        for test, name in TESTS.items()
        for row in (
            _taught(f"in all: {name}, {FORCED}", f"long_{test}_forced", goal=GOALS[test][0]),
            _taught(
                f"in all: {name} without questions of training, {FORCED}",
                f"long_{test}_forced_unmatched",
                goal=GOALS[test][1],
            ),
            _taught(f"in all: {name} without questions that are alike, {FORCED}", f"long_{test}_forced_unlike"),
            *(
                _taught(f"in all: {name}, {FORCED}, {made} attempts that vote", f"long_{test}_attempts_after_{made}")
                for made in ATTEMPTS[1:]
            ),
        )
    ),
    _taught(f"in the first hour: MAWPS-dev, {FORCED}", "hour_mawps_dev_forced", goal="0.85"),
)


ATTEMPT_COLUMNS = ("further attempts", "asked", *(f"after {made}" for made in (1, 2, 4, 8)))
ATTEMPT_WAYS = {
    "corrected": "no calculator; each begins behind the steps that hold, the wrong one corrected",
    "judged": "the checker calculates; drawn at random, a verifier weighs their votes",
}
ATTEMPTED = tuple(
    Row(
        what,
        results("imported_attempts"),
        (text(name), *(middle(f"{way}_{test}_after_{made}", "{:.3f}") for made in (1, 2, 4, 8))),
        linked=False,
    )
    for way, what in ATTEMPT_WAYS.items()
    for test, name in TESTS.items()
)
"""A row for each way of making further attempts, and each set."""
FURTHER = tuple(
    bench(
        f"{MODEL}, taught equations, {what}: {name}, after {made}",
        "imported_attempts",
        f"{way}_{test}_after_{made}",
        "{:.3f}",
    )
    for way, what in (("corrected", "attempts that the checker corrects"), ("judged", "votes that a verifier weighs"))
    for test, name in TESTS.items()
    for made in (1, 8)
)


def _adapted(name: str) -> Sequence[Row]:
    what = f"`tuili adapt {name}`, 300 problems of taxes and recipes"

    def row(told: str, key: str) -> Row:
        return bench(f"{what}: {told}", "adapted", f"{name}_{key}", "{:.0f}")

    return (
        Row(
            f"{what}: minutes, on so many cores",
            results("adapted"),
            (joined("{} on {}", middle(f"{name}_minutes", "{:.0f}"), threads), text("none")),
        ),
        row("problems of taught wordings kept for the test", "tested"),
        *before_and_after(what, "taught wordings", "adapted", name),
        row("problems in wordings that were not taught", "held"),
        *before_and_after(what, "wordings that were not taught", "adapted", f"{name}_held"),
        *(
            row(f"{told} under a promise of at most {error:.0%} wrong answers", f"promised_{error:g}_{told}")
            for error in (0.05, 0.1, 0.2)
            for told in ("answered", "wrong")
        ),
    )


ADAPTED = (*_adapted("nano"), *_adapted(REAL))
