"""Propositional inference by truth tables.

A column of a table is one integer: bit i is the formula's value in row i. `regions` uses the same columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

from tuili.steps.language.grammar import CONNECTIVES
from tuili.steps.language.terms import Binary, Boolean, Name, Term, Unary, names
from tuili.steps.verdict import Decision, LimitExceeded

MAX_ATOMS = 14


def atom_columns(count: int) -> list[int]:
    """The columns of `count` independent atoms: the value of atom i in row r is bit i of r."""
    all_rows = (1 << (1 << count)) - 1
    return [all_rows // ((1 << (1 << i)) + 1) << (1 << i) for i in range(count)]


def is_propositional(term: Term) -> bool:
    """Whether a statement consists of atoms, truth values and connectives only."""
    match term:
        case Name() | Boolean():
            return True
        case Unary(op="not"):
            return is_propositional(term.operand)
        case Binary(op=op) if op in CONNECTIVES:
            return is_propositional(term.left) and is_propositional(term.right)
    return False


def decide(premises: Sequence[Term], conclusion: Term) -> Decision:
    """Whether every row that makes the premises true makes the conclusion true.

    Raises `LimitExceeded` for more than `MAX_ATOMS`.
    """
    atoms = sorted(frozenset().union(*map(names, (*premises, conclusion))))
    if len(atoms) > MAX_ATOMS:
        raise LimitExceeded(f"more than {MAX_ATOMS} atoms")
    all_rows = (1 << (1 << len(atoms))) - 1
    by_atom = dict(zip(atoms, atom_columns(len(atoms)), strict=True))
    columns = [_column(premise, by_atom, all_rows) for premise in premises]
    goal = _column(conclusion, by_atom, all_rows)

    def rows(kept: Sequence[int]) -> int:
        result = all_rows
        for i in kept:
            result &= columns[i]
        return result

    possible = rows(range(len(columns)))
    counter_rows = possible & ~goal
    if counter_rows:
        row = (counter_rows & -counter_rows).bit_length() - 1
        return Decision(False, counter_model={atom: bool(row >> i & 1) for i, atom in enumerate(atoms)})
    used = minimal_premises(len(columns), lambda kept: not rows(kept) & ~goal)
    return Decision(True, bool(possible), _rule([premises[i] for i in used], conclusion), used)


def minimal_premises(count: int, suffices: Callable[[Sequence[int]], bool]) -> tuple[int, ...]:
    """The positions of premises that together suffice, and of which none can be left out.

    `suffices` says whether the premises at some positions suffice; all `count` of them must.
    """
    kept = list(range(count))
    for i in range(count):
        fewer = [j for j in kept if j != i]
        if suffices(fewer):
            kept = fewer
    return tuple(kept)


def _column(term: Term, atoms: Mapping[str, int], all_rows: int) -> int:
    match term:
        case Name():
            return atoms[term.id]
        case Boolean():
            return all_rows if term.value else 0
        case Unary():
            return all_rows ^ _column(term.operand, atoms, all_rows)
        case Binary():
            left, right = _column(term.left, atoms, all_rows), _column(term.right, atoms, all_rows)
            match term.op:
                case "and":
                    return left & right
                case "or":
                    return left | right
                case "xor":
                    return left ^ right
                case "->":
                    return all_rows ^ left | right
                case "<->":
                    return all_rows ^ left ^ right
    raise AssertionError(f"not a propositional term: {term}")


def _rule(premises: Sequence[Term], conclusion: Term) -> str:
    """The textbook name of an inference, if it has one."""
    if conclusion in premises:
        return "restatement"
    for order in permutations(premises) if len(premises) <= 2 else ():
        match (*order, conclusion):
            case (Binary("->", a, b), c, d) if (a, b) == (c, d):
                return "modus ponens"
            case (Binary("->", a, b), Unary("not", c), Unary("not", d)) if (a, b) == (d, c):
                return "modus tollens"
            case (Binary("->", a, b), Binary("->", c, d), Binary("->", e, f)) if (a, b, d) == (e, c, f):
                return "hypothetical syllogism"
            case (Binary("or", a, b), Unary("not", c), d) if (c, d) in ((a, b), (b, a)):
                return "disjunctive syllogism"
            case (Binary("<->", a, b), c, d) if (c, d) in ((a, b), (b, a)):
                return "equivalence"
            case (a, b, Binary("and", c, d)) if (a, b) == (c, d):
                return "conjunction"
            case (Binary("and", a, b), c) if c in (a, b):
                return "simplification"
            case (a, Binary("or", c, d)) if a in (c, d):
                return "addition"
            case (Binary("->", a, b), Binary("->", Unary("not", c), Unary("not", d))) if (a, b) == (d, c):
                return "contraposition"
            case (Unary("not", Unary("not", a)), b) if a == b:
                return "double negation"
    return "contradiction" if conclusion == Boolean(False) else "truth table"
