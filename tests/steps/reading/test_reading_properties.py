"""Numbers and formulas in other notations: reading gives back what they were made from."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import parse_statement, read_as, render_term

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
ONES += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
numbers = st.one_of(st.integers(3, 120), st.integers(3, 999_999_999))


def english(number: int, joint: str = " and ") -> str:
    """The words of a number, built from its largest part downwards."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
    for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            words = f"{english(number // size, joint)} {name}"
            return words + ((joint if rest < 100 else " ") + english(rest, joint) if rest else "")
    raise AssertionError(number)


def chinese(number: int) -> str:
    """The numeral of a number, built digit by digit with one `零` for each gap."""
    if number >= 10_000:
        upper, lower = divmod(number, 10_000)
        return chinese(upper) + "万" + (("" if lower >= 1000 else "零") + chinese(lower) if lower else "")
    text, gap = "", False
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if digit:
            text += ("零" if gap else "") + "零一二三四五六七八九"[digit] + name
            gap = False
        else:
            gap = bool(text)
    return text.removeprefix("一") if 10 <= number < 20 else text


@given(numbers, st.sampled_from([" and ", " "]))
def test_english_numbers(number: int, joint: str) -> None:
    assert read_as(f"Ann has {english(number, joint)} coins.").text == f"Ann has {number} coins."


@given(st.integers(3, 99_999_999))
def test_chinese_numbers(number: int) -> None:
    assert read_as(f"共有{chinese(number)}个苹果").text == f"共有{number}个苹果"


@given(st.integers(0, 10**15))
def test_groups_of_digits(number: int) -> None:
    assert read_as(f"Ann has {number:,} coins.").text == f"Ann has {number} coins."
    no_break = f"{number:,}".replace(",", "\u202f")
    assert read_as(f"Ann has {no_break} coins.").text == f"Ann has {number} coins."


@st.composite
def formulas(draw: st.DrawFn, depth: int = 3) -> str:
    """A formula in the notation of the step language."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(["x", "y", "2x", "7", "48", "3.5", "1/2", "gcd(24, 36)", "x^2", "sqrt(9)"]))
    operator = draw(st.sampled_from(["+", "-", "*", "/"]))
    left, right = draw(formulas(depth=depth - 1)), draw(formulas(depth=depth - 1))
    if operator in "*/":
        left, right = (part if part.isalnum() and not part[-1].isalpha() else f"({part})" for part in (left, right))
    return f"{left} {operator} {right}" if operator != "-" else f"{left} - ({right} + 1)"


def tight(text: str) -> str:
    return text.replace(" ", "")


def with_symbols(text: str) -> str:
    return text.replace("*", "×").replace(" / ", " ÷ ").replace("-", "−").replace("^2", "²")


def in_latex(text: str) -> str:
    text = text.replace("*", r"\times").replace("^2", "^{2}").replace(" / ", r" \div ")
    return "$" + text.replace("(", r"\left(").replace(")", r"\right)").replace("gcd", r"\gcd") + "$"


def wide(text: str) -> str:
    return text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})


@given(
    formulas(),
    st.sampled_from([tight, with_symbols, lambda text: tight(with_symbols(text)), in_latex, wide, str.upper]),
)
def test_formulas(formula: str, notation: Callable[[str], str]) -> None:
    statement = parse_statement(f"{formula} = y")
    if notation is str.upper:
        formula = formula.replace("x", "X").replace("y", "Y")
        statement = parse_statement(f"{formula} = Y")
    read = render_term(parse_statement(read_as(notation(f"{formula} = y")).text))
    assert read.replace(" / ", "/") == render_term(statement).replace(" / ", "/")  # `7/7` has no other tight form
