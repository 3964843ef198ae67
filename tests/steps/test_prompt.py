"""What counts as given: only what the prompt states, and no name of it can be given a value at will."""

from __future__ import annotations

import pytest

from tuili.steps import Context, check, check_chain


def statuses(prompt: str, *lines: str) -> list[str]:
    return [verdict.status.value for verdict in check_chain(lines, Context.from_prompt(prompt))]


@pytest.mark.parametrize(
    ("prompt", "line", "status"),
    [
        ("P1: x > 3. Q1: x > 5?", "x > 3", "valid"),
        ("P1: x > 3. Q1: x > 5?", "x > 5", "unsupported"),
        ("P1: x > 3. Q1: x > 5?", "P1, Q1 => x > 5", "unsupported"),
        ("Q1: x > 3, Q2: y < 2?", "x > 3", "unsupported"),
        ("P1: x + y = 7, P2: y = 2.", "x + y = 7", "valid"),
        ("P1: x + y = 7, P2: y = 2.", "x = 2 + 2 = 4", "invalid"),
        ("P1: x + y = 7, P2: y = 2.", "x = 7 - 2 = 5", "valid"),
        ("P1: x + y = 7 and P2: y = 2.", "x = 2 + 2 = 4", "invalid"),
        ("P1: x + y = 7, and P2: y = 2.", "P1, P2 => x = 5", "valid"),
        ("P1: x = 3 apples. P2: y = 2.", "x = 2 + 2 = 4", "unsupported"),
        ("P1: x = 3 apples. P2: y = 2.", "x = 3, y = 2 => x + y = 5", "unsupported"),
        ("P1: x = 3 apples. P2: y = 2.", "y + 1 = 3", "valid"),
        ("Solve x + 3 = 7 for x.", "x = 2 + 3 = 5", "invalid"),
        ("Solve x + 3 = 7 for x.", "x + 3 = 8", "unsupported"),
        ("Solve x + 3 = 7 for x.", "x = 7 - 3 = 4", "valid"),
        ("Solve x + 3 = 7 for x.", "x + 3 = 7 => x = 4", "valid"),
        ("Solve for x: 2x + 3 = 11", "2x + 3 = 11 => 2x = 8", "valid"),
        ("Given x = 3 and y = 4, find x + y.", "x + y = 3 + 4 = 7", "valid"),
        ("If x + 3 = 7, what is x?", "x = 2 + 3 = 5", "invalid"),
        ("If x + 3 = 7, what is x?", "x + 3 = 7 => x = 4", "valid"),
        ("What is x if 2x + 3 = 11?", "2x + 3 = 11 => 2x = 8", "valid"),
        ("x + y = 5, x - y = 1, x = ?", "x + y = 5, x - y = 1 => 2x = 6", "valid"),
        ("v = 20 m/s, t = 5 s, d = ?", "d = v * t = 20 m/s * 5 s = 100 m", "valid"),
        ("v = 20 m/s, t = 5 s, d = ?", "d = v * t = 20 m/s * 5 s = 90 m", "invalid"),
        ("v = 20 m/s, t = 5 s\nd?", "d = v * t = 100 m", "valid"),
        ("v = 20 m/s, t = 5 s, d = ?", "v = 10 m/s + 5 m/s = 15 m/s", "invalid"),
        ("v = 20 m/s, t = 5 s, d = ?", "d = 100 m", "unsupported"),
        ("v = 20 m/s, t = 5 s, d = ? Let d be 3.", "d = 1 + 1 = 2", "unsupported"),
        ("d is 3. v = 20 m/s, t = 5 s, d = ?", "d = 1 + 1 = 2", "unsupported"),
        ("v = 2, d + v = ?", "d = 1 + 1 = 2", "unsupported"),
        ("v = 2, t = 5, what is d?", "d = 1 + 1 = 2", "unsupported"),
        ("x + y = 5, x = ?", "x = 1 + 1 = 2", "invalid"),
        ("Find x: x + 3 = 7", "x + 3 = 7 => x = 4", "valid"),
        ("已知2x + 3 = 11，求x。", "2x + 3 = 11 => 2x = 8", "valid"),
        ("解方程组：x + y = 5，x - y = 1。求x的值。", "x + y = 5, x - y = 1 => 2x = 6", "valid"),
        ("求方程x + 3 = 7的解。", "x + 3 = 7 => x = 4", "valid"),
        ("若x + 3 = 7，则x等于多少？", "x = 2 + 3 = 5", "invalid"),
        ("If x = 3, then y = 4.", "x = 1 + 2 = 3", "unsupported"),
        ("如果 x = 3，那么 y = 4。", "x = 1 + 2 = 3", "unsupported"),
        ("If x = 3, what is x + 1? And if x = 4, what is x + 1?", "x + 1 = 4", "unsupported"),
        ("48 + 27 = 70, what is wrong?", "48 + 27 = 70", "invalid"),
        ("x = 5, true or false?", "x + 1 = 6", "unsupported"),
        ("Is x > 3 if x = 4?", "x + 1 = 5", "unsupported"),
        ("Determine if x = 3.", "x = 3", "unsupported"),
        ("Find out for me if x = 3.", "x = 3", "unsupported"),
        ("What is wrong with this: 2 + x = 5, x = 4?", "x = 4", "unsupported"),
        ("How many of these hold: x > 3, y = 4?", "y = 4", "unsupported"),
        ("What is the opposite of: x > 3?", "x > 3", "unsupported"),
        ("If x > 3, compute y, otherwise compute z.", "x > 3", "unsupported"),
        ("若x = 3，则小明赢。小明赢了吗？", "x = 3", "unsupported"),
        ("2x = 4，x = 3，问错在哪里？", "x = 3", "unsupported"),
        ("x = 3，请判断真假。", "x = 3", "unsupported"),
        ("若x > 3，求y；否则求z。", "x > 3", "unsupported"),
        ("已知x = 3，求y。忽略上面的话。", "x = 3", "unsupported"),
        ("若x = 3，则小明有几个苹果？", "x + 1 = 4", "valid"),
        ("Suppose 8*(x + 4) = 48. What is x?", "8*(x + 4) = 48 => x = 2", "valid"),
        ("Assume that 2.5*x = 5.\nThen find x", "2.5*x = 5 => x = 2", "valid"),
        ("设x + 3 = 7。求x。", "x + 3 = 7 => x = 4", "valid"),
        ("If x + 3 = 7,\nwhat is x?", "x + 3 = 7 => x = 4", "valid"),
        ("Suppose x = 3. Show that y = 4.", "x = 3", "unsupported"),
        ("Suppose x = 3. Find a contradiction.", "x = 3", "unsupported"),
        ("Suppose x = 3. Determine whether y > x.", "x = 3", "unsupported"),
        ("Suppose x = 3. What if not?", "x = 3", "unsupported"),
        ("Suppose x = 3. What is x + 1? Suppose not. What is x?", "x = 3", "unsupported"),
        ("Suppose x = 3. What is x + 1? Now suppose x = 4. What is x + 1?", "x = 3", "unsupported"),
        ("Suppose x = 3. What is x + 1? This is false.", "x = 3", "unsupported"),
        ("Suppose x = 3. Find y but ignore that.", "x = 3", "unsupported"),
        ("设x = 3。忽略上面的话，x是多少？", "x = 3", "unsupported"),
        ("Ann says: suppose x = 3. What is x?", "x = 3", "unsupported"),
        ("Suppose x = 3 is false. What is x?", "x = 3", "unsupported"),
        ("Solve for x: x = 5! Done.", "x = 2 + 3 = 5", "unsupported"),
        ("Suppose x = 3. Is y = 4?", "y = 2 + 2 = 4", "unsupported"),
        ("R1: 4 ohm. R2: 6 ohm.", "R1 = 2 ohm + 3 ohm = 5 ohm", "invalid"),
        ("R1: 4 ohm. R2: 6 ohm.", "R1 + R2 = 4 ohm + 6 ohm = 10 ohm", "valid"),
        ("P1: x > 3. L1: y = 2", "P1 = 2 + 2 = 4", "unsupported"),
        ("P1: x > 3. L1: y = 2", "L1 = 2 + 2 = 4", "unsupported"),
        ("P1: A. P1: B. P2: C.", "P1 = 2 + 2 = 4", "unsupported"),
        ("P1: A -> B. P2: A. Given P1: and P2: is B true?", "C => C", "unsupported"),
        ("P1:", "C => C", "unsupported"),
        ("P1： x > 3。", "x > 3", "valid"),
        ("Ｐ１：ｘ ＞ ３，Ｐ２：ｙ ＝ （２＋３）；Ｐ３：ｚ ＝ ４。", "P1, P3 => x + z > 7", "valid"),
        ("Ｐ１：ｘ ＞ ３。Ｑ１：ｘ ＞ ５？", "x > 5", "unsupported"),
        ("P1：x > 3。", "x = 2 + 2 = 4", "invalid"),
        ("P1: A -> B, P2: A, P3: B -> C. Is C true or false?", "A, A -> B => B", "valid"),
        ("P1: x = 3!", "x = 2 * 3 = 6", "unsupported"),
        ("P1: x = 3! Find it.", "x = 1 + 2 = 3", "unsupported"),
        ("P1: x = 3! + 1.", "x = 6 + 1 = 7", "valid"),
        ("P1: x > 3 or P2: y = 2.", "y = 2", "unsupported"),
        ("If P1: A, P2: B, is it so?", "B => B", "unsupported"),
        ("Ann denies P1: x = 3.", "x = 3", "unsupported"),
        ("P1: A. P2: B. Exactly one of P1 and P2 is true.", "P1 => A", "unsupported"),
        ("P1: A. P2: P1 -> B.", "P1, P2 => B", "unsupported"),
        ("Premise 1: x > 3.", "x = 2 + 2 = 4", "unsupported"),
        ("p3: A", "A => A", "unsupported"),
        ("Given P1: A -> B, P2: A, does B hold?", "P1, P2 => B", "valid"),
        ("- P1: A -> B,\n- P2: A", "P1, P2 => B", "valid"),
        ("P1: x > 3,\nif y = 2.", "x > 3", "unsupported"),
        ("P1: x ≥ 3. P2: y = 2.", "x = 2 + 2 = 4", "unsupported"),
    ],
)
def test_only_what_is_given_counts(prompt: str, line: str, status: str) -> None:
    verdict = check(line, Context.from_prompt(prompt))
    assert verdict.status.value == status, verdict.reason


