"""Reading GSM8K: items written here in its format and, where it is at hand, the whole training set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuili.data import ImportOutcome, count_outcomes, read_questions, read_records, write_records
from tuili.errors import RecordError

TRAINING_SET = Path(__file__).parents[4] / "shared" / "data" / "gsm8k" / "train.jsonl"

GOOD = "Half of 48 is 48/2 = <<48/2=24>>24 apples.\nWith the first ones 48+24 = $<<48+24=72>>72.\n#### 72"
SOLUTIONS = {
    GOOD: ImportOutcome.CHECKED,
    "Tips are <<.20*40=8>>8, so <<(40+8)*2=96>>96 and <<1000+96=1096>>1,096.\n#### 1,096": ImportOutcome.CHECKED,
    "So <<+5+-3=2>>2 and <<560//10=56>>56.\n#### 56": ImportOutcome.CHECKED,
    "The total is <<24*2=48>>48, and twice 48 is 96.\n#### 96": ImportOutcome.NO_RESULT,
    "A tenth is <<20*10%=2>>2.\n#### 2.0": ImportOutcome.CHECKED,
    "Each gets 20/3 = <<20/3=6.67>>6.67.\n#### 7": ImportOutcome.ROUNDED,
    "Each gets 20/3 = <<20/3=6>>6.\n#### 6": ImportOutcome.ROUNDED,
    "Each gets 20/3 = <<20/3=5>>5.\n#### 5": ImportOutcome.WRONG,
    "First <<2+2=4>>4, then <<4/0=0>>0.\n#### 0": ImportOutcome.WRONG,
    "Half of it is <<x/2=4>>4.\n#### 4": ImportOutcome.UNDECIDED,
    "There are four.\n#### 4": ImportOutcome.NO_CALCULATION,
    "There are <<>>four<< >>.\n#### 4": ImportOutcome.NO_CALCULATION,
    " 1,204.5 ": ImportOutcome.NO_CALCULATION,
    "It costs <<12+7=19>>19 dollars.\n#### $19": ImportOutcome.CHECKED,
}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    questions = [{"question": f" Question {i}? ", "answer": text} for i, text in enumerate(SOLUTIONS)]
    return written(tmp_path / "sample.jsonl", *questions)


def test_calculations_become_steps_in_canonical_printing(sample: Path) -> None:
    records = [one.record for one in read_questions(sample)]
    assert (records[0].input, records[0].output) == ("Question 0?", "72")
    assert records[0].steps == ("48 / 2 = 24", "48 + 24 = 72")
    assert records[1].steps == ("0.20 * 40 = 8", "(40 + 8) * 2 = 96", "1000 + 96 = 1096")
    assert records[1].output == "1096"
    assert records[2].steps == ("5 + -3 = 2", "560 div 10 = 56")


def test_an_answer_may_be_a_number_alone_which_is_no_prose(tmp_path: Path) -> None:
    path = written(tmp_path / "plain.jsonl", {"question": "How many?", "answer": "1,204"})
    assert [(one.record.output, one.steps, one.prose) for one in read_questions(path)] == [("1204", (), "")]


def test_every_item_is_yielded_with_its_outcome_and_steps_only_where_they_check(sample: Path) -> None:
    questions = list(read_questions(sample))
    assert [one.outcome for one in questions] == list(SOLUTIONS.values())
    assert [one.line for one in questions] == list(range(1, len(SOLUTIONS) + 1))
    assert [bool(one.record.steps) for one in questions] == [
        outcome is ImportOutcome.CHECKED for outcome in SOLUTIONS.values()
    ]
    assert all(one.record.input and one.record.output for one in questions)


def test_checked_items_are_records_that_can_be_read_back(sample: Path, tmp_path: Path) -> None:
    records = [one.record for one in read_questions(sample, "gsm8k") if one.outcome is ImportOutcome.CHECKED]
    assert [record.id for record in records] == ["gsm8k/1", "gsm8k/2", "gsm8k/3", "gsm8k/5", "gsm8k/14"]
    assert [record.level for record in records] == [2, 3, 2, 1, 1]
    assert {(record.domain, record.source) for record in records} == {("word_problems", "gsm8k")}
    assert records[0].response == "<think>\n48 / 2 = 24\n48 + 24 = 72\n</think>72"
    assert write_records(tmp_path / "records.jsonl", records) == 5
    assert list(read_records(tmp_path / "records.jsonl")) == records


def test_many_steps_make_the_highest_level(tmp_path: Path) -> None:
    path = written(tmp_path / "long.jsonl", {"question": "Q?", "answer": "<<1+1=2>>" * 9 + "\n#### 2"})
    assert [len(one.record.steps) for one in read_questions(path)] == [9]
    assert [one.record.level for one in read_questions(path)] == [5]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("not json", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"question": "Q?"}', "answer is no text"),
        ('{"question": "Q?", "answer": "no end"}', "is no number and has no last line #### NUMBER"),
        ('{"question": "Q?", "answer": "12 apples"}', "is no number and has no last line"),
        ('{"question": "Q?", "answer": true}', "answer is no text"),
        ('{"question": "Q?", "answer": "#### many"}', "must be a number"),
        ('{"question": "Q?", "answer": "#### 1,5"}', "is '1,5': it must be a number"),
        (json.dumps({"question": "Q?", "answer": "#### " + "9" * 5000}), "must be a number of at most 40 digits$"),
        ('{"question": " ", "answer": "#### 4"}', "question is empty"),
        ('{"question": null, "answer": "#### 4"}', "question is no text"),
        ('{"question": {"a": 1}, "answer": "#### 4"}', "question is no text"),
        ('{"question": "\\ud800", "answer": "#### 4"}', "half of a character"),
        ('{"question": "Q?", "answer": "<<\\ud800>>\\n#### 4"}', "half of a character"),
        ('{"question": "Q?", "question": "R?", "answer": "#### 4"}', "a key stands there twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, what: str) -> None:
    path = written(tmp_path / "bad.jsonl", {"question": "Q?", "answer": GOOD}, line)
    with pytest.raises(RecordError, match=what) as caught:
        list(read_questions(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert "\n" not in str(caught.value)


def test_a_line_of_openings_without_ends_is_read_at_once(tmp_path: Path) -> None:
    """A search from each of them to the end of the line would take hours."""
    path = written(tmp_path / "open.jsonl", {"question": "Q?", "answer": "<< " * 500_000 + "1+1=2>>\n#### 2"})
    assert [one.record.steps for one in read_questions(path)] == [("1 + 1 = 2",)]


@pytest.mark.skipif(not TRAINING_SET.exists(), reason=f"GSM8K is not at {TRAINING_SET}")
def test_the_whole_training_set() -> None:
    counts = count_outcomes(read_questions(TRAINING_SET))
    assert counts == {ImportOutcome.CHECKED: 7014, ImportOutcome.NO_RESULT: 364, ImportOutcome.NO_CALCULATION: 95}
