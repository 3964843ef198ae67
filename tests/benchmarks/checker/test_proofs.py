"""The judge of proofs objects to what is no proof, and the benchmark counts what the checker accepts beside it."""

from __future__ import annotations

import random

import pytest

from benchmarks.checker.proofs.__main__ import measure
from benchmarks.checker.proofs.formulas import Meaningless, chain, line, value
from benchmarks.checker.proofs.judge import objections
from benchmarks.checker.proofs.mutations import MUTATIONS, Proof
from tests.steps.test_universal import BASE, EVEN, ODD, PAIR, STEP, SUM

AREAS = {"P1": "(a + b)^2 = 4*T + c^2", "P2": "T = a*b/2"}


def test_formulas_have_values_of_their_own() -> None:
    assert value("sum(sum(i*j for i from 1 to j) for j from 1 to n) mod 7", {"n": 3}) == 25 % 7
    assert value("2^-(n)/4", {"n": 1}) * 8 == 1
    with pytest.raises(Meaningless):
        value("1/(n - 1)", {"n": 1})
    assert line("for all integers n >= 1, k: n = 2*k -> n mod 2 = 0").variables == {"n": 1, "k": None}
    assert chain("a = b <= c").relations == ("=", "<=")


@pytest.mark.parametrize(
    ("claim", "steps", "given"),
    [
        (SUM, [BASE, STEP, SUM], {}),
        (PAIR, [EVEN, ODD, PAIR], {}),
        ("a^2 + b^2 = c^2", ["P1, P2 => a^2 + b^2 = c^2"], AREAS),
        ("a^2 + b^2 = c^2", ["P1, P2 => a^2 + b^2 >= c^2", "P1, P2 => a^2 + b^2 = c^2"], AREAS),
        ("for all integers n: n^2 >= 2*n", ["n = 1: n^2 = 1 < 2 = 2*n"], {}),
    ],
)
def test_the_judge_has_nothing_against_a_proof(claim: str, steps: list[str], given: dict[str, str]) -> None:
    assert objections(claim, steps, given, 1) == []


@pytest.mark.parametrize(
    ("claim", "steps", "given", "word"),
    [
        (SUM, [STEP, SUM], {}, "not shown"),
        (SUM, [BASE, SUM], {}, "not shown"),
        (SUM, [BASE, STEP.replace("(n + 2)", "(n + 3)"), SUM], {}, "not true"),
        (PAIR, [EVEN, EVEN, PAIR], {}, "not shown"),
        (PAIR, [EVEN, ODD], {}, "the last line"),
        ("a^2 + b^2 = c^2", ["P1 => a^2 + b^2 = c^2"], {"P1": AREAS["P1"]}, "not true"),
        ("a^2 + b^2 = c^2", ["P1, P2 => a^2 + b^2 > c^2", "P1, P2 => a^2 + b^2 = c^2"], AREAS, "not true"),
        ("a^2 + b^2 = c^2", ["a^2 + b^2 = c^2 => a^2 + b^2 = c^2"], {}, "not given"),
        ("for all integers n: n^2 >= 2*n", ["n = 2: n^2 = 4 = 2*n"], {}, "no counter-example"),
        ("for all a, b: a^2 + b^2 >= 2*a*b", ["for all a, b: a^2 + b^2 >= 2*a*b"], {}, "not shown"),
        ("for all a: a/a = 1", ["for all a: a/a = 1"], {}, ""),
    ],
)
def test_the_judge_objects(claim: str, steps: list[str], given: dict[str, str], word: str) -> None:
    found = objections(claim, steps, given, 1)
    assert found
    assert word in found[0]


def test_every_kind_of_error_changes_some_proof() -> None:
    proofs = [
        Proof(SUM, (BASE, STEP, SUM), {}),
        Proof("a^2 + b^2 = c^2", ("P1, P2 => a^2 + b^2 = c^2",), AREAS),
        Proof("for all integers n: n mod 2 = 1 -> n^2 mod 2 = 1", (EVEN, "n = 3: n^2 = 3*n*(2 - 1)"), {}),
    ]
    rng = random.Random(1)
    mutants = {kind: [mutation(proof, rng) for proof in proofs] for kind, mutation in MUTATIONS.items()}
    assert len(mutants) >= 30
    for kind, changed in mutants.items():
        assert any(mutant not in (None, proof) for mutant, proof in zip(changed, proofs, strict=True)), kind


def test_a_small_run_accepts_nothing_wrongly() -> None:
    config, figures = measure(chains=60, seed=3)
    assert config["kinds"] == len(MUTATIONS)
    assert figures["chains"].runs == [60.0]
    assert figures["accepted_wrongly"].runs == figures["proofs_not_accepted"].runs == [0.0]
