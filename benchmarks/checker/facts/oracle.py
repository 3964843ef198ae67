"""What the twin says about a line: whether it may be valid, and whether it may be invalid, by means of its own.

Numbers are decided by Fourier and Motzkin's elimination, propositions by truth tables.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from benchmarks.checker.facts.language import Form, Numbers, Proposition, Statement, linear, options, statement, words
from benchmarks.checker.facts.reader import Reading


def feasible(wanted: Sequence[tuple[Form, str]]) -> bool:
    """Whether rational numbers satisfy all constraints."""
    for i, (form, sign) in enumerate(wanted):
        rest = [*wanted[:i], *wanted[i + 1 :]]
        if sign == "!=":
            other = {name: -factor for name, factor in form.items()}
            return feasible([*rest, (form, "<")]) or feasible([*rest, (other, "<")])
        if sign == "=":
            names = [name for name, factor in form.items() if name and factor]
            if not names:
                if form.get("", 0):
                    return False
                return feasible(rest)
            name = names[0]
            return feasible([(_without(other, form, name), s) for other, s in rest])
    unknowns = {name for form, _ in wanted for name, factor in form.items() if name and factor}
    if not unknowns:
        return all(f.get("", 0) < 0 if s == "<" else f.get("", 0) <= 0 for f, s in wanted)
    name = min(unknowns)
    upper = [c for c in wanted if c[0].get(name, 0) > 0]
    lower = [c for c in wanted if c[0].get(name, 0) < 0]
    rest = [c for c in wanted if not c[0].get(name, 0)]
    for (high, s), (low, t) in itertools.product(upper, lower):
        made = {n: high.get(n, Fraction(0)) / high[name] - low.get(n, Fraction(0)) / low[name] for n in high | low}
        rest.append((made, "<" if "<" in (s, t) else "<="))
    return feasible(rest)


def _without(form: Form, equation: Form, name: str) -> Form:
    factor = form.get(name, Fraction(0)) / equation[name]
    made = {n: form.get(n, Fraction(0)) - factor * equation.get(n, Fraction(0)) for n in form.keys() | equation.keys()}
    return made | {name: Fraction(0)}


NEGATED = {"=": "!=", "!=": "=", "<": "<=", "<=": "<"}


def propositions(statements: Iterable[Statement]) -> list[Proposition]:
    return [tuple(map(str, meaning)) for meaning in statements if isinstance(meaning, tuple) and not options(meaning)]


def cases(statements: Iterable[Statement]) -> Iterable[list[tuple[Form, str]]]:
    """The constraints of the statements about numbers, in each choice of alternatives."""
    for chosen in itertools.product(*filter(None, map(options, statements))):
        yield [constraint for part in chosen for constraint in part]


def negations(meaning: Numbers) -> Iterable[tuple[Form, str]]:
    for form, sign in meaning:
        turned = {n: -f for n, f in form.items()} if sign.startswith("<") else form
        yield turned, NEGATED[sign]


def follows(premises: Sequence[Statement], conclusion: Statement) -> bool:
    """Whether the conclusion holds wherever the premises do."""
    if parts := options(conclusion):
        denials = [*itertools.product(*map(negations, parts))]
        return not any(feasible([*base, *denial]) for base in cases(premises) for denial in denials)
    (wanted,), given = propositions([conclusion]), propositions(premises)
    atoms = sorted({atom for _, *parts in (*given, wanted) for atom in parts})
    for values in itertools.product((False, True), repeat=len(atoms)):
        model = dict(zip(atoms, values, strict=True))
        if all(_true(premise, model) for premise in given) and not _true(wanted, model):
            return False
    return True


def consistent(statements: Sequence[Statement]) -> bool:
    """Whether all statements can hold together."""
    return any(map(feasible, cases(statements))) and not follows(propositions(statements), ("", "something else"))


def _same(text: str, other: str) -> bool:
    """Whether two statements are written alike, spaces apart."""
    return text.replace(" ", "") == other.replace(" ", "")


def _true(meaning: Proposition, model: dict[str, bool]) -> bool:
    operator, *atoms = meaning
    values = [model[atom] for atom in atoms]
    match operator:
        case "":
            return values[0]
        case "not":
            return not values[0]
        case "->":
            return not values[0] or values[1]
        case "or":
            return values[0] or values[1]
    return all(values)


@dataclass
class State:
    """What a chain has shown so far, and how far it has retold the program."""

    reading: Reading
    defined: dict[str, Fraction] = field(default_factory=dict)
    conclusions: list[tuple[str, Statement]] = field(default_factory=list)
    events: int = 0

    @property
    def variables(self) -> dict[str, Fraction]:
        """The program's variables after the events retold."""
        values: dict[str, Fraction] = {}
        for _, source in [*self.reading.program.items()][: self.events]:
            assert source is not None
            name, _, term = source.partition(" = ")
            value = self.value(term, values)
            assert value is not None
            values[name] = value
        return values

    def value(self, term: str, values: dict[str, Fraction]) -> Fraction | None:
        form = linear(term)
        if form is None or not form.keys() - {""} <= values.keys():
            return None
        return sum((factor * (values[name] if name else 1) for name, factor in form.items()), Fraction(0))

    @property
    def given(self) -> list[tuple[str, Statement]]:
        return self.reading.given(set(self.variables))

    @property
    def known(self) -> list[Statement]:
        """All that is true by what is given, shown or computed."""
        values = {**self.defined, **self.variables}
        equal = [(({name: Fraction(1), "": -value}, "="),) for name, value in values.items()]
        return [*(meaning for _, meaning in (*self.given, *self.conclusions)), *equal]

    @property
    def clashing(self) -> set[str]:
        """Names to which facts give two values."""
        values = {found.groups() for text, _ in self.given if (found := re.fullmatch(r"(\w+) = (\d+)", text))}
        names = [name for name, _ in values]
        return {name for name in names if names.count(name) > 1}

    @property
    def sound(self) -> list[Statement]:
        """What is known, except about names that have two values."""
        names = self.clashing
        shown = [meaning for text, meaning in (*self.given, *self.conclusions) if names.isdisjoint(words(text))]
        values = [(({name: Fraction(1), "": -value}, "="),) for name, value in (self.defined | self.variables).items()]
        return [*shown, *values]

    @property
    def touched(self) -> set[str]:
        """Names of what is given, and of what was not read."""
        return self.reading.protected | {name for text, _ in (*self.given,) for name in words(text)}

    def judge(self, line: str) -> tuple[bool, bool]:
        """Whether the line may be valid, and whether it may be invalid."""
        if trace := re.fullmatch(r"(L\d): (\w+) = (-?\d+)", line):
            return self._trace(*trace.groups())
        if "=>" in line:
            return self._inference(line)
        return self._claim(line)

    def _trace(self, label: str, name: str, value: str) -> tuple[bool, bool]:
        if not self.reading.program:
            return False, False
        after = [*self.reading.program.items()][self.events : self.events + 1]
        if not after:
            return False, True
        next_label, source = after[0]
        if source is None:
            return False, False
        target, _, term = source.partition(" = ")
        result = self.value(term, self.variables)
        right = (label, name, Fraction(value)) == (next_label, target, result)
        return right, not right

    def _claim(self, line: str) -> tuple[bool, bool]:
        meaning = statement(line)
        assert meaning is not None
        parts = line.split(" = ")
        name = parts[0]
        known = self.known
        if re.fullmatch(r"\w+", name) and re.search("[A-Za-z_]", name) and len(parts) == 3:
            mentioned = (
                self.touched | self.reading.labels | {n for s in self.reading.program.values() for n in words(s or "")}
            )
            mentioned |= {n for text, _ in (*self.reading.facts.values(), *self.reading.loose) for n in words(text)}
            mentioned |= {n for text, _ in self.conclusions for n in words(text)}
            if name not in mentioned and name not in self.defined:
                true = follows([], statement(" = ".join(parts[1:])) or ())
                return true and name != "pi", not true
        if not consistent(known):
            if not consistent(self.sound):
                return True, True
            stated = any(_same(line, other) for other, _ in (*self.given, *self.conclusions))
            entailed = follows(self.sound, meaning)
            wrong = not consistent([meaning]) or self.clashing.isdisjoint(words(line))
            return stated or entailed, wrong and not (stated or entailed)
        entailed = follows(known, meaning)
        refuted = not consistent([*known, meaning])
        return entailed, refuted or not (entailed or self._may_be_unread(line))

    def _may_be_unread(self, text: str) -> bool:
        """Whether what was not read may say something about the names of a text, through the facts about them too."""
        names, about = words(text), {name for text, _ in self.given for name in words(text)}
        return self.reading.unread or bool(self.reading.protected & (names | about if names & about else names))

    def _inference(self, line: str) -> tuple[bool, bool]:
        head, _, tail = line.partition(" => ")
        premises, may_be_invalid, may_be_valid = list[Statement](), False, True
        conclusion = statement(tail)
        assert conclusion is not None
        grounded, unknown = self.reading.statement_seen, False
        for text in head.split(", "):
            if re.fullmatch(r"[A-Z]\d", text):
                fact = self.reading.facts.get(text)
                if fact is None or fact not in self.given:
                    unknown = True
                else:
                    premises.append(fact[1])
                continue
            meaning = statement(text)
            assert meaning is not None
            premises.append(meaning)
            if grounded:
                stated = any(_same(text, other) for other, _ in (*self.given, *self.conclusions))
                holds = follows(self.sound, meaning)
                may_be_valid &= stated or holds or not consistent(self.sound)
                may_be_invalid |= not stated and (
                    not self._may_be_unread(text) or not consistent([*self.known, meaning])
                )
            else:
                may_be_invalid |= not consistent([*self.known, meaning])
        if unknown:
            return False, may_be_invalid
        if len({bool(options(meaning)) for meaning in (*premises, conclusion)}) > 1:
            return False, may_be_invalid
        right = follows(premises, conclusion) and consistent(premises)
        return may_be_valid and right, may_be_invalid or not right

    def after(self, line: str) -> None:
        """Takes in a line that is valid."""
        if re.match(r"L\d:", line):
            before = self.given
            self.events += 1
            name = re.findall(r"\w+", line)[1]
            facts = {n for text, _ in before for n in words(text)}
            self.conclusions = [] if name in facts else [c for c in self.conclusions if name not in words(c[0])]
            if name in facts:
                self.defined = {n: v for n, v in self.defined.items() if n not in facts}
            self.defined.pop(name, None)
        elif "=>" in line:
            tail = line.partition(" => ")[2]
            meaning = statement(tail)
            if self.reading.statement_seen and meaning is not None:
                self.conclusions.append((tail, meaning))
        else:
            name, *rest = line.split(" = ")
            value = self.value(rest[-1], {}) if rest else None
            named = re.fullmatch("[A-Za-z_]\\w*", name) and name not in self.clashing
            if value is not None and named and not re.search("[<>!]", line):
                self.defined[name] = value
