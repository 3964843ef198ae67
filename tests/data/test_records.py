"""Records: what a line of a data file may hold, what is refused and with which message, and what is written."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuili.data.records import (
    Record,
    check_records,
    read_records,
    read_training_records,
    record_schema,
    write_records,
)
from tuili.data.sources import FileSource
from tuili.errors import RecordError
from tuili.steps import Status, Turns, programs
from tuili.tasks import Conversation, Split, converse, domain_names, generate, registry


def write(folder: Path, *lines: str | bytes) -> Path:
    path = folder / "mine.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\n")
    return path


def test_input_and_output_are_enough(tmp_path: Path) -> None:
    path = write(tmp_path, '{"input": "What is 1 + 1?", "output": "2"}', "", '{"input": "a", "output": " b "}')
    first, second = read_records(path)
    assert (first.domain, first.level, first.steps, first.source, first.id) == (
        "own",
        1,
        (),
        "mine.jsonl",
        "mine.jsonl:1",
    )
    assert first.response == "<think>\n</think>2"
    assert (second.id, second.output) == ("mine.jsonl:3", "b")


def test_steps_are_rendered_and_a_whole_response_is_kept() -> None:
    assert Record(input="q", output="42", steps=["12 + 30 = 42"]).response == "<think>\n12 + 30 = 42\n</think>42"
    whole = "<think>\nwell,\n12 + 30 = 42\n</think>42"
    assert Record(input="q", output=whole).response == whole


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1, 2]", "mine.jsonl:2: Input should be a valid dictionary"),
        ('{"input": "a"', "mine.jsonl:2: not a JSON object"),
        (
            '{"input": "a", "input": "b", "output": "c"}',
            "mine.jsonl:2: not a JSON object (a key stands there twice)",
        ),
        ('{"input": "a"}', "mine.jsonl:2: key 'output' is missing: a record needs input and output"),
        (
            '{"input": "a", "output": "b", "answer": "c"}',
            "mine.jsonl:2: unknown key 'answer': known are input,",
        ),
        ('{"input": " ", "output": "b"}', "mine.jsonl:2: input is empty: it must hold text"),
        ('{"input": "a", "output": [7]}', 'mine.jsonl:2: output is no text: write "output": "…"'),
        (
            '{"input": "a", "output": "b", "level": 6}',
            "mine.jsonl:2: level: Input should be less than or equal to 5",
        ),
        (
            '{"input": "a", "output": "b", "level": "1"}',
            "mine.jsonl:2: level: Input should be a valid integer",
        ),
        ('{"input": "a", "output": "b", "steps": ["c", ""]}', "mine.jsonl:2: steps.1 is empty"),
        ('{"input": "a", "output": "b", "steps": ["c\\nd"]}', "mine.jsonl:2: a step is one line"),
        ('{"input": "a", "output": "<|end|>b"}', "mine.jsonl:2: output '<|end|>b' has no answer"),
        (
            '{"input": "a", "output": "<think>b"}',
            "mine.jsonl:2: output '<think>b' has no answer after </think>",
        ),
        ('{"input": "a", "output": "<think>b</think>c", "steps": ["d"]}', "steps stand both in"),
        ('{"input": "a", "output": "<think>b</think>2<|end|>tail"}', "mine.jsonl:2: a response holds <think> and"),
        ('{"input": "a", "output": "<think>b<|end|></think>2<|end|>"}', "and <|end|> nowhere but at its end"),
        ('{"input": "a", "output": "<think>b</think>2</think>3"}', "a response holds <think> and </think> once"),
        ('{"input": "a", "output": "<think><think>b</think>2"}', "a response holds <think> and </think> once"),
        ('{"input": "\\ud800", "output": "b"}', "mine.jsonl:2: half of a character"),
        (b'{"input": "\xff", "output": "b"}', "mine.jsonl:2: byte 11 is not UTF-8"),
        ("[" * 100_000, "mine.jsonl:2: not a JSON object"),
    ],
)
def test_a_bad_line_is_refused_by_file_and_line(tmp_path: Path, line: str | bytes, message: str) -> None:
    path = write(tmp_path, '{"input": "good", "output": "good"}', line)
    with pytest.raises(RecordError) as caught:
        list(read_records(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    report = check_records(path)
    assert report.errors == [str(caught.value)]
    assert (report.records, report.lines) == ({("own", 1): 1}, 2)


def test_a_report_counts_steps_by_their_verdict(tmp_path: Path) -> None:
    record = '{"input": "P1: A -> B", "output": "no", "steps": ["P1, not B => not A", "1 + 1 = 3", "I think so"]}'
    report = check_records(write(tmp_path, record))
    assert report.steps == {"invalid": 2, "unsupported": 1}  # `not B` is no fact of the prompt


def test_steps_are_checked_by_what_is_read_of_the_input(tmp_path: Path) -> None:
    record = '{"input": "P1: x ≤ 3×2. P2: y→z", "output": "yes", "steps": ["P1 => x - 6 <= 0", "P2 => not z -> not y"]}'
    assert check_records(write(tmp_path, record)).steps == {"valid": 2}


def test_a_file_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"none.jsonl cannot be read: No such file"):
        list(read_records(tmp_path / "none.jsonl"))
    with pytest.raises(RecordError, match=r"mine.jsonl holds no record"):
        list(read_records(write(tmp_path, "")))


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(prompt=words, output=words, steps=st.lists(words, max_size=3), level=st.integers(1, 5))
def test_what_is_accepted_is_written_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, prompt: str, output: str, steps: list[str], level: int
) -> None:
    try:
        record = Record(input=prompt, output=output, steps=steps, level=level, source="s", id="i")
    except ValidationError:
        return
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    assert write_records(path, [record, record]) == 2
    assert list(read_records(path)) == [record, record]


@pytest.mark.parametrize("output", ["2", "<think>\n1 + 1 = 2\n</think>2"])
def test_one_end_at_the_end_of_an_output_is_taken_off(output: str) -> None:
    assert Record(input="q", output=f"{output} <|end|>\n").output == output


def generated(folder: Path, split: Split, **changes: str) -> Path:
    problems = [Record.of(generate("arithmetic", Split.TRAIN.seed(0), index=3, level=2))]
    problems.append(Record.of(generate("arithmetic", split.seed(0), index=3, level=2)).model_copy(update=changes))
    write_records(folder / "made.jsonl", problems)
    return folder / "made.jsonl"


@pytest.mark.parametrize("split", [Split.VALIDATION, Split.TEST])
def test_problems_that_are_held_out_cannot_be_trained_on(tmp_path: Path, split: Split) -> None:
    path = generated(tmp_path, split)
    assert len(list(read_records(path))) == 2
    with pytest.raises(RecordError) as caught:
        FileSource(path, seed=0)
    assert str(caught.value) == f"{path}:2: a problem of the {split} split: train on those of --split train"


def test_unseen_forms_cannot_be_trained_on(tmp_path: Path) -> None:
    seen, unseen = (generate("arithmetic", 0, 3, 2, wording=wording) for wording in ("seen", "unseen"))
    path = tmp_path / "made.jsonl"
    write_records(path, [Record.of(seen), Record.of(unseen)])
    with pytest.raises(RecordError) as caught:
        list(read_training_records(path))
    assert str(caught.value) == f"{path}:2: a problem in the unseen form {unseen.form}: train on --wording seen"
    chats = converse(seen, random.Random(0)), converse(unseen, random.Random(0))
    assert [Record.of_conversation(chat).is_held_out for chat in chats] == [False, True]


def test_problems_of_the_training_split_and_those_of_others_can_be_trained_on(tmp_path: Path) -> None:
    FileSource(generated(tmp_path, Split.TRAIN), seed=0)
    FileSource(generated(tmp_path, Split.TEST, domain="own"), seed=0)
    FileSource(generated(tmp_path, Split.TEST, source="school"), seed=0)


def test_problems_that_are_held_out_in_a_domain_of_ones_own_cannot_be_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = generated(tmp_path, Split.TEST, domain="change")
    assert len(list(read_training_records(path))) == 2
    monkeypatch.setitem(registry.REGISTERED, "change", registry.find_domain("arithmetic"))
    with pytest.raises(RecordError, match=r"made.jsonl:2: a problem of the test split"):
        list(read_training_records(path))


def test_a_problem_that_is_no_record_is_named() -> None:
    problem = replace(generate("arithmetic", 0, 3, 2), steps=("1 + 1\n= 2",))
    with pytest.raises(RecordError, match=r"^problem arithmetic/2/0/3/en/[a-z-]+: a step is one line"):
        Record.of(problem)


def test_a_problem_becomes_a_record() -> None:
    problem = generate(domain_names()[0], Split.TRAIN.seed(0), index=3, level=2)
    record = Record.of(problem)
    assert (record.input, record.output, record.steps) == (problem.prompt, problem.answer, problem.steps)
    assert (record.domain, record.level, record.id) == (problem.domain, 2, problem.id)


CHAT = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "What is 2 + 3?"},
        {"role": "assistant", "content": "5"},
    ],
    "input": "And plus 4?",
    "output": "9",
    "steps": ["5 + 4 = 9"],
}


def test_a_record_may_be_a_conversation(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(CHAT), '{"input": "Hi.", "output": "2"}')
    chat, single = read_records(path)
    assert chat.turns == Turns("And plus 4?", (("Be kind.\n\nWhat is 2 + 3?", "5"),))
    assert single.turns == Turns("Hi.")
    write_records(tmp_path / "again.jsonl", [chat, single])
    assert list(read_records(tmp_path / "again.jsonl")) == [chat, single]
    assert "messages" not in (tmp_path / "again.jsonl").read_text().splitlines()[1]


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([{"role": "assistant", "content": "5"}], "messages: number 1: an answer without a question before it"),
        ([CHAT["messages"][1], CHAT["messages"][0]], "messages: number 2: instructions stand before the question"),  # type: ignore[index]
        ([{"role": "tool", "content": "5"}], "messages.0.role: Input should be 'system', 'developer', 'user' or"),
        ([{"role": "user", "content": " "}], "messages.0.content is empty: it must hold text"),
    ],
)
def test_messages_out_of_order_are_refused(tmp_path: Path, messages: list[object], message: str) -> None:
    path = write(tmp_path, json.dumps(CHAT | {"messages": messages}))
    with pytest.raises(RecordError) as refused:
        list(read_records(path))
    assert message in str(refused.value)


def test_steps_are_checked_behind_the_turns(tmp_path: Path) -> None:
    turn = [{"role": "user", "content": "Let x = 3. What is x + 1?"}, {"role": "assistant", "content": "4"}]
    asked = {"input": "And x + 2?", "output": "5", "steps": ["x + 2 = 3 + 2 = 5"]}
    report = check_records(write(tmp_path, json.dumps(asked | {"messages": turn})))
    assert report.steps == {Status.VALID: 1}
    alone = check_records(write(tmp_path, json.dumps(asked)))
    assert alone.steps[Status.VALID] == 0


@pytest.mark.parametrize("split", Split)
def test_a_conversation_becomes_a_record_of_its_split(tmp_path: Path, split: Split) -> None:
    problem = generate("word_problems", split.seed(0), 3, 1)
    chats = [converse(problem, random.Random(seed)) for seed in range(20)]
    for chat in chats:
        record = Record.of_conversation(chat)
        assert record.turns == chat.turns
        assert (record.domain, record.steps, record.output) == (chat.domain, chat.steps, chat.answer)
        assert (record.level, record.id) == (1, chat.id)
        assert record.is_held_out == (split is not Split.TRAIN)
    assert not any(record.verdict for record in [check_records(write_all(tmp_path, chats))])


def write_all(folder: Path, chats: list[Conversation]) -> Path:
    unique = {chat.id: Record.of_conversation(chat) for chat in chats}
    write_records(folder / "chats.jsonl", unique.values())
    return folder / "chats.jsonl"


def test_a_record_of_before_belongs_to_the_domain_of_today(tmp_path: Path) -> None:
    problem = generate("arithmetic", Split.TEST.seed(0), index=3, level=2)
    line = Record.of(problem).model_dump() | {"domain": "fractions", "id": "fractions/2/2000000000/3"}
    file = tmp_path / "before.jsonl"
    file.write_text(json.dumps(line))
    (record,) = read_records(file)
    assert (record.domain, record.id) == ("arithmetic", "fractions/2/2000000000/3")
    assert record.is_held_out


def test_the_schema_names_every_field_and_what_is_required() -> None:
    schema = json.loads(json.dumps(record_schema()))
    assert list(schema["properties"]) == [
        *("input", "output", "domain", "level", "steps", "source", "id", "messages", "specification"),
    ]
    assert schema["required"] == ["input", "output"]
    assert schema["additionalProperties"] is False
    assert all(field["description"] for field in schema["properties"].values())


DOUBLE = {"input": "Double n: f(4) = 8", "output": "def f(n):\n  return 2 * n"}
CASES = {"function": "f", "examples": [{"arguments": [4], "value": 8}]}


def test_a_program_is_an_answer_of_several_lines(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(DOUBLE | {"steps": ["2 * 4 = 8"], "specification": CASES | {"hidden": [[-3]]}}))
    (record,) = read_records(path)
    assert record.response == "<think>\n2 * 4 = 8\n</think>def f(n):\n  return 2 * n"
    specification = record.program_specification
    assert specification == programs.Specification("f", (programs.Case((4,), 8),), ((-3,),), reference=DOUBLE["output"])
    assert programs.decide("def f(m):\n  return m + m", specification).right
    assert not programs.decide("def f(m):\n  return m * m // 2", specification).right


def test_a_specification_is_written_and_read_again(tmp_path: Path) -> None:
    domain = [{"low": 0, "high": 3}, {"low": 0, "high": 2, "shortest": 0, "longest": 2}]
    values = {"function": "f", "examples": [{"arguments": [4, [1, True]], "value": None}], "hidden": [[0, []]]}
    program = "def f(a, b):\n  pass"
    record = Record(input="q", output=program, specification=values | {"domain": domain}, source="s", id="1")
    plain = Record(input="q", output="2", source="s", id="2")
    path = tmp_path / "records.jsonl"
    write_records(path, [record, plain])
    assert list(read_records(path)) == [record, plain]
    assert "specification" not in path.read_text().splitlines()[1]


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({"function": "f"}, "specification.examples"),
        (CASES | {"function": "g"}, "there is no function g"),
        (CASES | {"examples": [{"arguments": [4], "value": 9}]}, "f(4) = 9, not 8"),
        (CASES | {"examples": [{"arguments": [4.5], "value": 9}]}, "specification.examples.0.arguments.0"),
        (CASES | {"hidden": [["x"]]}, "specification.hidden.0.0"),
        (CASES | {"domain": [{"low": 0, "high": 10**9}]}, "1 to 2000 inputs"),
        (CASES | {"more": 1}, "unknown key 'specification.more'"),
    ],
)
def test_a_wrong_specification_is_refused(tmp_path: Path, specification: dict[str, object], message: str) -> None:
    path = write(tmp_path, json.dumps(DOUBLE | {"specification": specification}))
    with pytest.raises(RecordError) as refusal:
        list(read_records(path))
    assert str(refusal.value).startswith(f"{path}:1: ")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_hidden_inputs_without_a_value_are_found_by_a_check(tmp_path: Path) -> None:
    faulty = {"input": "q", "output": "def f(n):\n  return 8 // (5 - n)", "specification": CASES | {"hidden": [[5]]}}
    report = check_records(write(tmp_path, json.dumps(faulty)))
    assert len(report.errors) == 1
    assert "the reference has no value for (5,)" in report.errors[0]
