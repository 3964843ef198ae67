"""What a model was taught to think in is read as it was written; the tokens of thinking are all that it needs."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from tests.store.dense_folders import dense_tokenizer, save_dense
from tests.store.foreign_folders import save_tokenizer
from tuili.errors import InputError, ModelFolderError
from tuili.steps import END_THINK
from tuili.store import (
    THINKING_FILE,
    ForeignTokenizer,
    ThinkingSettings,
    open_model,
    read_thinking_file,
    thinking_ids,
    write_thinking_file,
)
from tuili.tasks import domain_names, generate


@cache
def lines() -> list[str]:
    """Steps of all domains."""
    problems = (generate(name, 0, 1, 3, language=language) for name in domain_names() for language in ("en", "zh"))
    return [step for problem in problems for step in problem.steps]


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_thinking_file(tmp_path) is None
    forced = ThinkingSettings("steps", calculator="forced")
    for settings in (ThinkingSettings("steps"), forced, ThinkingSettings("steps", (3, 8, 20))):
        write_thinking_file(tmp_path, settings)
        assert read_thinking_file(tmp_path) == settings
    assert json.loads((tmp_path / THINKING_FILE).read_text()) == {"language": "steps", "token_ids": [3, 8, 20]}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "Invalid JSON"),
        ("[]", "object"),
        ("{}", "language: Field required"),
        ('{"language": "prose"}', "language: Input should be 'steps'"),
        ('{"language": "steps", "tokens": 3}', "tokens: Unexpected keyword argument"),
        ('{"language": "steps", "token_ids": []}', "token_ids: Tuple should have at least 1 item"),
        ('{"language": "steps", "token_ids": [1, -2]}', "token_ids.1: Input should be greater than or equal to 0"),
        ('{"language": "steps", "calculator": "on"}', "calculator: Input should be 'off', 'repair' or 'forced'"),
        ('{"language": "steps", "token_ids": [1.5]}', "token_ids.0: Input should be a valid integer"),
        ('{"language": "steps", "token_ids": [4, 4]}', "token_ids: they rise, each once"),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / THINKING_FILE).parent.mkdir()
    (tmp_path / THINKING_FILE).write_text(text)
    with pytest.raises(ModelFolderError) as refused:
        read_thinking_file(tmp_path)
    message = str(refused.value)
    assert named in message
    assert "\n" not in message
    assert str(tmp_path / THINKING_FILE) in message


def test_ids_that_do_not_rise_are_not_written() -> None:
    with pytest.raises(InputError, match="they rise"):
        ThinkingSettings("steps", (4, 3))


@pytest.mark.parametrize("kind", ["thinking", "chatml", "sentencepiece"])
def test_all_that_the_language_can_hold_is_among_the_tokens(tmp_path: Path, kind: str) -> None:
    """The steps of every domain in both languages, as the tokenizer spells them or byte by byte."""
    tokenizer = ForeignTokenizer.load(save_tokenizer(tmp_path, kind))
    assert thinking_ids(tmp_path, tokenizer) is None
    for settings in (ThinkingSettings("steps"), ThinkingSettings("steps", (0,))):
        write_thinking_file(tmp_path, settings)
        found = thinking_ids(tmp_path, tokenizer)
        assert found is not None
        ids = set(found.tolist())
        assert sorted(ids) == found.tolist()
        assert ids >= set(tokenizer.end_ids)
        closing = tokenizer.backend.token_to_id(END_THINK)
        assert ids >= (set(tokenizer.encode_text(END_THINK)) if closing is None else {closing})
        singles = {data for token in ids if len(data := tokenizer.shown_bytes[token]) == 1}
        assert singles >= {bytes([each]) for line in lines() for each in f"{line}\n".encode()}
        if settings.token_ids is None:
            assert ids >= {token for line in lines() for token in tokenizer.encode_text(f"{line}\n")}
    assert len(ids) < 300


def test_what_the_language_has_not_is_left_out(tmp_path: Path) -> None:
    dense_tokenizer().save_pretrained(tmp_path)
    tokenizer = ForeignTokenizer.load(tmp_path)
    write_thinking_file(tmp_path, ThinkingSettings("steps"))
    found = thinking_ids(tmp_path, tokenizer)
    assert found is not None
    texts = {tokenizer.shown_texts[token] for token in found}
    assert texts.isdisjoint({"?", "'", '"', ";", "$", "é", "&", "。"})
    assert texts >= {"+", "=", "x", "7", "\n", " ", ".", ":"}


def test_ids_beyond_the_tokenizer_are_refused_when_they_are_needed(tmp_path: Path) -> None:
    model = save_dense(tmp_path / "model")
    write_thinking_file(model, ThinkingSettings("steps", (3, 384)))
    with pytest.raises(ModelFolderError, match=r"token_ids: 384 is none of the 384 entries of the tokenizer; teach"):
        thinking_ids(model, open_model(model).tokenizer)


def test_a_file_that_is_written_meanwhile_is_noticed(tmp_path: Path) -> None:
    model = open_model(save_dense(tmp_path / "model"))
    write_thinking_file(model.path, ThinkingSettings("steps"))
    with pytest.raises(ModelFolderError, match=r"thinking\.json was written while the model was read"):
        model.check_unchanged()
