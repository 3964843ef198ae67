"""A packed document is read back: what each token stands for, whether it is learnt, and the verdict on its step."""

from __future__ import annotations

import pytest
import torch

from tuili.data import IGNORE_INDEX, Record, encode_record, pack, train_tokenizer
from tuili.data.showing.documents import ShownDocument, show_document, token_texts
from tuili.steps import END, END_THINK, THINK, Status
from tuili.store import PAD, Tokenizer

STEPS = ("48 / 2 = 24", "48 + 24 = 73", "so it goes", "48 + 24 = 72")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["What is 48 + 24? 小明有三个苹果", *STEPS], vocabulary=400)


def shown(tokenizer: Tokenizer, record: Record, length: int = 128) -> ShownDocument:
    document = encode_record(tokenizer, record)
    block = pack([[document]], length, tokenizer.token_id(PAD))
    return show_document(tokenizer, record, document, block.targets_BT[0, : len(document)], length)


def learnt_text(document: ShownDocument) -> str:
    return "".join(token.text for token in document.tokens if token.learnt)


def test_the_response_is_learnt_and_nothing_else(tokenizer: Tokenizer) -> None:
    record = Record(input="What is 48 + 24?", output="72", steps=STEPS)
    document = shown(tokenizer, record)
    assert learnt_text(document) == record.response + END
    given = "".join(token.text for token in document.tokens if not token.learnt)
    assert given == "<|begin|><|user|>What is 48 + 24?<|assistant|>"
    assert document.learnt + document.prompt_length == len(document.tokens)
    assert document.masked == 0


def test_tokens_know_their_step_and_its_verdict(tokenizer: Tokenizer) -> None:
    document = shown(tokenizer, Record(input="What is 48 + 24?", output="72", steps=STEPS))
    for number, step in enumerate(STEPS):
        assert "".join(token.text for token in document.tokens if token.step == number) == step
    statuses = [step.verdict.status for step in document.steps]
    assert statuses == [Status.VALID, Status.INVALID, Status.UNSUPPORTED, Status.VALID]
    assert document.steps[1].remark.startswith("right: 72")
    assert document.steps[0].remark == ""
    assert document.statuses == {Status.VALID: 2, Status.INVALID: 1, Status.UNSUPPORTED: 1}


def test_a_step_that_stands_in_the_tag_or_twice_is_found_in_its_place(tokenizer: Tokenizer) -> None:
    document = shown(tokenizer, Record(input="k?", output="k", steps=("k", "kk", "k")))
    marked = [(token.text, token.step) for token in document.tokens if token.step is not None]
    assert [number for _, number in marked] == sorted(number for _, number in marked)
    for number, step in enumerate(("k", "kk", "k")):
        assert "".join(text for text, of in marked if of == number) == step


def test_masked_places_are_told_from_the_targets(tokenizer: Tokenizer) -> None:
    record = Record(input="What is 48 + 24?", output="72", steps=("48 + 24 = 72",))
    document = encode_record(tokenizer, record)
    targets_L = pack([[document]], 64, 0).targets_BT[0, : len(document)].clone()
    targets_L[document.prompt_length + 2] = IGNORE_INDEX  # the token behind it is not learnt
    read = show_document(tokenizer, record, document, targets_L, 64)
    assert [place for place, token in enumerate(read.tokens) if not token.learnt][-1] == document.prompt_length + 3
    assert read.masked == 1


def test_targets_of_another_document_are_refused(tokenizer: Tokenizer) -> None:
    record = Record(input="a", output="72")
    document = encode_record(tokenizer, record)
    with pytest.raises(AssertionError, match="another document"):
        show_document(tokenizer, record, document, torch.full((len(document),), 3), 64)


def test_a_document_that_is_left_out_has_nothing_learnt_and_nothing_masked(tokenizer: Tokenizer) -> None:
    record = Record(input="a", output="72")
    document = encode_record(tokenizer, record)
    nothing_L = torch.full((len(document),), IGNORE_INDEX)
    read = show_document(tokenizer, record, document, nothing_L, 4, "too long")
    assert (read.learnt, read.masked) == (0, 0)


def test_a_character_of_several_tokens_is_the_text_of_the_last(tokenizer: Tokenizer) -> None:
    text = "ab 𝛼 小 \N{PILE OF POO}"
    tokens = tokenizer.encode_text(text)
    texts = token_texts(tokenizer, tokens)
    assert len(texts) == len(tokens) > len(text)
    assert "".join(texts) == text
    assert token_texts(tokenizer, tokens[:-1])[-1].endswith("\N{REPLACEMENT CHARACTER}")


def test_earlier_turns_are_given(tokenizer: Tokenizer) -> None:
    record = Record.model_validate(
        {
            "input": "And 4 more?",
            "output": "9",
            "messages": [{"role": "user", "content": "What is 2 + 3?"}, {"role": "assistant", "content": "5"}],
        }
    )
    assert learnt_text(shown(tokenizer, record)) == f"{THINK}\n{END_THINK}9{END}"
