"""What a line may rely on: the labelled facts and the program of the prompt, and what the chain has shown so far.

Whether an inference may use a premise is decided by `grounding`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from tuili.steps.language import terms
from tuili.steps.language.parser import parse, parse_statement
from tuili.steps.language.terms import Term
from tuili.steps.theories.interpreter import Execution, execution
from tuili.steps.values.evaluate import evaluate, evaluation_budget
from tuili.steps.values.values import Value
from tuili.steps.verdict import Status, StepFault, Unreadable, Verdict
from tuili.steps.work_budget import WorkBudget

MAX_PROMPT_CHARACTERS = 20_000
MAX_PROMPT_ENTRIES = 200
_UNREADABLE = ""
LABEL = re.compile(r"[A-Z][0-9]{1,3}")
_ENTRY = re.compile(r"(?<![A-Za-z0-9_])(L[0-9]+:|[A-Z][0-9]{1,3}: )")
_END_OF_FACT = re.compile(r"[.;?](?:\s|$)")


@dataclass(frozen=True)
class Context:
    """What a line of a chain may rely on.

    `facts` maps the labels of a prompt to statements, `program` maps them to lines of a program. `names` holds the
    values of the names that were defined so far, `conclusions` what was inferred so far. `events` is the number of
    the program's events that were retold so far.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    program: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, Value] = field(default_factory=dict)
    conclusions: tuple[Term, ...] = ()
    events: int = 0

    @classmethod
    def from_prompt(cls, text: str) -> Context:
        """Reads entries like `P1: A -> B` or `L2: y = x * 3` from a prompt.

        An entry ends with its line or before the next label, a fact also at `. `, `; ` or `? `. Labels with L are
        lines of a program, all others are facts. A fact is left out if it does not parse or if its label occurs twice.
        Such a line of a program is kept as one that cannot be read, so that no event after it is valid.
        An entry is left out that does not lie whole within `MAX_PROMPT_CHARACTERS` or is beyond `MAX_PROMPT_ENTRIES`;
        then no event of the program is valid.
        """
        facts: dict[str, str] = {}
        program: dict[str, str] = {}
        pieces = _ENTRY.split(text[:MAX_PROMPT_CHARACTERS], maxsplit=MAX_PROMPT_ENTRIES + 1)[1:]
        entries = list(zip(pieces[::2], pieces[1::2], strict=True))
        is_cut = len(text) > MAX_PROMPT_CHARACTERS or len(entries) > MAX_PROMPT_ENTRIES
        for mark, rest in entries[:-1] if is_cut else entries:
            label, line = mark.rstrip(": "), rest.partition("\n")[0]
            if label.startswith("L"):
                program[label] = _UNREADABLE if label in program else line.strip()
            else:
                facts[label] = _UNREADABLE if label in facts else _END_OF_FACT.split(line, maxsplit=1)[0].strip()
        if is_cut and program:
            program = {"": _UNREADABLE, **program}
        readable = _statements(tuple(facts.items()))
        return cls({label: fact for label, fact in facts.items() if label in readable}, program)

    def after(self, line: str, verdict: Verdict) -> Context:
        """The context for the next line: a valid line adds its definition, conclusion or event."""
        if verdict.status is not Status.VALID:
            return self
        match parse(line):
            case terms.Claim(terms.Compare() as relation):
                return self._with_definition(relation)
            case terms.Inference(conclusion=conclusion) if self.is_grounded:
                return replace(self, conclusions=(*self.conclusions, conclusion))._with_definition(conclusion)
            case terms.Trace():
                return self._with_event()
        return self

    @property
    def is_grounded(self) -> bool:
        """Whether the problem says where premises come from. Otherwise a conclusion only holds if its premises do."""
        return bool(self.facts or self.program)

    def _with_event(self) -> Context:
        """The context after the next event, without the conclusions that the variable's new value puts out of date.

        If a fact mentions the variable, these are all conclusions, and all values of names that the facts mention.
        """
        event = self.execution.event(self.events)
        assert event is not None, "a valid trace line retells an event"
        mentioned = _mentioned(self.statements.values())
        if event.name in mentioned:
            known = {name: value for name, value in self.names.items() if name not in mentioned}
            return replace(self, events=self.events + 1, conclusions=(), names=known)
        kept = tuple(conclusion for conclusion in self.conclusions if event.name not in terms.names(conclusion))
        return replace(self, events=self.events + 1, conclusions=kept)

    def _with_definition(self, statement: Term) -> Context:
        name, term = _definition(statement)
        value = None if term is None or name in self.values else _value(term, self.values, evaluation_budget())
        return self if value is None else replace(self, names={**self.names, name: value})

    @property
    def statements(self) -> Mapping[str, Term]:
        """The facts that can be read, by label."""
        return _statements(tuple(self.facts.items()))

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """The value of every name that has one: in the program's state, by a definition, or by a fact."""
        known: dict[str, Value] = dict(self.names)
        if self.program:
            known.update(self.execution.state(self.events))
        budget = evaluation_budget()
        pending = [(name, term, terms.names(term)) for name, term in self._definitions]
        while ready := [(name, term) for name, term, needed in pending if needed <= known.keys()]:
            pending = [fact for fact in pending if not fact[2] <= known.keys()]
            for name, term in ready:
                value = None if name in known else _value(term, known, budget)
                if value is not None:
                    known[name] = value
        return known

    @property
    def _definitions(self) -> list[tuple[str, Term]]:
        definitions = map(_definition, self.statements.values())
        return [(name, term) for name, term in definitions if term is not None]

    @cached_property
    def unknowns(self) -> frozenset[str]:
        """The names of the problem, which a line may not define at will."""
        return _mentioned((*self.statements.values(), *self.conclusions)) | self.execution.variables

    @property
    def execution(self) -> Execution:
        """The execution of the program."""
        return execution(tuple(self.program.items()))


@lru_cache(maxsize=32)
def _statements(facts: tuple[tuple[str, str], ...]) -> Mapping[str, Term]:
    statements: dict[str, Term] = {}
    for label, text in facts:
        try:
            statements[label] = parse_statement(text)
        except Unreadable:
            continue
    return statements


def _mentioned(statements: Iterable[Term]) -> frozenset[str]:
    return frozenset().union(*map(terms.names, statements))


def _definition(statement: Term) -> tuple[str, Term | None]:
    """The name and the first value of a statement like `x = 3 + 4 = 7`."""
    match statement:
        case terms.Compare(terms.Name(id=name), (("=", term), *_)):
            return name, term
    return "", None


def _value(term: Term, known: Mapping[str, Value], budget: WorkBudget) -> Value | None:
    try:
        return evaluate(term, known, budget)
    except StepFault:
        return None
