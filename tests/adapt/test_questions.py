"""Every line of a file is checked, and questions are split so that none is tested that was taught, numbers aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.adapt.conftest import BARE, COUNT
from tuili.adapt.questions import PARTS, QuestionFiles, check_questions, described, split_questions, write_parts
from tuili.adapt.variants import LEARNT, SPARE, WHOLE, vary
from tuili.data import masked_question, multiply, original_id, read_questions, read_records, write_records
from tuili.errors import InputError, PromptTooLong, RecordError
from tuili.steps import Turns
from tuili.tasks import Split, generate


def encode(turns: Turns) -> list[int]:
    if len(turns.prompt) > 1000:
        raise PromptTooLong("the prompt is too long")
    return []


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def lines(sums: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sums.read_text().splitlines()]


def test_the_parts_have_nothing_in_common_but_numbers(sums: Path) -> None:
    questions = check_questions(sums, "auto", encode)
    assert described(questions)["checked"] == COUNT
    split = split_questions(questions, seed=1)
    masks = {part: {masked_question(one.input) for one in split[part]} for part in PARTS}
    assert masks["teach"].isdisjoint(masks["calibrate"] | masks["test"])
    assert masks["calibrate"].isdisjoint(masks["test"])
    assert all(one.steps for one in split["teach"])
    worked = {part: sum(bool(one.steps) for one in split[part]) / COUNT for part in PARTS}
    assert worked == pytest.approx({"teach": 0.6, "calibrate": 0.2, "test": 0.2}, abs=0.05)
    bare = sum(not one.steps for part in PARTS for one in split[part])
    assert BARE - 5 <= bare <= BARE  # some are the same as taught ones
    assert split_questions(questions, seed=1) == split
    assert split_questions(questions, seed=2) != split


def test_what_was_multiplied_is_in_the_part_of_its_original(sums: Path, tmp_path: Path) -> None:
    originals = list(read_records(sums))[:COUNT]
    multiplied = [one for record in originals for one in multiply(record, 3, 1)]
    path = tmp_path / "multiplied.jsonl"
    write_records(path, [*originals, *(one for record in multiplied for one in (record, *multiply(record, 1, 2)))])
    split = split_questions(check_questions(path, "auto", encode), seed=1)
    part_of = {record.id: part for part in PARTS for record in split[part]}
    names = {record.id: original_id(record.id) for records in split.values() for record in records}
    assert len(names) > 2 * len(set(names.values()))
    assert all(part_of[name] == part_of[original] for name, original in names.items())
    assert len({part_of[original] for original in names.values()}) == len(PARTS)


def test_variants_are_taught_and_none_of_them_is_tested(sums: Path, tmp_path: Path) -> None:
    files = QuestionFiles(tmp_path)
    split = split_questions(check_questions(sums, "auto", encode), seed=1)
    write_parts(files, split)
    report = vary(files, 3, 1, lambda done, whole: None)
    assert report["originals"] == len(split["teach"]) > report["multiplied"] > 5
    assert report["variants"] <= 3 * report["multiplied"]
    assert 0 < report["spare"] <= SPARE * report["multiplied"]
    taught = files.records(LEARNT)
    assert len(taught) == report["originals"] + report["variants"]
    assert not any(one.id.endswith(("/x4", "/x5")) for one in taught)
    kept = {masked_question(one.input) for part in ("calibrate", "test") for one in split[part]}
    assert kept.isdisjoint(masked_question(one.input) for one in taught)
    (whole, *_) = read_questions(files.file(WHOLE))
    assert json.loads(files.file(WHOLE).read_text().splitlines()[0])["output"].startswith("<think>\n")
    assert whole.record.input == taught[0].input


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"input": "How?"}, "key 'output' is missing"),
        ({"question": "How?", "answer": "#### 2"}, "in the form of gsm8k"),
        ({"input": "How?", "output": "2", "messages": [{"role": "user", "content": "Hi"}]}, "earlier turns|messages"),
        ({"input": "Why? " * 300, "output": "2"}, "the prompt is too long"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(sums: Path, tmp_path: Path, line: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "bad.jsonl", [*lines(sums)[:30], line, *lines(sums)[30:]])
    with pytest.raises(RecordError, match=rf"bad\.jsonl:31: .*({message})"):
        check_questions(path, "auto", encode)


def test_held_out_problems_and_second_answers_are_refused(sums: Path, tmp_path: Path) -> None:
    problem = generate("arithmetic", Split.TEST.seed(1), 0, 1)
    held_out = {"input": problem.prompt, "output": problem.answer, "domain": "arithmetic", "source": "tuili"}
    path = write(tmp_path / "held_out.jsonl", [*lines(sums), held_out | {"id": problem.id}])
    with pytest.raises(RecordError, match=rf":{COUNT + BARE + 1}: .* never trained on"):
        check_questions(path, "auto", encode)
    again = lines(sums)[2]
    path = write(tmp_path / "again.jsonl", [*lines(sums), again])
    assert len(check_questions(path, "auto", encode)) == COUNT + BARE
    path = write(tmp_path / "second.jsonl", [*lines(sums), again | {"output": "77", "steps": []}])
    with pytest.raises(RecordError, match=rf":{COUNT + BARE + 1}: the question of line 3 again, .*'77', not"):
        check_questions(path, "auto", encode)


def test_too_few_questions_are_refused_with_what_would_be_right(sums: Path, tmp_path: Path) -> None:
    known = lines(sums)
    with pytest.raises(InputError, match="has 59 questions: at least 60 are needed, 300 are better"):
        check_questions(write(tmp_path / "few.jsonl", known[:59]), "auto", encode)
    bare = write(tmp_path / "bare.jsonl", [*({**one, "steps": []} for one in known[:30]), *known[30:60]])
    with pytest.raises(
        InputError, match=r"30 of 60 questions have steps that check \(30: no calculation is written out"
    ):
        check_questions(bare, "auto", encode)
    same = [{"input": f"Add {n} and 1.", "output": str(n + 1), "steps": [f"{n} + 1 = {n + 1}"]} for n in range(80)]
    with pytest.raises(InputError, match="numbers aside, its questions are 1 different ones: at least 10"):
        check_questions(write(tmp_path / "same.jsonl", same), "auto", encode)
