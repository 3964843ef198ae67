"""The native formats are compared with the torch step by their tokens, texts and accuracy."""

from __future__ import annotations

import pytest

from benchmarks.engine import formats
from benchmarks.engine.formats import Compared, random_budget
from benchmarks.harness.cells import Cells
from tuili.engine import Budget
from tuili.model import load_model
from tuili.tasks import unseen_problems


@pytest.mark.trials
@pytest.mark.usefixtures("cold")
def test_tokens_texts_and_accuracy_are_compared(monkeypatch, tmp_path):
    monkeypatch.setattr(formats, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr(formats, "own_domains", lambda: ["calendar"])
    config, figures = formats.measure(blocks=1, per_cell=2, formats=("fp32", "int8"))
    assert config["runtimes"]["torch"] == "torch, fp32"
    assert config["runtimes"]["int8"].startswith("native, int8")
    assert figures["fp32_equal_tokens"].median == 1
    assert figures["fp32_largest_difference"].median < 1e-3
    assert 0.9 < figures["int8_equal_tokens"].median <= 1
    assert figures["budgeted_equal_texts"].median == figures["budgeted_prompts"].median == 3
    assert figures["fp32_over_torch"].median == 0
    assert 0 <= figures["int8_accuracy"].median <= 100


def test_a_token_that_the_format_would_not_write_counts_as_different():
    compared = Compared(load_model("nano"))
    prompts = [unseen_problems(["calendar"], [1], 1, 0)[0].prompt]
    written = compared.write(prompts)
    forged = [[*written[0][:-1], written[0][0]]]
    assert compared.read(prompts, forged, "fp32")["equal"] == len(written[0]) - 1


@pytest.mark.parametrize("seed", range(3))
def test_random_budgets_have_no_deadline(seed):
    budgets = [random_budget(formats.Random(seed)) for _ in range(3)]
    assert all(isinstance(budget, Budget) and budget.deadline_ms is None for budget in budgets)
