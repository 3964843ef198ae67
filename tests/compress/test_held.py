"""Closeness and thresholds are measured on questions that neither recovery nor scores read."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from tuili.compress import HealingConfig, open_parent
from tuili.compress.distilling.writing import questions
from tuili.data import Block, Record, RecordSource, StreamState, encode_record
from tuili.store import Tokenizer
from tuili.train.feed import preparation

CONFIG = HealingConfig(rows=2, kernels="torch", precision="fp32")


def texts(blocks: list[Block]) -> set[tuple[int, ...]]:
    """The tokens of each document."""
    found = set()
    for block in blocks:
        for tokens_T, documents_T in zip(block.tokens_BT, block.documents_BT, strict=True):
            for number in range(int(documents_T.max()) + 1):
                found.add(tuple(tokens_T[documents_T == number].tolist()))
    return found


def test_parts_of_a_source_have_no_question_in_common() -> None:
    records = [Record(input=f"What is {number % 40} + 1?", output=str(number % 40 + 1)) for number in range(80)]
    source = RecordSource("sums", records, 1)
    held, learnt = source.part(held=True).records, source.part(held=False).records
    assert len({record.input for record in held}) == 2
    assert not {record.input for record in held} & {record.input for record in learnt}
    assert len(held) + len(learnt) == 80
    assert RecordSource("one", records[:1], 1).part(held=True).records == tuple(records[:1])


def test_nothing_is_learnt_from_what_closeness_is_measured_on(
    own: Path, dense: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sums.jsonl"
    lines = [
        {"question": f"Take {a} from {3 * a}.", "equation": f"- {3 * a} {a}", "answer": f"{2 * a}"}
        for a in range(9, 69)
    ]
    own_file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    own_file.write_text(
        "".join(json.dumps({"input": one["question"], "output": one["answer"]}) + "\n" for one in lines)
    )
    for folder, given in ((own, own_file), (dense, file), (own, None)):
        least = 1 if given == own_file else 10**9  # a process of its own keeps to its part of a file, too
        monkeypatch.setattr(preparation, "MIN_BLOCKS_OF_A_PROCESS", least)
        config = CONFIG if folder == own else HealingConfig(rows=2)
        data = open_parent(folder, config).data(given, lambda line: None)
        held, others = texts(list(data.held(3))), texts(list(data.samples(60)))
        with data.open_blocks(StreamState()) as blocks:
            learnt = texts([next(blocks)[0] for _ in range(6)])
        assert held
        assert not held & (others | learnt)


def test_no_chain_is_written_for_what_students_are_compared_on(own: Path) -> None:
    """Texts of generated problems, which a round counts from the first on, as those that are compared on do."""
    parent = open_parent(own, CONFIG)
    data, tokenizer = parent.data(None, lambda line: None), Tokenizer.load(own)
    assert data.stream is not None
    asked = islice(questions(data.stream, 0), 400)
    written = {tuple(encode_record(tokenizer, record, data.stream.experts).tokens) for record in asked}
    for blocks in (data.held(40), data.samples(40)):
        assert not texts(list(blocks)) & written
