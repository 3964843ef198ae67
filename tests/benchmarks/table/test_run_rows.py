"""The table of runs lists those of all parents, with what is special about their hours."""

from __future__ import annotations

from benchmarks.table.run_rows import RUNS


def test_the_runs_of_all_parents_are_listed_with_their_hours() -> None:
    config = {
        "model": "nano",
        "runs": {"reap_0_1": {"hours": 0.04}, "reap_800_1": {"hours": 0.5, "of_steps_alone": True}},
        "quickstart": {"model": "quickstart", "runs": {"reap_500_1": {"hours": 1.0, "other_code": ["ab12"]}}},
        "ways": {"reap": []},
    }
    told, together = (cell({"config": config}) for cell in RUNS[0].cells)
    assert told == "nano `reap_0_1` 0.04, `reap_800_1` 0.50\\*; quickstart `reap_500_1` 1.00†"
    assert together == "1.5"
