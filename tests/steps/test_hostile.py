"""Input meant to hurt: answered, never raised, within bounds of work and memory, and never called valid.

Work is counted in calls of functions: 250,000 take some 40 ms of CPU time on an idle core of 2024.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counting import count_calls
from tuili.steps import Context, Status, Value, check, check_chain, parse, render, split_response
from tuili.steps.theories import interpreter

CALLS = 250_000
SECONDS = 5.0
"""CPU time that not even a busy machine needs. It catches what is long without many calls, such as huge numbers."""
BYTES = 64_000_000
NINES = "9" * 590

LINES = {
    "a megabyte of digits": "1" * 1_000_000 + " = 1",
    "a megabyte of brackets": "(" * 1_000_000,
    "a megabyte of letters": "a" * 1_000_000,
    "a megabyte of accents": "é" * 1_000_000,
    "a tower of powers": "9**9**9**9 = 1",
    "another tower of powers": "9^9^9^9 = 1",
    "a large negative power": "2^-99999999999 = 0",
    "a power of a power": "((9^99)^99)^99 = 1",
    "a large factorial": "100000! = 1",
    "a tower of factorials": "(((3!)!)!)! = 1",
    "a large binomial": "C(10^9, 5*10^8) = 1",
    "large arrangements": "P(10^9, 10^8) = 1",
    "nested brackets": "(" * 900 + "1" + ")" * 900 + " = 1",
    "minus signs": "-" * 1900 + "1 = -1",
    "negations": "not " * 400 + "true = true",
    "Unicode digits": "４８ / ２ = ２４",
    "superscripts": "2² = 4",
    "NaN": "NaN = NaN = NaN",
    "infinity": "inf + 1 = inf",
    "a long decimal": "0." + "1" * 1900 + " = 1",
    "a product of long decimals": f"0.{NINES} * 0.{NINES} = 1",
    "a product of long integers": f"{NINES} * {NINES} * {NINES} = 1",
    "long fractions": " + ".join(f"1/{10**15 + 2 * i + 1}" for i in range(80)) + " = 1",
    "many roots": " + ".join("(9^600)^(1/3)" for _ in range(40)) + " = 1",
    "a root of high degree": "7^(1/2047) = 1",
    "a large unit power": "(1 m)^1000000000 = 1 m",
    "a long unit": "1 GWh^99*GWh^99*GWh^99*GWh^99*GWh^99*GWh^99 = 1",
    "a long compound unit": "1 J/(" + "*".join(["kg"] * 250) + ") = 1",
    "forty atoms": " and ".join(f"atom{i}" for i in range(40)) + " => atom0x",
    "a dense formula": ", ".join(f"(a{i % 14} xor a{(5 * i + 1) % 14})" for i in range(50)) + " => a0",
    "forty classes": ", ".join(f"all a{i} are a{i + 1}" for i in range(40)) + " => all a39 are a0",
    "nested sums": "sum(sum(sum(i*j*k for i from 1 to 150) for j from 1 to 150) for k from 1 to 150) = 1",
    "nested sums for all": f"for all integers n >= 1: {'sum(' * 3}a*b*c"
    f"{''.join(f' for {v} from 1 to 15)' for v in 'abc')} = n",
    "a long sum": "n = 10^9: sum(k for k from 1 to n) = 1",
    "a large power for all": "for all a, b, c, d: (a + b + c + d)^8 = 0",
    "a tower of equations": f"for all {', '.join(f'a{i}' for i in range(30))}: "
    f"{' and '.join(f'a{i} = a{i + 1}*a{i + 1}' for i in range(29))} -> a0 = a1*a2",
    "many products for all": f"for all {', '.join(f'a{i}' for i in range(60))}: "
    f"{' + '.join(f'a{i}*a{i * 7 % 60}' for i in range(55))} >= 0",
    "a power of a long number": f"for all a, b: (a + {NINES}*b)^8 = 0",
    "many inequalities": ", ".join(f"x{i % 9} - x{(7 * i + 1) % 9} <= {i}" for i in range(58)) + " => x0 < x1",
    "dense inequalities": ", ".join(
        " + ".join(f"{(i * j) % 7 + 1} * x{j}" for j in range(5)) + f" < {i}" for i in range(9)
    )
    + " => x0 < x1",
    "many cases": " <-> ".join(["x > 3"] * 40) + " => x > 2",
    "a polynomial of high degree": "(x + 1)^8 * (x + 2)^8 = 0 => x = 1",
    "a polynomial of many terms": "(a + b + c + d)^8 = 0 => a = 1",
    "many candidate roots": "720720*x^4 + 7*x + 720720 = 0 => x = 1",
    "large coefficients": f"x^8 + {NINES[:60]}*x^7 + {NINES[:50]} = 0 => x^7 + {NINES[:70]}*x + 1 = 0",
    "a large set": "{" + ", ".join(map(str, range(290))) + "} = {1}",
    "a far date": "9999-12-31 + 999999999999999 day = 2024-01-01",
    "a far weekday": "Monday + " + "9" * 500 + " day = Monday",
    "a large least multiple": "lcm(" + ", ".join(str(10**9 + 7 + 2 * i) for i in range(110)) + ") = 1",
    "colons": ":" * 1000,
    "equals signs": "=" * 1000,
    "arrows": "=> " * 300,
    "nothing": "",
    "null characters": "\x00" * 100,
    "two lines": "1 = 1\n1 = 1",
}

PROGRAMS = {
    "an endless loop": {"L1": "x = 1", "L2": "while true: x = x + 1"},
    "a doubling list": {"L1": "x = [1]", "L2": "while true: x = x + x"},
    "a nesting list": {"L1": "x = [1]", "L2": "while true: x = [x]"},
    "a squaring loop": {"L1": "x = 2", "L2": "while true: x = x * x"},
    "a long range": {"L1": "for i in range(0, 10^600): x = i"},
    "nested ranges": {"L1": "for i in range(0, 10^6): for j in range(0, 10^6): for k in range(0, 10^6): x = i"},
    "an idle loop": {"L1": "while true: if false: x = 1"},
    "empty inner loops": {"L1": "for i in range(0, 10^9): for j in range(0, 0): x = 1"},
    "sums of a list": {
        "L1": f"x = [{', '.join(f'1/{3**i}' for i in range(60))}]",
        "L2": "y = x + x + x",
        "L3": "while true: x = [sum(y), sum(y)]",
    },
    "choices": {"L1": "while true: x = " + " + ".join(["C(2040, 999)"] * 80)},
    "roots": {"L1": "while true: x = " + " + ".join(["(9^600)^(1/64)"] * 80)},
    "large numbers": {"L1": "while true: x = " + " + ".join(["9^600 / 7^600"] * 35)},
}


BIG = [Fraction(7**700 + i, 3**600) for i in range(190)]
KNOWN: dict[str, Value] = {"A": tuple(BIG), "B": tuple(BIG[1:]), "S": frozenset(BIG)}
CROWDED = {
    "sums": "[" + ", ".join(["sum(A)"] * 118) + "] = [1]",
    "a chain of sums": " = ".join(["sum(A)"] * 100) + " = 1",
    "extremes": " + ".join(["max(A)"] * 110) + " = 1",
    "a chain of lists": "=".join(["A", "B"] * 140),
    "unions": " union ".join(["S"] * 120) + " = {1}",
    "premises": ", ".join(["sum(A) = 1"] * 80) + " => false",
    "choices": " = ".join(["C(2040, 999)"] * 75) + " = 1",
}
FACTS = {
    "reverse order": "\n".join(f"P{i}: a{i} = 7^700/3^600 + 5^400 + a{i + 1}" for i in range(200)),
    "one name": "\n".join(f"P{i}: a = 7^700/3^600 + 5^400 + a{i + 1}" for i in range(200)),
    "in order": "\n".join(f"P{i}: a{i} = " + "C(2040, 999)+" * 7 + "1" for i in range(190)),
    "roots": "\n".join(f"P{i}: a{i} = " + "(9^600)^(1/64)+" * 5 + "1" for i in range(190)),
    "sums": "\n".join(f"P{i}: x{i} = x{i - 1}" + "+x1" * 25 for i in range(2, 200)) + "\nP1: x1 = 7^700/3^600",
}


def labelled(*facts: str) -> dict[str, str]:
    return {f"P{i}": fact for i, fact in enumerate(facts, 1)}


EVERY = ", ".join(f"P{i}" for i in range(1, 190))
POWERS = labelled(*("+".join(["(a+b+c)^5"] * 4) + f"-4*(a+b+c)^5+a = {i}" for i in range(189)))
SQUARES = " or ".join(f"x^2={i * i}" for i in range(1, 31))
ALGEBRA = {
    "powers among facts": ("a = 5", POWERS),
    "powers among premises": (f"{EVERY} => a = 5", POWERS),
    "powers of large fractions": (
        "a = 5",
        labelled(*(f"(7^90/3^90*a+5^90/11^90*b+13^90/17^90*c+d)^5+a = {i}" for i in range(180))),
    ),
    "long products": ("a = 5", labelled(*("a" + "*1" * 100 + f" = {i}" for i in range(90)))),
    "a premise again and again": (
        "P1" + ", P2" * 290 + " => x > 0 or x < 0",
        labelled(SQUARES, " or ".join(["x=x"] * 60)),
    ),
    "many roots for many premises": (
        f"{EVERY} => x > 0 or x < 0",
        labelled(SQUARES, *[" or ".join(["x=x"] * 25)] * 188),
    ),
}


def assert_little_work(work: Callable[[], object]) -> None:
    start = time.process_time()
    assert count_calls(work) < CALLS
    assert time.process_time() - start < SECONDS


def measured(line: str, context: Context | None = None) -> Status:
    """The verdict's status, once its memory and its work were found within bounds."""

    def fresh() -> Status:
        interpreter.execution.cache_clear()
        return check(line, context and replace(context)).status

    tracemalloc.start()
    status = fresh()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < BYTES
    assert_little_work(fresh)
    return status


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_hostile_lines(line: str) -> None:
    assert measured(line) is not Status.VALID
    assert parse(render(parse(line))) == parse(line)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_hostile_programs(program: dict[str, str]) -> None:
    context = Context(program=program, events=100_000)
    assert measured("L2: x = 1 + 1 = 2", context) in (Status.TIMEOUT, Status.UNSUPPORTED)