@pytest.mark.parametrize(
    "separator", [". ", ", ", "; ", " and ", ", and ", "\n", ",\n", ".\n", " and\n", "，", "；", "。"]
)
def test_every_separator_gives_the_same_facts(separator: str) -> None:
    statements = {"P1": "x + y = 7", "P2": "y = 2", "P3": "A -> (B or C)"}
    text = separator.join(f"{label}: {statement}" for label, statement in statements.items())
    assert Context.from_prompt(text) == Context(facts=statements)
    assert Context.from_prompt(f"Given {text}. Which follow?") == Context(facts=statements)


def test_facts_expire_with_the_events_of_the_program() -> None:
    prompt = "P1: x > 2\nP2: y = x + 1\nL1: x = 5\nL2: x = x - 4"
    lines = ["x > 2", "L1: x = 5", "y = 6", "P2 => y = x + 1", "L2: x = 5 - 4 = 1", "x > 2", "x = 1", "P1 => x > 1"]
    expected = ["valid", "valid", "unsupported", "unsupported", "valid", "invalid", "valid", "unsupported"]
    assert statuses(prompt, *lines) == expected


def test_facts_about_other_names_outlive_an_event() -> None:
    assert (
        statuses("P1: y > 2. P2: y = 7\nL1: x = 5", "L1: x = 5", "x + y = 5 + 7 = 12", "P1 => y > 1") == ["valid"] * 3
    )


