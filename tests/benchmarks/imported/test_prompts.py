"""Prompts are whole conversations in the template, long ones with worked questions before; batches have one length."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.engine.peers.protocol import read_texts
from benchmarks.imported.prompts import chats, equally_long, questions, write_texts
from tuili.errors import InputError
from tuili.store import ImportedModel

BEFORE, BEHIND = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


def test_each_question_is_asked_once_in_the_template(imported: ImportedModel, data: Path):
    texts = [imported.tokenizer.decode(ids) for ids in chats(imported.tokenizer, 9, data=data)]
    assert texts == [f"{BEFORE}{question}{BEHIND}" for question in questions(9, data=data)]
    assert len({*texts}) == 9


def test_long_prompts_have_worked_questions_before(imported: ImportedModel, data: Path):
    for ids in chats(imported.tokenizer, 3, 150, data=data):
        text = imported.tokenizer.decode(ids)
        assert 150 <= len(ids) < 300
        assert "The answer is 1" in text
        assert "<<" not in text
        assert "####" not in text
        assert text.endswith(BEHIND)


def test_missing_data_is_refused(imported: ImportedModel, tmp_path: Path):
    with pytest.raises(InputError, match=r"asdiv-a\.jsonl is missing"):
        chats(imported.tokenizer, 1, data=tmp_path)


def test_a_batch_has_one_length(imported: ImportedModel, data: Path):
    texts = chats(imported.tokenizer, 9, data=data)
    batches = list(equally_long(texts, 5, 3))
    assert [len(batch) for batch in batches] == [3, 3]
    assert all(len({len(text) for text in batch}) == 1 for batch in batches)
    assert len({str(text) for batch in batches for text in batch}) == 6
    with pytest.raises(InputError, match="12 are needed"):
        equally_long(texts, 12, 3)


def test_workers_read_the_texts_that_are_written(tmp_path: Path):
    write_texts(tmp_path / "texts.jsonl", [[1, 2, 3], (4, 5)])
    assert read_texts(str(tmp_path / "texts.jsonl")) == [[1, 2, 3], [4, 5]]
