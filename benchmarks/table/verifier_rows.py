"""What the verifier is worth: beside no training at all, without the model's own chains, and without rounds."""

from __future__ import annotations

from benchmarks.table.rows import Row, middle, results

COLUMNS = ("measured", "no training", "without the model's own chains", "without rounds", "with rounds")
WAYS = ("untrained", "no_own_chains", "without_rounds", "rounds")
"""How the record calls the ways in the columns."""


def row(what: str, key: str) -> Row:
    """A row for one figure of each way."""
    return Row(what, results("verifier"), tuple(middle(f"{way}_{key}", "{:.3f}") for way in WAYS), linked=False)


VERIFIER = (
    row("F1, kinds of errors that are held out from training", "f1_held_out"),
    row("F1, all other kinds of errors", "f1_seen"),
    row("F1, `dropped_step`", "f1_dropped_step"),
    row("F1, `copied_number`", "f1_copied_number"),
    row("answers that the model wrote: area under the ROC curve", "answer_auroc"),
    row("answers that the model wrote: calibration error (15 bins)", "answer_ece"),
    row("steps that the model wrote: area under the ROC curve", "step_auroc"),
    row("steps that the model wrote: calibration error (15 bins)", "step_ece"),
)
