import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.data import train_tokenizer
from tuili.engine.answer import Answer, explain
from tuili.engine.decode import Generation
from tuili.steps import Context, split_response

TOKENIZER = train_tokenizer(["48 / 2 = 24\n24 + 7 = 31", "What is 48 / 2 + 7?"], vocabulary=300)


def generation(text: str, depths: list[int] | None = None, stop: str = "end") -> Generation:
    """A generation of `text`, with its think marks as the special tokens they are."""
    tokens = list(TOKENIZER.backend.encode(text, add_special_tokens=False).ids)
    spent = {"prefill": 0.004, "decode": 0.036}
    return Generation(text, tokens, depths or [3] * len(tokens), stop, spent)


def answer(text: str, depths: list[int] | None = None, context: Context | None = None) -> Answer:
    return explain("What is 48 / 2 + 7?", generation(text, depths), TOKENIZER, context or Context())


def test_every_step_is_checked_in_order() -> None:
    shown = answer("<think>\n48 / 2 = 24\n24 + 7 = 32\nso be it\n</think>32")
    assert [str(step.verdict.status) for step in shown.steps] == ["valid", "invalid", "unsupported"]
    assert shown.steps[1].verdict.expected == "31"
    assert shown.answer == "32"
    assert shown.receipt.checked == {"valid": 1, "invalid": 1, "unsupported": 1}


def test_each_step_says_where_its_numbers_come_from_and_the_receipt_what_was_not_used() -> None:
    shown = answer("<think>\n48 / 2 = 24\n18 = 3 * 6\n24 + 18 = 42\n</think>42")
    document = shown.as_json()
    assert [step["traced"] for step in document["steps"]] == [True, False, False]
    assert document["steps"][0]["numbers"][2] == {"number": "24", "origin": "result", "step": None, "by": ""}
    assert document["steps"][2]["numbers"][0] == {"number": "24", "origin": "step", "step": 1, "by": ""}
    assert (document["receipt"]["untraced"], document["receipt"]["unused"]) == (2, ("7",))
    assert shown.receipt.checked == {"valid": 3}, "verdicts do not look at it"


def test_a_step_that_is_wrong_is_not_counted_as_one_from_nowhere() -> None:
    assert answer("<think>\n3 * 6 = 19\n</think>19").receipt.untraced == 0


def test_steps_are_judged_by_the_facts_of_the_prompt() -> None:
    text = "<think>\nP1, A => B\n</think>yes"
    grounded = answer(text, context=Context(facts={"P1": "A -> B", "P2": "A"}))
    assert [str(step.verdict.status) for step in grounded.steps] == ["valid"]
    assert [str(step.verdict.status) for step in answer(text).steps] != ["valid"]


def test_a_step_has_the_mean_depth_of_its_own_tokens() -> None:
    text = "<think>\n1 = 1\n2 = 2\n</think>2"
    tokens = [str(TOKENIZER.decode([token])) for token in generation(text).tokens]
    breaks = [index for index, token in enumerate(tokens) if token == "\n"]
    first = range(breaks[0] + 1, breaks[1])
    shown = answer(text, [12 if index in first else 3 for index in range(len(tokens))])
    assert [step.depth for step in shown.steps] == [12, 3]
    assert ["".join(piece for piece, _ in step.pieces) for step in shown.steps] == ["1 = 1", "2 = 2"]


def test_a_step_with_the_text_of_the_tag_has_its_own_tokens() -> None:
    shown = answer("<think>\nthink\n</think>2", list(range(20))[: len(generation("<think>\nthink\n</think>2").tokens)])
    assert "".join(piece for piece, _ in shown.steps[0].pieces) == "think"
    assert shown.steps[0].depth >= 2, "its tokens come behind the tag and the line break"


def test_equal_steps_have_their_own_tokens() -> None:
    text = "<think>\n1 = 1\n1 = 1\n</think>1"
    count = len(generation(text).tokens)
    shown = answer(text, list(range(count)))
    assert shown.steps[0].depth < shown.steps[1].depth


def test_the_receipt_adds_up() -> None:
    text = "<think>\n1 = 1\n</think>1"
    shown = answer(text, [3 + 9 * (index % 2) for index in range(len(generation(text).tokens))])
    receipt = shown.receipt
    assert receipt.attempts == 1
    assert receipt.milliseconds == {"total": 40.0, "prefill": 4.0, "decode": 36.0}
    assert receipt.layer_steps == pytest.approx(receipt.mean_depth * receipt.tokens["generated"])
    assert receipt.tokens["prompt"] == 3 + len(TOKENIZER.encode_text(shown.prompt))
    assert receipt.stop == "end"


@pytest.mark.parametrize("text", ["", "31", "<think>\n48 / 2 = 24", "<think>\n\n\n</think>", "</think>5", "é\n<think>"])
def test_a_response_of_any_other_form_still_gives_an_answer(text: str) -> None:
    shown = answer(text)
    expected = split_response(text)
    assert shown.answer == expected.answer
    assert len(shown.steps) == len(expected.steps)
    json.dumps(shown.as_json())


@given(st.text(alphabet="12+=\n <>/thinké答😀", max_size=60))
def test_any_response_gives_an_answer_whose_steps_are_covered_by_their_pieces(text: str) -> None:
    shown = answer(text)
    assert shown.answer == split_response(text).answer
    assert [step.text for step in shown.steps] == list(split_response(text).steps)
    for step in shown.steps:
        assert "".join(piece for piece, _ in step.pieces) == step.text


def test_an_incomplete_character_is_shown_as_a_replacement_character() -> None:
    whole = generation("7答")
    cut = Generation("", whole.tokens[:-1], whole.depths[:-1], "length", whole.seconds)
    assert explain("?", cut, TOKENIZER, Context()).answer == "7\ufffd"


def test_the_json_form_has_the_documented_fields() -> None:
    document = answer("<think>\n24 + 7 = 32\n</think>32").as_json()
    assert list(document) == ["answer", "steps", "receipt"]
    (step,) = document["steps"]
    assert {"text", "verdict", "depth"} <= set(step)
    assert step["verdict"] == "invalid"
    assert {"attempts", "milliseconds", "tokens", "mean_depth", "layer_steps", "stop"} <= set(document["receipt"])
    assert {"total", "prefill", "decode"} <= set(document["receipt"]["milliseconds"])
    json.dumps(document)
