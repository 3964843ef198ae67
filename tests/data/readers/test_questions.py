"""Files of questions in every form: how the form is told, records and equations, bad lines, and the real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuili.data import ImportOutcome, QuestionForm, Record, count_outcomes, masked_question, read_questions
from tuili.errors import RecordError
from tuili.tasks import Split, domain_names, generate

DATA = Path(__file__).parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "mwp").is_dir(), reason=f"no real questions at {DATA}")

RECORD = {"input": "3 bags of 4?", "output": "12", "steps": ["3 * 4 = 12"]}
GSM8K = {"question": "3 bags of 4?", "answer": "So <<3*4=12>>12.\n#### 12"}
MWP = {"question": "3 bags of 4?", "answer": "12", "equation": "* 3 4"}
FORMS: tuple[QuestionForm, ...] = ("records", "gsm8k", "mwp")
LINES: dict[QuestionForm, dict[str, object]] = {"records": RECORD, "gsm8k": GSM8K, "mwp": MWP}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_told_by_the_first_line_and_every_form_gives_the_same(tmp_path: Path, form: QuestionForm) -> None:
    path = written(tmp_path / "mine.jsonl", "", LINES[form], LINES[form])
    for first, second in (read_questions(path), read_questions(path, form)):
        assert (first.line, second.line) == (2, 3)
        assert first.outcome is second.outcome is ImportOutcome.CHECKED
        record = first.record
        assert (record.input, record.output, record.steps) == ("3 bags of 4?", "12", ("3 * 4 = 12",))
    names = {"records": ("mine.jsonl", "mine.jsonl:2"), "gsm8k": ("gsm8k", "gsm8k/2"), "mwp": ("mwp", "mine/2")}
    assert (record.source, record.id) == names[form]


@pytest.mark.parametrize("other", FORMS)
@pytest.mark.parametrize("form", FORMS)
def test_a_line_in_another_form_is_named(tmp_path: Path, form: QuestionForm, other: QuestionForm) -> None:
    path = written(tmp_path / "mixed.jsonl", LINES[form], LINES[other])
    if form == other:
        assert len(list(read_questions(path))) == 2
        return
    with pytest.raises(RecordError, match=rf"mixed\.jsonl:2: in the form of {other}, .* in that of {form}"):
        list(read_questions(path))


def test_a_named_form_may_have_keys_of_another(tmp_path: Path) -> None:
    path = written(tmp_path / "both.jsonl", GSM8K | {"equation": "none"})
    assert [one.record.output for one in read_questions(path, "gsm8k")] == ["12"]


@pytest.mark.parametrize("line", ["[1]", "3", '{"prompt": "Q?", "completion": "A"}', '{"question": "Q?"}'])
def test_a_first_line_in_no_form_is_refused_with_all_forms(tmp_path: Path, line: str) -> None:
    path = written(tmp_path / "other.jsonl", line)
    with pytest.raises(RecordError, match=r"other\.jsonl:1: in no known form: .*input.*####.*equation"):
        list(read_questions(path))


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_a_question_and_a_missing_file_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "empty.jsonl").write_text(text)
    with pytest.raises(RecordError, match=r"empty\.jsonl holds no question"):
        list(read_questions(tmp_path / "empty.jsonl"))
    with pytest.raises(RecordError, match=r"none\.jsonl cannot be read: No such file"):
        list(read_questions(tmp_path / "none.jsonl"))


def test_a_mark_of_the_byte_order_is_skipped_and_another_encoding_named(tmp_path: Path) -> None:
    path = written(tmp_path / "marked.jsonl", "\ufeff" + json.dumps(GSM8K))
    assert [one.record.output for one in read_questions(path)] == ["12"]
    path.write_bytes(json.dumps(GSM8K).encode() + b"\n\xff\n")
    with pytest.raises(RecordError, match=r"marked\.jsonl:2: byte 0 is not UTF-8"):
        list(read_questions(path))


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"output": "12"}, ImportOutcome.NO_CALCULATION),
        ({"output": "<think>\n3 * 4 = 12\n</think>12"}, ImportOutcome.CHECKED),
        ({"output": "12 apples", "steps": ["3 * 4 = 12"]}, ImportOutcome.CHECKED),
        ({"output": "-12", "steps": ["3 * -4 = -12"]}, ImportOutcome.CHECKED),
        ({"output": "-12", "steps": ["3 * 4 = 12"]}, ImportOutcome.NO_RESULT),
        ({"output": "12", "steps": ["3 * -4 = -12"]}, ImportOutcome.NO_RESULT),
        ({"output": "7", "steps": ["12-5=7"]}, ImportOutcome.CHECKED),
        ({"output": "5", "steps": ["12-5=7"]}, ImportOutcome.NO_RESULT),
        ({"output": "6", "steps": ["6 / 4 = 1.5", "1.5 * 10 = 15"]}, ImportOutcome.NO_RESULT),
        ({"output": "The answer is 999", "steps": ["6 / 4 = 1.5", "1.5 * 10 = 15"]}, ImportOutcome.NO_RESULT),
        ({"output": "The answer is 15", "steps": ["6 / 4 = 1.5", "1.5 * 10 = 15"]}, ImportOutcome.CHECKED),
        ({"output": "15%", "steps": ["3 / 20 = 15%"]}, ImportOutcome.CHECKED),
        ({"output": "€12", "steps": ["3 * 4 = 12"]}, ImportOutcome.CHECKED),
        ({"output": "1 1/2 cups", "steps": ["3 / 2 = 1.5"]}, ImportOutcome.CHECKED),
        ({"output": "5", "steps": ["5 > 3", "5 + 3 = 8"]}, ImportOutcome.CHECKED),
        ({"output": "1,200", "steps": ["300 * 4 = 1200"]}, ImportOutcome.CHECKED),
        ({"output": "$1,200 in all", "steps": ["300 * 4 = 1200"]}, ImportOutcome.CHECKED),
        ({"output": "$13", "steps": ["3 * 4 = 12"]}, ImportOutcome.NO_RESULT),
        ({"output": "yes", "steps": ["3 * 4 = 12"]}, ImportOutcome.CHECKED),
        ({"output": "1/5", "steps": ["3 / 15 = 1/5"]}, ImportOutcome.CHECKED),
        ({"output": "13", "steps": ["3 * 4 = 12"]}, ImportOutcome.NO_RESULT),
        ({"output": "12", "steps": ["3 * 4 = 13"]}, ImportOutcome.WRONG),
        ({"output": "6", "steps": ["20 / 3 = 6.67"]}, ImportOutcome.ROUNDED),
        ({"output": "12", "steps": ["There are twelve of them."]}, ImportOutcome.UNDECIDED),
    ],
)
def test_records_keep_steps_only_where_all_are_valid_and_give_the_answer(
    tmp_path: Path, fields: dict[str, object], outcome: ImportOutcome
) -> None:
    (one,) = read_questions(written(tmp_path / "mine.jsonl", {"input": "Q?"} | fields))
    assert one.outcome is outcome
    assert bool(one.record.steps) is (outcome is ImportOutcome.CHECKED)
    assert "<think>" not in one.record.output
    assert Record.model_validate(one.record.model_dump()) == one.record


def test_calculations_are_printed_as_their_variants_are(tmp_path: Path) -> None:
    steps = ["3*4=12", "12  - 5 =7", "(9/3)*(4/2) = 6", "7>5"]
    fields = {"input": "Q?", "output": "7", "steps": steps}
    (one,) = read_questions(written(tmp_path / "mine.jsonl", fields))
    assert one.record.steps == ("3 * 4 = 12", "12 - 5 = 7", "(9/3)*(4/2) = 6", "7>5")
    assert one.steps == tuple(steps)


WORKED = {"question": "3 bags of 4, 5 lost?", "answer": "7", "steps": ["3*4=12", "12 - 5 = 7"]}


@pytest.mark.parametrize("answer", ["7", 7, 7.0, "$7", "So 7 are left.\n#### 7"])
def test_question_and_answer_may_stand_beside_steps(tmp_path: Path, answer: object) -> None:
    path = written(tmp_path / "mine.jsonl", GSM8K, WORKED | {"answer": answer}, {"question": "Q?", "answer": "2"})
    _, one, bare = read_questions(path)
    assert (one.record.output, one.record.steps) == ("7", ("3 * 4 = 12", "12 - 5 = 7"))
    assert (one.record.domain, one.record.level, one.record.id) == ("word_problems", 2, "mine.jsonl:2")
    assert bare.outcome is ImportOutcome.NO_CALCULATION


def test_an_answer_in_words_may_stand_beside_steps_and_keys_of_records_are_taken(tmp_path: Path) -> None:
    fields = WORKED | {"answer": "yes", "level": 4, "domain": "own", "id": "q1"}
    (one,) = read_questions(written(tmp_path / "mine.jsonl", fields))
    record = one.record
    assert (record.output, record.level, record.domain, record.id) == ("yes", 4, "own", "q1")
    assert one.outcome is ImportOutcome.CHECKED


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": "3 * 4 = 12"}, r'steps is no list: write "steps": \["3'),
        ({"steps": ["3 * 4 = 12", 5]}, r'steps\.1 is no text: write "steps": \["3'),
        ({"topic": "bags"}, "unknown key 'topic'"),
        ({"answer": None}, "answer is no text: write .*steps"),
    ],
)
def test_steps_beside_an_answer_that_are_none_are_refused(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(RecordError, match=rf"mine\.jsonl:2: {message}"):
        list(read_questions(written(tmp_path / "mine.jsonl", WORKED, WORKED | fields)))


@pytest.mark.parametrize(("form", "key"), [("records", "output"), ("gsm8k", "answer"), ("mwp", "answer")])
@pytest.mark.parametrize("written_as", [12, 12.0, "$12", "€12", "£ 12", "12 €"])
def test_an_answer_may_be_a_number_of_json_or_a_price(
    tmp_path: Path, form: QuestionForm, key: str, written_as: object
) -> None:
    (one,) = read_questions(written(tmp_path / "mine.jsonl", LINES[form] | {key: written_as}))
    kept = form == "records" and isinstance(written_as, str)
    assert one.record.output == (written_as if kept else "12")


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"output": None}, 'output is no text: write "output": "…"'), ({"input": 3}, 'input is no text: write "input"')],
)
def test_a_record_without_text_is_refused_with_what_would_be_right(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(RecordError, match=message):
        list(read_questions(written(tmp_path / "mine.jsonl", RECORD | fields)))


@pytest.mark.parametrize("domain", domain_names())
def test_generated_problems_check_as_records(tmp_path: Path, domain: str) -> None:
    problems = [generate(domain, Split.TRAIN.seed(3), index, level) for index in range(4) for level in (1, 2, 3)]
    path = written(
        tmp_path / "tuili.jsonl", *(Record.of(problem).model_dump(exclude_none=True) for problem in problems)
    )
    outcomes = [one.outcome for one in read_questions(path)]
    assert set(outcomes) == {ImportOutcome.CHECKED}


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"answer": 12}, ImportOutcome.CHECKED),
        ({"answer": 12.0}, ImportOutcome.CHECKED),
        ({"answer": "12.0"}, ImportOutcome.CHECKED),
        ({"answer": "12.01"}, ImportOutcome.ROUNDED),
        ({"answer": "-12"}, ImportOutcome.NO_RESULT),
        ({"answer": "13"}, ImportOutcome.NO_RESULT),
        ({"answer": "12", "equation": "12"}, ImportOutcome.NO_CALCULATION),
        ({"answer": "12", "equation": "/ 12 - 3 3"}, ImportOutcome.UNDECIDED),
    ],
)
def test_the_last_operation_of_an_equation_must_give_the_answer(
    tmp_path: Path, fields: dict[str, object], outcome: ImportOutcome
) -> None:
    (one,) = read_questions(written(tmp_path / "mine.jsonl", MWP | fields))
    assert one.outcome is outcome
    assert bool(one.record.steps) is (outcome is ImportOutcome.CHECKED)
    assert one.record.output == str(fields["answer"]).removesuffix(".0")


def test_an_answer_that_is_a_small_number_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Python would print it as `1e-05`."""
    (one,) = read_questions(written(tmp_path / "mine.jsonl", MWP | {"answer": 0.00001, "equation": "/ 1 100000"}))
    assert (one.record.output, one.outcome) == ("0.00001", ImportOutcome.CHECKED)


