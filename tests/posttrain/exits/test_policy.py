"""Reading a text at once is what decoding it token by token would be, with what early tokens leave behind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from tests.store.dense_folders import dense_model
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.network import Exits
from tuili.posttrain.exits.policy import leave_early, read
from tuili.posttrain.exits.text_batch import TextBatch
from tuili.posttrain.exits.texts import Text


@torch.inference_mode()
def decode(backbone: Backbone, exits: Exits, text: Text, threshold: float) -> tuple[Tensor, list[int]]:
    """The slow twin: one token after the other, each layer with a cache of its own. States [T, M] and depths."""
    caches: list[list[tuple[Tensor, Tensor]]] = [[] for _ in backbone.layers]
    states, depths = [], []
    for place, token in enumerate(text.ids):
        x_M = backbone.model.model.embed_tokens(torch.tensor(token))
        turns = backbone.model.model.rotary_emb(x_M[None, None], position_ids=torch.tensor([[place]]))
        left, result_M = None, None
        for number, layer in enumerate(backbone.layers):
            attention = layer.self_attn
            normed_M = layer.input_layernorm(x_M)
            q, k, v = (
                project(normed_M).view(1, -1, 1, attention.head_dim)
                for project in (attention.q_proj, attention.k_proj, attention.v_proj)
            )
            q, k = apply_rotary_pos_emb(q, k, *turns)
            caches[number].append((k, v))
            if left is not None:
                continue  # deeper layers get keys and values alone
            keys, values = (
                torch.cat(side, dim=2).repeat_interleave(2, dim=1) for side in zip(*caches[number], strict=True)
            )
            mixed = torch.nn.functional.scaled_dot_product_attention(q, keys, values)
            x_M = x_M + attention.o_proj(mixed.reshape(-1))
            x_M = x_M + layer.mlp(layer.post_attention_layernorm(x_M))
            if number + 1 in exits.depths and place >= text.start - 1 and place < len(text.ids) - 1:
                adapted_M = exits.at(number + 1).adapted(x_M)
                logit_X = backbone.head_VM[exits.common_X] @ backbone.final_norm(adapted_M)
                if exits.at(number + 1).confidence_logit(logit_X).sigmoid() >= threshold:
                    left, result_M = number + 1, adapted_M
        states.append(x_M if result_M is None else result_M)
        depths.append(left or len(backbone.layers))
    return torch.stack(states), depths


@pytest.mark.parametrize("threshold", [0.48, 0.53, 1.0])
def test_all_tokens_at_once_are_as_one_after_the_other(
    backbone: Backbone, exits: Exits, texts: list[Text], threshold: float
) -> None:
    batch = TextBatch.of(texts)
    hidden_BTM, depth_BT = leave_early(backbone, exits, batch.ids_BT, batch.leaving_BT, threshold)
    seen = set()
    for row, text in enumerate(texts):
        states_TM, depths = decode(backbone, exits, text, threshold)
        assert depth_BT[row, : len(text.ids)].tolist() == depths
        torch.testing.assert_close(hidden_BTM[row, : len(text.ids)], states_TM, rtol=1e-4, atol=1e-4)
        seen |= set(depths)
    assert seen == ({1, 3, 4} if threshold < 1 else {4})  # or else the test would show little


def test_tokens_that_nobody_lets_leave_are_as_in_transformers(texts: list[Text], exits: Exits) -> None:
    for family in ("llama", "qwen2", "qwen3"):
        model = dense_model(family)
        batch = TextBatch.of(texts)
        reading = read(Backbone(model), exits, [batch], 1.0)
        assert reading.mean_depth == 4
        with torch.inference_mode():
            for row, text in enumerate(texts):
                expected = model(torch.tensor([text.ids])).logits[0].argmax(-1)[text.start - 1 : -1]
                place_N = batch.position_N[batch.response_N] // batch.ids_BT.shape[1] == row
                assert reading.token_N[place_N].tolist() == expected.tolist()


def test_a_reading_counts_the_tokens_of_responses(backbone: Backbone, exits: Exits, texts: list[Text]) -> None:
    full = read(backbone, exits, [TextBatch.of(texts)], 1.0)
    assert len(full.next_N) == sum(len(text.ids) - text.start for text in texts)
    early = read(backbone, exits, [TextBatch.of(texts[:3]), TextBatch.of(texts[3:])], 0.0)
    assert early.mean_depth == 1
    assert early.agreement(early) == 1
    assert 0 <= early.agreement(full) < 1
    assert early.accuracy == (early.token_N == early.next_N).double().mean().item()
