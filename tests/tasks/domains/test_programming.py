"""Programming: specifications that a twin in Python meets, programs that are right however they are written."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.tasks.short_forms import short_problem
from tests.tasks.wordings.reading_back import ReadClause, every_form, read_back
from tuili.steps import Status, check_chain, programs, trace_numbers
from tuili.tasks import LEVELS, Problem, generate, mutate, score
from tuili.tasks.building.program_families import program_families
from tuili.tasks.domains.programming import Programming


def is_prime(n: int) -> bool:
    return n > 1 and all(n % i for i in range(2, n))


def digits(n: int, base: int = 10) -> list[int]:
    return [] if n == 0 else [n % base, *digits(n // base, base)]


def fibonacci(n: int, c: int, d: int) -> int:
    return c if n == 0 else fibonacci(n - 1, d, c + d)


def until(n: int, stop: Callable[[int], bool], change: Callable[[int], int]) -> int:
    return 0 if stop(n) else 1 + until(change(n), stop, change)


def longest_run(xs: list[int], c: int) -> int:
    text = "".join("x" if x == c else " " for x in xs)
    return max(map(len, text.split(" ")))


TWINS: dict[str, Callable[..., object]] = {
    "linear": lambda n, c, d: c * n + d,
    "weighted_sum": lambda a, b, c: a + c * b,
    "weighted_difference": lambda a, b, c: c * a - b,
    "square_plus": lambda n, d: n**2 + d,
    "remainder_plus": lambda n, c, d: math.fmod(n, c) + d,
    "quotient_plus": lambda n, c, d: math.floor(n / c) + d,
    "divisible": lambda n, c: math.gcd(n, c) == c,
    "shared_sum": lambda a, b, c: math.floor((a + b) / c),
    "sum_times": lambda a, b, c: c * a + c * b,
    "within": lambda n, c, d: n in range(c, d + 1),
    "product_minus": lambda a, b, d: sum([a] * b) - d,
    "two_digits": lambda n, c: sum(map(int, str(n))) + c,
    "distance": lambda a, b, c: c * abs(a - b),
    "larger_plus": lambda a, b, c: max(a, b) + c,
    "smaller_times": lambda a, b, c: c * min(a, b),
    "clamp": lambda n, c, d: sorted((n, c, d))[1],
    "absolute_plus": lambda n, c, d: c * abs(n) + d,
    "smallest_of_three": lambda a, b, m, c: min(a, b, m) + c,
    "two_rates": lambda n, c, d, e: sum(c if i < d else e for i in range(n)),
    "compared": lambda n, c: (n > c) - (n < c),
    "by_parity": lambda n, c, d: c * n + d if n % 2 else n // 2,
    "rounded_up": lambda n, c: math.ceil(n / c) * c,
    "graded": lambda n, c, d: (n >= c) + (n >= d),
    "either_divides": lambda n, c, d: n if 0 in (n % c, n % d) else 0,
    "sum_plus": lambda xs, c: c + sum(xs),
    "largest_times": lambda xs, c: c * max(xs),
    "smallest_plus": lambda xs, c: min(xs) + c,
    "count_multiples": lambda xs, c: [x % c for x in xs].count(0),
    "count_greater": lambda xs, c: len([x for x in xs if x > c]),
    "count_between": lambda xs, c, d: len([x for x in xs if x in range(c, d + 1)]),
    "sum_multiples": lambda xs, c: sum(x for x in xs if not x % c),
    "sum_from": lambda n, c: n * (n + 1) // 2 - c * (c - 1) // 2,
    "product_from": lambda n, c: math.factorial(n) // math.factorial(c - 1),
    "power": lambda n, c, d: d * c**n,
    "position": lambda xs, c: xs.index(c) if c in xs else -1,
    "digit_sum_plus": lambda n, c: sum(map(int, str(n))) + c,
    "reversed_with": lambda xs, c: [*xs[::-1], c],
    "running_sums": lambda xs, c: [c + sum(xs[: i + 1]) for i in range(len(xs))],
    "gcd_times": lambda a, b, c: c * math.gcd(a, b),
    "sequence": fibonacci,
    "prime": lambda n, c: is_prime(n + c),
    "each_linear": lambda xs, c, d: [c * x + d for x in xs],
    "those_greater": lambda xs, c: [x for x in xs if x > c],
    "those_divisible": lambda xs, c: [x for x in xs if not x % c],
    "second_largest": lambda xs, c: sorted(xs)[-2] + c,
    "halvings": lambda n, c: until(n, lambda m: m <= c, lambda m: m >> 1),
    "digits_backwards": lambda n, c: int(str(n)[::-1]) + c,
    "neighbour_differences": lambda xs, c: [c * b - c * a for a, b in pairwise(xs)],
    "multiples": lambda n, c, d: list(range(d, d + n * c, c)),
    "common_multiple": lambda a, b, c: math.lcm(a, b, c),
    "prime_count": lambda n, c: sum(map(is_prime, range(n, n + c))),
    "sorted_with": lambda xs, c: sorted([*xs, c]),
    "pairs": lambda xs, c: sum(xs[i] + xs[j] == c for i in range(len(xs)) for j in range(i + 1, len(xs))),
    "longest_run": lambda xs, c, d: d * longest_run(xs, c),
    "different_times": lambda xs, c: c * len(set(xs)),
    "digits_in_base": lambda n, c: digits(n, c),
    "value_in_base": lambda xs, c, d: sum(x * c**i for i, x in enumerate(reversed(xs))) + d,
    "divisor_sum": lambda n, c: c + sum(i for i in range(1, n + 1) if math.gcd(i, n) == i),
    "all_digit_sums": lambda xs, c: c + sum(map(int, "".join(map(str, xs)))) if xs else c,
    "repeated_rule": lambda n, c, d, e: d * c**n + e * (c**n - 1) // (c - 1),
    "largest_gap": lambda xs, c: max([c, *(abs(a - b) for a, b in pairwise(xs))]),
    "collatz": lambda n, c: c + until(n, lambda m: m == 1, lambda m: 3 * m + 1 if m % 2 else m // 2),
    "sum_of_products": lambda xs, ys, c: c + sum(x * y for x, y in zip(xs, ys, strict=True)),
    "in_both": lambda xs, ys, c: [x for x in xs if x > c and x in ys],
}


def twin(problem: Problem) -> Callable[..., object]:
    """What the words of a prompt ask for, in Python."""
    task = read_back(problem)["task"]
    assert isinstance(task, ReadClause)
    constants = {name: int(str(value)) for name, value in task.slots.items() if re.fullmatch(r"\d+", str(value))}
    return lambda *arguments: TWINS[task.kind](*arguments, **constants)


def problems(level: int, count: int) -> list[Problem]:
    return [short_problem("programming", 6, index, level) for index in range(count)]


def test_there_are_forty_families_and_each_has_a_twin():
    families = Counter(family.level for family in program_families())
    assert families.total() >= 40
    assert set(families) == set(LEVELS)
    assert {family.name for family in program_families()} == TWINS.keys()


@pytest.mark.parametrize("level", LEVELS)
def test_the_twin_agrees_with_the_program_in_every_case(level):
    for problem in problems(level, 60):
        right = twin(problem)
        for case in problem.specification.cases():
            assert right(*case.arguments) == case.value, (problem.prompt, case)


def test_the_twin_reads_every_wording():
    for place, (language, form) in enumerate(every_form("programming")):
        problem = generate("programming", 8, place, 1 + place % 5, language=language, form=form.id)
        right = twin(problem)
        assert all(right(*case.arguments) == case.value for case in problem.specification.cases()), problem.prompt


def test_a_prompt_tells_the_examples_and_nothing_hidden():
    for level in LEVELS:
        for problem in problems(level, 20):
            told = re.findall(r"\w+\(.*?\) = ", problem.prompt)
            assert len(told) == len(problem.specification.examples) == 2
            for case in problem.specification.examples:
                assert f"{problem.specification.function}{case}" in problem.prompt


def test_every_number_of_a_step_is_traced():
    for level in LEVELS:
        for problem in problems(level, 30):
            assert all(step.traced for step in trace_numbers(problem.prompt, problem.steps).steps), problem.prompt


def test_any_right_program_scores():
    problem = next(p for p in problems(3, 200) if "r += x\n  return r" in p.answer and "if" not in p.answer)
    function = problem.specification.function
    (start,) = re.findall(r"r = (\d+)", problem.answer)
    for program, right in (
        (f"def {function}(a):\n    return sum(a) + {start}", 1.0),
        (
            f"def {function}(a):\n  i = len(a)\n  s = {start}\n  while i > 0:\n    i -= 1\n    s += a[i]\n  return s",
            1.0,
        ),
        (f"def {function}(a): return {start} if a == [] else a[0] + {function}(a[1:])", 1.0),
        (f"def {function}(a):\n    return sum(a)", 0.0),
        (f"def {function}(a):\n    return sum(a[:4]) + {start}", 0.0),
        (f"def {function}(a):\n    while True: pass", 0.0),
        (f"def g{function}(a):\n    return sum(a) + {start}", 0.0),
        ("42", 0.0),
    ):
        assert score(problem, program) == score(problem, f"<think>\n</think>{program}") == right, program


def test_programs_that_only_know_the_examples_do_not_score():
    for level in LEVELS:
        for problem in problems(level, 40):
            name, (first, second) = problem.specification.function, problem.specification.examples
            names = ["a", "b", "m"][: len(first.arguments)]
            same = " and ".join(f"{one} == {value}" for one, value in zip(names, first.arguments, strict=True))
            learnt = f"def {name}({', '.join(names)}):\n  if {same}: return {first.value}\n  return {second.value}"
            assert programs.decide(learnt, programs.Specification(name, (first, second))).right
            assert score(problem, learnt) == 0.0, problem.prompt


def test_a_constant_that_is_off_by_one_does_not_score():
    rng = random.Random(2)
    for level in LEVELS:
        wrong = 0
        for problem in problems(level, 40):
            place = rng.choice([*re.finditer(r"\b\d+\b", problem.answer)])
            changed = f"{problem.answer[: place.start()]}{int(place[0]) + 1}{problem.answer[place.end() :]}"
            wrong += score(problem, changed) == 0.0
        assert wrong >= 33, level  # the others mean the same, such as `n >= 5` and `n > 5 - 1`


def test_a_wrong_program_is_a_mutant_with_right_steps():
    for level in LEVELS:
        for problem in problems(level, 10):
            mutant = mutate(problem, "right_steps_wrong_answer", 1)
            assert mutant.first_error == len(problem.steps)
            assert score(problem, mutant.answer) == 0.0


def test_a_chain_is_a_run_of_the_program():
    content = Programming().sample(random.Random(5), 3)
    program = programs.parse_program(content.answer)
    assert content.steps == programs.retell(program, content.specification.examples[0].arguments)
    assert {verdict.status for verdict in check_chain(content.steps)} == {Status.VALID}