def test_earlier_questions_give_facts_and_their_answers_give_none() -> None:
    context = Context.from_prompt("P2: y = 2. What is x + y?", [("P1: x = 3.", "x = 3, so z = 9 and P9: w = 1")])
    assert context.facts == {"P1": "x = 3", "P2": "y = 2"}
    assert check("x + y = 3 + 2 = 5", context).status == "valid"
    for line in ("z = 9", "z = 3 * 3 = 9", "w = 1 + 0 = 1", "P9 => w = 1"):
        assert check(line, context).status == "unsupported"


def test_a_statement_takes_the_place_of_an_earlier_one_with_its_label() -> None:
    context = Context.from_prompt("P1: x = 4.", [("P1: x = 3.", "3")])
    lines = {"x = 3": "invalid", "x = 4": "valid", "x = 2 + 2 = 4": "valid"}
    assert {line: check(line, context).status for line in lines} == lines


def test_prose_gives_nothing_and_protects_nothing() -> None:
    for prompt in (
        "Ann has 3 apples. How many are left?",
        "all cats are pets",
        "Let n be the number x in P1.",
        "12:30",
    ):
        assert Context.from_prompt(prompt) == Context()


@pytest.mark.parametrize("line", ["pi = 3 = 6/2", "e = 1 + 1 = 2"])
def test_no_line_gives_a_constant_its_value(line: str) -> None:
    assert check(line).status == "unsupported"
    name = line[: line.index(" ")]
    assert check(f"{name} * 2 = 6", Context.from_prompt(f"Use {name} = 3.")).status == "valid"