@pytest.mark.parametrize("line", CROWDED.values(), ids=CROWDED)
def test_hostile_lines_about_large_lists(line: str) -> None:
    assert measured(line, Context(names=KNOWN)) is not Status.VALID


@pytest.mark.parametrize("prompt", FACTS.values(), ids=FACTS)
def test_hostile_facts(prompt: str) -> None:
    context = Context.from_prompt(prompt)
    assert len(context.facts) > 100
    assert measured("x + a0 = 1", context) is not Status.VALID


@pytest.mark.parametrize(("line", "facts"), ALGEBRA.values(), ids=ALGEBRA)
def test_hostile_algebra(line: str, facts: dict[str, str]) -> None:
    assert measured(line, Context(facts=facts)) is Status.TIMEOUT


def test_the_runs_that_are_kept_are_small() -> None:
    assigned = {f"L{i}": f"x{i} = {i}" for i in range(189)}
    interpreter.execution.cache_clear()
    tracemalloc.start()
    for number in range(16):
        program = {**assigned, "L189": f"while true: x = {number}"}
        check("L189: x = 1", Context(program=program, events=100_000))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < BYTES / 4


def test_a_hostile_prompt() -> None:
    entries = "".join(f"P{i}: A -> B. L{i}: x = 2^9^9^9\n" for i in range(1, 40_000))

    def read() -> None:
        context = Context.from_prompt(entries + "P2: " * 40_000)
        assert len(context.facts) == 100
        assert check("P1, A => B", context).status is Status.UNSUPPORTED

    assert_little_work(read)


