"""The stream of blocks: each document comes once, shares follow weights, and a resumed stream goes on bit for bit."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuili.data.packing import IGNORE_INDEX, Block
from tuili.data.records import Record, write_records
from tuili.data.sources import FileSource, TaskSource, encode_record, sample_texts
from tuili.data.stream import MAX_PENDING_DOCUMENTS, BlockStream, StreamState, prefetch
from tuili.data.tokenizer import train_tokenizer
from tuili.errors import InputError
from tuili.steps import Turns, read_turns
from tuili.store import PAD, Tokenizer
from tuili.tasks import BUILT_IN_DOMAINS, Language, Split
from tuili.tasks.conversations.texts import texts_of


class Numbered:
    """A source whose documents are told apart by their prompts; a response has about `size` digits."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size

    def record(self, number: int) -> Record:
        length = random.Random(f"{self.name}{number}").randint(1, 2 * self.size)
        return Record(input=f"{self.name}{number}?", output="1" * length)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["a0?", "b"], vocabulary=300)


def stream(
    tokenizer: Tokenizer,
    weights: Mapping[str, float],
    sizes: Mapping[str, int],
    length: int = 128,
    state: StreamState | None = None,
) -> BlockStream:
    sources = [Numbered(name, size) for name, size in sizes.items()]
    encode, pad_id = partial(encode_record, tokenizer), tokenizer.token_id(PAD)
    return BlockStream(sources, encode, lambda _: weights, rows=4, length=length, pad_id=pad_id, state=state)


def prompts(block: Block, tokenizer: Tokenizer) -> list[str]:
    """The prompt of every document of a block, read from its tokens."""
    texts = []
    for row in range(block.tokens_BT.shape[0]):
        for number in range(int(block.documents_BT[row].max()) + 1):
            ids = block.tokens_BT[row, block.documents_BT[row] == number].tolist()
            assert (ids[0], ids[1], ids[-1]) == (1, 2, 4), "a document is split"
            texts.append(tokenizer.decode(ids[2 : ids.index(3)]))
    return texts


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.dictionaries(st.sampled_from("abc"), st.integers(3, 40), min_size=1),
    length=st.integers(96, 256),
    blocks=st.integers(1, 6),
)
def test_every_document_comes_once_or_waits_and_rows_are_full(
    tokenizer: Tokenizer, sizes: dict[str, int], length: int, blocks: int
) -> None:
    running = stream(tokenizer, dict.fromkeys(sizes, 1.0), sizes, length)
    produced = [next(running) for _ in range(blocks)]
    seen = Counter(text for block in produced for text in prompts(block, tokenizer))
    seen.update(f"{name}{number}?" for name, number in running.state.pending)
    drawn = {f"{name}{number}?" for name, count in running.state.drawn.items() for number in range(count)}
    assert seen == Counter(drawn)
    assert sum(block.real_tokens for block in produced) >= 0.98 * blocks * 4 * length
    assert len(running.state.pending) <= MAX_PENDING_DOCUMENTS


def test_shares_of_response_tokens_follow_the_weights(tokenizer: Tokenizer) -> None:
    weights, names = {"a": 3.0, "b": 1.0, "c": 0.0}, {"a": 3, "b": 30, "c": 10}
    running = stream(tokenizer, weights, names)
    learnt: Counter[str] = Counter()
    for block in (next(running) for _ in range(60)):
        for row in range(4):
            for number in range(int(block.documents_BT[row].max()) + 1):
                place_T = block.documents_BT[row] == number
                name = tokenizer.decode(block.tokens_BT[row, place_T].tolist()[2:3])
                learnt[name] += int((block.targets_BT[row, place_T] != IGNORE_INDEX).sum())
    assert learnt["c"] == 0
    assert learnt["a"] / learnt.total() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_stream_resumed_from_json_gives_the_same_blocks(tokenizer: Tokenizer, stop: int) -> None:
    def weights(block: int) -> Mapping[str, float]:
        return {"a": 1.0} if block < 2 else {"a": 0.3, "b": 0.5}

    sources = [Numbered("a", 20), Numbered("b", 9)]
    encode, pad_id = partial(encode_record, tokenizer), tokenizer.token_id(PAD)
    whole = BlockStream(sources, encode, weights, rows=2, length=96, pad_id=pad_id)
    expected = [next(whole) for _ in range(8)]
    first = BlockStream(sources, encode, weights, rows=2, length=96, pad_id=pad_id)
    for _ in range(stop):
        next(first)
    state = StreamState(**json.loads(json.dumps(asdict(first.state))))
    second = BlockStream(sources, encode, weights, rows=2, length=96, pad_id=pad_id, state=state)
    for block in expected[stop:]:
        again = next(second)
        assert all(torch.equal(vars(block)[name], vars(again)[name]) for name in vars(block))


def test_documents_longer_than_a_row_are_counted_by_name(tokenizer: Tokenizer) -> None:
    running = stream(tokenizer, {"a": 1.0, "b": 1.0}, {"a": 5, "b": 40}, length=50)
    blocks = [next(running) for _ in range(20)]
    state = running.state
    assert state.refused["a"] == 0
    assert state.refused["b"] > 10
    came = sum(text.startswith("b") for block in blocks for text in prompts(block, tokenizer))
    waiting = sum(name == "b" for name, _ in state.pending)
    assert came + waiting == state.drawn["b"] - state.refused["b"]


