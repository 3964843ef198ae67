"""Layers learn with exits: low-rank terms are added to the weights; resumed training equals uninterrupted training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.store.dense_folders import dense_model
from tuili.errors import InputError
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.adapters import Head
from tuili.posttrain.exits.joint import JointConfig, hold_out, joint_loss, steps_of, train_jointly
from tuili.posttrain.exits.network import Exits
from tuili.posttrain.exits.text_batch import TextBatch
from tuili.posttrain.exits.texts import Text
from tuili.posttrain.low_rank import add_terms

CONFIG = JointConfig(steps=6, texts=2, rank=4, first_layer=1, learning_rate=0.01, checkpoint=2)


def fresh() -> tuple[Backbone, Exits, Head]:
    backbone = Backbone(dense_model("llama", tie_word_embeddings=True).requires_grad_(False))
    torch.manual_seed(3)
    exits = Exits((1, 3), 64, 8, 16, backbone.eps, torch.arange(400))
    return backbone, exits, Head(backbone.model.model.norm.weight, backbone.head_VM, backbone.eps)


def test_what_is_added_to_the_weights_is_what_was_learnt(texts: list[Text], tmp_path: Path) -> None:
    backbone, exits, head = fresh()
    changes = train_jointly(backbone, exits, head, texts, CONFIG, 1, tmp_path / "joint", lambda *_: None)
    assert not any(name.startswith("model.layers.0.") for name in changes)
    merged = dense_model("llama", tie_word_embeddings=True)
    names = dict(merged.named_parameters())
    with torch.no_grad():
        for name, change in changes.items():
            assert change.abs().max() > 0
            names[name].add_(change)
    ids_BT = TextBatch.of(texts).ids_BT
    theirs, ours = merged(ids_BT).logits, backbone.model(ids_BT).logits
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_an_interrupted_training_ends_with_the_same_numbers(texts: list[Text], tmp_path: Path) -> None:
    backbone, exits, head = fresh()
    whole = train_jointly(backbone, exits, head, texts, CONFIG, 1, tmp_path / "whole", lambda *_: None)

    class Interrupted(Exception):
        pass

    def interrupt(what: str, done: int, total: int) -> None:
        if done == 5:
            raise Interrupted

    part, part_exits, _ = fresh()
    with pytest.raises(Interrupted):
        train_jointly(part, part_exits, head, texts, CONFIG, 1, tmp_path / "part", interrupt)
    again, again_exits, _ = fresh()
    resumed = train_jointly(again, again_exits, head, texts, CONFIG, 1, tmp_path / "part", lambda *_: None)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert all(torch.equal(one, other) for one, other in zip(exits.parameters(), again_exits.parameters(), strict=True))


def test_texts_that_confidences_learn_from_are_in_no_step() -> None:
    texts = [Text((number, 7, 8, 9), 1) for number in range(50)]
    learnt, kept = hold_out(texts, 18, 3)
    assert len(kept) == 5
    assert sorted(text.ids for text in (*learnt, *kept)) == [text.ids for text in texts]
    steps = [*steps_of(learnt, CONFIG.model_copy(update={"steps": 60, "texts": 2}), 3)]
    assert len(steps) == 60
    assert {text for part in steps for text in part} == {*learnt}
    assert [len(part) for part in hold_out(texts, 10_000, 3)] == [25, 25]
    with pytest.raises(InputError, match="one text to learn from is too few"):
        hold_out(texts[:1], 18, 3)


@pytest.mark.parametrize("leaving", [False, True])
def test_the_loss_falls(texts: list[Text], leaving: bool) -> None:
    backbone, exits, head = fresh()
    terms = add_terms(backbone, CONFIG.first_layer, CONFIG.rank, torch.Generator().manual_seed(1))
    learning = [*exits.parameters(), *(p for term in terms.values() for p in (term.a_RI, term.b_OR))]
    optimizer = torch.optim.AdamW(learning, 0.01)
    batch = TextBatch.of(texts)
    vocabulary_S = torch.unique(batch.next_N)
    losses = []
    for step in range(12):
        generator = torch.Generator().manual_seed(step)
        loss = joint_loss(backbone, exits, head, batch, vocabulary_S, CONFIG, leaving, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
