"""Layered attention of training in the native library against its twins in torch: values and gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from tests.model.conftest import tiny_model, tokens
from tests.native.calling import library
from tuili.model.attention import KeyValues, View, attend, attend_joint, blend_weights, layered_view
from tuili.model.cache import add_to_units, unit_means
from tuili.model.kernels import set_kernels
from tuili.model.native_attention import attend_native, takes_attention
from tuili.model.reach import Reach
from tuili.model.units import Units, segment

ERROR = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
"""As a share of the largest number."""
WINDOW, MAX_UNIT, KV_HEADS = 8, 8, 2


@pytest.fixture(autouse=True)
def _library() -> None:
    library()


class Case:
    """Packed documents of some lengths in each row, 0 for padding of five tokens, and random inputs over them."""

    def __init__(self, rows: Sequence[Sequence[int]], top_units: int = 3, heads: int = 6, size: int = 16) -> None:
        number_B = [[number for number, length in enumerate(row) for _ in range(length or 5)] for row in rows]
        padding_B = [[length == 0 for length in row for _ in range(length or 5)] for row in rows]
        document_BS = torch.tensor(number_B).masked_fill(torch.tensor(padding_B), -1)
        self.random = torch.Generator().manual_seed(len(rows[0]))
        starts_BS = torch.ones_like(document_BS, dtype=torch.bool)
        starts_BS[:, 1:] = document_BS[:, 1:] != document_BS[:, :-1]
        ends_BS = torch.rand(document_BS.shape, generator=self.random) < 0.2
        units = segment(ends_BS, starts_BS, document_BS >= 0, MAX_UNIT, None)
        self.real_BQ, self.top_units = document_BS >= 0, top_units
        self.view, self.reach = self._readable(document_BS, units)
        self.heads, self.size, self.units = heads, size, units

    def _readable(self, document_BS: Tensor, units: Units) -> tuple[View, Reach]:
        reads = {"window": WINDOW, "top_units": self.top_units}
        view = layered_view(document_BS, document_BS, units, max_unit=MAX_UNIT, **reads)
        return view, Reach.of(document_BS, units, **reads)

    def choose(self, queries: int) -> None:
        """Only so many columns of each row, in any order; every fifth is a filler."""
        index_BQ = torch.rand(self.real_BQ.shape, generator=self.random).argsort(dim=1)[:, :queries]
        real_BQ = (torch.arange(queries) % 5 > 0).expand_as(index_BQ)
        self.view, self.reach = self.view.at(index_BQ), self.reach.at(index_BQ, real_BQ)
        self.real_BQ = self.real_BQ.gather(1, index_BQ) & real_BQ

    def inputs(self, dtype: torch.dtype) -> list[Tensor]:
        """Queries, gates, keys and values."""
        (B, Q), S = self.real_BQ.shape, self.units.unit_BS.shape[1]
        shapes = [(B, self.heads, Q, self.size), (B, Q, self.heads, 3), *[(B, KV_HEADS, S, self.size)] * 2]
        return [torch.randn(shape, generator=self.random).to(dtype) for shape in shapes]

    def key_values(self, key_BKSD: Tensor, value_BKSD: Tensor, dtype: torch.dtype) -> KeyValues:
        """With the means of units, rounded to a number format."""
        sums = add_to_units(None, key_BKSD, value_BKSD, self.units.unit_BS, self.units.count)
        return KeyValues(key_BKSD, value_BKSD, *(mean_BKUD.float() for mean_BKUD in unit_means(sums, dtype)))

    def errors(self, dtype: torch.dtype, joint: bool = False) -> list[float]:
        """How far the native form is from its twin in fp32: output and gradients, each over the largest number."""
        inputs = self.inputs(dtype)
        slope_BQHD = torch.randn(*self.real_BQ.shape, self.heads, self.size, generator=self.random)
        slope_BQHD *= self.real_BQ[..., None, None]
        results = []
        for native in (False, True):
            leaves = [x.to(dtype if native else torch.float32, copy=True).requires_grad_() for x in inputs]
            query, gate, key, value = leaves
            kv = KeyValues(key, value) if native else self.key_values(key, value, dtype)
            if native:
                read_BQHD = attend_native(query, kv, gate, self.reach)
                assert not read_BQHD[~self.real_BQ].any()
            elif joint:
                read_BQHD = attend_joint(query, kv, gate, self.view, blend_weights).transpose(1, 2)
            else:
                read_BQHD = attend(query, kv, gate, self.view).transpose(1, 2)
            read_BQHD = read_BQHD * self.real_BQ[..., None, None]
            (read_BQHD.float() * slope_BQHD).sum().backward()
            results.append([read_BQHD.detach(), *(leaf.grad for leaf in leaves)])
        return [
            float((fast.float() - slow).abs().max() / slow.abs().max().clamp(min=0.1))
            for slow, fast in zip(*results, strict=True)
        ]


@pytest.mark.parametrize("dtype", ERROR)
@pytest.mark.parametrize(
    "rows",
    [
        [[1]],
        [[40], [40]],
        [[3, 1, 26, 10, 0], [0, 20, 1, 1, 2, 16]],
        [[150, 60], [1, 209]],
    ],
    ids=["one token", "one document", "packed, with padding", "long"],
)
@pytest.mark.parametrize("top_units", [2, 1000], ids=["chosen units", "all units"])
def test_it_equals_its_twin(rows: list[list[int]], top_units: int, dtype: torch.dtype) -> None:
    assert max(Case(rows, top_units).errors(dtype)) <= ERROR[dtype]


@pytest.mark.parametrize("dtype", ERROR)
@pytest.mark.parametrize(("heads", "size"), [(2, 8), (4, 64), (8, 32), (10, 34)])
def test_any_shape_of_heads_equals_the_form_of_one_pass(heads: int, size: int, dtype: torch.dtype) -> None:
    assert max(Case([[30, 8], [7, 31]], heads=heads, size=size).errors(dtype, joint=True)) <= ERROR[dtype]


@pytest.mark.parametrize("dtype", ERROR)
def test_queries_may_come_in_any_order(dtype: torch.dtype) -> None:
    case = Case([[3, 60, 17, 0], [0, 70, 2, 8]])
    case.choose(33)
    assert max(case.errors(dtype)) <= ERROR[dtype]


def test_queries_may_be_in_few_documents_or_in_none() -> None:
    case = Case([[20, 20, 20, 0]])
    case.real_BQ = torch.zeros(1, 3, dtype=torch.bool)
    index_BQ = torch.tensor([[61, 45, 44]])
    case.view, case.reach = case.view.at(index_BQ), case.reach.at(index_BQ, case.real_BQ)
    query, gate, *others = (leaf.requires_grad_() for leaf in case.inputs(torch.float32))
    read_BQHD = attend_native(query, KeyValues(*others), gate, case.reach)
    read_BQHD.sum().backward()
    assert not read_BQHD.any()
    assert not any(leaf.grad.any() for leaf in (query, gate, *others))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", ERROR)
def test_threads_change_no_bit(dtype: torch.dtype) -> None:
    case = Case([[150, 50], [60, 140], [200]], heads=4)
    inputs, results = case.inputs(dtype), []
    for count in (1, 2, 3):
        with threads(count):
            query, gate, *others = (leaf.clone().requires_grad_() for leaf in inputs)
            read_BQHD = attend_native(query, KeyValues(*others), gate, case.reach)
            read_BQHD.square().sum().backward()
            results.append([read_BQHD.detach(), *(leaf.grad for leaf in (query, gate, *others))])
    for one, more in ((results[0], results[1]), (results[0], results[2])):
        assert all(torch.equal(a, b) for a, b in zip(one, more, strict=True))


@pytest.mark.parametrize("padded", [False, True])
def test_a_model_trains_alike(padded: bool) -> None:
    """Loss and every weight's gradient over packed documents. With padding between them it is torch that attends."""
    labels, positions = tokens(2, 60), torch.arange(60)[None] % 25
    mask = torch.ones(2, 60, dtype=torch.long)
    if padded:
        mask[0, 20:30] = 0
    results = []
    for native in (False, True):
        model = tiny_model().train()
        set_kernels(model, fused=False, native=native)
        loss = model(labels, attention_mask=mask, position_ids=positions, labels=labels * mask - 100 * (1 - mask)).loss
        loss.backward()
        results.append({name: weight.grad for name, weight in model.named_parameters()} | {"loss": loss.detach()})
    for name, slow in results[0].items():
        assert slow is not None
        torch.testing.assert_close(
            results[1][name], slow, rtol=1e-4, atol=1e-5, msg=lambda text, of=name: f"{of}: {text}"
        )


def test_other_number_formats_stay_with_torch() -> None:
    assert takes_attention(torch.ones(1)) and takes_attention(torch.ones(1).bfloat16())
    assert not takes_attention(torch.ones(1).double())
    with torch.autocast("cpu", dtype=torch.float16):
        assert not takes_attention(torch.ones(1))
