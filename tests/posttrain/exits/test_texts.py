"""Questions with answers become ids by the chat template; each is in one part; a bad line is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuili.errors import InputError, RecordError
from tuili.posttrain.exits.texts import Text, commonest_tokens, read_texts
from tuili.store import ForeignTokenizer, open_model


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> ForeignTokenizer:
    found = open_model(folder).tokenizer
    assert isinstance(found, ForeignTokenizer)
    return found


def test_a_text_is_a_chat_and_its_answer_without_marks_of_a_calculator(data: Path, tokenizer: ForeignTokenizer) -> None:
    parts = read_texts([data], tokenizer, seed=1)
    assert sum(map(len, parts.values())) == 60
    text = next(text for texts in parts.values() for text in texts if "What is 7 + 10?" in tokenizer.decode(text.ids))
    assert tokenizer.decode(text.ids[: text.start]).endswith("<|im_start|>assistant\n")
    assert tokenizer.decode(text.ids[text.start :]) == "7 + 10 = 17<|im_end|>"


def test_the_question_alone_decides_about_the_part(data: Path, tokenizer: ForeignTokenizer, tmp_path: Path) -> None:
    more = tmp_path / "more.jsonl"
    lines = data.read_text().splitlines()
    question = "And\u2028now,\x85again?"  # which ends no line
    more.write_text("\n".join([*reversed(lines), "", f'{{"input": "{question}", "output": "Nothing."}}']))
    one, two = (read_texts([file], tokenizer, seed) for file, seed in ((data, 1), (more, 2)))
    for part, texts in one.items():
        assert {text.ids for text in texts} <= {text.ids for text in two[part]}


@pytest.mark.parametrize("line", ["{", "[]", '{"question": "Why?"}', '{"question": "Why?", "answer": " "}', "[" * 9000])
def test_a_line_that_is_no_question_with_an_answer_is_refused(
    line: str, tokenizer: ForeignTokenizer, tmp_path: Path
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(RecordError, match=r"bad.jsonl:1: give an object with the texts `question` and `answer`"):
        read_texts([file], tokenizer, seed=1)


def test_too_few_texts_are_refused(tokenizer: ForeignTokenizer, tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    file.write_text('{"question": "Why?", "answer": "So."}\n')
    with pytest.raises(InputError, match="no text is left for"):
        read_texts([file], tokenizer, seed=1)
    with pytest.raises(InputError, match="cannot be read"):
        read_texts([tmp_path / "none.jsonl"], tokenizer, seed=1)


def test_the_commonest_tokens_of_responses_rise() -> None:
    texts = [Text((9, 9, 9, 9, 5, 7), 4), Text((9, 7, 3, 8, 5), 2)]
    assert commonest_tokens(texts, 3).tolist() == [3, 5, 7]  # 7 stands in one prompt
    assert commonest_tokens(texts, 9).tolist() == [3, 5, 7, 8]
