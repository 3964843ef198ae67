"""Results of what the shipped model knows about its own limits: foreign prompts, and own ones without a fact."""

from __future__ import annotations

from benchmarks.table.rows import Record, Row, Value, middle, results, text

TOLERANCES = ("0.02", "0.05", "0.1")


def share(key: str, asked: str, part: str = "") -> Value:
    """A share, and over how many prompts: those that the record counts as `asked`, in parts or not, or one part."""

    def value(record: Record) -> str:
        counts = record["config"][asked]
        number = counts if isinstance(counts, int) else counts[part] if part else sum(counts.values())
        return f"{record['figures'][key]['median']:.3f} (n = {number:,})"

    return value


def row(what: str, value: Value, goal: str = "none") -> Row:
    """A row for one value of the benchmark."""
    return Row(what, results("familiarity"), (value, text(goal)))


FAMILIARITY = (
    row(
        "Probability that a prompt in a wording that no training uses is more familiar than a foreign prompt",
        middle("auroc_unseen", "{:.4f}"),
        "0.99",
    ),
    row(
        "Prompts in wordings that no training uses: share that is unfamiliar",
        share("refused_unseen", "own", "unseen"),
        "0.02",
    ),
    *(
        row(
            f"Prompts in {whose}, behind system messages that no training uses: share that is unfamiliar",
            share(f"refused_{wording}_behind_instructions", "own", wording),
        )
        for wording, whose in (("seen", "wordings of training"), ("unseen", "other wordings"))
    ),
    row("Foreign prompts: share that is not unfamiliar", share("passed_foreign", "foreign")),
    row(
        "Probability that a prompt in a wording that no training uses is more familiar than mail, a manual or a "
        "licence, texts of kinds by which nothing was chosen",
        middle("auroc_unseen_untouched", "{:.4f}"),
        "0.99",
    ),
    row(
        "Mail, a manual and licences, texts of kinds by which nothing was chosen: share that is not unfamiliar",
        share("passed_untouched", "untouched"),
    ),
    *(
        row(
            f"Foreign prompts: share answered under a promise of at most {float(error):.0%} wrong answers",
            share(f"error{error}_foreign_promised", "foreign"),
            "0.01",
        )
        for error in TOLERANCES
    ),
    *(
        row(
            f"One foreign prompt in twenty: share of wrong answers under a promise of at most {float(error):.0%}",
            middle(f"error{error}_wrong_of_promised", "{:.3f}"),
            error,
        )
        for error in TOLERANCES
    ),
    *(
        row(
            f"Own problems that lack a fact: share that is {end}, where at most 5% wrong answers are promised",
            share(f"error0.05_reduced_{key}", "reduced"),
        )
        for key, end in (
            ("promised", "answered"),
            ("abstained", "not answered for want of confidence"),
            ("refused", "refused"),
        )
    ),
    row(
        "Processor time of telling how familiar a prompt is, milliseconds",
        middle("familiarity_ms", "{:.2f}"),
        "0.3",
    ),
)
