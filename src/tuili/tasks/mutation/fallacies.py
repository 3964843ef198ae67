"""Fallacies: conclusions that do not follow, and inferences that lack a premise.

Each function yields changed chains of a problem in random order. `mutations` decides whether a changed chain is wrong.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

from tuili.steps import Status, Unreadable, check, parse_statement, render_term, terms
from tuili.tasks.mutation.premises import premises_of
from tuili.tasks.mutation.rewriting import IMPLIES, MutatedChain, replaced, shuffled
from tuili.tasks.problem import Problem

_OPPOSITE_ANSWERS = {"yes": "no", "true": "false", "knight": "knave"}
_OPPOSITE_ANSWERS |= {other: answer for answer, other in _OPPOSITE_ANSWERS.items()}
_AGAINST = {
    ("all", False): (("no", False), ("some", True)),
    ("no", False): (("some", False), ("all", False)),
    ("some", False): (("no", False),),
    ("some", True): (("all", False),),
}


def opposite_answer(answer: str) -> str | None:
    """The other answer to a question with two possible answers, else None."""
    return _OPPOSITE_ANSWERS.get(answer)


def negated_conclusion(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A step concludes the opposite, and the later steps and the answer continue from it."""
    for at, premises, conclusion in _inferences(problem, rng):
        options = negations(conclusion)
        for negation in rng.sample(options, len(options)):
            chain = _with_conclusion(problem, at, premises, conclusion, negation)
            is_last = at == len(problem.steps) - 1
            yield MutatedChain(chain.steps, (opposite_answer(chain.answer) if is_last else None) or chain.answer)


def converse(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A step concludes `B -> A` for `A -> B`, or `all b are a` for `all a are b`; later steps continue from it."""
    for at, premises, conclusion in _inferences(problem, rng):
        match parse_statement(conclusion):
            case terms.Binary(op="->", left=left, right=right):
                other: terms.Term = terms.Binary("->", right, left)
            case terms.Categorical(quantifier, subject, predicate, negated):
                other = terms.Categorical(quantifier, predicate, subject, negated)
            case _:
                continue
        yield _with_conclusion(problem, at, premises, conclusion, render_term(other))


def overgeneralised(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A step concludes too much (`all` for `some`, `no` for `some are not`), and later steps continue from it."""
    for at, premises, conclusion in _inferences(problem, rng):
        statement = parse_statement(conclusion)
        if isinstance(statement, terms.Categorical) and statement.quantifier == "some":
            more = terms.Categorical("no" if statement.negated else "all", statement.subject, statement.predicate)
            yield _with_conclusion(problem, at, premises, conclusion, render_term(more))


def wrong_rule(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A false rule, such as affirming the consequent, combines a premise with a statement that is already known."""
    facts = premises_of(problem)
    for at in shuffled(rng, len(problem.steps)):
        if IMPLIES not in problem.steps[at]:
            continue
        shown = [step.rpartition(IMPLIES)[2] for step in problem.steps[:at] if IMPLIES in step]
        pairs = [pair for pair in product(dict.fromkeys([*shown, *facts]), facts) if pair[0] != pair[1]]
        for known, fact in rng.sample(pairs, min(len(pairs), 8)):
            options = _leaps(parse_statement(known), parse_statement(fact))
            for conclusion, opposite in rng.sample(options, len(options)):
                line = f"{known}, {fact}{IMPLIES}"
                # A conclusion that the premises refute is a `negated_conclusion`, not a false rule.
                if not _follows(line + conclusion) and not _follows(line + opposite):
                    yield replaced(problem, at, line + conclusion)


def missing_premise(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """An inference lacks one of its premises."""
    for at, premises, conclusion in _inferences(problem, rng):
        parts = premises.split(", ")
        for i in shuffled(rng, len(parts) if len(parts) > 1 else 0):
            yield replaced(problem, at, ", ".join(parts[:i] + parts[i + 1 :]) + IMPLIES + conclusion)


def _inferences(problem: Problem, rng: random.Random) -> Iterator[tuple[int, str, str]]:
    """Yield the place, the premises and the conclusion of each inference of a chain, in random order."""
    for at in shuffled(rng, len(problem.steps)):
        premises, mark, conclusion = problem.steps[at].rpartition(IMPLIES)
        if mark:
            yield at, premises, conclusion


def _with_conclusion(problem: Problem, at: int, premises: str, conclusion: str, other: str) -> MutatedChain:
    """The chain with another conclusion in one step and in the premises of later steps."""
    steps = list(replaced(problem, at, premises + IMPLIES + other).steps)
    for i in range(at + 1, len(steps)):
        before, mark, after = steps[i].rpartition(IMPLIES)
        given = [other if premise == conclusion else premise for premise in before.split(", ")]
        steps[i] = ", ".join(given) + mark + after
    return MutatedChain(tuple(steps), other if problem.answer == conclusion else problem.answer)


def negations(conclusion: str) -> list[str]:
    """Statements that contradict a conclusion or are contrary to it; none for an equation, a comparison or prose."""
    try:
        statement = parse_statement(conclusion)
    except Unreadable:
        return []
    match statement:
        case terms.Categorical(quantifier, subject, predicate, negated):
            return [
                render_term(terms.Categorical(word, subject, predicate, no))
                for word, no in _AGAINST[quantifier, negated]
            ]
        case terms.Binary(op="->", left=left, right=right):
            return [render_term(terms.Binary("->", left, _negated(right)))]
        case terms.Unary(op="not", operand=terms.Name(id=name)):
            return [name]
        case terms.Name():
            return [f"not {conclusion}"]
        case terms.Unary(op="not") | terms.Binary():
            return [f"not ({conclusion})"]
    return []


def _negated(term: terms.Term) -> terms.Term:
    return term.operand if isinstance(term, terms.Unary) and term.op == "not" else terms.Unary("not", term)


def _leaps(known: terms.Term, fact: terms.Term) -> list[tuple[str, str]]:
    """False conclusions from two statements that share a term, each with its opposite."""
    match known, fact:
        case terms.Categorical(), terms.Categorical():
            first, second = {known.subject, known.predicate}, {fact.subject, fact.predicate}
            pairs = list(product(sorted(first - second), sorted(second - first)))
            both = [(x, y) for x, y in (*pairs, *((y, x) for x, y in pairs)) if first & second]
            return [
                (f"{word} {x} are {y}", f"{other} {x} are {no}{y}")
                for x, y in both
                for word, other, no in (("all", "some", "not "), ("some", "no", ""), ("no", "some", ""))
            ]
        case terms.Compare(rest=((("<" | ">"), _),)), terms.Compare(rest=((("<" | ">"), _),)):
            apart = sorted(terms.names(known) ^ terms.names(fact))
            return [] if len(apart) != 2 else [(f"{x} > {y}", f"{y} > {x}") for x, y in (apart, apart[::-1])]
        case ((terms.Name() | terms.Unary(op="not", operand=terms.Name())), (terms.Binary() | terms.Unary())):
            others = sorted(terms.names(fact) - terms.names(known)) if terms.names(known) <= terms.names(fact) else []
            return [pair for name in others for pair in ((name, f"not {name}"), (f"not {name}", name))]
    return []


def _follows(inference: str) -> bool:
    return check(inference).status is Status.VALID
