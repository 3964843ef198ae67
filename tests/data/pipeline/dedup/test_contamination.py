from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.pipeline.conftest import contents, interrupted, lines
from tests.data.pipeline.dedup.test_duplicates import HAN, VOCABULARY, document, drawn
from tuili.data.pipeline import BuildSettings, Drop, build
from tuili.data.pipeline.dedup.contamination import Decontamination, DecontaminationSettings
from tuili.data.pipeline.dedup.evaluation_items import EvaluationItem, file_items
from tuili.errors import InputError, RecordError
from tuili.tasks import Wording, in_every_form

TOM = "Tom has 12 apples and 3.5 pears. He gives 1,200 of them to his sister Ann. How many are left?"
ZH = "小明有12个苹果，他给了小红3个，又买了5个，请问他现在一共有多少个苹果？"


def found(text: str, *items: str) -> Drop | None:
    block = Decontamination(EvaluationItem(f"set:{number}", item) for number, item in enumerate(items, start=1))
    result = block.apply(document(text, "a"))
    return result if isinstance(result, Drop) else None


@pytest.mark.parametrize(
    ("text", "item"),
    [
        (f"A page.\n{TOM} The answer follows.", TOM),
        ("So: TOM HAS 7 apples and 2 pears -- he gives 15\nof them to his  sister, Ann! Who cares", TOM),
        (f"练习题：{ZH.replace('12', '二 99')}答案在后面。", ZH),
        (f"练习：{ZH.replace('，', ' ').replace('3', '４')}", ZH),
        ("He asked what the capital city of France is called today, and left.",
         "What the capital city of France is called?"),
        ("Quiz\nwho wrote hamlet, then\nWho wrote 'Hamlet' then?", "Who wrote Hamlet, then?"),
    ],
)  # fmt: skip
def test_an_item_is_found_whatever_its_numbers_case_spacing_and_punctuation(text: str, item: str) -> None:
    drop = found(text, "nothing that stands there, whatever is looked for in it by whom ever", item)
    assert drop and drop.reason == "contaminated"
    assert drop.measured["of"] == "set:2"


@pytest.mark.parametrize(
    ("text", "item"),
    [
        (TOM.replace("apples", "plums").replace("sister", "mother"), TOM),
        ("I wonder who wrote Hamlet, then and now", "Who wrote Hamlet, then?"),
        ("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", "Sort these: 5 3 8 2 9 1 4 7 6 10 12 11 13 15 14"),
        ("3 + 4 =", "8 + 9 ="),
        ("他给了小红三本书，又买了很多东西，现在一共有多少？", ZH),
    ],
)
def test_parts_of_items_and_mere_numbers_are_none(text: str, item: str) -> None:
    assert found(text, item) is None


def test_the_run_is_told() -> None:
    drop = found(f"First, {TOM}", TOM)
    assert drop and drop.measured == {
        "of": "set:1", "words": 13.0, "matched": "tom has 0 apples and 0 pears. he gives 0 of them to",
    }  # fmt: skip


@pytest.mark.parametrize(("words", "space"), [(VOCABULARY, " "), (HAN, "")], ids=["English", "Chinese"])
def test_planted_items_are_all_found_and_nothing_else(words: list[str], space: str) -> None:
    """The slow twin looks for each run of 13 words in all runs of the document."""
    rng = random.Random(7)
    items = [drawn(rng, words, rng.randrange(13, 40)) for _ in range(50)]
    block = Decontamination(EvaluationItem(str(number), space.join(item)) for number, item in enumerate(items))
    runs = {tuple(item[start : start + 13]): number for number, item in enumerate(items) for start in range(len(item))}
    dropped = 0
    for number in range(200):
        text = drawn(rng, words, 100)
        if number % 3 == 0:
            item = rng.choice(items)
            text[30:60] = item[rng.randrange(3) : rng.randrange(10, 40)]
        slow = any(tuple(text[start : start + 13]) in runs for start in range(len(text)) if start + 13 <= len(text))
        assert isinstance(block.apply(document(space.join(text), "a")), Drop) == slow
        dropped += slow
    assert 30 < dropped < 67


def test_the_forms_that_own_tests_hold_out_are_a_set_by_default() -> None:
    block = DecontaminationSettings(block="decontaminate").build()
    held_out = [
        in_every_form("arithmetic", 0, 1, wording=Wording.UNSEEN, language=language)[0].prompt
        for language in ("en", "zh")
    ]
    for prompt in held_out:
        drop = block.apply(document(f"Homework. {prompt}", "a"))
        assert isinstance(drop, Drop)
        assert str(drop.measured["of"]).startswith("tuili/arithmetic/1/")
    assert not isinstance(block.apply(document(TOM, "a")), Drop)


