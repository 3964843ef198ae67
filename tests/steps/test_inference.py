"""Inferences, theory by theory, with their witnesses; grounding; and premises that contradict each other."""

from __future__ import annotations

import pytest

from tuili.steps import Context, Status, check, check_chain

VALID = {
    "propositional": {
        "A -> B, A => B": "modus ponens",
        "A, A -> B => B": "modus ponens",
        "A -> B, not B => not A": "modus tollens",
        "A -> B, B -> C => A -> C": "hypothetical syllogism",
        "A or B, not A => B": "disjunctive syllogism",
        "A or B, not B => A": "disjunctive syllogism",
        "Ann <-> not Bob, Ann => not Bob": "equivalence",
        "A, B => A and B": "conjunction",
        "A and B => B": "simplification",
        "A => A or B": "addition",
        "A -> B => not B -> not A": "contraposition",
        "not not A => A": "double negation",
        "A => A": "restatement",
        "not (A and B) => not A or not B": "truth table",
        "A xor B, A => not B": "truth table",
        "A, not A => false": "contradiction",
        "A => true": "truth table",
    },
    "categorical": {
        "all cats are pets, all pets are animals => all cats are animals": "Venn regions",
        "some a are b, no b are c => some a are not c": "Venn regions",
        "no a are b => no b are a": "Venn regions",
        "some a are b => some b are a": "Venn regions",
        "all a are b, no a are b, some a are c => false": "Venn regions",
    },
    "set": {
        "x in S, S subset T => x in T": "Venn regions",
        "x in S union T, not (x in S) => x in T": "Venn regions",
        "S subset T, T subset U => S subset U": "Venn regions",
        "x in S minus T => not (x in T)": "Venn regions",
        "x in S, not (x in S) => false": "Venn regions",
        "not (S union T subset U), S subset U => not (T subset U)": "Venn regions",
        "not not (x in S), not not (x in T) => x in S inter T": "Venn regions",
    },
    "linear": {
        "Ann > Bob, Bob > Cid => Ann > Cid": "linear combination",
        "2*x + 3 = 11 => 2*x = 8": "linear combination",
        "2x + 3 = 11 => -2x = -8": "linear combination",
        "2*x = 8 => x = 4": "linear combination",
        "x + y = 10, x = 4 => y = 6": "linear combination",
        "x + y = 10, x - y = 2 => 2*(x + y) = 20": "linear combination",
        "1 < x <= 5 => x > 0": "linear combination",
        "x < 3 => x != 3": "linear combination",
        "x <= 3, x != 3 => x < 3": "linear combination",
        "x = 2 or x = 3, x > 2 => x = 3": "linear combination",
        "x > 3 -> y > 3, not (y > 3) => x <= 3": "linear combination",
        "x > y, y > x => false": "linear combination",
        "x > 2 => x > 2": "restatement",
        "3 < 5 => 2 < 5": "linear combination",
        "x / 2 = 3 => x = 6": "linear combination",
        "-(x - 1) = 4 => x = -3": "linear combination",
        "x% = 1/2 => x = 50": "linear combination",
        "x == 4 => x < 5": "linear combination",
        "x > 3 <-> y > 3, x > 5 => y > 3": "linear combination",
        "x > 3 xor y > 3, x > 5 => y <= 3": "linear combination",
        "x * (y - y) = 0 => 0 = 0": "linear combination",
    },
    "polynomial": {
        "x^2 - 5*x + 6 = 0 => x = 2 or x = 3": "roots",
        "x^2 - 5*x + 6 = 0 => x = 3 or x = 2": "roots",
        "x^2 - 5*x + 6 = 0 => (x - 2) * (x - 3) = 0": "equivalent equation",
        "(x - 2)*(x - 3) = 0 => x = 2 or x = 3": "roots",
        "4*x^2 - 4*x + 1 = 0 => x = 1/2": "roots",
        "x^3 = 8 => x = 2": "roots",
        "x^3 - 6*x^2 + 11*x - 6 = 0 => x = 1 or x = 2 or x = 3": "roots",
        "x^2 = 9, x > 0 => x = 3": "roots",
        "x^2 = 9 => x < 4": "roots",
        "x^2 = 5*x - 6 => x^2 - 5*x + 6 = 0": "equivalent equation",
        "x^2 = 2 => 3*x^2 = 6": "equivalent equation",
        "x^2 + 1 = 0 => false": "no real solution",
        "x^2 = 9, x > 5 => false": "no real solution",
        "x^2 * x = 0 => x = 0": "roots",
        "x^2 = 4 or x^2 = 9, x > 0 => x = 2 or x = 3": "roots",
        "x > 0 and x^2 = 4 => x = 2": "roots",
        "x^2 = 4 and x > 0, true => x + 1 = 3": "roots",
        "false, x^2 = 4 => false": "no real solution",
        "true, x^2 = 4 => x = -2 or x = 2": "roots",
    },
}

