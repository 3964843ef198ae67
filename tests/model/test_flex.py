"""Layered attention by flex attention against its twins: values and gradients, with the masks that a GPU is given."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager
from torch.nn.attention.flex_attention import flex_attention

from tests.model.attention_case import ERROR, PACKED, Case, assert_models_train_alike
from tests.model.conftest import tiny_model
from tests.model.flex_on_cpu import differentiable
from tuili.model.attention import KeyValues
from tuili.model.flex import BLOCK, FlexView, attend_flex, read_all, takes_flex
from tuili.model.kernels import set_kernels


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.model.flex.flex_attention", differentiable)


def view_of(case: Case) -> FlexView:
    return FlexView(case.reach, case.units.count)


def flex(case: Case, query: Tensor, gate: Tensor, key: Tensor, value: Tensor, read=read_all) -> Tensor:
    kv = case.key_values(key, value, key.dtype)
    kv = KeyValues(key, value, *(mean.to(key.dtype) for mean in (kv.unit_key_BKUD, kv.unit_value_BKUD)))
    return attend_flex(query, kv, gate, view_of(case), read).transpose(1, 2)


@pytest.mark.parametrize(
    ("rows", "top_units", "dtype"),
    [*product(PACKED.values(), [2, 1000], [torch.float32]), *product([PACKED["long"]], [2, 1000], [torch.bfloat16])],
)
def test_it_equals_its_twin(rows: list[list[int]], top_units: int, dtype: torch.dtype) -> None:
    assert max(Case(rows, top_units).errors(dtype, flex)) <= ERROR[dtype]


@pytest.mark.parametrize(
    ("heads", "size", "dtype"),
    [(2, 16, torch.bfloat16), (4, 64, torch.float32), (10, 34, torch.float32), (10, 34, torch.bfloat16)],
)
def test_any_shape_of_heads_equals_the_form_of_one_pass(heads: int, size: int, dtype: torch.dtype) -> None:
    assert max(Case([[30, 8], [7, 31]], heads=heads, size=size).errors(dtype, flex, joint=True)) <= ERROR[dtype]


@pytest.mark.parametrize("dtype", ERROR)
def test_queries_may_come_in_any_order(dtype: torch.dtype) -> None:
    case = Case([[3, 160, 17, 0], [0, 170, 2, 8]])
    case.choose(133)
    assert max(case.errors(dtype, flex)) <= ERROR[dtype]


def test_the_compiler_takes_it_whole_and_two_graphs_serve_frames_of_all_and_of_some_tokens() -> None:
    """With gradients, up to where code would be generated, which is for GPUs alone."""
    graphs: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return aot_eager(graph, inputs)

    read = torch.compile(read_all, dynamic=True, fullgraph=True, backend=backend)
    for rows, some in (([[40, 160], [200]], 140), ([[30, 7, 120], [157]], 30)):
        for queries in (None, some):
            case = Case(rows)
            if queries:
                case.choose(queries)
            assert max(case.errors(torch.float32, partial(flex, read=read))) <= ERROR[torch.float32]
    assert len(graphs) == 2


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
def test_torchs_call_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case([[40, 160], [200]])
    case.choose(140)
    inputs = case.inputs(torch.float32)
    monkeypatch.setattr("tuili.model.flex.flex_attention", flex_attention)
    read_BQHD = flex(case, *inputs)
    monkeypatch.setattr("tuili.model.flex.flex_attention", differentiable)
    torch.testing.assert_close(read_BQHD, flex(case, *inputs), rtol=1e-5, atol=1e-6)


def test_a_query_that_reads_nothing_gives_zeros_without_a_gradient() -> None:
    case = Case([[20, 20, 20, 0]])
    case.real_BQ = torch.zeros(1, 3, dtype=torch.bool)
    case.reach = case.reach.at(torch.tensor([[61, 45, 44]]), case.real_BQ)
    leaves = [leaf.requires_grad_() for leaf in case.inputs(torch.float32)]
    read_BQHD = flex(case, *leaves)
    read_BQHD.sum().backward()
    assert not read_BQHD.any()
    assert not any(leaf.grad.any() for leaf in leaves)


@pytest.mark.parametrize("queries", [None, 300], ids=["all", "some"])
def test_every_key_that_is_read_is_in_a_block_and_most_blocks_are_skipped(queries: int | None) -> None:
    case = Case([[700, 300, 5, 1, 394], [1400]], top_units=2)
    if queries:
        case.choose(queries)
    view = view_of(case)
    place_BQ1 = view.place_BQ[..., None]
    for mask, twin_BQX in (
        (view.pooled, case.view.units_BTU),
        (view.local, case.view.window_BTS),
        (
            view.selected(torch.ones(2, 2, view.place_BQ.shape[1], view.units, dtype=torch.bool), 6),
            case.view.causal_BTS,
        ),
    ):
        twin_BQX = (twin_BQX & case.real_BQ[..., None]).gather(1, place_BQ1.expand(-1, -1, twin_BQX.shape[2]))
        _, Q, X = twin_BQX.shape
        dense_BPN = mask.to_dense()[:, 0].bool()
        dense_BQX = dense_BPN.repeat_interleave(BLOCK, dim=1).repeat_interleave(BLOCK, dim=2)[:, :Q, :X]
        assert not (twin_BQX & ~dense_BQX).any()
        used_BPN = nn.functional.max_pool2d(twin_BQX[:, None].float(), BLOCK, ceil_mode=True)[:, 0].bool()
        assert dense_BPN.sum() <= used_BPN.sum() * 1.2
    assert view.local.sparsity() > 45


@pytest.mark.parametrize("padded", [False, True])
def test_a_model_trains_alike(padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_models_train_alike("flex", padded, monkeypatch)


def test_only_a_training_model_takes_it() -> None:
    model = tiny_model()
    set_kernels(model, fused=False, flex=True)
    assert not model.model.flex
    assert model.train().model.flex


def test_what_its_kernels_lack_stays_with_the_twin() -> None:
    assert takes_flex(torch.ones(1), 16)
    assert not takes_flex(torch.ones(1), 8)
    assert not takes_flex(torch.ones(1).double(), 16)
