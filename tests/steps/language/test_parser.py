"""Reading and printing: precedence, canonical form, what is refused as ambiguous, and the round trip."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tuili.steps import Claim, Inference, Prose, Trace, parse, render
from tuili.steps.language.grammar import KEYWORDS, WEEKDAYS
from tuili.steps.language.parser import MAX_DEPTH, MAX_OPERATORS, parse_statement
from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import (
    Binary,
    Boolean,
    Call,
    Clock,
    Collection,
    Compare,
    Day,
    Index,
    Measure,
    Month,
    Name,
    Number,
    Ratio,
    Term,
    Unary,
    WeekdayName,
)
from tuili.steps.language.units import UNITS, Unit

CANONICAL = {
    "48/2=24": "48/2 = 24",
    "48 /2= 24": "48 / 2 = 24",
    " 3*17  +5 =56": "3 * 17 + 5 = 56",
    "((3))+(4*5) = 23": "3 + 4 * 5 = 23",
    "(3 + 4) * 5 = 35": "(3 + 4) * 5 = 35",
    "1 - (2 - 3) = 2": "1 - (2 - 3) = 2",
    "(1 - 2) - 3 = -4": "1 - 2 - 3 = -4",
    "2 ^ 3 ^ 2 = 512": "2^3^2 = 512",
    "(2^3)^2 = 64": "(2^3)^2 = 64",
    "2**3 = 8": "2^3 = 8",
    "(3!)! = 720": "(3!)! = 720",
    "12 / (3/4) = 16": "12 / (3/4) = 16",
    "12 mod (-3/4) = 0": "12 mod (-3/4) = 0",
    "12 / (3/4 m) = 16 m^-1": "12 / (3/4 m) = 16 m^-1",
    "(3/4)^2 = 9/16": "(3/4)^2 = 9/16",
    "7 // 2 = 3": "7 div 2 = 3",
    "7 % 2 = 1": "7 mod 2 = 1",
    "(50)% = 1/2": "50% = 1/2",
    "2in{1,2}": "2 in {1, 2}",
    "2x+3 = 11 => 2x = 8": "2 * x + 3 = 11 => 2 * x = 8",
    "0.50 = 1/2": "0.50 = 1/2",
    "5 m*s^-2 = 5 m/s^2": "5 m/s^2 = 5 m/s^2",
    "1 J/(kg*K) = 1 J/(kg*K)": "1 J/(kg*K) = 1 J/(kg*K)",
    "9:05 = 9:05": "09:05 = 09:05",
    "{1,2} union{3}={1,2,3}": "{1, 2} union {3} = {1, 2, 3}",
    "[1,2][0]=1": "[1, 2][0] = 1",
    "(3<5)and(2>4)=false": "(3 < 5) and (2 > 4) = false",
    "i<4 = 2<4 = true": "i < 4 = 2 < 4 = true",
    "A->(B->C),A=>B->C": "A -> B -> C, A => B -> C",
    "(A->B)->C => (A or B) and C": "(A -> B) -> C => (A or B) and C",
    "not (A and B) => not A or not B": "not (A and B) => not A or not B",
    "x=2 or x=3,x>2=>x=3": "x = 2 or x = 3, x > 2 => x = 3",
    "all  a are b => some a are not b": "all a are b => some a are not b",
    "L2 :y=5*3=15": "L2: y = 5 * 3 = 15",
}

AMBIGUOUS = [
    "6 / 2x = 3",
    "6 div 2x = 3",
    "2^3x = 8",
    "2^-3x = 8",
    "3/4 ^ 2 = 9/16",
    "2 ^ 1/2 = 1",
    "2^-1/2 = 1",
    "3/4 ! = 1",
    "3/4% = 1",
    "5 m ! = 1",
    "2^3 m = 8",
    "4!=24",
    "3!! = 720",
    "3! ! = 720",
    "12 / 3/4 = 16",
    "12 div -3/4 = -16",
    "20% 50 = 10",
    "0x10 = 16",
    "0b11 = 3",
    "7%3 = 1",
    "7%(3) = 1",
    "50 % = 1/2",
    "1 < 2 in {true} = true",
    "(1, 2) = 1",
    "[1, 2][0, 1] = 1",
]


@pytest.mark.parametrize(("line", "canonical"), CANONICAL.items())
def test_canonical_printing(line: str, canonical: str) -> None:
    step = parse(line)
    assert not isinstance(step, Prose), step
    assert render(step) == canonical
    assert parse(canonical) == step


@pytest.mark.parametrize("line", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_not_read(line: str) -> None:
    assert isinstance(parse(line), Prose)


def test_the_three_kinds_of_lines() -> None:
    assert isinstance(parse("2 + 2 = 4"), Claim)
    assert isinstance(parse("A => A"), Inference)
    assert parse("L2: y = 1 = 1") == Trace("L2", parse("y = 1 = 1"))
    assert parse("free prose") == Prose("free prose", "unexpected 'prose'")
    assert render(parse("free  prose")) == "free  prose"


def test_spacing_tells_a_fraction_from_a_division() -> None:
    assert parse_statement("3/4") == Ratio(3, 4)
    assert parse_statement("3 / 4") == Binary("/", Number(Fraction(3)), Number(Fraction(4)))
    assert parse_statement("12/3/4") == parse_statement("12 / 3 / 4")


def test_an_equality_in_a_claim_binds_loosest_and_a_comparison_joins_the_chain() -> None:
    assert parse("true and false = false") == parse("(true and false) = false")
    assert parse("1 < 2 = 2 < 3") == parse("1 < 2 = 2 < 3 ")
    chain = parse("1 < 2 = 2 < 3")
    assert isinstance(chain, Claim)
    assert isinstance(chain.relation, Compare)
    assert [op for op, _ in chain.relation.rest] == ["<", "=", "<"]


def test_bounds_on_depth_and_operators() -> None:
    deepest = MAX_DEPTH - 1
    assert not isinstance(parse("(" * deepest + "1" + ")" * deepest + " = 1"), Prose)
    assert isinstance(parse("(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH + " = 1"), Prose)
    assert not isinstance(parse(" + ".join(["1"] * (MAX_OPERATORS + 1)) + " = 1"), Prose)
    assert isinstance(parse(" + ".join(["1"] * (MAX_OPERATORS + 2)) + " = 1"), Prose)


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name not in KEYWORDS)
whole = st.integers(0, 10**6)
number = st.builds(lambda n, places: Number(Fraction(n, 10**places), places), whole, st.integers(0, 4))
ratio = st.builds(Ratio, whole, whole)
unit = st.lists(st.tuples(st.sampled_from(sorted(UNITS)), st.integers(-3, 3).filter(bool)), min_size=1, max_size=3).map(
    lambda factors: Unit(tuple(sorted(factors, key=lambda factor: factor[1] < 0)))
)
month = st.builds(Month, st.integers(1000, 9999), st.integers(1, 12))
leaves: st.SearchStrategy[Term] = st.one_of(
    number,
    ratio,
    names.map(Name),
    st.booleans().map(Boolean),
    st.builds(Measure, number | ratio, unit),
    st.builds(Day, st.integers(1000, 9999), st.integers(1, 12), st.integers(1, 31)),
    st.builds(Clock, st.integers(0, 99), st.integers(0, 99), st.none() | st.integers(0, 99)),
    st.sampled_from(WEEKDAYS).map(WeekdayName),
    month.map(lambda value: Call("days_in", (value,))),
)
OPERATORS = ["+", "-", "*", "/", "^", "mod", "div", "union", "inter", "minus", "in", "subset"]
LOGIC = ["and", "or", "xor", "->", "<->"]
COMPARISONS = ["=", "==", "!=", "<", "<=", ">", ">="]


def grown(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    few = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Unary, st.sampled_from(["-", "not", "!", "%"]), inner),
        st.builds(Binary, st.sampled_from(OPERATORS + LOGIC), inner, inner),
        st.builds(
            Compare,
            inner,
            st.lists(st.tuples(st.sampled_from(COMPARISONS), inner), min_size=1, max_size=2).map(tuple),
        ),
        st.builds(Call, st.sampled_from(["gcd", "C", "sqrt", "max"]), few),
        st.builds(Collection, st.sampled_from(["{}", "[]"]), few),
        st.builds(Index, inner, inner),
    )


terms = st.recursive(leaves, grown, max_leaves=10)


@settings(max_examples=160)
@given(terms)
@example(Binary("^", Boolean(False), Index(Ratio(0, 1), Number(Fraction(0)))))
@example(Binary("^", Boolean(False), Index(Measure(Number(Fraction(0)), Unit((("m", 1),))), Number(Fraction(0)))))
def test_every_term_reads_back_from_its_print(term: Term) -> None:
    assert parse_statement(render_term(term)) == term


@settings(max_examples=160)
@given(
    st.lists(terms, min_size=2, max_size=3),
    st.sampled_from([" = ", " < ", " != "]),
    st.sampled_from(["", "L1: "]),
)
def test_every_line_reads_back_from_its_print(parts: list[Term], relation: str, label: str) -> None:
    for line in (
        label + relation.join(map(render_term, parts)),
        label + relation.join(f"({render_term(p)})" for p in parts),
    ):
        step = parse(line)
        assert parse(render(step)) == step
    inference = ", ".join(map(render_term, parts[1:])) + " => " + render_term(parts[0])
    step = parse(inference)
    assert isinstance(step, Inference)
    assert parse(render(step)) == step