INVALID = [
    "A -> B, B => A",
    "A or B, A => not B",
    "A => B",
    "A -> B => B -> A",
    "all a are b => all b are a",
    "all a are b => some a are b",  # no existential import
    "some a are b, some b are c => some a are c",
    "x in S, S subset T => T subset S",
    "x in S union T => x in S",
    "Ann > Bob, Cid > Bob => Ann > Cid",
    "2*x + 3 = 11 => 2*x = 9",
    "x + y = 10 => x = 5",
    "x >= 3 => x > 3",
    "x != 3 => x > 3",
    "x^2 - 5*x + 6 = 0 => x = 2",
    "x^2 - 5*x + 6 = 0 => x = 2 or x = 4",
    "x^2 - 5*x + 6 = 0 => x = 2 or x = 3 or x = 4",
    "x^2 = 9 => x = 3",
    "x^2 = 9 => x > 0",
    "(x - 1)*(x - 2) = 0 => x^2 - 1 = 0",
    "x^2 = 1 => false",
]

UNSUPPORTED = [
    "1 = 1 => A",
    "A => 1 = 1",
    "A, x > 3 => A",
    "all a are b, x > 3 => all a are b",
    "P1 => A",
    "A -> B => ",
    " => A",
    "A => B => C",
    "it rains, I am wet => sad",
    "x^2 = 2 => x = 1",  # roots that are not rational
    "x^2 + y^2 = 0 => x = 0",
    "x * y = 0 => x = 0 or y = 0",
    "1 / x = 2 => x = 1/2",
    "x^y = 2 => x = 1",
    "x in S + T => x in S",
    "1 < x in S => x in S",
    "x^2 = 4 or x > 3 => x > 0",
    "x^2 = 4 => sqrt(x) = 2",
    "x^2 - 3*x + 2 = 0, 1/(x - 1) > 0 => x = 2",  # a premise without a value for one of the roots
    "(1, 2) => A",
    "x = true => x = true",
    "x mod 2 = 0 => x = 0",
    "x^2 > 4 => x > 2",
    "d = 12 km => d = 12000 m",
    "x > 1 => x^2 > 1",
]


@pytest.mark.parametrize(
    ("kind", "line", "rule"),
    [(kind, line, rule) for kind, lines in VALID.items() for line, rule in lines.items()],
)
def test_valid(kind: str, line: str, rule: str) -> None:
    verdict = check(line)
    assert (verdict.status, verdict.kind, verdict.witness["rule"]) == (Status.VALID, kind, rule)


@pytest.mark.parametrize("line", INVALID)
def test_invalid(line: str) -> None:
    verdict = check(line)
    assert verdict.status is Status.INVALID
    assert verdict.kind != "none"


@pytest.mark.parametrize("line", UNSUPPORTED)
def test_unsupported(line: str) -> None:
    assert check(line).status is Status.UNSUPPORTED


TIMEOUT = [
    " and ".join(f"a{i}" for i in range(20)) + " => a0",
    ", ".join(f"all a{i} are a{i + 1}" for i in range(12)) + " => all a0 are a12",
    ", ".join(f"x{i} != y{i}" for i in range(9)) + " => x0 > y0",
    ", ".join(f"(x{i} > 1 and x{i} < 2 or x{i} > 3)" for i in range(8)) + " => x0 > 1",
    "(x + 1)^9 = 0 => x = -1",
    "x^5 * x^5 = 0 => x = 0",
    "(a + b + c + d)^6 = 0 => a = 0",
    "720720*x^4 + 7*x + 720720 = 0 => x = 1",
    "x^3 + 1000003*x + 1000001 = 0 => x = 1",
]


