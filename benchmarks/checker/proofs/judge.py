"""The judge of proofs: evaluates every line at random points, and asks sympy about identities and inferences.

Whether a chain is a proof at all is judged by its build: which lines must stand before a claim of its kind.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy

from benchmarks.checker.proofs.formulas import Chain, Line, Meaningless, chain, line, names, tree, value

POINTS = 16
_TRIES = 40
_LABEL = re.compile(r"P[0-9]")


def objections(claim: str, steps: Sequence[str], given: Mapping[str, str], seed: int) -> list[str]:
    """Why a chain neither proves nor refutes a claim; none if it does."""
    try:
        return _objections(claim, steps, given, random.Random(seed))
    except Meaningless as error:
        return [f"cannot be read: {error}"]


def _objections(claim: str, steps: Sequence[str], given: Mapping[str, str], rng: random.Random) -> list[str]:
    found: list[str] = []
    known = [*given.values()]
    for number, text in enumerate(steps):
        read = line(text)
        if read.kind == "inference":
            found += [f"not given: {p}" for p in read.premises if p not in given and p not in known]
            known += _said(read.chain)
        if not _is_true(read, given, rng):
            found.append(f"not true: {text}")
        if read.kind == "for all" and not _is_built(read, [line(before) for before in steps[:number]]):
            found.append(f"not shown: {text}")
    last, wanted = line(steps[-1]), line(claim)
    if last.kind == "instance" and wanted.kind == "for all":
        return found + ([] if _refutes(last, wanted) else ["no counter-example"])
    same = (last.kind == wanted.kind == "for all" and _head(steps[-1]) == _head(claim)) or wanted.kind == "claim"
    if not same or not _leads(last.chain, wanted.chain):
        found.append("the last line is not the claim")
    if wanted.kind == "for all" and not _is_true(wanted, given, rng):
        found.append("the claim is not true")
    return found


def _head(text: str) -> str:
    return text.partition(": ")[0] + (text.partition(": ")[2].partition(" -> ")[0] if " -> " in text else "")


def _said(said: Chain) -> list[str]:
    """The single relations of a chain, and the whole."""
    whole = said.parts[0] + "".join(f" {r} {part}" for r, part in zip(said.relations, said.parts[1:], strict=True))
    return [whole]


def _leads(said: Chain, wanted: Chain) -> bool:
    """Whether a chain has both sides of what is wanted, and no relation on the way that says less."""
    left, right, relation = wanted.parts[0], wanted.parts[-1], wanted.relations[0]
    if len(wanted.relations) > 1:
        return said == wanted
    allowed = {
        "=": {"="},
        "!=": {"=", "!="},
        ">=": {"=", ">", ">="},
        "<=": {"=", "<", "<="},
        ">": {"=", ">", ">="},
        "<": {"=", "<", "<="},
    }
    for start, part in enumerate(said.parts):
        for end in range(start + 1, len(said.parts)):
            way = said.relations[start:end]
            strict = relation not in ("!=", ">", "<") or relation in way
            if part == left and said.parts[end] == right and set(way) <= allowed[relation] and strict:
                return True
    return False


def _refutes(instance: Line, claim: Line) -> bool:
    values = instance.values or {}
    if values.keys() != claim.variables.keys():
        return False
    for name, low in claim.variables.items():
        if (claim.integers and values[name].denominator != 1) or (low is not None and values[name] < low):
            return False
    sides = {claim.chain.parts[0], claim.chain.parts[-1]}
    hypotheses = all(chain(premise).holds(values) for premise in claim.premises)
    return hypotheses and not claim.chain.holds(values) and sides <= set(instance.chain.parts)


def _is_true(read: Line, given: Mapping[str, str], rng: random.Random) -> bool:
    """Whether a line holds, at random points or by sympy."""
    if read.kind == "instance":
        return read.chain.holds(read.values or {})
    if read.kind == "claim":
        return read.chain.holds({})
    if read.kind == "inference":
        return _follows([given.get(premise, premise) for premise in read.premises], read.chain)
    if not set(names([*read.chain.parts])) <= read.variables.keys():
        return False
    tried = 0
    for _ in range(POINTS * _TRIES):
        point = _point(read, rng)
        if point is None:
            continue
        tried += 1
        try:
            if not read.chain.holds(point):
                return False
        except Meaningless:
            return False
        if tried == POINTS:
            break
    return tried > 0 and (bool(read.premises) or _agrees(read.chain))


def _point(read: Line, rng: random.Random) -> dict[str, Fraction] | None:
    """Random values within the range of a line for which its hypotheses hold; None where these do not."""
    point: dict[str, Fraction] = {}
    for name, low in read.variables.items():
        number = Fraction(rng.randint(-15, 15)) if low is None else Fraction(low + rng.randint(0, 18))
        point[name] = number if read.integers or rng.random() < 0.3 else number + Fraction(rng.randint(0, 5), 6)
    for premise in read.premises:
        stated = chain(premise)
        if stated.relations == ("=",) and stated.parts[0] in point and " mod " not in premise:
            point[stated.parts[0]] = value(stated.parts[1], point)
    try:
        return point if all(chain(premise).holds(point) for premise in read.premises) else None
    except Meaningless:
        return None


def _symbolic(text: str) -> Any:
    """A formula for sympy; None if it has sums, remainders or powers with unknown exponents."""
    if re.search(r"\bsum\(|\bmod\b|\^\(|\^[a-z]", text):
        return None
    tree(text)  # refuses what is no formula
    symbols = {name: sympy.Symbol(name) for name in names([text])}
    return sympy.sympify(text.replace("^", "**"), locals=symbols, rational=True)


def _agrees(said: Chain) -> bool:
    """Whether sympy, too, finds both sides of each equation equal, where it can be asked."""
    links = zip(said.parts, said.relations, said.parts[1:], strict=False)
    asked = [(left, right) for left, relation, right in links if relation == "="]
    return all(_is_equal(left, right) or None in (_symbolic(left), _symbolic(right)) for left, right in asked)


def _is_equal(left: str, right: str) -> bool:
    sides = _symbolic(left), _symbolic(right)
    return None not in sides and sympy.expand(sides[0] - sides[1]) == 0


def _follows(premises: Sequence[str], said: Chain) -> bool:
    """Whether both sides of each link of a chain are equal by the ideal of the premises: a Gröbner basis says so."""
    polynomials = []
    for premise in premises:
        stated = chain(premise)
        sides = _symbolic(stated.parts[0]), _symbolic(stated.parts[-1])
        if stated.relations != ("=",) or None in sides:
            return False
        polynomials.append(sympy.expand(sides[0] - sides[1]))
    symbols = sorted({symbol for polynomial in polynomials for symbol in polynomial.free_symbols}, key=str)
    if not symbols:
        return False
    basis = sympy.groebner([p for p in polynomials if p != 0] or [sympy.Integer(0)], *symbols, order="lex")
    if basis.exprs == [1]:
        return False
    for left, relation, right in zip(said.parts, said.relations, said.parts[1:], strict=False):
        sides = _symbolic(left), _symbolic(right)
        if relation not in ("=", "<=", ">=") or None in sides:
            return False
        if basis.reduce(sympy.expand(sides[0] - sides[1]))[1] != 0:
            return False
    return True


def _is_built(read: Line, before: Sequence[Line]) -> bool:
    """Whether the lines that a claim of its kind needs stand before it, or the line itself shows it."""
    text = " ".join(read.chain.parts)
    if _written(read.chain) in read.premises:
        return True  # it says no more than its hypothesis
    if read.premises and all(" mod " not in premise for premise in read.premises):
        return True  # the step of an induction, or a claim under equations: evaluated above
    unaided = "sum(" not in text and " mod " not in text and not re.search(r"\^\(|\^[a-z]", text)
    if unaided and all(map(_is_equal, read.chain.parts, read.chain.parts[1:])):
        return True  # equal sides, whatever is said of them
    if "sum(" in text or re.search(r"\^\(|\^[a-z]", text):
        return _has_induction(read, before)
    if " mod " in text:
        return _has_witness(read) or _has_cases(read, before)
    square = re.compile(r"\^2(?: \+ [0-9]+)? >=? [0-9]+$")
    lines = [_written(line_.chain) for line_ in (*before, read) if line_.kind == "for all"]
    return any(square.search(written) for written in lines)


def _written(said: Chain) -> str:
    return said.parts[0] + "".join(f" {r} {part}" for r, part in zip(said.relations, said.parts[1:], strict=True))


def _has_induction(read: Line, before: Sequence[Line]) -> bool:
    if len(read.variables) != 1:
        return False
    ((name, low),) = read.variables.items()
    sides = {read.chain.parts[0], read.chain.parts[-1]}
    base = any(
        b.kind == "instance" and dict(b.values or {}) == {name: low} and sides <= set(b.chain.parts) for b in before
    )
    step = any(
        b.kind == "for all"
        and b.premises == (_written(read.chain),)
        and b.variables.keys() == {name}
        and ((start := b.variables[name]) is None or (low is not None and start <= low))
        for b in before
    )
    return base and step


def _has_witness(read: Line) -> bool:
    """Whether the last part but one shows a multiple and a remainder: `(3*(…) + 1) mod 3 = 1`."""
    match = re.fullmatch(r"\((\d+) ?\* ?\(?.+?\)?(?: \+ (\d+))?\) mod (\d+)", read.chain.parts[-2])
    return match is not None and match[1] == match[3] and (match[2] or "0") == read.chain.parts[-1]


def _has_cases(read: Line, before: Sequence[Line]) -> bool:
    """Whether a line with a witness stands before for each remainder, or for the one of the hypothesis."""
    match = re.fullmatch(r".+ mod (\d+)", read.chain.parts[0])
    if not match or len(read.variables) != 1:
        return False
    modulus, (name,) = int(match[1]), tuple(read.variables)
    wanted = set(range(modulus))
    for premise in read.premises:
        hypothesis = re.fullmatch(rf"{name} mod (\d+) = (\d+)", premise)
        if not hypothesis or int(hypothesis[1]) != modulus:
            return False
        wanted &= {int(hypothesis[2])}
    for earlier in before:
        if earlier.kind != "for all" or len(earlier.variables) != 1 or earlier.premises or not earlier.integers:
            continue
        ((k, low),) = earlier.variables.items()
        for rest in list(wanted):
            if low is None and _has_witness(earlier) and _is_case(read, earlier, name, k, modulus, rest):
                wanted.discard(rest)
    return not wanted


def _is_case(read: Line, case: Line, name: str, k: str, modulus: int, rest: int) -> bool:
    """Whether a line is about what a claim says of `modulus * k + rest`, by values of both."""
    for number in range(-3, 4):
        mine = value(read.chain.parts[0].rpartition(" mod ")[0], {name: Fraction(modulus * number + rest)})
        if mine != value(case.chain.parts[0].rpartition(" mod ")[0], {k: Fraction(number)}):
            return False
    return read.chain.parts[-1] == case.chain.parts[-1]
