"""Mutations of right chains: each is wrong, the checker says where, and everything before that is right.

Run as a script it prints how often each kind applies in each domain, and what the checker says of the chains.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tasks.short_forms import short_problem
from tuili.errors import InputError
from tuili.steps import Context, Status, check_chain, render_response
from tuili.tasks import Problem, generate, score
from tuili.tasks.mutation.carrying import carried, misread
from tuili.tasks.mutation.mutations import MUTATION_KINDS, Mutant, candidates, mutants, mutate
from tuili.tasks.mutation.rewriting import numbers, recalculated
from tuili.tasks.registry import BUILT_IN_DOMAINS

LEVELS = (1, 2, 3)
SAMPLE = 3
LOGIC = {"propositional", "syllogism", "knights", "relations"}

APPLIES: dict[str, int] = {
    "wrong_digit": 10, "carried_error": 10, "off_by_one": 10, "wrong_sign": 9, "copied_number": 10,
    "wrong_operator": 11, "wrong_operation": 10, "swapped_operands": 11, "flipped_comparison": 3, "wrong_unit": 4,
    "swapped_names": 5, "negated_conclusion": 3, "converse": 2, "overgeneralised": 1, "wrong_rule": 4,
    "missing_premise": 4, "dropped_step": 13, "swapped_steps": 5,
    "premature_end": len(BUILT_IN_DOMAINS) - 1, "right_steps_wrong_answer": len(BUILT_IN_DOMAINS),
}  # fmt: skip
"""In how many domains a kind must apply at least."""

every_kind = pytest.mark.parametrize("kind", MUTATION_KINDS)


@cache
def problems(domain: str) -> tuple[Problem, ...]:
    return tuple(short_problem(domain, 21, index, level) for level in LEVELS for index in range(SAMPLE))


@cache
def mutants_by_domain(kind: str) -> dict[str, list[Mutant]]:
    """The mutants of a kind by domain."""
    drawn = {domain: [mutate(problem, kind, 0) for problem in problems(domain)] for domain in BUILT_IN_DOMAINS}
    return {domain: [mutant for mutant in some if mutant] for domain, some in drawn.items()}


def all_of(kind: str) -> Iterator[Mutant]:
    return (mutant for some in mutants_by_domain(kind).values() for mutant in some)


def problem(steps: tuple[str, ...], answer: str, prompt: str, **facts: str) -> Problem:
    return Problem("own", 1, 0, 0, prompt, steps, answer, Context(facts=facts))


def assert_is_wrong(mutant: Mutant) -> None:
    """What is promised of a mutant, by the checker and the score and not by its own properties."""
    labels = check_chain(mutant.steps, mutant.problem.context)
    assert tuple(labels) == mutant.labels
    at = mutant.first_error
    assert at is not None
    assert all(label.status is Status.VALID for label in labels[:at]), mutant
    if at < len(labels):
        assert labels[at].status is Status.INVALID
    else:
        assert score(mutant.problem, render_response(mutant.steps, mutant.answer)) == 0.0
    undecided = {i for i, label in enumerate(labels) if label.status in (Status.UNSUPPORTED, Status.TIMEOUT)}
    assert set(mutant.undecided) == undecided


@every_kind
def test_a_kind_applies_to_many_domains(kind):
    domains = [domain for domain, some in mutants_by_domain(kind).items() if some]
    assert len(domains) >= APPLIES[kind], domains


@pytest.mark.parametrize("kind", ["swapped_names", "wrong_rule"])
@pytest.mark.parametrize("domain", sorted(LOGIC))
def test_premises_that_are_told_in_words_are_mixed_up_as_well(domain, kind):
    told = [generate(domain, 21, index, level) for level in LEVELS for index in range(SAMPLE)]
    in_words = [problem for problem in told if not problem.context.given]
    assert any(mutate(problem, kind, 0) for problem in in_words)


@pytest.mark.parametrize("domain", BUILT_IN_DOMAINS)
def test_many_kinds_apply_to_a_domain(domain):
    kinds = [kind for kind in MUTATION_KINDS if mutants_by_domain(kind)[domain]]
    assert len(kinds) >= 6, kinds


@every_kind
def test_a_mutant_is_wrong_where_the_checker_says_and_right_before(kind):
    for mutant in all_of(kind):
        assert mutant.kind == kind
        assert (mutant.steps, mutant.answer) != (mutant.problem.steps, mutant.problem.answer)
        assert_is_wrong(mutant)


@every_kind
def test_a_mutant_is_written_like_a_right_chain(kind):
    for mutant in all_of(kind):
        for text in (*mutant.steps, mutant.answer):
            assert text.isascii() and text == text.strip() != ""
            assert "\n" not in text or (text == mutant.answer and mutant.problem.specification)
        # Its form must not give the first error away: that line is one of the step language as well.
        at = mutant.first_error
        if at < len(mutant.steps) and (first := mutant.labels[at]).kind == "none":
            assert "premise" in first.reason or "division by zero" in first.reason


@every_kind
def test_the_checker_decides_nearly_every_first_error(kind):
    verdicts = sum((outcomes(kind, domain) for domain in BUILT_IN_DOMAINS), Counter())
    # Most that are left say the opposite of an order among the facts, which the checker does not refute.
    assert verdicts["undecided"] <= 0.25 * verdicts["wrong"], verdicts


def outcomes(kind: str, domain: str) -> Counter[str]:
    """How many of the first changed chains are wrong, right by accident, or undecided before the first error."""
    counts: Counter[str] = Counter()
    for given_problem in problems(domain):
        for mutant in islice(candidates(given_problem, kind, 0), 2):
            at, first = mutant.first_error, min(mutant.undecided, default=len(mutant.steps))
            counts["wrong" if at is not None and at <= first else "undecided" if mutant.undecided else "right"] += 1
    return counts


def test_errors_in_the_plan_leave_every_step_valid():
    for kind in ("premature_end", "right_steps_wrong_answer"):
        assert all(mutant.first_error == len(mutant.steps) for mutant in all_of(kind))
    for kind in ("copied_number", "wrong_operation", "dropped_step"):
        share = [mutant.first_error == len(mutant.steps) for mutant in all_of(kind)]
        assert 0.25 < sum(share) / len(share) < 1.0


@settings(max_examples=60, deadline=None)
@given(
    domain=st.sampled_from(BUILT_IN_DOMAINS),
    seed=st.integers(0, 10**6),
    index=st.integers(0, 10**4),
    level=st.integers(1, 5),
    kind=st.sampled_from(MUTATION_KINDS),
)
def test_whatever_the_problem_a_mutant_is_wrong(domain, seed, index, level, kind):
    right = generate(domain, seed, index, level)
    mutant = mutate(right, kind, seed)
    assert mutant == mutate(right, kind, seed)
    if mutant is not None:
        assert_is_wrong(mutant)


def test_other_seeds_give_other_mutants():
    right = problems("word_problems")[-1]
    assert len({mutate(right, "wrong_digit", seed).steps for seed in range(20)}) > 10


@pytest.mark.parametrize("domain", BUILT_IN_DOMAINS)
def test_many_mutants_are_different_and_of_all_kinds_that_apply(domain):
    right = problems(domain)[-1]
    many = mutants(right, 3, 20)
    assert mutants(right, 3, 5) == many[:5]
    assert len({(mutant.steps, mutant.answer) for mutant in many}) == len(many) >= 10
    counts = Counter(mutant.kind for mutant in many)
    assert max(counts.values()) <= 8, counts
    for mutant in many:
        assert_is_wrong(mutant)


def test_a_short_chain_has_fewer_mutants_than_asked_for():
    few = mutants(problem(("2 + 2 = 4",), "yes", "Is 2 + 2 = 4? Answer yes or no."), 0, 10_000)
    assert 5 <= len(few) < 100


def test_bad_requests_are_refused_in_one_line():
    right = problems("arithmetic")[0]
    with pytest.raises(InputError, match=r"unknown kind of error 'typo': use one of wrong_digit, .*") as refusal:
        mutate(right, "typo", 0)
    assert all(kind in str(refusal.value) for kind in MUTATION_KINDS)
    with pytest.raises(InputError, match="count -1 is negative"):
        mutants(right, 0, -1)
    assert mutants(right, 0, 0) == []


@pytest.mark.parametrize("answer", ["they are five", "5 apples, 6 pears", "who knows", "3/0", "0"])
@pytest.mark.parametrize("steps", [(), ("five and five",), ("P1 => x > 2", "x = 5 / 0 = 3")])
def test_problems_of_any_form_are_taken(steps, answer):
    for mutant in mutants(problem(steps, answer, "P1: x y z. What?", P1="x y z", P2="x > 2"), 0, 20):
        assert mutant.first_error is not None
        assert all(mutant.first_error < at for at in mutant.undecided)


def test_what_the_checker_cannot_decide_is_not_called_an_error():
    right = problem(("2 + 2 = 4",), "4", "What is 2 + 2?")
    labels = tuple(check_chain(("two and two are four",)))
    undecided = Mutant(right, ("two and two are four",), "5", "own", labels)
    assert (undecided.first_error, undecided.undecided) == (None, (0,))
    invalid = Mutant(right, ("prose here", "2 + 2 = 5"), "5", "own", tuple(check_chain(("prose here", "2 + 2 = 5"))))
    assert (invalid.first_error, invalid.undecided) == (1, (0,))


def test_numbers_are_read_as_written():
    assert numbers("C(9, 2) = -8 - 2.5 * 16/22 cm^2, x2, 2x") == ("9", "2", "-8", "2.5", "16/22", "2")
    assert numbers("2024-03-01 + 2 day at 14:30 on Monday") == ("2024-03-01", "2", "14:30", "Monday")


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("6 + 5 = 12", "6 + 5 = 11"),
        ("n = 7 m * 8 m = 49 m^2", "n = 7 m * 8 m = 56 m^2"),
        ("C(9, 3) = 40 * 7 / 4 = 252 / 4 = 84", None),
        ("9 * 8 / 3 = 70 / 3 = 35", "9 * 8 / 3 = 72 / 3 = 24"),
        ("L3: y = x + 2 = 4 + 2 = 9", "L3: y = x + 2 = 4 + 2 = 6"),
        ("x > 3 = 2 > 3 = true", "x > 3 = 2 > 3 = false"),
        ("p = 10 / 14 = 10/24 = 5/12", "p = 10 / 14 = 5/7"),
        ("Thursday + 5 day = Monday", "Thursday + 5 day = Tuesday"),
        ("4 - 6 = 2", None),
        ("7 / 2 = 3", None),
        ("2 m + 3 s = 5 m", None),
    ],
)
def test_a_calculation_is_done_again_in_the_form_it_had(line, right):
    assert recalculated(line) == right


def test_an_error_goes_on_through_working_later_steps_and_answer():
    steps = ("12 + 13 = 25", "20 * 7 = 140", "5 * 7 = 35", "140 + 35 = 175", "25 * 7 = 175", "175 - 3 = 172")
    right = problem(steps, "172 cm", "Take 12 + 13 cm times 7, less 3.")
    assert carried(right, 0, "12 + 13 = 24") == (
        ("12 + 13 = 24", "20 * 7 = 140", "4 * 7 = 28", "140 + 28 = 168", "24 * 7 = 168", "168 - 3 = 165"),
        "165 cm",
    )
    assert misread(right, "12", "21") == (
        ("21 + 13 = 34", "30 * 7 = 210", "4 * 7 = 28", "210 + 28 = 238", "34 * 7 = 238", "238 - 3 = 235"),
        "235 cm",
    )
    assert misread(right, "3", "300") is None


def test_facts_are_not_rewritten_by_an_error_in_the_steps():
    right = problem(("7 - 4 = 3", "P1 => 2x = 3", "2x = 3, y = x + 3 => 2y = 9"), "9", "P1: 2x + 4 = 7", P2="y = x + 3")
    assert carried(right, 0, "7 - 4 = 2").steps == ("7 - 4 = 2", "P1 => 2x = 2", "2x = 2, y = x + 3 => 2y = 9")


def table() -> Iterator[str]:
    """How often each kind applies per domain, and the share of first errors that the checker decides."""
    yield (
        " " * 25 + " ".join(domain[:5] for domain in BUILT_IN_DOMAINS) + "   decided  right by accident  in the answer"
    )
    for kind in MUTATION_KINDS:
        shares = [len(some) / len(problems(domain)) for domain, some in mutants_by_domain(kind).items()]
        counts = sum((outcomes(kind, domain) for domain in BUILT_IN_DOMAINS), Counter())
        last = [mutant.first_error == len(mutant.steps) for mutant in all_of(kind)]
        decided = counts["wrong"] / (counts["wrong"] + counts["undecided"])
        accident = counts["right"] / counts.total()
        row = " ".join(f"{share:5.0%}" for share in shares)
        yield f"{kind:25}{row}   {decided:7.0%}  {accident:17.0%}  {sum(last) / len(last):13.0%}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in table())
