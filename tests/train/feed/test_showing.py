"""What is shown of a file is what its training learns: the same tokens and loss masks, record by record, row by row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.train.conftest import go, small
from tuili.data import IGNORE_INDEX, Block, Record, showing, write_records
from tuili.errors import RecordError
from tuili.store import Tokenizer
from tuili.tasks import Split, generate
from tuili.train.build import training_feed, training_stream
from tuili.train.objective import Objective
from tuili.train.recipe import Recipe

FEW = ("data.domains=[arithmetic]", "curriculum.kind=uniform")
pytestmark = pytest.mark.usefixtures("few_samples")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    own = [
        Record(input=f"How many are {a} and 7?", output=f"{a + 7}", steps=(f"{a} + 7 = {a + 7}",), id=f"mine/{a}")
        for a in range(12)
    ]
    write_records(path, [*own, Record(input="Words " * 300, output="too long", id="long")])
    return path


def recipe_of(file: Path, *overrides: str) -> Recipe:
    return small(f"data.files={json.dumps({str(file): 1.0})}", *overrides, steps=1)


def silent(line: str) -> None:
    """Nothing is printed."""


def test_shown_rows_are_those_that_a_run_really_learns_from(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = list[Block]()
    original = Objective.__call__

    def noted(self: Objective, block: Block, progress: float, generator: torch.Generator) -> object:
        learnt.append(block)
        return original(self, block, progress, generator)

    recipe = recipe_of(file, *FEW, "train.accumulation=2")
    monkeypatch.setattr(Objective, "__call__", noted)
    go(recipe, tmp_path / "run")
    feed = training_feed(recipe, file, False, silent)
    assert feed.tokenizer.backend.get_vocab() == Tokenizer.load(tmp_path / "run" / "tokenizer").backend.get_vocab()
    blocks = learnt[-2:]  # the first one is shown to the kernels
    rows = [*showing.show_rows(feed, 4)]
    tokens_BT, targets_BT = (torch.cat([getattr(one, name) for one in blocks]) for name in ("tokens_BT", "targets_BT"))
    for row, tokens_T, targets_T in zip(rows, tokens_BT.tolist(), targets_BT.tolist(), strict=True):
        shown = [token for document in row.documents for token in document.tokens]
        used = feed.capacity - row.padding
        assert [token.id for token in shown] == tokens_T[:used]
        assert [token.learnt for token in shown[1:]] == [target != IGNORE_INDEX for target in targets_T[: used - 1]]
        assert all(target == IGNORE_INDEX for target in targets_T[used - 1 :])
        assert any(token.learnt for token in shown)
    assert {document.record.domain for row in rows for document in row.documents} == {"arithmetic", "own"}


def test_a_record_alone_is_shown_as_it_is_in_a_row(file: Path) -> None:
    feed = training_feed(recipe_of(file, *FEW), file, True, silent)
    alone = {one.record.id: one for one in showing.show_records(feed, 1, 20)}
    in_rows = [one for row in showing.show_rows(feed, 4) for one in row.documents]
    assert len(in_rows) > 12
    assert all(alone[one.record.id].tokens == one.tokens for one in in_rows)
    assert "long" not in {one.record.id for one in in_rows}


def test_a_record_longer_than_a_row_is_left_out_and_nothing_of_it_learnt(file: Path) -> None:
    feed = training_feed(recipe_of(file), file, True, silent)
    (long,) = showing.show_records(feed, 13, 5)
    assert long.left_out == f"it has {len(long.tokens)} tokens, and a row has 192"
    assert long.learnt == 0
    assert [*showing.show_records(feed, 14, 5)] == []


def test_a_file_that_the_recipe_does_not_name_joins_it(file: Path) -> None:
    feed = training_feed(small(*FEW), file, False, silent)
    rows = [*showing.show_rows(feed, 6)]
    assert {document.record.domain for row in rows for document in row.documents} == {"arithmetic", "own"}


def test_the_stream_tells_the_records_of_its_last_block(file: Path) -> None:
    recipe = recipe_of(file, *FEW)
    feed = training_feed(recipe, file, False, silent)
    stream = training_stream(recipe, feed.tokenizer)
    assert stream.packed == []
    for _ in range(3):
        block = next(stream)
        for row, records in enumerate(stream.packed):
            tokens = [token for record in records for token in feed.encode(record).tokens]
            assert block.tokens_BT[row, : len(tokens)].tolist() == tokens
            assert int((block.documents_BT[row] >= 0).sum()) == len(tokens)


def test_what_training_refuses_is_refused(tmp_path: Path) -> None:
    held_out = tmp_path / "held_out.jsonl"
    write_records(held_out, [Record.of(generate("arithmetic", Split.TEST.seed(1), 0, 1))])
    with pytest.raises(RecordError, match="a problem of the test split"):
        list(showing.show_records(training_feed(small(*FEW), held_out, True, silent), 1, 1))
