"""The contenders of the benchmark of attention in training do the same work, and what they keep is counted."""

from __future__ import annotations

import pytest
import torch

from benchmarks.model.attention_training import apart, contenders, forward_backward, kept_bytes, measure, texts
from tests.model.flex_on_cpu import differentiable
from tests.native.calling import library
from tuili.model import set_kernels

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch):
    monkeypatch.setattr("benchmarks.model.attention_training.can_compile", lambda *_: False)
    library()


@pytest.fixture
def models(monkeypatch):
    """With flex attention beside those that a CPU has."""
    monkeypatch.setattr("tuili.model.flex.flex_attention", differentiable)
    models = contenders("nano", CPU)
    models["flex"] = contenders("nano", CPU)["joint"]
    set_kernels(models["flex"], fused=False, flex=True)
    return models


def test_the_forms_give_the_same_gradients(models):
    ids_BT = texts(2, 64, CPU)
    gradients = {name: forward_backward(model, ids_BT)() for name, model in models.items()}
    assert 0 < apart(gradients["native"], gradients["joint"]) < 0.05
    assert 0 < apart(gradients["flex"], gradients["joint"]) < 0.05
    assert sum(bool(gradient.any()) for gradient in gradients["joint"]) > 0.8 * len(gradients["joint"])


def test_what_is_kept_grows_as_the_tokens_but_for_the_form_of_one_pass(models):
    growth = {}
    for name, model in models.items():
        short, long = (kept_bytes(forward_backward(model, texts(1, length, CPU)), model) for length in (192, 576))
        growth[name] = long / short
    assert max(growth["native"], growth["flex"]) < 3.2 < 3.9 < growth["joint"]


def test_every_length_and_form_is_measured():
    config, figures = measure(size="nano", lengths=(32, 48), tokens=64, runs=2, warmup=0)
    expected = {f"{n}_{form}_{of}" for n in (32, 48) for form in ("joint", "native") for of in ("tokens", "kept")}
    expected |= {f"{length}_native_{what}" for length in (32, 48) for what in ("apart", "over_joint")}
    assert set(figures) == expected
    assert {len(figures[f"32_{form}_tokens"].runs) for form in ("joint", "native")} == {2}
    assert config["device"] == "cpu"
