"""What is a program, and what is refused: with the line, and with what would be right."""

from __future__ import annotations

import pytest

from tuili.errors import InputError
from tuili.steps.programs import ProgramError, parse_program

DEEP = "(" * 30 + "1" + ")" * 30


@pytest.mark.parametrize(
    ("text", "line", "advice"),
    [
        ("", 1, "begin with def f"),
        ("x = 1", 1, "a program consists of functions"),
        (" def f(): pass", 1, "begin it at the left margin"),
        ("def f(a)\n  return a", 1, "write ':' before the block"),
        ("def f(a):\nreturn a", 2, "indent its statements, or write pass"),
        ("def f(a):\n\treturn 1", 2, "indent with spaces"),
        ("def f(a):\n  a = 1\n    a = 2", 3, "indent it as the line above"),
        ("def f(a):\n  if a:\n    return 1\n   return 2", 4, "use 2"),
        ("def f(a):\n  return a / 2", 2, "write // for the whole part"),
        ("def f(a):\n  return 'x'", 2, "use numbers and lists"),
        ("def f(a):\n  return 1.5", 2, "use whole numbers"),
        ("def f(a):\n  return 007", 2, "leave the zero out"),
        ("def f(a):\n  return 2x", 2, "put a sign or a space"),
        ("def f(a):\n  return " + "9" * 101, 2, "at most 100 digits"),
        ("def f(a):\n  a = 1; b = 2", 2, "on a line of its own"),
        ("def f(a):\n  x = = 2", 2, "write a number, a name, a list or a call"),
        ("def f(a):\n  return [x for x in a]", 2, "write ',' or ']'"),
        ("def f(a):\n  import os", 2, "nothing can be imported"),
        ("def f(a):\n  a.sort()", 2, "they have append and pop"),
        ("def f(a):\n  else: 3", 2, "write it under an if"),
        ("def f(a):\n  while a: pass\n  else: pass", 3, "write it under an if"),
        ("def f(a):\n  def g(): pass", 2, "at the left margin"),
        ("def f(a):\n  return (a", 2, "close it"),
        ("def f(a, a): pass", 1, "rename one"),
        ("def f(a): pass\ndef f(b): pass", 2, "give it another name"),
        ("def f(a, b=2): pass", 1, "between parameters"),
        ("def f(a):\n  break", 2, "use return"),
        ("def f(range): pass", 1, "choose another parameter"),
        ("def f(a):\n  range = 2", 2, "choose another variable"),
        ("def f(a):\n  if = 2", 2, "write a number, a name"),
        ("def f(a):\n  return a is None", 2, "write =="),
        ("def f(a):\n  return a == not a", 2, "put brackets round it"),
        ("def f(a):\n  3 = a", 2, "only a variable or an element"),
        ("def f(a):\n  a[1:2] = [3]", 2, "only a variable or an element"),
        ("def f(a):\n  a, b = 1, 2, 3", 2, "3 values for 2 variables"),
        ("def f(a):\n  return a, 1", 2, "end the line before it"),
        ("def f(a):\n  return f(a)(1)", 2, "only a name can be called"),
        ("def f(a):\n  return a[]", 2, "write a[0]"),
        ("def f(a):\n  return a[1:2:3:4]", 2, "at most three parts"),
        ("def f(a):\n  return " + DEEP, 2, "use variables"),
        ("def f(a):\n  return " + "-" * 30 + "1", 2, "use variables"),
        ("def f(a):\n  return " + "2 ** " * 30 + "1", 2, "use variables"),
        ("def f(a):\n  return " + "1 + " * 101 + "1", 2, "use several"),
        (
            "def f():\n" + "".join(" " * depth + "if 1:\n" for depth in range(1, 12)) + " " * 12 + "pass",
            12,
            "of its own",
        ),
        ("def f(): pass\n" * 400, 1, "4000 characters"),
        ("def f():\n" + " f()\n" * 600, 375, "at most 1500"),
    ],
)
def test_what_is_no_program_is_refused_with_what_would_be_right(text, line, advice):
    with pytest.raises(ProgramError) as refusal:
        parse_program(text)
    assert str(refusal.value).startswith(f"line {line}: ")
    assert advice in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert refusal.value.line == line


def test_a_refusal_is_a_mistake_of_the_caller():
    assert issubclass(ProgramError, InputError)


def test_functions_stand_in_the_order_of_the_text():
    program = parse_program("# two\ndef f(a, b):\n\n    return (a +\n  b)  # a sum\n\ndef g(): return 1\n")
    assert [(function.name, function.parameters, function.line) for function in program.functions] == [
        ("f", ("a", "b"), 2),
        ("g", (), 7),
    ]
    assert program.function("g") is program.functions[1]
    assert program.function("h") is None


def test_the_form_of_a_text_does_not_matter():
    assert parse_program("def f(a): return -a**2 + 3 * (a - 1)") == parse_program(
        "def f ( a ) : return (-(a ** 2)) + (3*(a-1))   \r\n\r\n"
    )