@pytest.mark.parametrize("piece", ["三", "几", "已知x", "x = 3，则", "三1", "a三", "若x = 3，"])
def test_a_prompt_of_one_piece(piece: str) -> None:
    assert_little_work(lambda: [Context.from_prompt((20_000 // len(piece)) * piece) for _ in range(4)])


anything = st.text(max_size=80) | st.text(alphabet=" 0123456789xyAB=<>+-*/^!%(){}[],:.->notadrPL", max_size=60)
pieces = st.lists(
    st.sampled_from(
        [
            "1",
            "2",
            "0",
            "3/4",
            "0.5",
            "x",
            "y",
            "A",
            "B",
            "P1",
            "L1:",
            "(",
            ")",
            "{",
            "}",
            "[",
            "]",
            ",",
            "=",
            "=>",
            "<",
            ">",
            "<=",
            "!=",
            "+",
            "-",
            "*",
            "/",
            "^",
            "!",
            "%",
            "mod",
            "div",
            "not",
            "and",
            "or",
            "->",
            "<->",
            "in",
            "subset",
            "union",
            "true",
            "false",
            "3",
            "kg",
            "m/s",
            "14:30",
            "2024-02-30",
            "Monday",
            "all",
            "no",
            "some",
            "are",
            "gcd(",
            "sqrt(",
            "C(",
            "days_in(",
            "2024-02",
        ]
    ),
    max_size=14,
)
CONTEXTS = [
    None,
    Context(facts={"P1": "A -> B", "P2": "x + y = 3", "P3": "x^2 = 4", "P4": "???", "P5": "y = 1 / 0"}),
    Context(program={"L1": "x = 1", "L2": "while x < 3: x += 1", "L3": "y = 1 / 0"}),
]


@settings(max_examples=200)
@given(anything | pieces.map(" ".join) | pieces.map("".join), st.sampled_from(CONTEXTS))
def test_no_text_whatever_raises(text: str, context: Context | None) -> None:
    verdict = check(text, context)
    assert verdict.status in Status
    assert verdict.reason or verdict.status is Status.VALID
    assert parse(render(parse(text))) == parse(text)
    check_chain([text, text], context)
    Context.from_prompt(text)
    split_response(text)


def test_deep_callers_are_answered_too() -> None:
    line = " + ".join(["1"] * 120) + " = 1"

    def descend(levels: int) -> Status:
        return check(line).status if not levels else descend(levels - 1)

    assert descend(300) is Status.INVALID
