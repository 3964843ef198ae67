"""Propositional inference by truth tables. A table is one integer: bit i is the formula's value in row i."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

from tuili.steps.language.grammar import CONNECTIVES
from tuili.steps.language.terms import Binary, Boolean, Name, Term, Unary, names
from tuili.steps.verdict import Decision, LimitExceeded

MAX_ATOMS = 14


def columns(count: int) -> list[int]:
    """The tables of `count` independent atoms: the value of atom i in row r is bit i of r."""
    everything = (1 << (1 << count)) - 1
    return [everything // ((1 << (1 << i)) + 1) << (1 << i) for i in range(count)]


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
    """Whether every row that makes the premises true makes the conclusion true. Raises `LimitExceeded`."""
    atoms = sorted(frozenset().union(*map(names, (*premises, conclusion))))
    if len(atoms) > MAX_ATOMS:
        raise LimitExceeded(f"more than {MAX_ATOMS} atoms")
    everything = (1 << (1 << len(atoms))) - 1
    atom_tables = dict(zip(atoms, columns(len(atoms)), strict=True))
    tables = [_table(premise, atom_tables, everything) for premise in premises]
    goal = _table(conclusion, atom_tables, everything)

    def rows(kept: Sequence[int]) -> int:
        result = everything
        for i in kept:
            result &= tables[i]
        return result

    possible = rows(range(len(tables)))
    counter_rows = possible & ~goal
    if counter_rows:
        row = (counter_rows & -counter_rows).bit_length() - 1
        return Decision(False, counter_model={atom: bool(row >> i & 1) for i, atom in enumerate(atoms)})
    used = needed(len(tables), lambda kept: not rows(kept) & ~goal)
    return Decision(True, bool(possible), _rule([premises[i] for i in used], conclusion), used)


def needed(count: int, suffices: Callable[[Sequence[int]], bool]) -> tuple[int, ...]:
    """Positions of premises that still suffice when none of them can be left out."""
    kept = list(range(count))
    for i in range(count):
        fewer = [j for j in kept if j != i]
        if suffices(fewer):
            kept = fewer
    return tuple(kept)


def _table(term: Term, atoms: Mapping[str, int], everything: int) -> int:
    match term:
        case Name():
            return atoms[term.id]
        case Boolean():
            return everything if term.value else 0
        case Unary():
            return everything ^ _table(term.operand, atoms, everything)
        case Binary():
            left, right = _table(term.left, atoms, everything), _table(term.right, atoms, everything)
            match term.op:
                case "and":
                    return left & right
                case "or":
                    return left | right
                case "xor":
                    return left ^ right
                case "->":
                    return everything ^ left | right
                case "<->":
                    return everything ^ left ^ right
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
