"""What training has read is learnt from its sources, and prompts in forms that were left out set the p-values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.store.foreign_folders import save_tokenizer
from tuili.data import Record, Source, TaskSource, train_tokenizer
from tuili.data.records import RecordMessage
from tuili.data.sources import sample_texts
from tuili.engine import Familiarity, dialect_of
from tuili.errors import ModelFolderError
from tuili.eval import learn_familiarity
from tuili.eval.calibration.familiarity import LEVEL, MIN_REFERENCES, common_ends
from tuili.steps import Turns, read_as
from tuili.store import (
    BEGIN,
    FAMILIARITY_FILE,
    FamiliarityFile,
    ForeignTokenizer,
    Tokenizer,
    familiarity_hash,
    ngrams_of,
    read_familiarity_file,
    without_ends,
    write_familiarity_file,
)
from tuili.store.imported.chat_template import ChatTemplate
from tuili.tasks import Split, generate

DOMAINS = ("word_problems", "knights", "physics")
FOREIGN = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and documentation.",
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
        made = learn_familiarity(tokenizer, sources, "three domains")
    assert made is not None
    return made


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


OWN = [f"Which tram leaves after tram {number}, and who drives it?" for number in range(100, 160)]


def test_own_prompts_are_the_references_where_there_are_enough(tokenizer: Tokenizer) -> None:
    learnt = learn_familiarity(tokenizer, [], "own", own=OWN)
    assert learnt is not None
    assert learnt.score_N.tolist() == [0.0] * 60, "the other prompts ask the same about other numbers"
    mine, foreign = p_values(learnt, tokenizer, ["Which tram leaves after tram 7, and who drives it?", FOREIGN[0]])
    assert (mine, foreign) == (1, pytest.approx(1 / 61))
    repeated = learn_familiarity(tokenizer, [], "own", own=OWN[:1] * 60)
    assert repeated is not None
    assert repeated.score_N.tolist() == [1.0] * 60, "each is scored as if it had not been read"


def test_too_few_references_tell_nothing(tokenizer: Tokenizer) -> None:
    assert 1 / (1 + MIN_REFERENCES) < LEVEL <= 1 / MIN_REFERENCES
    assert learn_familiarity(tokenizer, [], "nothing") is None
    assert learn_familiarity(tokenizer, [], "own", own=OWN[: MIN_REFERENCES - 1]) is None


def test_a_former_file_knows_what_training_has_read(tokenizer: Tokenizer, learnt: FamiliarityFile) -> None:
    first = learn_familiarity(tokenizer, [], "own", own=OWN, trained=learnt)
    assert first is not None and first.sample_C is not None and learnt.sample_C is None
    again = learn_familiarity(tokenizer, [], "own", own=OWN, trained=first)
    assert again is not None
    for name, array in first.tensors.items():
        assert np.array_equal(again.tensors[name], array), "prompts of a calibration are no part of training"
    assert np.array_equal(first.filter_B, learnt.filter_B)
    trained = generate("word_problems", Split.TEST.seed(3), 1, 1, wording="seen").prompt
    tells, bare = Familiarity(first), Familiarity(replace(first, filter_B=np.zeros(1, np.uint8)))
    for ids, low, high in ((tokenizer.encode_prompt(trained), 0, 0.2), (tokenizer.encode_prompt(OWN[0]), 0, 0)):
        assert low <= tells.score(ids) <= high
    assert bare.score(tokenizer.encode_prompt(trained)) > 0.5
    references = learnt.training_T
    assert references is not None and references.tolist() == learnt.score_N.tolist()
    for former in (learnt, first):
        few = learn_familiarity(tokenizer, [], "own", own=OWN[:3], trained=former)
        assert few is not None and few.training_T is not None
        assert set(references.tolist()) <= set(few.score_N.tolist()), "those of a former calibration are dropped"
        assert len(few.score_N) == len(references) + 3


class Talk:
    """Questions, every other one of them behind a message."""

    name = "talk"

    def record(self, number: int) -> Record:
        before = (RecordMessage(role="system", content="Be kind."),) * (number % 2)
        return Record(input=f"How old is the oak number {number}?", output="7", messages=before, id=f"talk:{number}")


def test_the_references_are_single_questions_and_few_own_ones_join_them(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuili.eval.calibration.familiarity.READ_RECORDS", 8)
    for records, own, references in ((120, 0, 60), (60, 20, 50), (120, 60, 60), (60, 19, None)):
        monkeypatch.setattr("tuili.eval.calibration.familiarity.SCORED_RECORDS", records)
        learnt = learn_familiarity(tokenizer, [Talk()], "talk", own=OWN[:own])
        assert (None if learnt is None else len(learnt.score_N)) == references


@pytest.mark.parametrize("kind", ["chatml", "thinking", "headers"])
def test_what_a_template_puts_around_every_question_is_not_scored(kind: str, tmp_path: Path) -> None:
    tokenizer = ForeignTokenizer.load(save_tokenizer(tmp_path / kind, kind))
    before, after = common_ends(tokenizer)
    learnt = learn_familiarity(tokenizer, [], "own", own=OWN)
    assert learnt is not None
    assert Familiarity(learnt).score([*before, *after]) == 0 and not learnt.scored([*before, *after])
    template = ngrams_of([*before, *after], learnt.class_V)
    assert all(learnt.knows(key_N).all() for key_N in template), "it stays known where more than the question is scored"
    for question in ("What is 12 + 30?", "Why?", "a", "1"):
        ids = dialect_of(tokenizer).encode(Turns(question), 1000)
        scored = list(without_ends(ids, before, after))
        assert [*before, *scored, *after] == ids
        assert question in tokenizer.decode(scored)
        assert len(scored) == len(tokenizer.encode_text(question)) + 2, "with a neighbour on either side"


def test_where_questions_stand_alone_all_of_them_is_scored(tmp_path: Path, tokenizer: Tokenizer) -> None:
    bare = ForeignTokenizer.load(save_tokenizer(tmp_path / "bare", "no template"))
    bare = replace(bare, template=ChatTemplate({"default": "{{ messages[0].content }}"}, {}))
    assert common_ends(bare) == ((), ())
    assert common_ends(tokenizer) == ((tokenizer.token_id(BEGIN),), ()), "the question's two neighbours stay"


def test_a_short_question_is_not_lost_in_a_long_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = ForeignTokenizer.load(save_tokenizer(tmp_path / "chatml", "chatml"))
    ids = dialect_of(tokenizer).encode(Turns("Who?!"), 1000)

    def score() -> float:
        learnt = learn_familiarity(tokenizer, [], "own", own=OWN)
        assert learnt is not None
        return Familiarity(learnt).score(ids)

    scored = score()
    monkeypatch.setattr("tuili.eval.calibration.familiarity.common_ends", lambda _: ((), ()))
    assert scored > 0.7 > 2 * score()


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.5, *[0.1] * 60], "scores are shares, rising"),
        ([*[0.1] * 60, 1.5], "scores are shares, rising"),
        ([*[0.1] * 60, float("nan")], "scores are shares, rising"),
        ([0.1] * 49, "by 49 scores no prompt is below the level 0.02"),
    ],
)
def test_a_file_that_could_tell_nothing_is_damaged(
    tmp_path: Path, learnt: FamiliarityFile, scores: list[float], message: str
) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    write_familiarity_file(tmp_path, replace(learnt, score_N=np.array(scores, np.float32)))
    with pytest.raises(ModelFolderError, match=f"is damaged: .*{message}"):
        read_familiarity_file(tmp_path)


def test_the_file_is_read_as_it_was_written(tmp_path: Path, learnt: FamiliarityFile) -> None:
    assert read_familiarity_file(tmp_path) is familiarity_hash(tmp_path) is None
    (tmp_path / "tuili").mkdir()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("one")
    ended = replace(learnt, before=(3, 1), after=(2,))
    write_familiarity_file(tmp_path, ended)
    read = read_familiarity_file(tmp_path)
    assert read is not None
    assert (read.level, read.source, read.before, read.after) == (learnt.level, learnt.source, (3, 1), (2,))
    assert all(np.array_equal(read.tensors[name], array) for name, array in learnt.tensors.items())
    (tmp_path / "tokenizer.json").write_text("another")
    with pytest.raises(ModelFolderError, match="made with another tokenizer: calibrate anew"):
        read_familiarity_file(tmp_path)
    (tmp_path / FAMILIARITY_FILE).write_bytes((tmp_path / FAMILIARITY_FILE).read_bytes()[:-9])
    with pytest.raises(ModelFolderError, match="truncated"):
        read_familiarity_file(tmp_path)
