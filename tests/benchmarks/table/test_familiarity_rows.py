"""Rows of familiarity: every one is read from what the benchmark writes, and says over how many prompts."""

from __future__ import annotations

from itertools import product

from benchmarks.table.familiarity_rows import FAMILIARITY, TOLERANCES, share


def test_every_row_is_read_from_what_the_benchmark_writes() -> None:
    promises = product(TOLERANCES, ("own", "foreign", "reduced"), ("promised", "abstained", "refused"))
    names = ["auroc_unseen", "refused_unseen", "passed_foreign", "familiarity_ms"]
    names += ["auroc_unseen_untouched", "passed_untouched"]
    names += [f"refused_{wording}_behind_instructions" for wording in ("seen", "unseen")]
    names += [f"error{error}_wrong_of_promised" for error in TOLERANCES]
    names += [f"error{error}_{whose}_{end}" for error, whose, end in promises]
    record = {
        "config": {
            "own": {"seen": 1_900, "unseen": 1_920},
            "foreign": {"gsm8k": 300, "mail": 18},
            "reduced": 700,
            "untouched": 2_018,
        },
        "figures": {name: {"median": 0.25} for name in names},
    }
    cells = [row.cells[0](record) for row in FAMILIARITY]
    assert len(cells) == 17
    assert set(cells) == {
        "0.2500",
        "0.250 (n = 1,900)",
        "0.250 (n = 1,920)",
        "0.250 (n = 318)",
        "0.250 (n = 700)",
        "0.250 (n = 2,018)",
        "0.250",
        "0.25",
    }


def test_a_share_of_prompts_says_of_how_many() -> None:
    record = {"config": {"own": {"unseen": 1_920}}, "figures": {"refused_unseen": {"median": 0.016}}}
    assert share("refused_unseen", "own", "unseen")(record) == "0.016 (n = 1,920)"