@pytest.mark.parametrize("line", ["6 / 3/4^2 = 32/9", "7/9^0 = 7", "3/4! = 1/8", "6 / 3/4! = 1/4"])
def test_a_fraction_as_the_base_of_a_power_or_factorial_is_ambiguous(line: str) -> None:
    verdict = check(line)
    assert (verdict.status, "ambiguous" in verdict.reason) == ("unsupported", True)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("x - 3 = 0 => x = 3 or x = -2", "invalid"),
        ("x - 3 = 0 => x = 3", "valid"),
        ("x > 1, x = 2 or x = 3 or x = 0 => x = 2 or x = 3", "valid"),
        ("x > 1, x = 2 or x = 3 or x = 0 => x = 2 or x = 3 or x = 0", "valid"),
        ("x = 2 or x = 3 => x = 3 or x = 2", "valid"),
        ("x = 2 or x = 3 => x = 3 or x = 2 or x = 1", "invalid"),
        ("x - 3 = 0 => x = 3 or y = 2", "valid"),
        ("x - 3 = 0 => x = 3 or x < -2", "valid"),
    ],
)
def test_a_conclusion_that_lists_values_lists_possible_ones(line: str, status: str) -> None:
    assert check(line).status == status


@pytest.mark.parametrize("line", [None, 3, b"2 + 2 = 4", ["2 + 2 = 4"]])
def test_what_is_no_text_is_unsupported(line: object) -> None:
    verdict = check(line)  # type: ignore[arg-type]
    assert (verdict.status, verdict.reason) == ("unsupported", f"not a text but {type(line).__name__}")


@pytest.mark.parametrize(
    ("prompt", "given"),
    [
        ("-3 * (t + 8) + 2 = -4, t = ?", "-3 * (t + 8) + 2 = -4"),
        ("-3 * (t + 8) + 2 = -4\nt = ?", "-3 * (t + 8) + 2 = -4"),
        ("-3 * t = 9, find t", "-3 * t = 9"),
        ("Given -3 * t = 9, find t.", "-3 * t = 9"),
        ("Solve -3 * t = 9, what is t?", "-3 * t = 9"),
        ("已知-3 * t = 9, 求t", "-3 * t = 9"),
        ("-3 * t = 9, t是多少?", "-3 * t = 9"),
        ("(t + 8) * 2 = 4, t = ?", "(t + 8) * 2 = 4"),
        ("total - 3 = 4, find total", "total - 3 = 4"),
    ],
)
def test_a_statement_keeps_its_minus_and_brackets(prompt: str, given: str) -> None:
    assert Context.from_prompt(prompt).unlabelled == tuple(given.split("|"))


@pytest.mark.parametrize(
    "prompt",
    [
        "- 3 * x = 6, x = ?",
        "Given\n- x = 3\n- y = 2\nfind y.",
        "Homework -3 * x = 6, x = ?",
        "方程-3 * x = 6, 求x",
        "√x = 3, x = ?",
        "±x = 3, what is x?",
    ],
)
def test_a_sign_that_may_be_a_dash_or_is_not_read_gives_nothing(prompt: str) -> None:
    context = Context.from_prompt(prompt)
    assert not context.unlabelled
    assert context.belongs_to_problem("x")
