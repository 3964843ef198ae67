"""Products of int8 are exact sums of whole numbers times two scales, for any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.texts import Texts
from tests.native.calling import Products
from tuili.engine import Numbers, load_decoder
from tuili.engine.runtime.torch.int8_linear import Int8Weight, linear, quantize
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.step import TorchStep
from tuili.model import LoadedModel
from tuili.native import pack


def rounded(x_RK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The definition: whole numbers, and the scale of each row."""
    scale_R1 = np.maximum(np.abs(x_RK).max(1, keepdims=True) / np.float32(127), np.float32(1e-12))
    return np.rint(x_RK / scale_R1).astype(np.int64), scale_R1


@settings(max_examples=60)
@given(st.integers(1, 90), st.integers(1, 130), st.integers(1, 40), st.floats(1e-6, 1e3), st.integers(0, 99))
def test_a_product_is_its_definition(outputs: int, inputs: int, rows: int, size: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight_NK = torch.randn(outputs, inputs, generator=generator) * size
    x_RK = torch.randn(rows, inputs, generator=generator)
    whole_NK, scale_N1 = rounded(weight_NK.numpy())
    whole_RK, scale_R1 = rounded(x_RK.numpy())
    expected_RN = (whole_RK @ whole_NK.T).astype(np.float32) * scale_N1[:, 0] * scale_R1
    output_RN = linear(x_RK, quantize(weight_NK))
    assert output_RN.shape == (rows, outputs)
    np.testing.assert_allclose(output_RN, expected_RN, rtol=1e-6)
    exact_RN = x_RK @ weight_NK.t()
    assert float((output_RN - exact_RN).norm()) <= 0.03 * float(x_RK.norm() * weight_NK.norm())


@pytest.mark.parametrize("inputs", [64, 96, 48, 40])
def test_inputs_of_imported_models_are_mixed_as_natively(inputs: int) -> None:
    draw = np.random.default_rng(inputs)
    weight_NK, x_RK = (draw.normal(size=(count, inputs)).astype(np.float32) for count in (80, 7))
    x_RK[:, 3] *= 50
    exact_RN, native_RN = x_RK @ weight_NK.T, Products()(pack(weight_NK, "int8", foreign=True), x_RK)
    twin_RN, plain_RN = (
        linear(torch.from_numpy(x_RK), quantize(torch.from_numpy(weight_NK), foreign)).numpy()
        for foreign in (True, False)
    )
    error = np.linalg.norm(native_RN - exact_RN)
    assert np.linalg.norm(twin_RN - native_RN) <= 0.2 * error
    assert (error < 0.5 * np.linalg.norm(plain_RN - exact_RN)) == (inputs % 16 == 0)


def test_zeros_and_other_shapes() -> None:
    assert linear(torch.ones(2, 32), quantize(torch.zeros(3, 32))).tolist() == [[0.0] * 3] * 2
    assert linear(torch.zeros(2, 5), quantize(torch.ones(3, 5))).tolist() == [[0.0] * 3] * 2
    x, weight_NK = torch.randn(2, 3, 31), torch.randn(8, 31)
    torch.testing.assert_close(linear(x, weight_NK), x @ weight_NK.t())
    eight = quantize(weight_NK)
    assert isinstance(eight, Int8Weight)
    torch.testing.assert_close(linear(x, eight), linear(x.flatten(0, 1), eight).view(2, 3, 8))
    assert linear(x.bfloat16(), eight).dtype == torch.bfloat16


@pytest.mark.parametrize("layered", [True, False])
def test_a_model_with_rounded_weights_has_nearly_the_same_logits(layered: bool) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 32, "head_dim": 16, "layered": layered}
    model, _ = tiny_model(top_units=2, window=4, max_unit=4, **sizes)
    outputs = []
    for int8 in (False, True):
        texts = Texts(TorchStep(LeanModel(model.eval(), int8), slots=2))
        for slot in range(2):
            texts.read(slot, list(range(10 + 20 * slot, 29 + 20 * slot)))
        texts.trunk([(0, 29), (1, 49)])
        outputs.append(np.concatenate(texts.exits([0, 1])))
    plain, eight = outputs
    assert not np.array_equal(plain, eight), "the weights are rounded"
    assert np.linalg.norm(plain - eight) / np.linalg.norm(plain) < 0.05


def test_rounding_leaves_the_model_itself_unchanged() -> None:
    model, tokenizer = tiny_model(hidden_size=32, intermediate_size=32, head_dim=16)
    randomize_weights(model).eval()
    loaded = LoadedModel(model, tokenizer, Path())

    def written(numbers: Numbers) -> list[int]:
        decoder = load_decoder(loaded, 4, max_new_tokens=12, runner="torch", numbers=numbers)
        return decoder.generate(["1 + 1?"])[0].tokens

    before = written("fp32")
    written("int8")
    assert written("fp32") == before
