"""Programs that are meant to take long or much: how much time and memory a verdict on one takes."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator

from tuili.steps import programs

_BODIES = (
    "while True: pass",
    "while True: a += 1",
    "while True: a = a * a + 7",
    "return 9 ** 9 ** 9 ** 9",
    "return [1] * 10 ** 12",
    "xs = [1]\n  while True: xs += xs",
    "xs = [1] * 1000\n  while True: sorted(xs)",
    "xs = [1] * 1000\n  while True: xs == xs",
    "xs = [1] * 1000\n  while True: ys = xs + []",
    "xs = [2 ** 2000] * 1000\n  while True: sum(xs)",
    "xs = [0] * 1000\n  while True: xs.pop(0)\n  xs.append(1)",
    "xs = [1]\n  for x in xs: xs.append(x)",
    "return f(a) + f(a)",
    "return f(a + 1)",
    "for i in range(10 ** 30): pass",
    "for i in range(10 ** 9):\n    for j in range(10 ** 9): a += j",
    "return " + "(" * 400 + "a" + ")" * 400,
    "return " + "-" * 400 + "a",
    "return " + " + ".join(["a"] * 600),
    "return " + "a if a else " * 300 + "a",
    "return [" + ", ".join(["a"] * 700) + "]",
    "x = " + "9" * 3000,
    "if a: pass\n" + "  elif a: pass\n" * 250,
    "return a" + "[0]" * 600,
    "\n".join("  " + " " * depth + "if a:" for depth in range(90)),
    "xs = [2 ** 1000]\n  while True: xs = xs * 2",
    "xs = []\n  while True: xs.append(3 ** 1000 + len(xs))",
)


def hostile_programs() -> Iterator[str]:
    """Each body in a function of its own; each also in a function that is called by another."""
    for body in _BODIES:
        yield f"def f(a):\n  {body}"
        yield f"def g(a):\n  {body.replace('f(', 'g(')}\n\ndef f(a):\n  return [g(a)] + [g(a)]"


def time_and_memory() -> tuple[list[float], list[float]]:
    """Milliseconds of processor time and MiB of memory that each verdict takes."""
    inputs = tuple((number,) for number in range(1000))
    wanted = programs.Specification("f", hidden=inputs, reference="def f(a): return a")
    milliseconds, mebibytes = [], []
    for text in hostile_programs():
        programs.parse_program.cache_clear()
        start = time.process_time()
        programs.decide(text, wanted)
        milliseconds.append((time.process_time() - start) * 1e3)
        programs.parse_program.cache_clear()
        tracemalloc.start()
        programs.decide(text, wanted)
        mebibytes.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
    return milliseconds, mebibytes
