"""Each theory of inference against an oracle: every model tried, or the witness verified on its own."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tuili.steps import Inference, Status, check, parse
from tuili.steps.values.evaluate import truth

# Propositional: every row of the truth table.
ATOMS = ("A", "B", "C", "D")
formulas = st.recursive(
    st.sampled_from([*ATOMS, "true", "false"]),
    lambda inner: (
        st.builds(lambda x: f"not ({x})", inner)
        | st.builds(
            lambda x, op, y: f"({x}) {op} ({y})",
            inner,
            st.sampled_from(["and", "or", "xor", "->", "<->"]),
            inner,
        )
    ),
    max_leaves=6,
)


@given(st.lists(formulas, min_size=1, max_size=3), formulas)
def test_propositional(premises: list[str], conclusion: str) -> None:
    step = parse(f"{', '.join(premises)} => {conclusion}")
    assert isinstance(step, Inference)
    models = [
        model
        for values in itertools.product((False, True), repeat=len(ATOMS))
        if all(truth(premise, model := dict(zip(ATOMS, values, strict=True))) for premise in step.premises)
    ]
    follows = all(truth(step.conclusion, model) for model in models)
    verdict = check(f"{', '.join(premises)} => {conclusion}")
    false_concluded = conclusion == "false"
    assert verdict.status is (Status.VALID if follows and (models or false_concluded) else Status.INVALID)
    if not follows:
        counter_model = {**dict.fromkeys(ATOMS, False), **verdict.witness["counter_model"]}
        assert all(truth(premise, counter_model) for premise in step.premises)
        assert not truth(step.conclusion, counter_model)


# Categorical: every set of inhabited regions over three classes.
CLASSES = ("a", "b", "c")
REGIONS = [
    frozenset(name for name, inside in zip(CLASSES, row, strict=True) if inside)
    for row in itertools.product((0, 1), repeat=3)
]
WORLDS = [
    [region for region, inhabited in zip(REGIONS, row, strict=True) if inhabited]
    for row in itertools.product((0, 1), repeat=len(REGIONS))
]
categoricals = st.builds(
    lambda form, subject, predicate: (form, subject, predicate),
    st.sampled_from(["all {} are {}", "no {} are {}", "some {} are {}", "some {} are not {}"]),
    st.sampled_from(CLASSES),
    st.sampled_from(CLASSES),
)


def true_in(world: list[frozenset[str]], statement: tuple[str, str, str]) -> bool:
    form, subject, predicate = statement
    members = [region for region in world if subject in region]
    inside = [predicate in region for region in members]
    return (
        {"all": all(inside), "no": not any(inside), "some": any(inside)}[form.split()[0]]
        if "not" not in form
        else not all(inside)
    )


@given(st.lists(categoricals, min_size=1, max_size=4), categoricals)
def test_categorical(premises: list[tuple[str, str, str]], conclusion: tuple[str, str, str]) -> None:
    worlds = [world for world in WORLDS if all(true_in(world, premise) for premise in premises)]
    follows = all(true_in(world, conclusion) for world in worlds)
    line = ", ".join(form.format(s, p) for form, s, p in premises) + " => " + conclusion[0].format(*conclusion[1:])
    verdict = check(line)
    assert verdict.status is (Status.VALID if follows and worlds else Status.INVALID)
    if not follows:
        counter_model = [frozenset(region) for region in verdict.witness["counter_model"]["inhabited"]]
        assert all(true_in(counter_model, premise) for premise in premises)
        assert not true_in(counter_model, conclusion)


# Sets and elements: every way to put two elements into two sets.
memberships = st.builds(
    lambda negated, element, name: f"not ({element} in {name})" if negated else f"{element} in {name}",
    st.booleans(),
    st.sampled_from("xy"),
    st.sampled_from(["S", "T", "S union T", "S inter T", "S minus T"]),
)


@given(st.lists(memberships | st.just("S subset T"), min_size=1, max_size=3), memberships)
def test_sets(premises: list[str], conclusion: str) -> None:
    placements = [
        dict(zip(("xS", "xT", "yS", "yT"), row, strict=True)) for row in itertools.product((False, True), repeat=4)
    ]

    def true_at(placement: dict[str, bool], statement: str) -> bool:
        if statement == "S subset T":
            return all(placement[e + "T"] or not placement[e + "S"] for e in "xy")
        element, name = re.search(r"([xy]) in ([^)]+)", statement).groups()
        in_s, in_t = placement[element + "S"], placement[element + "T"]
        inside = {
            "S": in_s,
            "T": in_t,
            "S union T": in_s or in_t,
            "S inter T": in_s and in_t,
            "S minus T": in_s and not in_t,
        }
        return inside[name] is not statement.startswith("not")

    fitting = [placement for placement in placements if all(true_at(placement, p) for p in premises)]
    follows = all(true_at(placement, conclusion) for placement in fitting)
    verdict = check(f"{', '.join(premises)} => {conclusion}")
    assert verdict.status is (Status.VALID if follows and fitting else Status.INVALID)


# Linear: both answers carry a certificate, and each is verified by arithmetic alone.
NAMES = ("x", "y", "z")
coefficients = st.integers(-3, 3)
linear_terms = st.tuples(coefficients, coefficients, coefficients, st.integers(-9, 9))
relations = st.sampled_from(["=", "<", "<=", ">", ">=", "!="])


def written(term: tuple[int, ...]) -> str:
    return " + ".join([*(f"({c}) * {name}" for c, name in zip(term, NAMES, strict=False)), f"({term[3]})"])


linear_statements = st.builds(lambda term, op: f"{written(term)} {op} 0", linear_terms, relations)


def row_of(text: str) -> tuple[dict[str, Fraction], str]:
    form, relation, zero = text.rsplit(" ", 2)
    assert zero == "0"
    row: dict[str, Fraction] = {}
    for product in form.split(" + "):
        coefficient, _, name = product.partition(" * ")
        row[name] = Fraction(coefficient)
    return row, relation


def adds_up_to_nonsense(combination: tuple[tuple[str, str], ...]) -> bool:
    total: dict[str, Fraction] = {}
    strict = False
    equations_only = True
    for text, factor in combination:
        row, relation = row_of(text)
        assert relation == "=" or Fraction(factor) > 0
        strict |= relation == "<"
        equations_only &= relation == "="
        for name, coefficient in row.items():
            total[name] = total.get(name, Fraction(0)) + coefficient * Fraction(factor)
    constant = total.pop("", Fraction(0)) + sum(total.pop(key) for key in list(total) if key.lstrip("-")[:1].isdigit())
    assert not any(total.values())
    return constant != 0 if equations_only else constant >= 0 if strict else constant > 0


@settings(max_examples=80)
@given(st.lists(linear_statements, min_size=1, max_size=4), linear_statements)
def test_linear(premises: list[str], conclusion: str) -> None:
    line = f"{', '.join(premises)} => {conclusion}"
    step, verdict = parse(line), check(line)
    assert isinstance(step, Inference)
    if verdict.status is Status.VALID:
        assert all(map(adds_up_to_nonsense, verdict.witness.get("combinations", ())))
    elif "inconsistent" in verdict.witness:
        assert check(f"{', '.join(premises)} => false").status is Status.VALID
    elif verdict.status is Status.INVALID:
        model = {name: Fraction(0) for name in NAMES}
        model |= {name: Fraction(value) for name, value in verdict.witness["counter_model"].items()}
        assert all(truth(premise, model) for premise in step.premises)
        assert not truth(step.conclusion, model)
    else:
        assert verdict.status is Status.TIMEOUT


@given(
    st.lists(linear_terms, min_size=1, max_size=3),
    st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    st.integers(1, 5),
)
def test_linear_combinations_follow_and_shifted_ones_do_not(
    terms: list[tuple[int, ...]], factors: list[int], shift: int
) -> None:
    premises = [f"{written(term)} = 0" for term in terms]
    total = tuple(sum(f * term[i] for f, term in zip(factors, terms, strict=False)) for i in range(4))
    consistent = check(f"{', '.join(premises)} => false").status is Status.INVALID
    assume(consistent)
    assert check(f"{', '.join(premises)} => {written(total)} = 0").status is Status.VALID
    assert check(f"{', '.join(premises)} => {written(total)} = {shift}").status is Status.INVALID


# Polynomials: built from their roots.
@given(
    st.sets(st.fractions(-6, 6, max_denominator=4), min_size=1, max_size=3),
    st.integers(-4, 4).filter(bool),
    st.data(),
)
def test_polynomial_roots(roots: set[Fraction], scale: int, data: st.DataObject) -> None:
    product = " * ".join([f"({scale})", *(f"(x - ({root}))" for root in sorted(roots))])
    assume(len(roots) > 1)
    listed = " or ".join(f"x = {root}" for root in data.draw(st.permutations(sorted(roots))))
    assert check(f"{product} = 0 => {listed}").status is Status.VALID
    other = data.draw(st.fractions(-9, 9, max_denominator=4).filter(lambda x: x not in roots))
    assert check(f"{product} = 0 => {listed} or x = {other}").status is Status.INVALID
    fewer = " or ".join(f"x = {root}" for root in sorted(roots)[1:])
    verdict = check(f"{product} = 0 => {fewer}")
    assert (verdict.status, verdict.expected) == (
        Status.INVALID,
        " or ".join(f"x = {root}" for root in sorted(roots)),
    )
