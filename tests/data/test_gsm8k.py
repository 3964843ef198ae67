"""Importing GSM8K: items written here in its format and, where it is at hand, the whole training set."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tuili.data.gsm8k import Gsm8kItem, ImportOutcome, count_outcomes, import_gsm8k
from tuili.data.records import read_records, write_records
from tuili.errors import RecordError
from tuili.steps import Status

TRAINING_SET = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "train.jsonl"

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
}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    questions = [{"question": f" Question {i}? ", "answer": text} for i, text in enumerate(SOLUTIONS)]
    return written(tmp_path / "sample.jsonl", *questions)


def test_calculations_become_steps_in_canonical_printing(sample: Path) -> None:
    items = list(import_gsm8k(sample))
    assert items[0].question == "Question 0?"
    assert items[0].steps == ("48 / 2 = 24", "48 + 24 = 72")
    assert items[0].answer == "72"
    assert [verdict.status for verdict in items[0].verdicts] == [Status.VALID, Status.VALID]
    assert items[1].steps == ("0.20 * 40 = 8", "(40 + 8) * 2 = 96", "1000 + 96 = 1096")
    assert items[1].answer == "1096"
    assert items[2].steps == ("5 + -3 = 2", "560 div 10 = 56")


def test_every_item_is_yielded_with_its_outcome(sample: Path) -> None:
    assert [item.outcome for item in import_gsm8k(sample)] == list(SOLUTIONS.values())
    assert count_outcomes(import_gsm8k(sample)) == Counter(SOLUTIONS.values())


def test_checked_items_are_records_that_can_be_read_back(sample: Path, tmp_path: Path) -> None:
    records = [item.record for item in import_gsm8k(sample) if item.outcome is ImportOutcome.CHECKED]
    assert [record.id for record in records] == ["gsm8k/1", "gsm8k/2", "gsm8k/3", "gsm8k/5"]
    assert (records[0].input, records[0].output, records[0].level) == ("Question 0?", "72", 2)
    assert records[0].response == "<think>\n48 / 2 = 24\n48 + 24 = 72\n</think>72"
    assert write_records(tmp_path / "records.jsonl", records) == 4
    assert list(read_records(tmp_path / "records.jsonl")) == records


def test_many_steps_make_the_highest_level() -> None:
    steps = ("1 + 1 = 2",) * 9
    assert Gsm8kItem(1, "Q?", steps, "2", ()).record.level == 5


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("not json", "not an item"),
        ("[]", "not an item"),
        ('{"question": "Q?"}', "not an item"),
        ('{"question": "Q?", "answer": "no end"}', "not an item"),
        ('{"question": "Q?", "answer": 5}', "not an item"),
        ('{"question": "Q?", "answer": "#### many"}', "must be a number"),
        (json.dumps({"question": "Q?", "answer": "#### " + "9" * 5000}), "must be a number of at most 40 digits$"),
        ('{"question": " ", "answer": "#### 4"}', "the question is empty"),
        ('{"question": null, "answer": "#### 4"}', "not an item"),
        ('{"question": {"a": 1}, "answer": "#### 4"}', "not an item"),
        ('{"question": "\\ud800", "answer": "#### 4"}', "not an item"),
        ('{"question": "Q?", "answer": "<<\\ud800>>\\n#### 4"}', "not an item"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, what: str) -> None:
    path = written(tmp_path / "bad.jsonl", {"question": "Q?", "answer": GOOD}, line)
    with pytest.raises(RecordError, match=what) as caught:
        list(import_gsm8k(path))
    assert str(caught.value).startswith(f"{path}:2: ")


def test_a_mark_of_the_byte_order_is_skipped(tmp_path: Path) -> None:
    path = written(tmp_path / "marked.jsonl", "\ufeff" + json.dumps({"question": "Q?", "answer": GOOD}))
    assert [item.question for item in import_gsm8k(path)] == ["Q?"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"nothing\.jsonl cannot be read"):
        list(import_gsm8k(tmp_path / "nothing.jsonl"))


@pytest.mark.skipif(not TRAINING_SET.exists(), reason=f"GSM8K is not at {TRAINING_SET}")
def test_the_whole_training_set() -> None:
    counts = count_outcomes(import_gsm8k(TRAINING_SET))
    assert counts == {ImportOutcome.CHECKED: 7014, ImportOutcome.NO_RESULT: 364, ImportOutcome.NO_CALCULATION: 95}
