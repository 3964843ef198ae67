"""Products in whole numbers: forward the bits of the native step, backward what a slow twin gives by plain autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.model.conftest import close, logits, tiny_model, tokens
from tests.native import twins
from tests.native.calling import Products
from tuili.errors import InputError
from tuili.model import stored_state
from tuili.model.fake_quantization import rounded_embeddings, rounded_heads, rounded_linear, rounded_products
from tuili.model.rounding import mixed, round_heads, round_rows, round_weight, trust_mask
from tuili.native import pack
from tuili.native.rounding import int4_of, int8_of, mixing_of
from tuili.native.whole import Whole, one_by_one, pack_whole
from tuili.store import Quantization

FINITE = st.floats(-1e4, 1e4, width=32)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32))


def outliers(*shape: int, seed: int = 0) -> Tensor:
    """Numbers of very different sizes, some of them exactly between two steps."""
    x = numbers(*shape, seed=seed)
    x = x * 10 ** numbers(*shape, seed=seed + 1)
    x[..., ::7] = (x[..., ::7] * 2).round() / 2
    return x


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 9),
    outputs=st.integers(1, 90),
    inputs=st.integers(1, 200),
    size=st.sampled_from([1e-6, 1, 1e3]),
    seed=st.integers(0, 99),
)
def test_a_product_of_8_bits_has_the_bits_of_the_native_one(rows, outputs, inputs, size, seed):
    weight_NK, x_RK = outliers(outputs, inputs, seed=seed) * size, outliers(rows, inputs, seed=seed + 50)
    x_RK[::4], weight_NK[::3] = 0, 0
    native_RN = Products()(pack(weight_NK.numpy(), "int8"), x_RK.numpy())
    assert np.array_equal(rounded_linear(x_RK, weight_NK, 8).numpy(), native_RN)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 5),
    outputs=st.integers(1, 40),
    inputs=st.sampled_from([16, 48, 64, 96, 576]),
    seed=st.integers(0, 99),
)
def test_so_has_one_of_an_imported_model_whose_inputs_are_mixed(rows, outputs, inputs, seed):
    """Its weights are those of its file, in bf16: what they are rounded to is what the model has learnt."""
    weight_NK, x_RK = outliers(outputs, inputs, seed=seed).bfloat16().float(), outliers(rows, inputs, seed=seed + 50)
    block = mixing_of(inputs)
    assert np.array_equal(mixed(x_RK, block).numpy(), twins.mixed(x_RK.numpy(), block))
    native_RN = Products()(pack(weight_NK.numpy(), "int8", foreign=True), x_RK.numpy())
    assert np.array_equal(rounded_linear(x_RK, weight_NK, 8, block).numpy(), native_RN)


def test_so_has_one_whose_sums_are_larger_than_an_fp32_number_is_exact():
    weight_NK, x_RK = torch.full((16, 4000), 1.0), torch.full((3, 4000), 1.0)
    weight_NK[:, ::3], x_RK[0, ::5] = 0.999, 0.37
    native_RN = Products()(pack(weight_NK.numpy(), "int8"), x_RK.numpy())
    assert np.array_equal(rounded_linear(x_RK, weight_NK, 8).numpy(), native_RN)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 9),
    outputs=st.integers(1, 70),
    groups=st.integers(1, 8),
    size=st.sampled_from([1e-3, 1]),
    seed=st.integers(0, 99),
)
def test_a_product_of_4_bits_is_the_native_one(rows, outputs, groups, size, seed):
    weight_NK, x_RK = outliers(outputs, 32 * groups, seed=seed) * size, outliers(rows, 32 * groups, seed=seed + 50)
    weight_NK[::3] = 0
    stored, trained = stored_state({"q_proj.weight": weight_NK}, Quantization("w4a8")), Quantization("w4a8")
    number_NX, scale_NG = stored["q_proj.weight"].numpy(), stored["q_proj.weight_scale"].float().numpy()
    product_RN = rounded_linear(x_RK, weight_NK, 4, trained.mixing(32 * groups)).numpy()
    native_RN = Products()(pack_whole(Whole(number_NX, scale_NG)), x_RK.numpy())
    assert np.abs(product_RN - native_RN).max() <= 1e-5 * np.abs(native_RN).max()  # the order of sums differs


@settings(deadline=None, max_examples=60)
@given(outputs=st.integers(1, 20), groups=st.integers(1, 5), seed=st.integers(0, 999))
def test_numbers_and_scales_are_those_that_the_native_step_packs(outputs, groups, seed):
    weight_NK = outliers(outputs, 32 * groups, seed=seed)
    whole = round_weight(weight_NK, 8)
    number_NK, scale_N = int8_of(weight_NK.numpy())
    assert np.array_equal(whole.number.numpy(), number_NK) and np.array_equal(whole.scale[:, 0].numpy(), scale_N)

    few = round_weight(weight_NK, 4)
    byte_NX, constant_NGC = int4_of(weight_NK.numpy(), affine=False)
    word_WHB = one_by_one(byte_NX.reshape(-1, 4, 4)).reshape(-1, 4, 4, 2)  # words, bytes, halves
    in_order_NGI = word_WHB.transpose(0, 1, 3, 2).reshape(few.number.shape)
    assert np.array_equal(few.number.numpy() + 8, in_order_NGI)
    assert np.array_equal(few.scale.numpy(), constant_NGC.astype(np.float32))


@settings(deadline=None, max_examples=80)
@given(row=st.lists(FINITE, min_size=1, max_size=40), bits=st.sampled_from([4, 8]))
def test_what_is_rounded_is_rounded_to_itself(row, bits):
    """So weights that were read from whole numbers compute, and are saved, as the very same ones."""
    weight_1K = F.pad(torch.tensor([row]), (0, -len(row) % 32))
    if bits == 4:
        weight_1K = torch.where(weight_1K.abs() < 1e-2, 0, weight_1K)  # scales would be no normal numbers of fp16
    once = round_weight(weight_1K, bits)
    again = round_weight(once.value, bits)
    assert torch.equal(once.number, again.number) and torch.equal(once.scale, again.scale)


def test_scales_survive_where_127_of_them_are_rounded():
    top_N1 = torch.linspace(1, 4, 200_001)[:, None]
    once = round_weight(top_N1, 8)
    assert (once.value != top_N1).any()  # the largest weight itself is not always kept
    assert torch.equal(round_weight(once.value, 8).scale, once.scale)


@pytest.mark.parametrize(("bits", "block"), [(4, 64), (4, 32), (4, 0), (8, 0), (8, 16)])
@pytest.mark.parametrize("sizes", [[7], [3, 0, 5]])
def test_gradients_are_those_of_a_slow_twin(bits, block, sizes):
    """There rounding is added as a constant, and a clipped weight is cut off."""
    matrix = torch.from_numpy(twins.mixed(np.eye(64, dtype=np.float32), block or 1))
    x_YI, weight_EOI = outliers(sum(sizes), 64), outliers(len(sizes), 5, 64)
    direction_YO = numbers(sum(sizes), 5, seed=3)

    def straight(x: Tensor, value: Tensor, trusted: Tensor | None = None) -> Tensor:
        passed = x if trusted is None else torch.where(trusted, x, x.detach())
        return passed + (value - x).detach()

    def twin(x_YI: Tensor, weight_EOI: Tensor) -> Tensor:
        x_YI, weight_EOI = x_YI @ matrix, weight_EOI @ matrix / (block or 1)
        rounded = round_weight(weight_EOI.detach(), bits)
        weight_EOI = straight(weight_EOI, rounded.value, trust_mask(weight_EOI.detach(), rounded))
        x_YI = straight(x_YI, round_rows(x_YI.detach()).value)
        return torch.cat([F.linear(rows, weight) for rows, weight in zip(x_YI.split(sizes), weight_EOI, strict=True)])

    results = []
    for product in (twin, lambda x, weight: rounded_products(x, weight, sizes, bits, block)):
        leaves = [x_YI.clone().requires_grad_(), weight_EOI.clone().requires_grad_()]
        out_YO = product(*leaves)
        (out_YO * direction_YO).sum().backward()
        results.append([out_YO.detach(), *(leaf.grad for leaf in leaves)])
    for slow, fast in zip(*results, strict=True):
        assert torch.allclose(slow, fast, rtol=1e-4, atol=1e-5 * float(slow.abs().max()))


def test_an_embedding_that_is_an_imported_head_is_read_back_from_it():
    weight_VM, block = outliers(9, 48), 16
    native = pack(weight_VM.numpy(), "int8", foreign=True)
    read_VM = Products()(native, np.eye(48, dtype=np.float32)).T
    assert np.allclose(rounded_embeddings(weight_VM, block).numpy(), read_VM, atol=1e-2 * np.abs(read_VM).max())
    number_NK, scale_N = int8_of(twins.mixed(weight_VM.numpy(), block) / np.float32(block))
    exact_VM = twins.mixed(number_NK * scale_N[:, None], block)
    assert np.array_equal(rounded_embeddings(weight_VM, block).numpy(), exact_VM)


def test_a_clipped_weight_has_no_gradient_and_its_neighbours_have():
    weight_1K = torch.zeros(1, 32)
    weight_1K[0, :4] = torch.tensor([8.0, -7.4, -7.6, -8.0])  # 8 stands for -8 steps of -1: -7.6 would need 8 steps
    weight_1K.requires_grad_()
    rounded_linear(torch.ones(1, 32), weight_1K, 4).sum().backward()
    assert weight_1K.grad[0, :5].tolist() == pytest.approx([1, 1, 0, 0, 1])
    assert trust_mask(weight_1K, round_weight(weight_1K, 8)) is None


def test_in_bf16_whole_numbers_stay_exact():
    x_RK, weight_NK = outliers(5, 96), outliers(17, 96)
    exact_RN = rounded_linear(x_RK, weight_NK, 8)
    with torch.autocast("cpu", torch.bfloat16):
        product_RN = rounded_linear(x_RK, weight_NK, 8)
    assert torch.equal(product_RN, exact_RN.bfloat16())


def test_embeddings_and_heads_are_rounded_as_they_are_stored():
    x = outliers(6, 33)
    number_NK, scale_N = int8_of(x.numpy())
    assert np.array_equal(rounded_embeddings(x).numpy(), number_NK * scale_N[:, None])
    top = np.abs(x.numpy()).max(axis=1, keepdims=True)
    kept = np.rint(x.numpy() * (np.float32(127) / top)) * (top / np.float32(127))
    assert np.array_equal(round_heads(x).numpy(), kept)
    for rounded in (rounded_embeddings, rounded_heads):
        leaf = x.clone().requires_grad_()
        (rounded(leaf) * numbers(6, 33)).sum().backward()
        assert torch.equal(leaf.grad, numbers(6, 33))


@pytest.mark.parametrize("trained", [Quantization(), Quantization("w4a8"), Quantization("int8", "int8")])
def test_a_model_rounds_its_products_and_learns_through_them(trained):
    ids_BT, sizes = tokens(2, 30), {"hidden_size": 64, "moe_intermediate_size": 32}
    model = tiny_model(**sizes)
    plain = logits(model, ids_BT)
    model.quantize(trained)
    rounded = logits(model, ids_BT)
    assert 0 < (rounded - plain).norm() < (0.5 if trained.numbers == "w4a8" else 0.1) * plain.norm()
    model.train()
    model(ids_BT, labels=ids_BT, use_cache=False).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.quantize(None)
    close(logits(model.eval(), ids_BT), plain)
    assert model.config.quantization is None


def test_routers_and_gates_are_not_rounded():
    model = tiny_model(hidden_size=64)
    model.quantize(Quantization("w4a8"))
    layer, x_RM = model.model.reasoning[0], outliers(9, 64)
    router, gates = layer.moe.router, layer.attention.gate_proj
    assert torch.equal(gates(x_RM), F.linear(x_RM, gates.weight))
    assert torch.equal(router(x_RM).logits_NE, F.linear(x_RM, router.weight))


def test_numbers_that_a_model_is_too_narrow_for_are_refused():
    with pytest.raises(InputError, match=r"w4a8 has groups of 32 inputs, and hidden_size is 48: use int8"):
        tiny_model().quantize(Quantization("w4a8"))


def test_the_twin_of_products_agrees():
    weight_NK, x_RK = numbers(20, 40), numbers(3, 40)
    assert np.array_equal(
        rounded_linear(x_RK, weight_NK, 8).numpy(), twins.product(weight_NK.numpy(), x_RK.numpy(), "int8")
    )
