"""Attention of training by columns, native or flex, beside its twins by masks: what a test compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from tests.model.conftest import tiny_model, tokens
from tuili.model import layers, set_kernels
from tuili.model.attention import KeyValues, View, attend, attend_joint, blend_weights, layered_view
from tuili.model.cache import add_to_units, unit_means
from tuili.model.reach import Reach
from tuili.model.units import Units, segment

ERROR = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
"""As a share of the largest number."""
PACKED = {
    "one token": [[1]],
    "one document": [[40], [40]],
    "packed, with padding": [[3, 1, 26, 10, 0], [0, 20, 1, 1, 2, 16]],
    "long": [[150, 60], [1, 209]],
}
"""Rows for a `Case`."""
WINDOW, MAX_UNIT, KV_HEADS = 8, 8, 2

Form = Callable[["Case", Tensor, Tensor, Tensor, Tensor], Tensor]
"""What queries, gates, keys and values of a case give: [B, Q, H, D]."""


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

    def errors(self, dtype: torch.dtype, form: Form, joint: bool = False) -> list[float]:
        """How far a form is from its twin in fp32: output and gradients, each over the largest number."""
        inputs = self.inputs(dtype)
        slope_BQHD = torch.randn(*self.real_BQ.shape, self.heads, self.size, generator=self.random)
        slope_BQHD *= self.real_BQ[..., None, None]
        results = []
        for fast in (False, True):
            query, gate, key, value = leaves = [
                x.to(dtype if fast else torch.float32, copy=True).requires_grad_() for x in inputs
            ]
            if fast:
                read_BQHD = form(self, *leaves)
                assert not read_BQHD[~self.real_BQ].any()
            elif joint:
                kv = self.key_values(key, value, dtype)
                read_BQHD = attend_joint(query, kv, gate, self.view, blend_weights).transpose(1, 2)
            else:
                read_BQHD = attend(query, self.key_values(key, value, dtype), gate, self.view).transpose(1, 2)
            read_BQHD = read_BQHD * self.real_BQ[..., None, None]
            (read_BQHD.float() * slope_BQHD).sum().backward()
            results.append([read_BQHD.detach(), *(leaf.grad for leaf in leaves)])
        return [
            float((fast.float() - slow).abs().max() / slow.abs().max().clamp(min=0.1))
            for slow, fast in zip(*results, strict=True)
        ]


def assert_models_train_alike(form: str, padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model by `native` or `flex` and one by torch have one loss and gradients, over packed documents.

    With padding between the documents both attend by torch.
    """
    labels, positions = tokens(2, 60), torch.arange(60)[None] % 25
    mask = torch.ones(2, 60, dtype=torch.long)
    if padded:
        mask[0, 20:30] = 0
    results, calls = [], []
    attention = getattr(layers, f"attend_{form}")
    monkeypatch.setattr(layers, f"attend_{form}", lambda *inputs: calls.append(0) or attention(*inputs))
    for chosen in (False, True):
        model = tiny_model().train()
        set_kernels(model, fused=False, **{form: chosen})
        loss = model(labels, attention_mask=mask, position_ids=positions, labels=labels * mask - 100 * (1 - mask)).loss
        loss.backward()
        results.append({name: weight.grad for name, weight in model.named_parameters()} | {"loss": loss.detach()})
    assert len(calls) == (0 if padded else 4)
    for name, slow in results[0].items():
        assert slow is not None
        torch.testing.assert_close(
            results[1][name], slow, rtol=1e-4, atol=1e-5, msg=lambda text, of=name: f"{of}: {text}"
        )
