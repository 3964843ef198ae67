"""Layered attention of training in the native library against its twins in torch: values and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from tests.model.attention_case import ERROR, PACKED, Case, assert_models_train_alike
from tests.native.calling import library
from tuili.model.attention import KeyValues
from tuili.model.native_attention import attend_native, takes_attention


@pytest.fixture(autouse=True)
def _library() -> None:
    library()


def native(case: Case, query: Tensor, gate: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return attend_native(query, KeyValues(key, value), gate, case.reach)


@pytest.mark.parametrize("dtype", ERROR)
@pytest.mark.parametrize("rows", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("top_units", [2, 1000], ids=["chosen units", "all units"])
def test_it_equals_its_twin(rows: list[list[int]], top_units: int, dtype: torch.dtype) -> None:
    assert max(Case(rows, top_units).errors(dtype, native)) <= ERROR[dtype]


@pytest.mark.parametrize("dtype", ERROR)
@pytest.mark.parametrize(("heads", "size"), [(2, 8), (4, 64), (8, 32), (10, 34)])
def test_any_shape_of_heads_equals_the_form_of_one_pass(heads: int, size: int, dtype: torch.dtype) -> None:
    assert max(Case([[30, 8], [7, 31]], heads=heads, size=size).errors(dtype, native, joint=True)) <= ERROR[dtype]


@pytest.mark.parametrize("dtype", ERROR)
def test_queries_may_come_in_any_order(dtype: torch.dtype) -> None:
    case = Case([[3, 60, 17, 0], [0, 70, 2, 8]])
    case.choose(33)
    assert max(case.errors(dtype, native)) <= ERROR[dtype]


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
def test_a_model_trains_alike(padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_models_train_alike("native", padded, monkeypatch)


def test_other_number_formats_stay_with_torch() -> None:
    assert takes_attention(torch.ones(1)) and takes_attention(torch.ones(1).bfloat16())
    assert not takes_attention(torch.ones(1).double())
    with torch.autocast("cpu", dtype=torch.float16):
        assert not takes_attention(torch.ones(1))
