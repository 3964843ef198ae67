"""Both sides of the training benchmark: equal sizes, the same tokens, and a figure for everything claimed."""

from __future__ import annotations

import pytest
import torch

from benchmarks.training.mixtral import VARIANTS, Variant, equal_mixtral, examples, mixtral_parameters
from benchmarks.training.training import matmul_shapes, measure
from tuili.config import load_recipe
from tuili.data.packing import IGNORE_INDEX, Document, pack
from tuili.model import count_parameters, preset
from tuili.train import Recipe


@pytest.mark.parametrize("size", ["nano", "micro", "small"])
def test_mixtral_is_of_equal_size(size: str):
    wanted, made = count_parameters(preset(size)), mixtral_parameters(equal_mixtral(preset(size)))
    assert made.active == pytest.approx(wanted.active, rel=0.03)
    assert made.total == pytest.approx(wanted.total, rel=0.07)  # the number of experts is whole


def test_mixtral_learns_from_the_same_tokens():
    rows = [[Document((1, 5, 6, 7), 2, 0), Document((1, 8, 9), 1, 0)], [Document((1, 5, 4), 2, 0)]]
    block = pack(rows, length=8, pad_id=0)
    assert examples(block) == [
        {"input_ids": [1, 5, 6, 7], "labels": [IGNORE_INDEX, IGNORE_INDEX, 6, 7]},
        {"input_ids": [1, 8, 9], "labels": [IGNORE_INDEX, 8, 9]},
        {"input_ids": [1, 5, 4], "labels": [IGNORE_INDEX, IGNORE_INDEX, 4]},
    ]
    assert sum(len(example["input_ids"]) for example in examples(block)) == block.real_tokens


def test_products_have_the_shapes_of_the_model():
    shapes = matmul_shapes(load_recipe("nano", (), Recipe), preset("nano"))
    assert shapes == {"1024": (1024, 1024, 1024), "trunk": (3136, 192, 1024), "expert": (392, 192, 160)}


@pytest.mark.integration  # needs accelerate
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_everything_is_measured(small, monkeypatch):
    kept = (Variant(False, False, "eager"), Variant(True, True, "grouped_mm"))
    assert set(kept) < set(VARIANTS)
    monkeypatch.setattr("benchmarks.training.training.VARIANTS", kept)
    random = torch.get_rng_state()
    config, figures = measure(sizes=("nano",), steps=6, runs=2, before="HEAD", overrides=small)
    torch.set_rng_state(random)
    measured = {f"matmul_{d}_{name}" for d in ("fp32", "bf16") for name in ("1024", "trunk", "expert")}
    measured |= {f"{side}_{unit}" for side in ("ours", "mixtral", "before") for unit in ("tokens", "gflops")}
    measured |= {"ours_equal_model_tokens", "share_of_matmul"}
    measured |= {"tokens_over_before", "tokens_over_mixtral", "equal_model_tokens_over_mixtral"}
    probes = {f"mixtral_probe_{variant}" for variant in kept} | {"mixtral_probe_packing_bf16_grouped_mm_compiled"}
    assert set(figures) == {f"nano_{name}" for name in measured | probes}
    assert {len(figures[f"nano_{name}"].runs) for name in measured} == {2}
    assert f"mixtral_probe_{config['chosen']['nano']['mixtral']}" in probes
    # Most tokens skip most layers: a model that ran them all would train fewer tokens at the same rate.
    equal, ours = figures["nano_ours_equal_model_tokens"].runs, figures["nano_ours_tokens"].runs
    assert all(a < b for a, b in zip(equal, ours, strict=True))
