"""What programs mean: as in Python, within bounds."""

from __future__ import annotations

import pytest

from tuili.steps.programs import Bounds, Fault, FaultKind, parse_program, run, same_value


def value(text: str, *arguments, **options):
    return run(parse_program(text), list(arguments), **options)


def expression(text: str, *arguments):
    names = ", ".join("abc"[: len(arguments)])
    return value(f"def f({names}): return {text}", *arguments)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("7 // 2", 3), ("-7 // 2", -4), ("-7 % 3", 2), ("7 % -3", -2), ("2 ** 10", 1024), ("-2 ** 2", -4),
        ("2 ** 3 ** 2", 512), ("0 ** 0", 1), ("1 - 2 - 3", -4), ("2 + 3 * 4 % 5", 4), ("-(-3)", 3), ("+True", 1),
        ("True + True", 2), ("1 < 2 < 3", True), ("3 > 2 > 2", False), ("1 < 0 < 1 // 0", False),
        ("1 == True", True), ("not 0", True), ("not [1]", False), ("0 or 5", 5), ("2 and 0 or 7", 7),
        ("1 or 1 // 0", 1), ("0 and 1 // 0", 0), ("not 1 == 2", True), ("3 if 2 > 1 else 1 // 0", 3),
        ("1 if 0 else 2 if 0 else 3", 3),
        ("[1, 2] + [3]", [1, 2, 3]), ("[1, 2] * 2", [1, 2, 1, 2]), ("-1 * [1]", []), ("[4, 5, 6][-1]", 6),
        ("[4, 5, 6][1:]", [5, 6]), ("[4, 5, 6][::-1]", [6, 5, 4]), ("[4, 5, 6][:-1]", [4, 5]), ("[4, 5][9:]", []),
        ("2 in [1, 2]", True), ("2 not in [1, 2]", False), ("[1, 2] < [1, 3]", True), ("[] == []", True),
        ("len([1, 2])", 2), ("abs(-3)", 3), ("min(3, 2)", 2), ("max([1, 5, 2])", 5), ("sum([1, 2])", 3), ("sum([])", 0),
        ("sorted([3, 1, 2])", [1, 2, 3]), ("None == 0", False), ("None", None), ("[1].append(2)", None),
        ("[1, 2].pop()", 2), ("[1, 2, 3].pop(0)", 1), ("max(True, 1)", True),
    ],
)  # fmt: skip
def test_expressions_have_the_values_of_python(text, right):
    assert same_value(expression(text), right)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 // 0", "ZeroDivisionError"), ("1 % 0", "ZeroDivisionError"), ("0 ** -1", "ZeroDivisionError"),
        ("[1][1]", "IndexError"), ("[][-1]", "IndexError"), ("[].pop()", "IndexError"), ("1 + [1]", "TypeError"),
        ("[1] + 1", "TypeError"), ("-[1]", "TypeError"), ("1 < [1]", "TypeError"), ("1 in 2", "TypeError"),
        ("3[0]", "TypeError"), ("[1][[0]]", "TypeError"), ("len(3)", "TypeError"), ("len()", "TypeError"),
        ("max(3)", "TypeError"), ("max([])", "ValueError"), ("None + 1", "TypeError"), ("None < 1", "TypeError"),
        ("[1][::0]", "ValueError"), ("a.append(1)", "NameError"), ("3 .append(1)", "AttributeError"),
        ("g(1 // 0)", "NameError"), ("f(1)", "TypeError"), ("[1].append()", "TypeError"), ("[1] * [2]", "TypeError"),
    ],
)  # fmt: skip
def test_what_python_refuses_is_an_error_of_the_same_name(text, error):
    fault = expression(text)
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.error, fault.line) == (FaultKind.ERROR, error, 1)


@pytest.mark.parametrize("text", ["2 ** -1", "[[1]]", "[None]", "f", "len", "print(1)", "sum([1], 2)", "sum(range(3))"])
def test_what_only_python_can_do_is_unsupported(text):
    assert expression(text).kind is FaultKind.UNSUPPORTED


def test_statements_do_what_they_do_in_python():
    program = """
def f(xs, k):
    n, m = 0, [0]
    for x in xs:
        if x == 9:
            break
        elif x % k:
            continue
        elif x > 100: n -= 1
        else:
            n += x
            m[0] += 1
    while n > 50:
        n //= 2
        if n < 60:
            pass
    for i in range(1, 10, 4):
        m.append(i)
    for i in range(0): n = -1
    return [n, i] + m
"""
    assert value(program, [4, 7, 60, 200, 9, 8], 2) == [31, 9, 2, 1, 5, 9]


