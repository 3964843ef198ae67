"""States are those of transformers; a store goes on where it was, and notices damage."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tuili.errors import InputError
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.states import States, StateStore, batches_of, joined, read_states
from tuili.posttrain.exits.text_batch import TextBatch
from tuili.posttrain.exits.texts import Text


def test_states_are_those_between_the_layers(backbone: Backbone, texts: list[Text]) -> None:
    states = read_states(backbone, TextBatch.of(texts), (1, 3))
    start = 0
    for text in texts:
        out = backbone.model(torch.tensor([text.ids]), output_hidden_states=True)
        end = start + len(text.ids) - 1
        for depth in (1, 3):
            torch.testing.assert_close(states.hidden[depth][start:end], out.hidden_states[depth][0, :-1])
        expected_NV = out.logits[0, :-1].log_softmax(-1)
        assert states.top_NK[start:end, 0].tolist() == expected_NV.argmax(-1).tolist()
        expected_NK = expected_NV.gather(1, states.top_NK[start:end])
        torch.testing.assert_close(states.log_prob_NK[start:end], expected_NK)
        assert states.next_N[start:end].tolist() == list(text.ids[1:])
        assert states.response_N[start:end].tolist() == [place + 1 >= text.start for place in range(end - start)]
        start = end
    assert len(states) == start


def test_texts_of_about_one_length_are_read_together(texts: list[Text]) -> None:
    batches = [*batches_of(texts, 2)]
    assert [[len(text.ids) for text in batch] for batch in batches] == [[7, 9], [12, 14], [16, 20]]


def compute(store: StateStore, backbone: Backbone | None, texts: list[Text], tokens: int = 10**6) -> States:
    def load() -> Backbone:
        if backbone is None:
            raise AssertionError("the model is not needed")
        return backbone

    return store.states(load, texts, (1, 3), tokens, 2, lambda done, total: None)


def same(one: States, other: States) -> bool:
    left, right = one.tensors(), other.tensors()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_an_interrupted_store_goes_on(backbone: Backbone, texts: list[Text], tmp_path: Path) -> None:
    whole = compute(StateStore(tmp_path / "whole"), backbone, texts)
    compute(StateStore(tmp_path / "parts"), backbone, texts, tokens=10)
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) == 1
    resumed = compute(StateStore(tmp_path / "parts"), backbone, texts)
    assert same(whole, resumed)
    assert same(whole, compute(StateStore(tmp_path / "parts"), None, texts))


def test_damage_is_noticed(backbone: Backbone, texts: list[Text], tmp_path: Path) -> None:
    compute(StateStore(tmp_path), backbone, texts)
    file = tmp_path / "00001.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"00001.safetensors is damaged"):
        compute(StateStore(tmp_path), backbone, texts)
    (tmp_path / "states.json").write_text("[")
    with pytest.raises(InputError, match=r"states.json is damaged"):
        StateStore(tmp_path)


def test_states_are_split_and_joined(backbone: Backbone, texts: list[Text]) -> None:
    states = read_states(backbone, TextBatch.of(texts), (1,))
    first, others = states.split(0.25)
    assert len(first) == round(len(states) / 4)
    assert same(joined([first, others]), states)