def test_questions_that_are_too_short_to_be_looked_for_are_told(tmp_path: Path) -> None:
    (tmp_path / "pages.txt").write_text("A page.")
    test = tmp_path / "test.jsonl"
    short = [json.dumps({"question": text}) for text in ("What is 17 * 23?", "3 + 4 =")]
    test.write_text("\n".join([*short, json.dumps({"question": TOM})]))
    manifest = build(_recipe(tmp_path / "pages.txt", test), tmp_path / "out").manifest
    told = "2 of 3 questions of test.jsonl have too few words to be looked for"
    assert manifest["notes"] == {"decontaminate": [told]}
    test.write_text("\n".join(short))
    with pytest.raises(RecordError, match=r"test\.jsonl: every question has too few words"):
        build(_recipe(tmp_path / "pages.txt", test), tmp_path / "other")
    test.write_text(json.dumps({"question": TOM}))
    assert "notes" not in build(_recipe(tmp_path / "pages.txt", test), tmp_path / "third").manifest


def test_items_are_read_from_every_usual_form(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"question": "one", "answer": "1"}\n\n{"prompt": "two", "text": "no"}\n{"input": "three", "output": ""}\n'
        '{"messages": [{"role": "system", "content": "no"}, {"role": "user", "content": "four"}]}\n'
        '{"instruction": "five", "input": "of it", "output": "no"}\n{"instruction": "six", "input": ""}\n'
        '{"question": " ", "problem": "seven", "instruction": "no", "input": "no"}'
    )
    (tmp_path / "b.txt").write_text("五\nsix\n")
    pq.write_table(pa.table({"answer": ["8", "9"], "question": ["eight", "nine"]}), tmp_path / "c.parquet")
    read = [item for name in ("a.jsonl", "b.txt", "c.parquet") for item in file_items(tmp_path / name)]
    assert read == [
        ("a.jsonl:1", "one"), ("a.jsonl:3", "two"), ("a.jsonl:4", "three"), ("a.jsonl:5", "four"),
        ("a.jsonl:6", "five\nof it"), ("a.jsonl:7", "six"), ("a.jsonl:8", "seven"),
        ("b.txt:1", "五\n"), ("b.txt:2", "six\n"), ("c.parquet:1", "eight"), ("c.parquet:2", "nine"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "x", "its name should end in .jsonl"),
        ("a.jsonl", "", "holds no question"),
        ("a.jsonl", '{"answer": "x"}', "a.jsonl:1: no question in it"),
        ("a.jsonl", '{"question": ""}', "a.jsonl:1: no question in it"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": " "}]}', "a.jsonl:1: no question in it"),
        ("a.jsonl", "no", "a.jsonl:1: not a JSON object"),
        ("none.jsonl", None, "none.jsonl cannot be read: No such file"),
        ("none.parquet", None, "none.parquet cannot be read: No such file"),
        ("a.parquet", "no", "a.parquet cannot be read: "),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    (tmp_path / "pages.txt").write_text("A page.")
    recipe = _recipe(tmp_path / "pages.txt", tmp_path / name)
    with pytest.raises(RecordError, match=message):
        build(recipe, tmp_path / "out")


def test_a_row_of_parquet_without_a_question_is_refused_with_its_number(tmp_path: Path) -> None:
    pq.write_table(pa.table({"question": ["one", None]}), tmp_path / "a.parquet")
    with pytest.raises(RecordError, match=r"a\.parquet, row 2: no question in it"):
        list(file_items(tmp_path / "a.parquet"))
    pq.write_table(pa.table({"question": pa.array([], pa.string())}), tmp_path / "a.parquet")
    with pytest.raises(RecordError, match="holds no question"):
        list(file_items(tmp_path / "a.parquet"))


@pytest.mark.usefixtures("small_steps")
def test_workers_and_interruptions_change_no_byte_and_other_items_do_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuili.data.pipeline.building.STEP_ITEMS", 5)
    rng = random.Random(8)
    items = [" ".join(drawn(rng, VOCABULARY, 20)) for _ in range(10)]
    pages = [" ".join(drawn(rng, VOCABULARY, 50)) for _ in range(30)] + [f"And {item}." for item in items]
    (tmp_path / "pages.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in pages))
    test = tmp_path / "test.jsonl"
    test.write_text("\n".join(json.dumps({"question": text}) for text in items))
    recipe = _recipe(tmp_path / "pages.jsonl", test)
    whole = build(recipe, tmp_path / "whole", workers=1)
    assert whole.manifest["dropped"] == {"decontaminate": {"contaminated": 10}}
    (told,) = whole.manifest["recipe"]["blocks"][0]["against"]
    assert told["name"] == "test.jsonl" and len(told["sha256"]) == 64
    listed = lines(tmp_path / "whole" / "dropped" / "part-00000.jsonl.zst")
    assert [drop["measured"]["of"] for drop in listed] == [f"test.jsonl:{n}" for n in range(1, 11)]  # type: ignore[index]
    for out in ("out", "other"):
        interrupted(recipe, tmp_path / out)
    build(recipe, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    test.write_text('{"question": "another one that nobody has asked before"}')
    with pytest.raises(InputError, match="another recipe"):
        build(recipe, tmp_path / "other")


def _recipe(pages: Path, test: Path) -> BuildSettings:
    block = {"block": "decontaminate", "against": [test], "own": False}
    return BuildSettings.model_validate({"inputs": [{"path": pages}], "blocks": [block]})