@pytest.mark.parametrize(
    ("equation", "answer", "read", "outcome"),
    [
        ("- 0.5 0.16666666666666666", "0.33333333333333337", "0.33333333333333334", ImportOutcome.CHECKED),
        ("- 0.5 0.16666666666666666", "0.3333333333333", "0.3333333333333", ImportOutcome.ROUNDED),
        ("/ 20 3", "6.666666666666667", "6.666666666666667", ImportOutcome.ROUNDED),
    ],
)
def test_an_answer_in_floating_point_is_read_as_the_decimal_it_stands_for(
    tmp_path: Path, equation: str, answer: str, read: str, outcome: ImportOutcome
) -> None:
    (one,) = read_questions(written(tmp_path / "mine.jsonl", MWP | {"answer": answer, "equation": equation}))
    assert (one.record.output, one.outcome) == (read, outcome)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"answer": "many"}, "answer is 'many': it must be a number"),
        ({"answer": None}, "answer is no text"),
        ({"answer": True}, "answer is no text"),
        ({"answer": 1e300}, "it must be a number of at most 40 digits"),
        ({"answer": "1,2"}, "answer is '1,2': it must be a number"),
        ({"equation": "3 * 4"}, "equation has no two numbers behind an operator"),
        ({"equation": ["*", 3, 4]}, "equation is no text"),
        ({"question": ""}, "question is empty"),
    ],
)
def test_a_bad_line_with_an_equation_is_named(tmp_path: Path, fields: dict[str, object], what: str) -> None:
    path = written(tmp_path / "bad.jsonl", MWP, MWP | fields)
    with pytest.raises(RecordError, match=what) as caught:
        list(read_questions(path))
    assert str(caught.value).startswith(f"{path}:2: ")


