"""Names: what may be defined, what a context knows, and what cannot be smuggled in as a definition."""

from __future__ import annotations

import pytest

from tuili.steps import Context, Status, check, check_chain


def statuses(lines: list[str], context: Context | None = None) -> list[str]:
    return [verdict.status.value for verdict in check_chain(lines, context)]


def test_a_definition_is_remembered() -> None:
    assert statuses(["area = 5 cm * 4 cm = 20 cm^2", "area / 4 cm = 5 cm", "area / 4 cm = 6 cm"]) == [
        "valid",
        "valid",
        "invalid",
    ]


def test_a_definition_says_what_it_defines() -> None:
    assert check("F = 2 kg * 3 m/s^2 = 6 N").witness == {"rule": "definition", "name": "F", "value": "6 N"}


def test_a_wrong_definition_defines_nothing() -> None:
    assert statuses(["x = 2 + 2 = 5", "x * 2 = 10", "x = 2 + 2 = 4", "x * 2 = 8"]) == [
        "invalid",
        "unsupported",
        "valid",
        "valid",
    ]


def test_a_conflicting_redefinition_is_invalid() -> None:
    verdicts = check_chain(["x = 2 + 2 = 4", "x = 2 + 3 = 5", "x = 4"])
    assert [verdict.status for verdict in verdicts] == [Status.VALID, Status.INVALID, Status.VALID]
    assert verdicts[1].expected == "4"


@pytest.mark.parametrize("line", ["x = 5", "x = 5 > 3", "x = 2 + 3 < 6", "x = true"])
def test_a_definition_with_nothing_to_check_is_not_valid(line: str) -> None:
    assert check(line).status is Status.UNSUPPORTED


@pytest.mark.parametrize(
    "line",
    [
        "x = 5 = 5",
        "x = 2 + 3 = 2 + 3",
        "x = 3 kg = 3 kg",
        "x = 5 = 5 = 5",
        "x = 5 = 5 > 3",
        "x = 5 = 5.0",
        "x = -2 m = -2.00 m",
    ],
)
def test_a_definition_that_repeats_one_part_is_not_valid(line: str) -> None:
    verdict = check(line)
    assert verdict.status is Status.UNSUPPORTED
    assert "repeats" in verdict.reason


@pytest.mark.parametrize(
    "line", ["x = 5 = 10/2", "x = 1/2 = 2/4", "x = 1/2 = 0.5", "x = 3 kg = 3000 g", "x = 5 = 5 = 10/2"]
)
def test_a_definition_may_give_one_value_in_two_ways(line: str) -> None:
    assert check(line).status is Status.VALID


def test_a_known_value_may_be_restated() -> None:
    assert statuses(["x = 2 + 3 = 5", "x = 5 = 5"]) == ["valid", "valid"]


def test_a_fact_gives_a_name_its_value() -> None:
    context = Context(facts={"P1": "mass = 3 kg", "P2": "weight = mass * 10 N/kg"})
    assert statuses(["mass = 3 kg", "mass = 3000 g", "mass = 4 kg", "weight = 30 N"], context) == [
        "valid",
        "valid",
        "invalid",
        "valid",
    ]


def test_facts_are_evaluated_in_any_order() -> None:
    context = Context(facts={"P1": "b = a + 1", "P2": "a = 2", "P3": "c = b + a"})
    assert check("c = 5", context).status is Status.VALID


def test_a_fact_about_a_name_without_a_value_gives_none() -> None:
    assert check("a - b = 1", Context(facts={"P1": "a = b + 1"})).status is Status.UNSUPPORTED


def test_a_name_of_the_problem_cannot_be_defined_at_will() -> None:
    context = Context(facts={"P1": "x + y = 10", "P2": "Ann <-> not Bob"})
    for line, status in {
        "x = 2 + 2 = 4": Status.INVALID,
        "Ann = true and true = true": Status.UNSUPPORTED,
        "x = 1 kg + 1 kg = 2 kg": Status.UNSUPPORTED,
    }.items():
        verdict = check(line, context)
        assert verdict.status is status
        assert "belongs to the problem" in verdict.reason
    assert check("z = 2 + 2 = 4", context).status is Status.VALID


