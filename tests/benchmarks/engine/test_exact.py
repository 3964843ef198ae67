"""Verified drafts are compared with full depth token for token, and timed in turns."""

from __future__ import annotations

import pytest

from benchmarks.engine import exact
from benchmarks.engine.exact import measure, prompts
from benchmarks.harness.cells import Cells
from benchmarks.harness.texts import own_domains
from tuili.model import load_model


@pytest.mark.trials
def test_every_block_is_compared_and_timed(monkeypatch, tmp_path):
    monkeypatch.setattr(exact, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr(exact, "prompts", lambda *given: [block[:1] for block in prompts(*given)])
    config, figures = measure(per_cell=2, single=1)
    assert config["model"] == "nano"
    assert (figures["batch_16_prompts"].median, figures["batch_16_fp32_identical"].median) == (2, 2)
    assert (figures["batch_1_prompts"].median, figures["batch_1_fp32_identical"].median) == (1, 1)
    assert figures["batch_16_torch_as_fp32"].median == 2
    both = zip(
        figures["batch_16_fp32_exact_tokens_per_second"].runs,
        figures["batch_16_fp32_full_tokens_per_second"].runs,
        strict=True,
    )
    ratios = figures["batch_16_fp32_exact_tokens_per_second_over_full"].runs
    assert list(ratios) == pytest.approx([one / other for one, other in both])
    assert len(ratios) == 2


def test_blocks_have_one_prompt_of_each_domain_and_level():
    first, second = prompts(2, load_model("nano"))
    assert len(first) == len(second) == 3 * len(own_domains("nano"))
    assert not set(first) & set(second)