def test_a_source_of_too_long_documents_only_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="a: 1000 documents in a row exceed the row length of 5"):
        next(stream(tokenizer, {"a": 1.0}, {"a": 5}, length=5))


def test_a_stream_without_any_weight_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="no source of training data has a positive weight"):
        next(stream(tokenizer, {"c": 1.0}, {"a": 5}))


def test_prefetching_gives_the_same_blocks_with_their_states(tokenizer: Tokenizer) -> None:
    plain = stream(tokenizer, {"a": 1.0}, {"a": 10})
    with prefetch(stream(tokenizer, {"a": 1.0}, {"a": 10}), ahead=2) as blocks:
        for _ in range(6):
            block, state = next(blocks)
            assert torch.equal(block.tokens_BT, next(plain).tokens_BT)
            assert state == plain.state


def test_prefetching_passes_errors_on_and_ends_its_thread(tokenizer: Tokenizer) -> None:
    with (
        prefetch(stream(tokenizer, {}, {"a": 5})) as blocks,
        pytest.raises(InputError, match="positive weight"),
    ):
        next(blocks)


def test_a_domain_gives_training_problems_by_level_weight(tokenizer: Tokenizer) -> None:
    source = TaskSource("propositional", {1: 3.0, 2: 1.0}, seed=7)
    records = [source.record(number) for number in range(400)]
    assert [source.record(number) for number in (5, 3)] == [records[5], records[3]]
    assert all(record.split is Split.TRAIN for record in records)
    levels = Counter(record.level for record in records)
    assert set(levels) == {1, 2}
    assert levels[1] / 400 == pytest.approx(0.75, abs=0.07)
    assert encode_record(tokenizer, records[0]).expert == 0


def test_a_record_is_encoded_as_it_is_read(tokenizer: Tokenizer) -> None:
    written, read = (Record(input=text, output="72") for text in ("48×27−3=?", "48 * 27 - 3 = ?"))
    assert encode_record(tokenizer, written) == encode_record(tokenizer, read)
    assert encode_record(tokenizer, read) != encode_record(tokenizer, Record(input="48 * 27", output="72"))


def test_a_share_of_a_domains_records_are_conversations_in_words_that_may_be_trained_on(tokenizer: Tokenizer) -> None:
    plain, mixed, all_chats = (
        TaskSource("word_problems", {1: 1.0}, seed=7, conversations=share) for share in (0.0, 0.25, 1.0)
    )
    records = [mixed.record(number) for number in range(300)]
    chats = [record for number, record in enumerate(records) if record != plain.record(number)]
    assert len(chats) / 300 == pytest.approx(0.25, abs=0.07)
    assert [mixed.record(number) for number in (5, 3)] == [records[5], records[3]]
    assert all(record.split is Split.TRAIN for record in records)
    held_out = {text.pieces[0] for text in texts_of("system", Language.EN, "held_out")}
    told = {one.content for record in map(all_chats.record, range(300)) for one in record.messages}
    assert any(texts.pieces[0] in told for texts in texts_of("system", Language.EN, "seen"))
    assert not told & held_out
    long = next(record for record in chats if record.turns.earlier)
    document = encode_record(tokenizer, long)
    assert list(document.tokens[: document.prompt_length]) == tokenizer.encode_prompt(*read_turns(*long.turns))
    first, opening = next(iter(sample_texts([all_chats]))), Turns(*read_turns(*all_chats.record(0).turns))
    assert first in (opening.prompt, *sum(opening.earlier, ()))


def test_a_share_of_a_domains_prompts_has_noise() -> None:
    plain, mixed = (TaskSource("word_problems", {1: 1.0}, seed=7, word_noise=share) for share in (0.0, 0.5))
    pairs = [(plain.record(number), mixed.record(number)) for number in range(200)]
    assert 0.35 < sum(one.input != other.input for one, other in pairs) / 200 < 0.5
    assert all((one.response, one.id) == (other.response, other.id) for one, other in pairs)


def test_a_file_is_shuffled_anew_each_epoch(tmp_path: Path, tokenizer: Tokenizer) -> None:
    path = tmp_path / "mine.jsonl"
    records = [Record(input=f"q{n}", output=f"{n}", domain="own" if n else "composed") for n in range(20)]
    write_records(path, records)
    source = FileSource(path, seed=1)
    epochs = [[source.record(20 * epoch + place).input for place in range(20)] for epoch in range(3)]
    assert all(sorted(epoch) == sorted(record.input for record in records) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert [FileSource(path, seed=1).record(place).input for place in range(20)] == epochs[0]
    assert encode_record(tokenizer, records[1]).expert == -1
    assert encode_record(tokenizer, records[0]).expert == BUILT_IN_DOMAINS.index("composed")
    assert encode_record(tokenizer, records[0], ("knights", "composed")).expert == 1
    assert encode_record(tokenizer, records[0], ("knights",)).expert == -1


def test_a_tokenizer_learns_from_prompts_steps_and_answers() -> None:
    texts = list(sample_texts([Numbered("a", 3)]))
    assert texts[:2] == ["a0?", Numbered("a", 3).record(0).output]
    assert len(texts) == 2000
