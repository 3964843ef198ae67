"""What a context reads from a prompt."""

from __future__ import annotations

from tuili.steps import Context, check


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


def test_entries_that_do_not_parse_are_left_out() -> None:
    context = Context.from_prompt("P1: the cat sat. P2: all cats are pets. L1: print x. NOTE1: A. p3: A. P4: A =>")
    assert context == Context(facts={"P2": "all cats are pets"})


def test_a_question_mark_ends_an_entry() -> None:
    assert Context.from_prompt("P1: 2*x + 3 = 11? Solve.").facts == {"P1": "2*x + 3 = 11"}


def test_a_prompt_without_labels_has_no_facts() -> None:
    assert Context.from_prompt("How much is 2 + 2?") == Context()
    assert Context.from_prompt("") == Context()


def test_a_context_from_a_prompt_grounds_inferences() -> None:
    context = Context.from_prompt("P1: Ann > Bob. P2: Bob > Cid. Who is tallest?")
    assert check("P1, P2 => Ann > Cid", context).status == "valid"
    assert check("Ann > Cid => Ann > Cid", context).status == "invalid"
