"""Matrices of 8 bits: the kernel computes the product with the dequantised weights, for any size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tuili.engine.runtime.torch.int8_linear import MAX_INT8_ROWS, Int8Weight, linear, quantize
from tuili.engine.runtime.torch.kv_cache import KVCache
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.load import load_decoder
from tuili.errors import InputError


def dequantised(matrix: Int8Weight) -> torch.Tensor:
    return (matrix.whole_NK.float() * matrix.scale_N[:, None].float())[: matrix.outputs]


@settings(max_examples=60)
@given(
    st.integers(1, 90), st.integers(1, 4), st.integers(1, 2 * MAX_INT8_ROWS), st.floats(1e-6, 1e3), st.integers(0, 99)
)
def test_a_product_is_that_with_the_dequantised_weights(
    outputs: int, inputs: int, rows: int, size: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight_NK = torch.randn(outputs, 32 * inputs, generator=generator) * size
    matrix, x_RK = quantize(weight_NK), torch.randn(rows, 32 * inputs, generator=generator).bfloat16()
    assert isinstance(matrix, Int8Weight)
    largest_N1 = weight_NK.abs().amax(1, keepdim=True)
    assert ((dequantised(matrix) - weight_NK).abs() <= largest_N1 * (0.5 / 127 + 2**-8)).all()
    output_RN, exact_RN = linear(x_RK, matrix), x_RK.float() @ dequantised(matrix).t()
    assert output_RN.shape == (rows, outputs)
    torch.testing.assert_close(output_RN.float(), exact_RN, atol=0.02 * float(exact_RN.abs().max()), rtol=0.02)


def test_matrices_that_the_kernel_cannot_take_are_refused() -> None:
    with pytest.raises(InputError, match="multiples of 32, and this model has one of 31"):
        quantize(torch.randn(8, 31))
    with pytest.raises(InputError, match="int8 is for a CPU"):
        quantize(torch.randn(8, 32, device="meta"))
    x, weight_NK = torch.randn(2, 3, 31), torch.randn(8, 31)
    torch.testing.assert_close(linear(x, weight_NK), x @ weight_NK.t())
    zeros = quantize(torch.zeros(3, 32))
    assert linear(torch.ones(2, 32), zeros).tolist() == [[0.0] * 3] * 2


@torch.inference_mode()
@pytest.mark.parametrize("layered", [True, False])
def test_a_model_with_rounded_weights_has_nearly_the_same_logits(layered: bool) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 32, "head_dim": 16, "layered": layered}
    model, _ = tiny_model(top_units=2, window=4, max_unit=4, **sizes)
    outputs = []
    for int8 in (False, True):
        lean = LeanModel(model.eval(), int8=int8)
        cache = KVCache(model.config, 2, torch.float32, torch.device("cpu"))
        ids = torch.arange(40).view(2, 20) + 10
        lean.trunk(cache, slice(0, 2), ids[:, :19])
        hidden, kv, metadata = lean.trunk(cache, slice(0, 2), ids[:, 19:])
        logits = [lean.exit(hidden)]
        for index in range(model.config.num_groups):
            hidden = lean.group(index, hidden, kv, metadata)
            logits.append(lean.exit(hidden))
        outputs.append(torch.cat(logits))
    plain, eight = outputs
    assert not torch.equal(plain, eight), "the weights are rounded"
    assert float((plain - eight).norm() / plain.norm()) < 0.05


def test_rounding_leaves_the_model_itself_unchanged() -> None:
    model, tokenizer = tiny_model(hidden_size=32, intermediate_size=32, head_dim=16)
    randomize_weights(model).eval()
    before = load_decoder(model, tokenizer, depth=4, max_new_tokens=12).generate(["1 + 1?"])[0].tokens
    load_decoder(model, tokenizer, depth=4, max_new_tokens=12, int8=True).generate(["1 + 1?"])
    assert load_decoder(model, tokenizer, depth=4, max_new_tokens=12).generate(["1 + 1?"])[0].tokens == before
