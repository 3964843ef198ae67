"""Results of what a taught model promises: on questions like its calibration's, on others, and which it refuses."""

from __future__ import annotations

from benchmarks.table.rows import Record, Row, Value, bench, middle, results, text

TAUGHT = "Taught SmolLM2"
SAMPLES = {
    "both_new": "new questions of MAWPS and GSM8K",
    "both": "all of MAWPS and GSM8K",
    "mawps_new": "new questions of MAWPS",
}
"""New are those that stand in no training with other numbers; of the other files the same ones are asked."""
TOLERANCES = (0.05, 0.1, 0.2)
WITHIN = 200


def promised(what: str, key: str, form: str = "{:.3f}", goal: str = "none") -> Row:
    """A row for one figure of the benchmark."""
    return bench(f"{TAUGHT}, {what}", "imported_promised", key, form, goal)


def refused(what: str, key: str, asked: str, name: str, goal: str = "none") -> Row:
    """A row for a share that is refused as unfamiliar. asked, name: where the record counts them."""
    return Row(f"{TAUGHT}, {what}", results("imported_promised"), (of(key, asked, name), text(goal)))


def of(key: str, asked: str, name: str = "") -> Value:
    """A share, and over how many texts; without a name over those of all kinds."""

    def value(record: Record) -> str:
        counts = record["config"][asked]
        return f"{middle(key, '{:.3f}')(record)} (n = {counts[name] if name else sum(counts.values()):,})"

    return value


PROMISED = tuple(
    row
    for sample, words in SAMPLES.items()
    for row in (
        *(
            each
            for error in TOLERANCES
            for each in (
                promised(
                    f"calibrated on {words}: share of 1,000 promises of at most {error:.0%} that do not hold",
                    f"{sample}_steps4_error{error:g}_broken",
                    goal="0.05",
                ),
                promised(
                    f"calibrated on {words}: share answered under a promise of at most {error:.0%}, mean",
                    f"{sample}_steps4_error{error:g}_coverage",
                ),
                promised(
                    f"calibrated on {words}, asked ASDiv-A: wrong under a promise of at most {error:.0%}",
                    f"{sample}_asdiv_a_error{error:g}_wrong",
                    goal=f"{2 * error:g}, or an alarm",
                ),
            )
        ),
        promised(
            f"calibrated on {words}, asked ASDiv-A: requests until an alarm on first attempts",
            f"{sample}_asdiv_a_alarm_requests",
            "{:,.0f}",
            f"{WITHIN}",
        ),
        promised(
            f"calibrated on {words}, asked ASDiv-A: share of orders with an alarm within {WITHIN} requests",
            f"{sample}_asdiv_a_alarm_within_{WITHIN}",
        ),
        refused(
            f"calibrated on {words}: ASDiv-A's questions refused as unfamiliar",
            f"{sample}_refused_asdiv_a",
            "new" if sample.endswith("_new") else "questions",
            "asdiv_a",
        ),
        promised(
            f"calibrated on {words}: MAWPS's other questions refused as unfamiliar",
            f"{sample}_refused_mawps_dev",
            goal="0.02",
        ),
        refused(
            f"calibrated on {words}: small talk refused as unfamiliar",
            f"{sample}_refused_chat",
            "kinds",
            "chat",
        ),
        refused(
            f"calibrated on {words}: problems of other domains of Tuili refused as unfamiliar",
            f"{sample}_refused_domains",
            "kinds",
            "domains",
        ),
        refused(
            f"calibrated on {words}: all texts of other kinds refused as unfamiliar",
            f"{sample}_refused_others",
            "kinds",
            "",
        ),
    )
)
