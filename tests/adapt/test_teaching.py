"""The rows of a teaching hold the longest question behind what all questions begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuili.adapt import AdaptOptions
from tuili.adapt.teaching import ImportedTeacher
from tuili.data import Record
from tuili.posttrain.teaching.examples import ExampleEncoder
from tuili.store import ImportedModel, open_model


def test_a_row_holds_the_longest_question(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.adapt.teaching.LENGTHS", (64, 128, 256, 512))
    stored = open_model(base)
    assert isinstance(stored, ImportedModel)
    options = AdaptOptions(model=str(base), data=Path("mine.jsonl"))
    encode = ExampleEncoder(stored.tokenizer, masks_results=True)
    assert encode.prefix
    lengths = set[int]()
    for count in range(1, 90):
        record = Record(input="How many?", output="2", steps=("1 + 1 = 2",) * count)
        teacher = ImportedTeacher(stored, options, [record])
        length = teacher.tokens_of(record)
        assert length == len(encode(record))
        assert teacher.longest >= min(length, stored.shape.max_position_embeddings - len(encode.prefix))
        assert teacher.step_tokens == 8 * (teacher.longest + len(encode.prefix))
        lengths.add(teacher.step_tokens // 8)
    assert len(lengths) > 1
