"""The block: questions of every form become records unless a step is refuted, and every drop says what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.pipeline.conftest import contents, lines
from tuili.data import read_records
from tuili.data.pipeline import BuildSettings, Document, Drop, build
from tuili.data.pipeline.routing.extraction import Reason
from tuili.data.pipeline.routing.route import NONE, Part, Routing, RoutingSettings
from tuili.data.pipeline.routing.rows import source_of
from tuili.errors import ConfigError

PAGE = """Question: Tom has 3 bags of 4 apples. How many apples are there in all?
Solution: There are 3 * 4 = 12 apples.
Answer: 12

Question: Ann had 48 clips and got 24 more clips. How many clips has she now?
Answer: She has 48 + 24 = 73 clips.
"""
REST = "\n" + "Here follow words that belong to no problem at all, only so that something is left. " * 3


def routing(**settings: Any) -> Routing:
    return RoutingSettings.model_validate({"block": "route", **settings}).build()


def routed(text: str, block: Routing | None = None, **metadata: Any) -> list[Part]:
    return list((block or routing()).apply(Document(text, "mine:1", "mine.jsonl:1", "problem", metadata)))


def extracted(part: Part) -> dict[str, Any]:
    assert isinstance(part, Document), part
    assert part.record is not None
    return part.record


def dropped(part: Part) -> Drop:
    assert not isinstance(part, Document)
    return part[1]


def test_gsm8k_becomes_a_record_with_its_steps() -> None:
    answer = "Half is 48/2 = <<48/2=24>>24.\nAll: 48+24 = <<48+24=72>>72.\n#### 72"
    (part,) = routed("Natalia sold 48 clips, then half as many. How many did she sell altogether?", answer=answer)
    record = extracted(part)
    assert record["steps"] == ["48 / 2 = 24", "48 + 24 = 72"]
    assert (record["output"], record["domain"], record["level"]) == ("72", "word_problems", 2)
    assert (record["source"], record["id"]) == ("gsm8k", "mine:1")
    assert isinstance(part, Document)
    assert part.measures == {"steps": 2, "decided_steps": 1}
    assert part.metadata["routed_domain"] == "word_problems"


def test_a_refuted_step_drops_the_question_with_what_is_right() -> None:
    (part,) = routed("How many clips did she sell in all?", answer="All: <<48+24=73>>73.\n#### 73")
    assert dropped(part) == Drop("refuted", {"step": "48 + 24 = 73", "right": "72"})


WORKED = "Question: Tom has 3 bags of 4 apples. How many are there?\nSolution: 3 * 4 = 12\nAnswer: {}\n"


@pytest.mark.parametrize(
    "answer", ["7.5/10", "1,200/7", "3/4/5", "1,20", "13", "He has 13 apples", "x = 13", "12 1/2 apples"]
)
def test_an_answer_that_no_step_gives_is_dropped_wherever_its_number_stands(answer: str) -> None:
    assert dropped(routed(WORKED.format(answer))[0]) == Drop("not_derived", {"answer": answer, "step": "3 * 4 = 12"})


@pytest.mark.parametrize("answer", ["12", "$12.00", "He has 12 apples", "x = 12", "24/2", "many apples"])
def test_an_answer_with_the_number_of_a_step_is_kept(answer: str) -> None:
    assert extracted(routed(WORKED.format(answer))[0])["output"] == answer


def test_a_step_that_is_not_decided_may_give_the_answer_by_what_it_says_alone() -> None:
    row: dict[str, Any] = {"steps": ["3 * 4 = 12", "one is eaten, so 11 are left"]}
    assert extracted(routed("How many are left?", output="11 apples", **row)[0])["output"] == "11 apples"
    assert dropped(routed("How many are left?", output="9 apples", **row)[0]).reason == "not_derived"


def test_a_mixed_number_is_one_number() -> None:
    (part,) = routed("How many cups?", output="1 1/2 cups", steps=["2 - 1 = 1"])
    assert dropped(part).reason == "not_derived"
    (part,) = routed("How many cups?", output="1 1/2 cups", steps=["2 - 1/2 = 3/2"])
    assert extracted(part)["output"] == "1 1/2 cups"


@given(st.text("0123456789.,/$- x", min_size=1, max_size=30), st.sampled_from(["solution", "equation", "output"]))
def test_any_answer_is_read(answer: str, form: str) -> None:
    rows: dict[str, dict[str, Any]] = {
        "solution": {"solution": "3 * 4 = 12"},
        "equation": {"equation": "* 3 4"},
        "output": {"steps": ["3 * 4 = 12"]},
    }
    row = rows[form] | {"output" if form == "output" else "answer": answer}
    (part,) = routed("How many apples are there in all?", **row)
    assert isinstance(part, Document) or part[1].reason in {*map(str, Reason)}


@pytest.mark.parametrize("field", ["options", "choices", "article", "passage", "context", "image", "question"])
def test_a_row_that_needs_another_field_is_no_question(field: str) -> None:
    question, row = "How many clips are left in all of the boxes?", {"answer": "Half is <<48/2=24>>24.\n#### 24"}
    assert extracted(routed(question, **dict[str, Any](row))[0])["output"] == "24"
    needing: dict[str, Any] = row | {field: ["A", "B"]}
    (part,) = routed(question, **needing)
    assert isinstance(part, Document)
    assert part.record is None


@pytest.mark.parametrize(
    "row",
    [
        {"answer": "By the command that stands in the manual"},
        {"answer": "yes"},
        {"solution": "Ask the committee.", "answer": "The door"},
    ],
)
def test_a_row_with_an_answer_in_words_alone_is_no_problem(row: dict[str, Any]) -> None:
    (part,) = routed("How is the old house painted?", **row)
    assert isinstance(part, Document)
    assert part.record is None


def test_a_heading_is_not_the_last_line_of_gsm8k() -> None:
    (part,) = routed("How many apples are there?", answer="#### Step 1\nThere are 3 * 4 = 12 apples.")
    assert extracted(part)["output"] == "12"
    (part,) = routed("How many apples are there?", answer="So many.\n#### 12 apples")
    assert dropped(part).reason == "malformed"


def test_a_rounded_result_is_told_apart() -> None:
    (part,) = routed("How much does each get?", answer="Each gets <<20/3=6.67>>6.67.\n#### 6.67")
    assert dropped(part).reason == "rounded"


@pytest.mark.parametrize(
    ("result", "reason"), [("5", "rounded"), ("6", "rounded"), ("5.7", "rounded"), ("7", "refuted")]
)
def test_a_result_is_rounded_by_one_rule_in_steps_and_equations(result: str, reason: str) -> None:
    (step,) = routed("How many are in each?", answer=f"<<40/7={result}>>{result}\n#### {result}")
    (equation,) = routed("How many are in each?", equation="/ 40 7", answer=result)
    assert dropped(step).reason == dropped(equation).reason == reason


def test_steps_that_do_not_give_the_answer_are_dropped_unless_wanted() -> None:
    row: dict[str, Any] = {"answer": "So <<3*4=12>>12, less one.\n#### 11"}
    (part,) = routed("How many apples are left in the end?", **row)
    assert dropped(part) == Drop("not_derived", {"answer": "11", "step": "3 * 4 = 12"})
    (part,) = routed("How many apples are left in the end?", routing(not_derived="keep"), **row)
    assert extracted(part)["steps"] == ["3 * 4 = 12"]


def test_calculations_in_words_stand_for_those_that_are_not_marked() -> None:
    (part,) = routed("How many pregnant cows are there?", answer="44(.50)=22 are female.\n22 / 2 = 11 cows.\n#### 11")
    assert extracted(part)["steps"] == ["22 / 2 = 11"]


def test_the_equation_of_an_mwp_row_must_give_the_answer() -> None:
    (part,) = routed("Mary has 8 cups and puts in 2. How many are left?", equation="- 8 2", answer="6")
    assert extracted(part)["steps"] == ["8 - 2 = 6"]
    (part,) = routed("Mary has 8 cups and puts in 2. How many are left?", equation="- 8 2", answer="7")
    assert dropped(part) == Drop("refuted", {"step": "- 8 2 = 7", "right": "6"})
    (part,) = routed("What is a third of 20?", equation="/ 20 3", answer="6.667")
    assert dropped(part).reason == "rounded"
    (part,) = routed("How many are left?", equation="8", answer="6")
    assert dropped(part) == Drop("refuted", {"step": "8 = 6", "right": "8"})
    (part,) = routed("How many are left?", equation="/ 8 0", answer="6")
    assert dropped(part) == Drop("refuted", {"step": "/ 8 0 = 6", "right": "nothing, for it divides by zero"})
    (part,) = routed("What?", equation="8 2", answer="6")
    assert dropped(part).reason == "malformed"
    assert str(dropped(part).measured["message"]).startswith("mine.jsonl:1: equation ")


def test_records_keep_what_they_say_and_are_checked() -> None:
    (part,) = routed("What is 1 + 1?", output="2", steps=["1 + 1 = 2"], domain="algebra", level=4, other="x")
    record = extracted(part)
    assert (record["domain"], record["level"], record["steps"]) == ("algebra", 4, ["1 + 1 = 2"])
    assert isinstance(part, Document)
    assert part.metadata["routed_domain"] == NONE
    (part,) = routed("What is 1 + 1?", output="3", steps=["1 + 1 = 3"])
    assert dropped(part).measured == {"step": "1 + 1 = 3", "right": "2"}
    (part,) = routed("What is 1 + 1?", output="2", level=9)
    assert dropped(part).reason == "malformed"


@pytest.mark.parametrize(
    ("output", "steps"),
    [
        ("30 + 4 = 34.\nThe answer is 34.", ["30 + 4 = 34"]),
        ("30 + 4 = 34.\r\nThe answer is 34.\r\n", ["30 + 4 = 34"]),
        ("She has 30 + 4 = <<30+4=34>>34.\n#### 34", ["30 + 4 = 34"]),
    ],
)
def test_an_output_that_is_worked_is_checked(output: str, steps: list[str]) -> None:
    own: dict[str, Any] = {"domain": "mine", "level": 3, "id": "a7"}
    (part,) = routed("How many apples are there?", output=output, **own)
    record = extracted(part)
    assert (record["output"], record["steps"]) == ("34", steps)
    assert {key: record[key] for key in own} == own
    wrong = output.replace("34", "35")
    (part,) = routed("How many apples are there?", output=wrong, **own)
    assert dropped(part).measured == {"step": "30 + 4 = 35", "right": "34"}


def test_an_output_that_tells_no_plain_answer_stays_whole_behind_its_steps() -> None:
    (part,) = routed("Write 12 as a product of primes.", output="12 = 2 * 2 * 3, and no other")
    record = extracted(part)
    assert (record["output"], record["steps"]) == ("12 = 2 * 2 * 3, and no other", ["2 * 2 * 3 = 12"])
    (part,) = routed("Tell a story.", output="Once 2 + 2 = 5 was the law. Then it was not.")
    assert dropped(part).reason == "refuted"


def test_calculations_of_an_output_that_cannot_be_read_count_as_unread() -> None:
    output, block = "It is half of 6 + 2 = 5, as one sees.", routing(least_read=1)
    assert extracted(routed("How many apples are there?", output=output)[0])["steps"] == []
    assert dropped(routed("How many apples are there?", block, output=output)[0]).reason == "unread"
    for more in ({"output": f"<think>\n1 + 1 = 2\n</think>{output}"}, {"output": output, "steps": ["1 + 1 = 2"]}):
        assert extracted(routed("How many apples are there?", block, **more)[0])["domain"]


def test_steps_that_cannot_be_decided_are_kept_and_counted() -> None:
    (part,) = routed("What is 1 + 1?", output="2", steps=["1 + 1 = 2", "this is so"])
    assert isinstance(part, Document)
    assert part.measures["decided_steps"] == 0.5


def test_an_answer_in_words_is_searched_for_calculations() -> None:
    (part,) = routed("How many clips in all?", solution="We add: 48 + 24 = 72.", answer="72 clips")
    assert (extracted(part)["steps"], extracted(part)["output"]) == (["48 + 24 = 72"], "72 clips")


def test_the_share_of_calculations_in_words_that_were_read_is_noted() -> None:
    (part,) = routed("How many are left?", solution="Half of 6 + 2 = 8 is 8 / 2 = 4.", answer="4")
    assert isinstance(part, Document)
    assert part.measures == {"steps": 1, "decided_steps": 1, "read_steps": 0.5}


def test_problems_of_a_page_are_parts_and_what_is_left_is_one_too() -> None:
    first, second, rest = routed(PAGE + REST)
    assert extracted(first)["id"] == "mine:1/1"
    assert extracted(first)["source"] == "mine.jsonl"
    assert dropped(second).measured == {"step": "48 + 24 = 73", "right": "72"}
    assert isinstance(rest, Document)
    assert (rest.id, rest.record, rest.text) == ("mine:1/rest", None, REST.strip())
    assert len(routed(PAGE)) == 2
    *_, few = routed(PAGE + "\nSome words.\n")
    assert dropped(few) == Drop("little_left", {"words": 2, "least": 20})
    (whole,) = routed(PAGE, routing(extract=False))
    assert isinstance(whole, Document)
    assert whole.text == PAGE


def test_questions_with_answers_in_words_are_no_problems() -> None:
    page = "Q: How is it installed?\nA: By the command that stands in the manual.\n"
    (part,) = routed(page)
    assert isinstance(part, Document)
    assert (part.record, part.metadata["routed_domain"]) == (None, NONE)


def test_documents_of_no_domain_may_be_dropped() -> None:
    text = "The committee agreed to paint the door before the winter."
    assert isinstance(routed(text)[0], Document)
    assert dropped(routed(text, routing(no_domain="drop"))[0]).reason == Reason.NO_DOMAIN
    (kept,) = routed("The area of a triangle with a right angle.", routing(no_domain="drop"))
    assert isinstance(kept, Document)
    assert kept.metadata["routed_domain"] == "geometry"
    record: dict[str, Any] = {"output": "2", "domain": "algebra"}
    assert isinstance(routed("What is 1 + 1?", **record)[0], Document)
    assert dropped(routed("What is 1 + 1?", routing(no_domain="drop"), **record)[0]).reason == Reason.NO_DOMAIN


@pytest.mark.parametrize(
    "text",
    [
        "1=1=" * 100_000,
        "(" * 500_000 + "=",
        "1" * 500_000 + " = 2",
        "Q:\n" * 100_000,
        "Question: x\nAnswer:" + "\n \n" * 200_000,
        "\n  " * 200_000,
        " " * 500_000 + "def",
        "概率" * 200_000,
        "1 x " * 100_000 + "= 3",
        "Ann is taller than Bob " * 10_000,
        "L1: a = 1\n" * 50_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_texts_take_no_more_than_their_share(text: str) -> None:
    """Where time grows with the square of the length, this takes minutes."""
    assert routed(text)


@pytest.fixture
def inputs(tmp_path: Path) -> list[dict[str, Any]]:
    questions, page = tmp_path / "gsm8k.jsonl", tmp_path / "page.txt"
    rows = [
        {"question": f"Tom has {a} apples and gets 3. How many apples has he?", "answer": f"<<{a}+3={b}>>{b}\n#### {b}"}
        for a, b in ((1, 4), (2, 5), (3, 7))
    ]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page.write_text(PAGE + REST)
    return [{"path": questions, "text": "question", "kind": "problem"}, {"path": page}]


def recipe(inputs: list[dict[str, Any]], **more: Any) -> BuildSettings:
    return BuildSettings.model_validate({"inputs": inputs, "blocks": [{"block": "route"}]} | more)


def test_a_build_writes_records_and_lists_what_was_refuted(inputs: list[dict[str, Any]], tmp_path: Path) -> None:
    records = {"output": {"format": "jsonl", "form": "records"}}
    built = build(recipe(inputs, **records), tmp_path / "out")
    kept = list(read_records(tmp_path / "out" / "part-00000.jsonl"))
    assert [record.output for record in kept] == ["4", "5", "12"]
    assert built.manifest["dropped"] == {"output": {"no_record": 1}, "route": {"refuted": 2}}
    assert built.manifest["domains"] == {"word_problems": 3}
    report = (tmp_path / "out" / "report.html").read_text()
    assert "3 + 3 = 7" in report and "48 + 24 = 73" in report and "Kept, by domain" in report
    build(recipe(inputs, **records), tmp_path / "by_worker", workers=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "by_worker")


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("pages/a.jsonl:3", "pages"), ("a.jsonl:3", "a.jsonl"), ("code/C#/a.jsonl:3", "code"),
        ("C#.jsonl:5", "C#.jsonl"),
        ("a.parquet#group=0&row=1", "a.parquet"), ("pages/a.dat#group=0&row=1", "pages"), ("page.txt", "page.txt"),
        ("team/data#train=17", "team/data"), ("own#train=1", "own"),
    ],
)  # fmt: skip
def test_the_source_is_the_input(place: str, source: str) -> None:
    assert source_of(Document("text", place, place, "prose")) == source


@pytest.mark.parametrize("form", ["jsonl.zst", "parquet"])
def test_what_a_build_wrote_is_read_again_with_its_records(
    inputs: list[dict[str, Any]], tmp_path: Path, form: str
) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    first = build(recipe(inputs, output={"format": form}), tmp_path / "first")
    assert first.manifest["documents"]["kept"] == 4
    records = {"output": {"format": "jsonl", "form": "records"}}
    for blocks in ([{"block": "route"}], []):
        again = build(recipe([{"path": first.folder}], blocks=blocks), tmp_path / f"again{len(blocks)}")
        assert again.manifest["documents"]["kept"] == 4
        found = [line.get("record") for line in lines(again.folder / "part-00000.jsonl.zst")]
        assert sum(record is not None for record in found) == 3
    build(recipe(inputs, **records), tmp_path / "records")
    expected = [record.output for record in read_records(tmp_path / "records" / "part-00000.jsonl")]
    assert [record["output"] for record in found if isinstance(record, dict)] == expected


def test_domains_are_counted_where_a_block_tells_them_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"text": "The area of a triangle with a right angle.", "routed_domain": "mine"}) + "\n")
    plain = build(BuildSettings.model_validate({"inputs": [{"path": file}], "blocks": []}), tmp_path / "plain")
    assert not plain.manifest.get("domains")
    assert build(recipe([{"path": file}]), tmp_path / "routed").manifest["domains"] == {"geometry": 1}


def test_a_block_with_an_unknown_choice_is_refused() -> None:
    with pytest.raises((ConfigError, ValueError), match="no_domain"):
        recipe([], blocks=[{"block": "route", "no_domain": "burn"}])


def test_problems_of_which_too_few_calculations_are_read_are_dropped() -> None:
    text = (
        "Question: A box holds 12 pens. How many do 5 hold?\nAnswer: sqrt(25) = 5. Then 12 * 5 = 60. The answer is 60."
    )
    part = routed(text, routing(least_read=0.5))[0]
    assert isinstance(part, Document) and part.measures["read_steps"] == 0.5
    drop = dropped(routed(text, routing(least_read=0.6))[0])
    assert drop.reason == Reason.UNREAD and drop.measured == {"measured": 0.5, "least": 0.6}
