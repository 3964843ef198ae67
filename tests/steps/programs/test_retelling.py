"""A run told in the step language: the checker decides every line."""

from __future__ import annotations

from tuili.steps import Status, check_chain
from tuili.steps.programs import parse_program, retell

EVERYTHING = """
def g(a): return -a if a < 0 else a

def f(xs, k):
    best = xs[0]
    out = []
    for x in xs[1:]:
        if x > best and x % k != 0 or not x:
            best = max(best, x)
        out.append(g(x) - -3)
    for i in range(4, 0, -2):
        out[0] += i ** 2
    ok = 3 in out
    return [best // k, sum(out), len(out), abs(-k), min([5, best]), ok + 1] + out + sorted(out) + [True]
"""


def test_every_line_is_valid():
    lines = retell(parse_program(EVERYTHING), [[2, -5, 9, 4], 2])
    verdicts = check_chain(lines)
    assert [line for line, verdict in zip(lines, verdicts, strict=True) if verdict.status is not Status.VALID] == []


def test_the_lines_of_a_loop():
    program = parse_program("def f(n):\n  p = 1\n  for i in range(1, n + 1): p *= i\n  return p")
    assert retell(program, [3]) == ("3 + 1 = 4", "1 * 1 = 1", "1 + 1 = 2", "1 * 2 = 2", "2 + 1 = 3", "2 * 3 = 6")


def test_lists_and_comparisons():
    program = parse_program("def f(xs, k):\n  ys = []\n  if xs[0] <= k: ys.append(xs[0])\n  return ys")
    assert retell(program, [[3, 4], 5]) == ("[3, 4][0] = 3", "3 <= 5 = true", "[3, 4][0] = 3", "[] + [3] = [3]")


def test_what_the_step_language_cannot_say_is_left_out():
    assert retell(parse_program("def f(a): return [sorted(a) == [], a[-1], [1] * 2, True + 1, not 1]"), [[1]]) == (
        "[1] == [] = false",
    )