def test_a_list_is_shared_and_grows_while_a_loop_goes_over_it():
    assert value("def f(a):\n  b = a\n  b += [3]\n  b[0] *= 5\n  return a", [1, 2]) == [5, 2, 3]
    assert value("def f(a):\n  b = a\n  b = b + [3]\n  return a", [1, 2]) == [1, 2]
    assert value("def f(a):\n  for x in a:\n    if x < 4: a.append(x + 1)\n  return a", [1]) == [1, 2, 3, 4]


def test_the_lists_of_the_caller_do_not_change():
    given = [1, 2]
    assert value("def f(a):\n  a.pop()\n  return a", given) == [1]
    assert given == [1, 2]


def test_a_swap_takes_both_values_first():
    assert value("def f(a, b):\n  a, b = b, a\n  return [a, b]", 1, 2) == [2, 1]
    assert value("def f(a):\n  a[0], a[1] = a[1], a[0]\n  return a", [1, 2]) == [2, 1]


def test_functions_call_each_other():
    program = "def even(n):\n  return n == 0 or odd(n - 1)\ndef odd(n):\n  return n != 0 and even(n - 1)"
    assert value(program, 7) is True
    assert value(program, 7, function="even") is False
    assert value("def f(n): return 1 if n < 2 else n * f(n - 1)", 10) == 3628800
    assert value("def f():\n  g()\ndef g(): return 3", function="f") is None
    assert value("def f(): pass", function="h").error == "NameError"


def test_a_variable_belongs_to_its_function():
    assert value("def g():\n  x = 5\ndef f():\n  g()\n  return x").error == "NameError"
    assert value("def f(a):\n  if a: x = 1\n  return x", 0).error == "UnboundLocalError"
    assert value("def f(a):\n  x = len\n  len = 1", 0).error == "UnboundLocalError"
    assert value("def f(len): return len([1])", 0).error == "TypeError"


def test_a_fault_names_the_line():
    fault = value("def f(a):\n  b = 1\n  return (b +\n    a[2])", [1])
    assert str(fault) == "line 4: IndexError: list index out of range"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(a):\n  while True: pass", "20000 steps"),
        ("def f(a):\n  while True: a = sorted([1] * 1000)", "20000 steps"),
        ("def f(a):\n  while True: a = a * a + 1", "2048 bits"),
        ("def f(a): return 9 ** 9 ** 9", "2048 bits"),
        ("def f(a): return [1] * 10 ** 9", "1000 elements"),
        ("def f(a):\n  a = [1]\n  while True: a += a", "1000 elements"),
        ("def f(a):\n  b = [1]\n  for x in b: b.append(x)", "1000 elements"),
        ("def f(a): return f(a)", "100 calls"),
    ],
)
def test_every_run_is_bounded(text, reason):
    fault = value(text, 3)
    assert fault.kind is FaultKind.LIMIT
    assert reason in fault.reason


def test_the_bounds_are_those_that_are_given():
    program = "def f(n):\n  s = 0\n  for i in range(n): s += i\n  return s"
    assert value(program, 100, bounds=Bounds(steps=100)).kind is FaultKind.LIMIT
    assert value(program, 100, bounds=Bounds(steps=1000)) == 4950


def test_deep_calls_do_not_need_the_stack_of_python():
    deep = "def f(n): return 0 if n == 0 else 1 + (1 + (1 + (1 + (1 + f(n - 1)))))"
    assert value(deep, 3000, bounds=Bounds(depth=5000, steps=200_000)) == 15000


def test_operations_are_told_as_they_were():
    told = []
    program = "def f(a):\n  a += [2]\n  for i in range(3, 5): a[0] *= i\n  return a"
    run(parse_program(program), [[1]], observe=told.append)
    assert [(operation.sign, operation.operands, operation.value, operation.line) for operation in told] == [
        ("+", ([1], [2]), [1, 2], 2),
        ("[]", ([1, 2], 0), 1, 3),
        ("*", (1, 3), 3, 3),
        ("next", (3, 1), 4, 3),
        ("[]", ([3, 2], 0), 3, 3),
        ("*", (3, 4), 12, 3),
    ]
