"""Whether a chain proves a claim: every step is valid, the last one is the claim, and nothing was assumed.

A false claim about all numbers is refuted by a counter-example as the last step.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from tuili.steps.checker import check_chain
from tuili.steps.context import Context
from tuili.steps.language import terms
from tuili.steps.language.parser import parse
from tuili.steps.language.printer import render_term
from tuili.steps.language.relations import states
from tuili.steps.language.terms import Claim, Compare, Inference, Instance, Step, Universal
from tuili.steps.proofs.formulas import VARIABLE
from tuili.steps.proofs.phrases import words
from tuili.steps.theories.identities import identity_budget
from tuili.steps.theories.normal_form import Range, multiplied
from tuili.steps.universal import refutes
from tuili.steps.verdict import Status, StepFault, Verdict

MAX_MULTIPLIED = 4
"""How much one link may multiply out: `(a + b)*(c + d)` counts 1, `(a + b)^3` counts 3 and `(a + b + c)^2` counts 4."""


_PROVEN = ("proven", "得证")
_SAYS_PROVEN = re.compile(r"\bprove[dn]\b|\bQED\b|得证|证毕", re.IGNORECASE | re.ASCII)
_VALUE = rf"{VARIABLE} ?= ?-?[0-9][0-9./]*"
_VALUES = re.compile(rf"{_VALUE}(?:, ?{_VALUE})*")


def answers_a_claim(prompt: str, answer: str) -> bool:
    """Whether an answer says that something is proven, or gives values for a prompt about counter-examples."""
    if _SAYS_PROVEN.search(answer):
        return True
    return words("counterexample").search(prompt) is not None and _VALUES.fullmatch(answer.strip()) is not None


def _said(answer: str) -> str:
    return answer.strip().rstrip(".。")


def settles(claim: str, steps: Sequence[str], answer: str, context: Context | None = None) -> Verdict:
    """The verdict on a chain with an answer: the verdict of `proves`, if the answer says what the chain shows.

    The answer to a proof is `proven` or `得证`, the answer to a refutation is the counter-example. A relation about
    unknowns is also proven by a chain that ends with the same relation for all real numbers. If only the answer is
    wrong, the witness still has the rule. Never raises.
    """
    verdict = proves(claim, steps, context)
    if verdict.status is not Status.VALID and (general := _generalised(claim, steps)):
        verdict = proves(general, steps, context)
    if verdict.status is not Status.VALID:
        return verdict
    said, example = _said(answer), verdict.witness.get("counterexample")
    if said.lower() in _PROVEN if example is None else said == example:
        return verdict
    return replace(verdict, status=Status.INVALID, reason="the answer does not say what the steps show")


def _generalised(claim: str, steps: Sequence[str]) -> str:
    """A relation as a claim about all values of the last step's variables; empty if that step is of another form."""
    wanted, last = parse(claim), parse(steps[-1]) if steps else None
    if not isinstance(wanted, Claim) or not isinstance(last, Universal) or last.integers or last.hypotheses:
        return ""
    if any(variable.low is not None for variable in last.variables):
        return ""
    return f"for all {', '.join(variable.name for variable in last.variables)}: {claim}"


def proves(claim: str, steps: Sequence[str], context: Context | None = None) -> Verdict:
    """The verdict on a chain as a proof of a claim, or as its refutation by a counter-example.

    If the chain is valid, the witness has the rule `proven`, or `refuted` with the `counterexample`: `n = 4`. The
    context must give every premise or the chain must have shown it, even if the context gives nothing. No link may
    multiply out more than `MAX_MULTIPLIED` products, so that a claim is not its own proof. Never raises.
    """
    wanted = parse(claim)
    if not isinstance(wanted, Universal | Claim):
        return Verdict(Status.UNSUPPORTED, "proof", "the claim is no relation and no line 'for all'")
    if not steps:
        return Verdict(Status.INVALID, "proof", "a proof of no steps")
    context = context or Context()
    # The empty word makes it the context of a prompt with statements: premises that it does not give are not granted.
    context = replace(context, protected=context.protected | _names(wanted) | {""})
    for number, (line, verdict) in enumerate(zip(steps, check_chain(steps, context), strict=True), start=1):
        if verdict.status is not Status.VALID:
            return Verdict(verdict.status, "proof", f"step {number}, {line}: {verdict.reason}", verdict.expected)
        if _skips(parse(line)):
            return Verdict(Status.INVALID, "proof", f"step {number}, {line}: too much is multiplied out at once")
    last = parse(steps[-1])
    if isinstance(last, Instance) and isinstance(wanted, Universal) and refutes(last, wanted):
        values = ", ".join(f"{name} = {render_term(value)}" for name, value in last.values)
        return Verdict(Status.VALID, "proof", witness={"rule": "refuted", "counterexample": values})
    if _is_claim(last, wanted):
        return Verdict(Status.VALID, "proof", witness={"rule": "proven"})
    return Verdict(Status.INVALID, "proof", "the last step is not the claim")


def _skips(step: Step) -> bool:
    """Whether a link of a step hides its work: it multiplies out more than `MAX_MULTIPLIED` products of two sums."""
    match step:
        case Universal(conclusion=chain) | Inference(conclusion=Compare() as chain):
            variables = step.variables if isinstance(step, Universal) else ()
            low = dict.fromkeys(terms.names(chain)) | {variable.name: variable.low for variable in variables}
            budget = identity_budget()
            try:
                sizes = [multiplied(part, Range(low, integers=True), budget) for part in terms.children(chain)]
            except StepFault:
                return False
            return any(abs(one - other) > MAX_MULTIPLIED for one, other in pairwise(sizes))
    return False


def _names(wanted: Universal | Claim) -> frozenset[str]:
    if isinstance(wanted, Claim):
        return terms.names(wanted.relation)
    return frozenset()


def _is_claim(last: Step, wanted: Universal | Claim) -> bool:
    """Whether a step says what is claimed: the claim itself, or a chain that runs from its left side to its right."""
    match last, wanted:
        case Universal(), Universal():
            said = replace(last, conclusion=wanted.conclusion)
            return said == wanted and _says(last.conclusion, wanted.conclusion)
        case Inference(conclusion=Compare() as conclusion), Claim(relation=Compare() as relation):
            return _says(conclusion, relation)
        case Claim(relation=Compare() as mine), Claim(relation=Compare() as relation):
            return _says(mine, relation)
    return False


def _says(chain: Compare, relation: Compare) -> bool:
    return chain == relation or states(chain, relation)
