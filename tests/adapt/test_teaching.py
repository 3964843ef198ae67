"""How an imported model is taught: in rows that hold the longest question, by terms in its upper half of layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from tuili.adapt import AdaptOptions
from tuili.adapt.teaching import ImportedTeacher
from tuili.config import load_recipe
from tuili.data import Record
from tuili.posttrain import TeachingConfig, TeachingRecipe, TeachingResult
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


def test_terms_are_learnt_in_the_upper_half_whatever_the_shipped_recipe_says(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = list[TeachingConfig]()

    def remembered(config: TeachingConfig, out: Path, **_: object) -> TeachingResult:
        learnt.append(config)
        return TeachingResult(9, 0, 0.0, {}, out)

    def other(name: str, overrides: Sequence[str], kind: type[TeachingRecipe]) -> TeachingRecipe:
        return load_recipe(name, ["teach.first_layer=8", "teach.rank=24", *overrides], kind)

    monkeypatch.chdir(base.parent)
    monkeypatch.setattr("tuili.adapt.teaching.teach", remembered)
    monkeypatch.setattr("tuili.adapt.teaching.load_recipe", other)
    stored, record = open_model(base.name), Record(input="How many?", output="2", steps=("1 + 1 = 2",))
    assert isinstance(stored, ImportedModel)
    teacher = ImportedTeacher(stored, AdaptOptions(model=base.name, data=Path("mine.jsonl")), [record])
    teacher.teach(tmp_path / "taught.jsonl", 9, tmp_path / "teach", 1, Console(quiet=True))
    (config,) = learnt
    assert (config.first_layer, config.rank, config.steps) == (None, 32, 9)
    assert config.model == base.name, "as it was given: an adapter with the path of a machine is of no use elsewhere"