def test_a_name_of_the_problem_may_be_given_the_value_that_the_facts_force() -> None:
    context = Context(facts={"P1": "2*x + 3 = 11"})
    verdict = check("x = (11 - 3) / 2 = 4", context)
    assert (verdict.status, verdict.kind) == (Status.VALID, "linear")
    assert verdict.witness["premises"] == ("2 * x + 3 = 11",)
    wrong = check("x = 10 / 2 = 5", context)
    assert (wrong.status, wrong.witness) == (Status.INVALID, {"counter_model": {"x": "4"}})


def test_facts_of_other_theories_do_not_disturb() -> None:
    context = Context(facts={"P1": "x^2 = 4", "P2": "A -> B", "P3": "2*y = 8", "P4": "x > y", "P5": "prose here"})
    assert check("y = 2 + 2 = 4", context).status is Status.VALID
    assert check("x = 1 + 1 = 2", context).status is Status.UNSUPPORTED


@pytest.mark.parametrize("line", ["A = true", "D = false", "mass = 3 kg", "x = 3", "y = 9", "z = 5"])
def test_what_the_linear_facts_alone_cannot_refute_must_be_inferred(line: str) -> None:
    context = Context.from_prompt(
        "P1: A. P2: y = x^2. P3: 2*mass = 6 kg. P4: x^2 = 9. P5: x > 0. P6: not D. P7: A or z > 2."
    )
    verdict = check(line, context)
    assert verdict.status is Status.UNSUPPORTED
    assert "must be inferred" in verdict.reason


def test_contradictory_facts_force_nothing() -> None:
    context = Context(facts={"P1": "x + y = 1", "P2": "x + y = 2"})
    assert check("x = 2 + 2 = 4", context).status is Status.UNSUPPORTED


def test_a_name_that_a_conclusion_mentions_cannot_be_defined_later() -> None:
    context = Context(facts={"P1": "x > 3"})
    assert statuses(["P1 => x > 2 or k > 5", "k = 3 + 3 = 6"], context) == ["valid", "invalid"]


def test_an_inferred_value_can_be_used() -> None:
    context = Context(facts={"P1": "x + y = 10", "P2": "x = 4"})
    assert statuses(["P1, P2 => y = 6", "x * y = 4 * 6 = 24", "y = 7"], context) == [
        "valid",
        "valid",
        "invalid",
    ]


def test_without_facts_an_inference_is_refuted_by_values_that_the_chain_has_shown() -> None:
    chain = ["Tom = 7 + 2 = 9", "Tom = 12 => Tom + 3 = 15", "Tom = 9 => Tom + 3 = 12"]
    assert statuses(chain) == ["valid", "invalid", "valid"]
    assert statuses(["A = 3 < 2 = false", "A, A -> B => B"]) == ["valid", "invalid"]


def test_without_facts_a_conclusion_defines_nothing() -> None:
    chain = ["n = 57 => n = 57", "n + 1 = 58", "n = 57", "n = 50 + 6 = 56"]
    assert statuses(chain) == ["valid", "unsupported", "unsupported", "valid"]


def test_checking_never_changes_the_context() -> None:
    context = Context(facts={"P1": "A"})
    before = (dict(context.facts), dict(context.names), context.conclusions)
    check("x = 2 + 2 = 4", context)
    check_chain(["x = 2 + 2 = 4", "P1 => A or B"], context)
    assert (dict(context.facts), dict(context.names), context.conclusions) == before
    assert check("x + 1 = 5", context).status is Status.UNSUPPORTED


def test_a_relation_defines_nothing() -> None:
    assert statuses(["2 in {1, 2}", "3 > 2", "2 in {1, 2} = true"]) == ["valid"] * 3
    context = Context()
    assert context.after("2 in {1, 2}", check("2 in {1, 2}")) is context


def test_after_grows_by_valid_lines_only() -> None:
    context = Context()
    line = "x = 2 + 2 = 5"
    assert context.after(line, check(line)) is context
    line = "x = 2 + 2 = 4"
    grown = context.after(line, check(line))
    assert check("x + 1 = 5", grown).status is Status.VALID
