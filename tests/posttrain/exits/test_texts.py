"""Questions with answers become ids by the chat template; each is in one part; a bad line is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.store.foreign_folders import save_tokenizer
from tuili.data import Record
from tuili.errors import InputError, RecordError, TooFew
from tuili.posttrain.exits.texts import Text, commonest_tokens, read_texts
from tuili.posttrain.teaching.examples import ExampleEncoder
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


def test_the_questions_of_a_kind_are_in_one_part(tokenizer: ForeignTokenizer, tmp_path: Path) -> None:
    """So that exits are measured on questions that are new in more than their numbers."""
    names = ["Ann", "Ben", "Cal", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon", "Kim", "Lou", "Mia", "Ned", "Oli"]
    other = dict(zip(names, map(str.swapcase, reversed(names)), strict=True))
    items = [
        item
        for name in names
        for number in range(4)
        for item in (
            {"input": f"{name} has {number}?", "output": "2", "id": f"own/{name}/{number}"},
            {"input": f"Does {other[name]} hold {number}?", "output": "2", "id": f"own/{name}/{number}/x1",
             "source": "multiplied"},
        )
    ]  # fmt: skip
    file = tmp_path / "kinds.jsonl"
    for count in (15, 3):
        chosen = [item for item in items if any(item["id"].startswith(f"own/{name}/") for name in names[:count])]
        file.write_text("".join(json.dumps(item) + "\n" for item in chosen))
        parts = read_texts([file], tokenizer, seed=1)
        found = {
            part: {name for name in names for text in texts if _is_of(tokenizer.decode(text.ids), name, other[name])}
            for part, texts in parts.items()
        }
        assert sum(map(len, parts.values())) == len(chosen)
        assert all(found.values())
        assert sum(map(len, found.values())) == count, "no name in two parts"
    file.write_text("".join(json.dumps(item) + "\n" for item in items[:16]))
    with pytest.raises(TooFew, match="no text is left for train: give more of them, which differ in more than"):
        read_texts([file], tokenizer, seed=1)


def _is_of(text: str, name: str, other: str) -> bool:
    return f"{name} has" in text or f"Does {other} hold" in text


def test_the_thinking_of_a_response_is_the_tokens_that_are_taught(tmp_path: Path) -> None:
    tokenizer = ForeignTokenizer.load(save_tokenizer(tmp_path / "model", "thinking"))
    records = [
        Record(input=f"Count {'the rows and ' * a}all.", output=str(a + 4), steps=(f"{a} + 4 = {a + 4}",))
        for a in range(40)
    ]
    file = tmp_path / "responses.jsonl"
    file.write_text("".join(json.dumps({"input": one.input, "output": one.response}) + "\n" for one in records))
    encode = ExampleEncoder(tokenizer, masks_results=False)
    read = {text.ids for texts in read_texts([file], tokenizer, seed=1).values() for text in texts}
    assert read == {(*encode.prefix, *encode(one).tokens) for one in records}


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
