"""What training has read is learnt from its sources, and prompts in forms that were left out set the p-values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuili.data import Source, TaskSource, train_tokenizer
from tuili.data.sources import sample_texts
from tuili.engine import Familiarity
from tuili.errors import ModelFolderError
from tuili.eval import learn_familiarity
from tuili.steps import read_as
from tuili.store import (
    FAMILIARITY_FILE,
    FamiliarityFile,
    Tokenizer,
    familiarity_hash,
    read_familiarity_file,
    write_familiarity_file,
)
from tuili.tasks import Split, generate

DOMAINS = ("word_problems", "knights", "physics")
FOREIGN = (
    "Dear Sir or Madam, thank you for your letter of last week about the delivery.",
    "def load(path):\n    with open(path) as file:\n        return json.load(file)",
    "Die Sitzung beginnt morgen um neun Uhr im großen Saal des Rathauses.",
    "A framework for asynchronous network programming with an emphasis on type safety.",
)


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return [TaskSource(name, {1: 1.0}, 1) for name in DOMAINS]


@pytest.fixture(scope="module")
def tokenizer(sources: list[Source]) -> Tokenizer:
    return train_tokenizer(sample_texts(sources), 1024)


@pytest.fixture(scope="module")
def learnt(tokenizer: Tokenizer, sources: list[Source]) -> FamiliarityFile:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuili.eval.calibration.familiarity.READ_RECORDS", 400)
        patch.setattr("tuili.eval.calibration.familiarity.SCORED_RECORDS", 40)
        return learn_familiarity(tokenizer, sources, "three domains")


def p_values(learnt: FamiliarityFile, tokenizer: Tokenizer, prompts: list[str]) -> np.ndarray:
    tells = Familiarity(learnt)
    return np.array([tells.of(tokenizer.encode_prompt(read_as(prompt).text)).p for prompt in prompts])


def test_seen_forms_are_familiar_and_foreign_prompts_are_not(learnt: FamiliarityFile, tokenizer: Tokenizer) -> None:
    seed = Split.TEST.seed(3)
    own = [generate(name, seed, index, 1, wording="seen").prompt for name in DOMAINS for index in range(40)]
    assert np.mean(p_values(learnt, tokenizer, own) >= learnt.level) > 0.97
    assert (p_values(learnt, tokenizer, list(FOREIGN)) < learnt.level).all()


def test_the_scores_are_those_of_forms_that_were_left_out(learnt: FamiliarityFile, tokenizer: Tokenizer) -> None:
    scores = learnt.score_N
    assert len(scores) == 120
    assert (np.diff(scores) >= 0).all()
    seed = Split.TEST.seed(3)
    own = [generate("word_problems", seed, index, 1, wording="seen").prompt for index in range(60)]
    tells = Familiarity(learnt)
    known = [tells.score(tokenizer.encode_prompt(prompt)) for prompt in own]
    assert np.mean(known) < float(scores.mean()) / 2


def test_the_file_is_read_as_it_was_written(tmp_path: Path, learnt: FamiliarityFile) -> None:
    assert read_familiarity_file(tmp_path) is familiarity_hash(tmp_path) is None
    (tmp_path / "tuili").mkdir()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("one")
    write_familiarity_file(tmp_path, learnt)
    read = read_familiarity_file(tmp_path)
    assert read is not None
    assert (read.level, read.source) == (learnt.level, learnt.source)
    assert all(np.array_equal(read.tensors[name], array) for name, array in learnt.tensors.items())
    (tmp_path / "tokenizer.json").write_text("another")
    with pytest.raises(ModelFolderError, match="made with another tokenizer: calibrate anew"):
        read_familiarity_file(tmp_path)
    (tmp_path / FAMILIARITY_FILE).write_bytes((tmp_path / FAMILIARITY_FILE).read_bytes()[:-9])
    with pytest.raises(ModelFolderError, match="truncated"):
        read_familiarity_file(tmp_path)