@needs_data
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("mawps-train", {"CHECKED": 1523, "ROUNDED": 7, "NO_RESULT": 7}),
        ("mawps-dev", {"CHECKED": 381, "ROUNDED": 1, "NO_RESULT": 2}),  # nine in both do not give their answer
        ("asdiv-a", {"CHECKED": 1200, "ROUNDED": 17}),
    ],
)
def test_the_real_equations(name: str, counts: dict[str, int]) -> None:
    questions = list(read_questions(DATA / "mwp" / f"{name}.jsonl"))
    assert {outcome.name: number for outcome, number in count_outcomes(questions).items()} == counts
    assert not any("e" in step for one in questions for step in one.record.steps)


@needs_data
def test_questions_of_the_real_files_that_stand_in_training_but_for_their_numbers() -> None:
    def masked(name: str) -> list[str]:
        lines = (DATA / name).read_text(encoding="utf-8").splitlines()
        return [masked_question(json.loads(line)["question"].strip()) for line in lines]

    trained = {*masked("mwp/mawps-train.jsonl"), *masked("gsm8k/train.jsonl")}
    assert sum(one in trained for one in masked("mwp/mawps-dev.jsonl")) == 129
    assert sum(one in trained for one in masked("mwp/asdiv-a.jsonl")) == 218
