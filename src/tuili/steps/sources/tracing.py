"""Traces the numbers of a chain, step by step, to the prompt, earlier steps and stated constants.

In each step one side must hold only traced numbers; it makes the other sides traced. Verdicts play no part: a step that
holds may come from nowhere, and a step that does not hold may rest on numbers of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy

from tuili.steps.context import Context
from tuili.steps.language import terms
from tuili.steps.language.parser import parse
from tuili.steps.language.terms import Term
from tuili.steps.sources.numbers import Key, Numeral, numerals, numerals_of_text
from tuili.steps.sources.origins import ChainSources, NumberSource, Origin, StepSources
from tuili.steps.sources.places import DivisionLine, division_line, places, whole
from tuili.steps.sources.reach import Reach
from tuili.steps.sources.sides import Side, equal_sides, parts_of
from tuili.steps.sources.stated import stated, without_examples
from tuili.steps.sources.written_work import LASTING, Derived, WrittenWork

MAX_STEPS = 2000
"""The maximum number of lines of a chain that are traced. All numbers after them come from nowhere."""
MAX_DERIVED = 40
"""The maximum count of numbers in one line for which the rules of written work are tried."""
MAX_EQUATIONS = 20
"""The maximum number of equations of a prompt, and of numbers in them, that may be multiplied."""

CASE, CHOSEN = "case", "chosen"
"""How a result arises in lines about all numbers, and in examples against them."""

_Source = tuple[Origin, int | None]
_PROMPT: _Source = (Origin.PROMPT, None)


def trace_numbers(prompt: str, lines: Iterable[str], context: Context | None = None) -> ChainSources:
    """Where each number of a chain comes from, and which numbers of the prompt no step used. Never raises.

    Args:
        context: what the prompt gives, if it has already been read.
    """
    tracer = NumberTracer(prompt, context)
    steps = tuple(tracer.trace(line) for line in lines)
    return ChainSources(steps, tracer.unused)


class NumberTracer:
    """Traces the steps of one chain, in order."""

    def __init__(self, prompt: str, context: Context | None = None, earlier: Sequence[str] = ()) -> None:
        """Args:
        context: what the prompt gives, if it was read before.
        earlier: the texts of earlier turns of the conversation, which give numbers too.
        """
        self._context = Context.from_prompt(prompt) if context is None else context
        self._prompt = numerals_of_text(without_examples(prompt))
        said = stated("\n".join((*earlier, prompt)))
        self._known: dict[Key, _Source] = dict.fromkeys(said.words, _PROMPT)
        for text in (*earlier, *self._context.facts.values(), *self._context.program.values()):
            self._learn(numerals_of_text(text), _PROMPT)
        self._learn(self._prompt, _PROMPT)
        self._reach = Reach(self._known, said.constants, said.rules, _multipliers(self._context))
        self._work = WrittenWork()
        self._names: frozenset[str] = frozenset()
        self._used: set[Key] = set()
        self._count = 0
        self._derived = 0

    def copy(self) -> NumberTracer:
        """A tracer of the same chain that continues independently."""
        other = copy(self)
        other._known, other._used, other._work = dict(self._known), set(self._used), self._work.copy()
        other._reach = Reach(other._known, self._reach.constants, self._reach.rules, self._reach.multipliers)
        return other

    @property
    def unused(self) -> tuple[str, ...]:
        """The numbers of the prompt that no step has used so far, each once, in order."""
        left = (numeral for numeral in self._prompt if not (numeral.is_apart or self._is_used(numeral)))
        return tuple(dict.fromkeys(numeral.text for numeral in left))

    def trace(self, line: str) -> StepSources:
        """Where the numbers of the next step come from."""
        self._count += 1
        self._derived = 0
        if self._count > MAX_STEPS:
            return _step(NumberSource(numeral.text, Origin.NOWHERE) for numeral in numerals_of_text(line))
        match parse(line):
            case terms.Claim(relation):
                return self._claim(relation)
            case terms.Trace(label, claim):
                self._use_label(label)
                return self._claim(claim.relation)
            case terms.Inference(premises, conclusion):
                return self._inference(premises, conclusion)
            case terms.Universal(variables, hypotheses=hypotheses, conclusion=conclusion):
                return self._about_all({variable.name for variable in variables}, hypotheses, conclusion)
            case terms.Instance(values, relation):
                return self._instance(values, relation)
        return _step(map(self._source, numerals_of_text(line)))

    def _claim(self, relation: terms.Compare | terms.Binary) -> StepSources:
        line = division_line(relation)
        by_division = self._work.divide(line, self._reach) if line else {}
        parts = parts_of(relation)
        head = 1 if isinstance(parts[0][1], terms.Name) else 0
        sides = [self._side(term, by_division, is_head=at <= head) for at, (_, term) in enumerate(parts)]
        is_inner_line = line is not None and line.dividend not in self._known
        groups = equal_sides([operator for operator, _ in parts], sides)
        step = _step(source for group in groups for source in self._equal(group, lasts=not is_inner_line))
        if step.traced:
            if isinstance(parts[0][1], terms.Name):
                self._names |= {parts[0][1].id}
            self._note(parts, line)
        return step

    def _about_all(self, variables: set[str], hypotheses: Sequence[Term], conclusion: terms.Compare) -> StepSources:
        """A line `for all`: within it, its variables are known, and the cases of a remainder in its hypotheses."""
        names, self._names = self._names, self._names | variables
        found: list[NumberSource] = []
        for hypothesis in hypotheses:
            sources = list(map(self._source, numerals(hypothesis)))
            match hypothesis:
                case terms.Compare(terms.Binary("mod", _, terms.Number(modulus)), (("=", terms.Number(rest)),)):
                    if sources[-1].origin is Origin.NOWHERE and self._reach.has(modulus.numerator) and rest < modulus:
                        sources[-1] = NumberSource(sources[-1].number, Origin.RESULT, by=CASE)
                        self._learn(numerals(hypothesis.rest[0][1]), (Origin.STEP, self._count))
            found += sources
        step = _step((*found, *self._claim(conclusion).numbers))
        self._names = names
        return step

    def _instance(self, values: Sequence[tuple[str, Term]], relation: terms.Compare) -> StepSources:
        """A line `n = 4: …`: its writer chooses the values."""
        names, self._names = self._names, self._names | {name for name, _ in values}
        chosen = [numeral for _, value in values for numeral in numerals(value)]
        found = [NumberSource(numeral.text, Origin.RESULT, by=CHOSEN) for numeral in chosen]
        self._learn(chosen, (Origin.STEP, self._count))
        step = _step((*found, *self._claim(relation).numbers))
        self._names = names
        return step

    def _side(self, term: Term, by_division: dict[Key, Derived], is_head: bool) -> Side:
        """A side of a claim. `is_head`: whether written work may stand there, as it begins a line."""
        sources = []
        for place in places(term):
            numeral = place.numeral
            derived = by_division.get(numeral.key) if numeral.key not in self._known else None
            source = None if derived else self._known_source(numeral)
            if source is None and derived is None and is_head and self._derived < MAX_DERIVED:
                self._derived += 1
                derived = self._work.derive(place, self._reach)
            sources.append((place, self._derived_source(numeral, derived) if derived else source))
        names = terms.names(term)
        for name in names:
            self._use_name(name)
        return Side(term, tuple(sources), all(map(self._knows, names)))

    def _equal(self, sides: Sequence[Side], lasts: bool) -> Iterable[NumberSource]:
        """The sources of the numbers on equal sides. `lasts`: whether later steps may use what the sides give."""
        strong = next((side for side in sides if side.is_source), None)
        source_side = strong or next((side for side in sides if side.is_weak_source), None)
        for at, side in enumerate(sides):
            before, behind = sides[:at], sides[at + 1 :]
            is_given = source_side not in (None, side) and (strong is not None or side.is_literal)
            lost = side.cancelled((*before[-1:], *behind[:1]), (*before, *behind)) if is_given else frozenset[Key]()
            for place, source in side.sources:
                if source is None and place.numeral.key in lost:
                    yield NumberSource(place.numeral.text, Origin.NOWHERE)
                    continue
                is_new = source is None or source.by in LASTING or (is_given and side.is_literal)
                if lasts and is_new and (source or is_given):
                    self._learn([place.numeral], (Origin.STEP, self._count))
                yield source or NumberSource(place.numeral.text, Origin.RESULT if is_given else Origin.NOWHERE)

    def _inference(self, premises: Sequence[Term], conclusion: Term) -> StepSources:
        """An inference: if the premises hold only traced numbers, the conclusion becomes traced."""
        found: list[NumberSource] = []
        for premise in premises:
            if isinstance(premise, terms.Name):
                self._use_label(premise.id)
            found += map(self._source, numerals(premise))
        is_given = all(source.origin is not Origin.NOWHERE for source in found)
        for numeral in numerals(conclusion):
            source = self._source(numeral)
            if source.origin is Origin.NOWHERE and is_given:
                source = NumberSource(numeral.text, Origin.RESULT)
                self._learn([numeral], (Origin.STEP, self._count))
            found.append(source)
        step = _step(found)
        if step.traced:
            self._names |= terms.names(conclusion)
        return step

    def _source(self, numeral: Numeral) -> NumberSource:
        return self._known_source(numeral) or NumberSource(numeral.text, Origin.NOWHERE)

    def _known_source(self, numeral: Numeral) -> NumberSource | None:
        """Where a number comes from, without the rules of written work; None if from nowhere known."""
        if numeral.key in self._known:
            self._used.add(numeral.key)
            return NumberSource(numeral.text, *self._known[numeral.key])
        if numeral.key in self._reach.constants:
            return NumberSource(numeral.text, Origin.CONSTANT, by=self._reach.constants[numeral.key])
        if numeral.parts and all(map(self._reach.has, numeral.parts)):
            self._used.update(numeral.parts)
            sources = [self._known[part] for part in numeral.parts if part in self._known]
            origin, step = max(sources, key=lambda source: source[1] or 0, default=(Origin.CONSTANT, None))
            return NumberSource(numeral.text, origin, step, "parts")
        return None

    def _derived_source(self, numeral: Numeral, derived: Derived) -> NumberSource:
        self._used.add(derived.base)
        return NumberSource(numeral.text, *self._known.get(derived.base, _PROMPT), derived.rule)

    def _learn(self, found: Iterable[Numeral], source: _Source) -> None:
        for numeral in found:
            for key in (numeral.key, *numeral.parts):
                self._known.pop(key, None)  # the latest ones come last
                self._known[key] = source

    def _is_used(self, numeral: Numeral) -> bool:
        keys = (numeral.key, *numeral.parts)
        return not self._used.isdisjoint(keys) or self._work.has_multiplied(numeral.key)

    def _knows(self, name: str) -> bool:
        return name in self._names or self._context.belongs_to_problem(name)

    def _use_label(self, label: str) -> None:
        self._use(numerals_of_text(self._context.facts.get(label) or self._context.program.get(label) or ""))

    def _use_name(self, name: str) -> None:
        """Marks the numbers of the fact that gives a name its value as used."""
        for statement in self._context.given if name in self._context.unknowns else ():
            if isinstance(statement, terms.Compare) and statement.first == terms.Name(name):
                self._use(numerals(statement))

    def _use(self, found: Iterable[Numeral]) -> None:
        for numeral in found:
            self._used.update((numeral.key, *numeral.parts))

    def _note(self, parts: Sequence[tuple[str, Term]], line: DivisionLine | None) -> None:
        """Records what later written work may continue from."""
        if line is not None:
            self._work.note_rest(line.dividend, line.rest, self._reach)
            return
        for _, term in parts:
            match term:
                case terms.Binary("*", left, right) if pair := _pair(left, right):
                    self._work.note_product(*pair)
                case terms.Call("C", (total, chosen)) if pair := _pair(total, chosen):
                    self._work.note_choice(*pair)
                case terms.Binary("-", left) if pair := _pair(left, parts[-1][1]):
                    self._work.note_rest(*pair, self._reach)


def _pair(left: Term, right: Term) -> tuple[int, int] | None:
    first, second = whole(left), whole(right)
    return None if first is None or second is None else (first, second)


def _multipliers(context: Context) -> dict[int, int]:
    """The whole quotients of numbers in several equations of a prompt, each with its dividend."""
    equations = context.given[:MAX_EQUATIONS]
    if len(equations) < 2:
        return {}
    found = {numeral.key for equation in equations for numeral in numerals(equation)}
    wholes = sorted(key for key in found if isinstance(key, int) and key > 1)[:MAX_EQUATIONS]
    return {dividend // divisor: dividend for dividend in wholes for divisor in wholes if dividend % divisor == 0}


def _step(found: Iterable[NumberSource]) -> StepSources:
    return StepSources(tuple(dict.fromkeys(found)))
