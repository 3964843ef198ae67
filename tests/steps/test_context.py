"""What a context reads from a prompt."""

from __future__ import annotations

import pytest

from tuili.steps import Context, check, check_chain
from tuili.steps.prompt import MAX_PROMPT_CHARACTERS, MAX_PROMPT_ENTRIES


def test_facts_on_lines_and_in_sentences() -> None:
    by_line = Context.from_prompt("Given:\nP1: A -> B\nP2: not B\nDoes A hold?")
    by_sentence = Context.from_prompt("Given P1: A -> B. P2: not B. Does A hold?")
    by_semicolon = Context.from_prompt("P1: A -> B; P2: not B")
    assert by_line == by_sentence == by_semicolon == Context(facts={"P1": "A -> B", "P2": "not B"})


def test_a_point_inside_a_number_does_not_end_an_entry() -> None:
    assert Context.from_prompt("P1: x = 3.5. P2: y = 2 * x").facts == {"P1": "x = 3.5", "P2": "y = 2 * x"}


def test_programs_have_labels_with_L() -> None:
    prompt = "L1: x = 3\nL2: for i in range(0, 2): x += i\nL3: if x > 3: y = x\nWhat is y?"
    context = Context.from_prompt(prompt)
    assert not context.facts
    assert context.program == {"L1": "x = 3", "L2": "for i in range(0, 2): x += i", "L3": "if x > 3: y = x"}


def test_facts_that_do_not_parse_or_have_the_label_of_another_are_left_out() -> None:
    prompt = "P1: the cat sat. P2: all cats are pets. NOTE1: A. p3: A. P4: A =>. P5: A. P5: B"
    assert Context.from_prompt(prompt).facts == {"P2": "all cats are pets"}


@pytest.mark.parametrize(
    ("prompt", "trace"),
    [
        ("L1: x = 4\nL2: x /= 2\nL3: y = x + 1", ["L1: x = 4", "L3: y = x + 1 = 4 + 1 = 5"]),
        ("L1: x = 0\nL2: while x < 3:\nL3:     x = x + 1", ["L1: x = 0", "L3: x = 1"]),
        ("L1: x = 4\nL2:x = 5\nL3: y = x", ["L1: x = 4", "L3: y = 4"]),
        ("L1: x = 4\nL1000: x = 5\nL3: y = x", ["L1: x = 4", "L3: y = 4"]),
        ("L1: x = 4\nL2: x = 5\nL3: y = x\nL2: x = 6", ["L1: x = 4", "L2: x = 6"]),
        ("L1: x = 3; x = x * 2", ["L1: x = 3"]),
        ("L1: x = 3. What is x?", ["L1: x = 3"]),
    ],
)
def test_no_event_is_valid_after_a_line_of_the_program_that_cannot_be_read(prompt: str, trace: list[str]) -> None:
    *read, beyond = check_chain(trace, Context.from_prompt(prompt))
    assert {verdict.status.value for verdict in read} <= {"valid"}
    assert beyond.status != "valid"


def test_an_entry_that_is_cut_off_is_left_out() -> None:
    prompt = "P1: y = 2\n".ljust(MAX_PROMPT_CHARACTERS - 10) + "P2: x = 3500"
    assert Context.from_prompt(prompt).facts == {"P1": "y = 2"}
    assert Context.from_prompt(prompt[2:]).facts == {"P2": "x = 3500"}


def test_no_event_of_a_program_that_is_cut_off_is_valid() -> None:
    lines = [f"L{i}: x{i} = {i}" for i in range(1, MAX_PROMPT_ENTRIES + 1)]
    whole, longer = "\n".join(lines), "\n".join((*lines, "L300: x1 = 99"))
    assert check("L1: x1 = 1", Context.from_prompt(whole)).status == "valid"
    for prompt in (longer, whole.ljust(MAX_PROMPT_CHARACTERS + 1)):
        context = Context.from_prompt(prompt)
        assert check("L1: x1 = 1", context).status == "unsupported"
        assert check("x1 = 0 + 1 = 1", context).status == "unsupported"


def test_facts_beyond_the_most_entries_are_left_out() -> None:
    context = Context.from_prompt("\n".join(f"P{i}: x{i} = {i}" for i in range(MAX_PROMPT_ENTRIES + 5)))
    assert list(context.facts) == [f"P{i}" for i in range(MAX_PROMPT_ENTRIES)]


def test_a_prompt_without_labels_has_no_facts() -> None:
    assert Context.from_prompt("How much is 2 + 2?") == Context()
    assert Context.from_prompt("") == Context()


def test_a_context_from_a_prompt_grounds_inferences() -> None:
    context = Context.from_prompt("P1: Ann > Bob. P2: Bob > Cid. Who is tallest?")
    assert check("P1, P2 => Ann > Cid", context).status == "valid"
    assert check("Ann > Cid => Ann > Cid", context).status == "invalid"