@pytest.mark.parametrize("line", TIMEOUT)
def test_timeout(line: str) -> None:
    assert check(line).status is Status.TIMEOUT


def test_division_by_zero_is_no_premise() -> None:
    assert check("x / 0 = 1 => x = 0").status is Status.INVALID
    assert check("x / (y - y) = 1 => x = 0").status is Status.INVALID


def test_the_witness_names_only_premises_that_are_needed() -> None:
    assert check("A, C, A -> B => B").witness["premises"] == ("A", "A -> B")
    assert check("a > b, c > d, b > e => a > e").witness["premises"] == ("a > b", "b > e")
    line = "all a are b, all b are c, no d are a => all a are c"
    assert check(line).witness["premises"] == ("all a are b", "all b are c")


def test_a_wrong_conclusion_comes_with_a_counter_model() -> None:
    assert check("A -> B, B => A").witness == {"counter_model": {"A": False, "B": True}}
    assert check("x + y = 10 => x = 5").witness["counter_model"]
    assert check("some a are b => some a are c").witness == {"counter_model": {"inhabited": [["a", "b"]]}}


def test_wrong_roots_come_with_the_right_ones() -> None:
    verdict = check("x^2 - 5*x + 6 = 0 => x = 2")
    assert verdict.expected == "x = 2 or x = 3"
    assert verdict.witness == {"counter_model": {"x": "3"}}


@pytest.mark.parametrize(
    "premises",
    ["A, not A", "x > y, y > x", "all a are b, no a are b, some a are a", "x^2 = -1", "x^2 = 4, x > 9"],
)
def test_contradictory_premises_allow_only_false(premises: str) -> None:
    assert check(f"{premises} => false").status is Status.VALID
    conclusion = {"A": "B", "x": "x = 5", "a": "all b are c"}[premises[0] if premises[0] in "Ax" else "a"]
    verdict = check(f"{premises} => {conclusion}")
    assert verdict.status is Status.INVALID
    assert verdict.witness.get("inconsistent") or verdict.expected == "false"


FACTS = Context(facts={"P1": "A -> B", "P2": "A", "P3": "just prose here", "P4": "x > 3"})


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("P1, P2 => B", "valid"),
        ("A -> B, P2 => B", "valid"),
        ("A -> B, A => B", "valid"),
        ("(A -> B), A => B", "valid"),
        ("P1, C => B", "invalid"),
        ("B => B", "invalid"),
        ("P1, P9 => B", "unsupported"),
        ("P3 => A", "unsupported"),
        ("x > 4 => x > 3", "invalid"),
        ("P4, 1 < 2 => x > 2", "valid"),
        ("P4, 2 < 1 => x > 2", "invalid"),
        ("P2, P4 => A", "unsupported"),
    ],
)
def test_grounding(line: str, status: str) -> None:
    assert check(line, FACTS).status == status


def test_an_unknown_premise_is_named() -> None:
    assert check("P1, C => B", FACTS).reason == "unknown premise C"


def test_conclusions_become_premises() -> None:
    assert [v.status.value for v in check_chain(["B => B or C", "P1, P2 => B", "B => B or C"], FACTS)] == [
        "invalid",
        "valid",
        "valid",
    ]


def test_a_wrong_conclusion_does_not_become_a_premise() -> None:
    assert [v.status.value for v in check_chain(["P1 => B", "B => B or C"], FACTS)] == ["invalid", "invalid"]


def test_names_defined_by_a_claim_may_be_premises() -> None:
    lines = ["k = 2 + 3 = 5", "P4, k = 5 => x + k > 8", "P4, k = 6 => x + k > 9"]
    assert [v.status.value for v in check_chain(lines, FACTS)] == ["valid", "valid", "invalid"]
