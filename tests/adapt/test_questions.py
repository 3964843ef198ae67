"""Every line of a file is checked, and questions are split so that none is tested that was taught, numbers aside."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.adapt.conftest import BARE, COUNT
from tuili.adapt.checking import check_questions, count_kinds
from tuili.adapt.questions import PARTS, QuestionFiles, split_questions, write_parts
from tuili.adapt.report import told_of
from tuili.adapt.variants import LEARNT, SPARE, WHOLE, vary
from tuili.data import (
    MULTIPLIED_SOURCE,
    masked_question,
    multiply,
    original_id,
    read_questions,
    read_records,
    write_records,
)
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
    file = check_questions(sums, "auto", encode)
    assert file.described()["checked"] == COUNT
    questions = file.questions
    split = split_questions(questions, seed=1)
    masks = {part: {masked_question(one.input) for one in split[part]} for part in PARTS}
    assert masks["teach"].isdisjoint(masks["calibrate"] | masks["test"])
    assert masks["calibrate"].isdisjoint(masks["test"])
    assert all(one.steps for one in split["teach"])
    assert all(len(masks[part]) == len(split[part]) for part in ("calibrate", "test")), "one question of each kind"
    worked = {part: len({masked_question(one.input) for one in split[part] if one.steps}) for part in PARTS}
    shares = {part: kinds / sum(worked.values()) for part, kinds in worked.items()}
    assert shares == pytest.approx({"teach": 0.6, "calibrate": 0.2, "test": 0.2}, abs=0.05)
    bare = sum(not one.steps for part in PARTS for one in split[part])
    assert BARE - 5 <= bare <= BARE  # some are the same as taught ones
    assert split_questions(questions, seed=1) == split
    assert split_questions(questions, seed=2) != split


def test_of_a_kind_one_question_calibrates_or_tests(tmp_path: Path) -> None:
    """25 questions of each kind are right or wrong together: a promise must not count them as 25."""
    records = [
        {"input": f"{kind} has {n} pens and gets 5. How many?", "output": str(n + 5), "steps": [f"{n} + 5 = {n + 5}"]}
        for kind in ("Ann", "Ben", "Cal", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon", "Kim", "Lou")
        for n in range(10, 35)
    ]
    questions = check_questions(write(tmp_path / "kinds.jsonl", records), "auto", encode).questions
    split = split_questions(questions, seed=1)
    names = {part: [one.input.split()[0] for one in split[part]] for part in PARTS}
    assert {part: (len(found), len(set(found))) for part, found in names.items()} == {
        "teach": (175, 7), "calibrate": (3, 3), "test": (2, 2),
    }  # fmt: skip
    drawn = [{one.input for one in split_questions(questions, seed)["test"]} for seed in range(20)]
    assert len({re.sub("[A-Z][a-z]+ has", "", text) for texts in drawn for text in texts}) > 10, "which one is drawn"


def test_what_was_multiplied_is_taught_with_its_original_or_left_out(sums: Path, tmp_path: Path) -> None:
    originals = list(read_records(sums))[:COUNT]
    multiplied = [one for record in originals for one in multiply(record, 3, 1)]
    path = tmp_path / "multiplied.jsonl"
    write_records(path, [*originals, *(one for record in multiplied for one in (record, *multiply(record, 1, 2)))])
    split = split_questions(check_questions(path, "auto", encode).questions, seed=1)
    part_of = {record.id: part for part in PARTS for record in split[part]}
    taught = [record.id for record in split["teach"]]
    assert len(taught) > 2 * len({original_id(name) for name in taught})
    assert all(part_of[original_id(name)] == "teach" for name in taught)
    assert all(record.source != MULTIPLIED_SOURCE for part in PARTS[1:] for record in split[part])
    assert {"calibrate", "test"} < set(part_of.values())
    kinds = {masked_question(one.input) for one in originals if part_of.get(one.id) == "teach"}
    assert count_kinds(split["teach"]) <= len(kinds) < len({masked_question(one.input) for one in split["teach"]})


def test_variants_are_taught_and_none_of_them_is_tested(sums: Path, tmp_path: Path) -> None:
    files = QuestionFiles(tmp_path)
    split = split_questions(check_questions(sums, "auto", encode).questions, seed=1)
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


def test_an_answer_with_a_unit_needs_steps_beside_question_and_answer(sums: Path, tmp_path: Path) -> None:
    """As the page says: a line without is one of GSM8K."""
    renamed = [
        {"question": one["input"], "answer": one["output"], "steps": one.get("steps", [])} for one in lines(sums)
    ]
    renamed[0]["answer"] += " pens"
    assert check_questions(write(tmp_path / "steps.jsonl", renamed), "auto", encode).described()["checked"] == COUNT
    del renamed[0]["steps"]
    with pytest.raises(RecordError, match=r"bare\.jsonl:1: the answer is no number .* or a number alone"):
        check_questions(write(tmp_path / "bare.jsonl", renamed), "auto", encode)


def test_held_out_problems_and_second_answers_are_refused(sums: Path, tmp_path: Path) -> None:
    problem = generate("arithmetic", Split.TEST.seed(1), 0, 1)
    held_out = {"input": problem.prompt, "output": problem.answer, "domain": "arithmetic", "source": "tuili"}
    path = write(tmp_path / "held_out.jsonl", [*lines(sums), held_out | {"id": problem.id}])
    with pytest.raises(RecordError, match=rf":{COUNT + BARE + 1}: .* never trained on"):
        check_questions(path, "auto", encode)
    again = lines(sums)[2]
    path = write(tmp_path / "again.jsonl", [*lines(sums), again])
    checked = check_questions(path, "auto", encode)
    assert (len(checked.questions), checked.repeated) == (COUNT + BARE, 1)
    assert told_of(checked.described())[-1].startswith("1 lines ask the question of another line again")
    path = write(tmp_path / "second.jsonl", [*lines(sums), again | {"output": "77", "steps": []}])
    with pytest.raises(RecordError, match=rf":{COUNT + BARE + 1}: the question of line 3 again, .*'77', not"):
        check_questions(path, "auto", encode)


def test_of_lines_with_the_same_question_one_with_steps_is_kept(sums: Path, tmp_path: Path) -> None:
    known = lines(sums)
    bare = [{"input": one["input"], "output": f"{one['output']}.0"} for one in known[:COUNT]]
    wrong = [one | {"steps": ["1 + 1 = 3"], "id": f"again/{number}"} for number, one in enumerate(known[:10])]
    checked = check_questions(write(tmp_path / "twice.jsonl", [*bare, *wrong, *known]), "auto", encode)
    assert checked.described()["checked"] == COUNT
    assert (len(checked.questions), checked.refuted, checked.repeated) == (COUNT + BARE, [], COUNT + 10)
    assert {one.line for one in checked.questions[:COUNT]} == set(range(COUNT + 11, 2 * COUNT + 11))


def test_an_id_that_two_questions_have_is_refused(sums: Path, tmp_path: Path) -> None:
    """By their ids variants are told to be of one question."""
    same = [one | {"id": "q"} for one in lines(sums)]
    with pytest.raises(RecordError, match=r"same\.jsonl:2: id 'q' is that of line 1, too: give each its own"):
        check_questions(write(tmp_path / "same.jsonl", same), "auto", encode)


def test_wrong_steps_are_named_and_their_questions_left_out(sums: Path, tmp_path: Path) -> None:
    known = lines(sums)
    for place in range(7):
        known[place]["steps"] = ["1 + 1 = 2", "2 + 2 = 5"]
    known[7]["steps"] = ["20 / 3 = 6.67"]
    known[8]["steps"] = ["1 × 2 = 2"]
    checked = check_questions(write(tmp_path / "mine.jsonl", known), "auto", encode)
    assert len(checked.questions) == COUNT + BARE - 7
    assert {one.line for one in checked.refuted} == set(range(1, 8))
    told = told_of(checked.described())
    bare = COUNT + BARE - 7 - (COUNT - 9)
    assert told[0].startswith(f"{COUNT + BARE - 7} questions, {COUNT - 9} with steps that check; {bare} without are")
    assert set(told[1:4]) == {
        f"  {BARE}: no calculation is written out (lines {COUNT + 1}, {COUNT + 2}, {COUNT + 3}, …)",
        "  1: a result is rounded (line 8)",
        "  1: a calculation cannot be decided (line 9)",
    }
    assert told[4] == "7 with a wrong step are left out:"
    assert told[5] == "  mine.jsonl:1: step 2 '2 + 2 = 5' is wrong: 2 + 2 is 4, not 5; right: 4"
    assert told[9:] == [told[9], "  and 2 more"]
    with pytest.raises(InputError, match=r"7 more have a wrong step, first in line 1: step 2 '2 \+ 2 = 5' is wrong"):
        check_questions(write(tmp_path / "few.jsonl", known[:45]), "auto", encode)


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
    with pytest.raises(InputError, match="numbers and variants aside, its questions are 1 different ones: at least 10"):
        check_questions(write(tmp_path / "same.jsonl", same), "auto", encode)
    variants = [
        {"input": f"{name}. has 3 {thing}s. How many?", "output": "3", "steps": ["1 + 2 = 3"],
         "id": f"mine/{thing}/x{number}", "source": MULTIPLIED_SOURCE}
        for thing in ("pen", "hat", "nut", "cup", "key")
        for number, name in enumerate("BCDFGHJKLMNP")
    ]  # fmt: skip
    path = write(tmp_path / "variants.jsonl", variants)
    with pytest.raises(InputError, match=r"its questions are 5 different ones: at least 10 are needed"):
        check_questions(path, "auto", encode)
