"""What a line may rely on: the labelled facts and the program of the prompt, and what the chain has shown so far.

`grounding` decides whether an inference may use a premise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from tuili.steps import prompt
from tuili.steps.language import terms
from tuili.steps.language.parser import parse, parse_statement
from tuili.steps.language.terms import Term
from tuili.steps.sentences import LABEL, shared
from tuili.steps.theories.interpreter import Execution, execution
from tuili.steps.values.evaluate import evaluate, evaluation_budget
from tuili.steps.values.values import Value, equal
from tuili.steps.verdict import Status, StepFault, Unreadable, Verdict
from tuili.steps.work_budget import WorkBudget


@dataclass(frozen=True)
class Context:
    """What a line of a chain may rely on.

    `facts` maps the labels of a prompt to statements, and `program` maps them to program lines. `names` holds the
    values of the names defined so far, and `conclusions` the statements inferred so far. `events` is the number of
    program events retold so far. `unlabelled` holds the statements that the prompt gives without a label. `protected`
    holds the words and labels of text that looks like a statement but could not be read; `unread` says whether this
    text includes a labelled entry, which may have said anything. `shown` holds the `for all …` lines and the instances
    that the chain has shown so far.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    program: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, Value] = field(default_factory=dict)
    conclusions: tuple[Term, ...] = ()
    events: int = 0
    unlabelled: tuple[str, ...] = ()
    protected: frozenset[str] = frozenset()
    unread: bool = False
    shown: tuple[terms.Universal | terms.Instance, ...] = ()

    @classmethod
    def from_prompt(cls, text: str, earlier: Sequence[tuple[str, str]] = ()) -> Context:
        """Reads what a prompt gives: entries like `P1: A -> B` and `L2: y = x * 3`, and sentences like `Let x = 3.`

        Args:
            earlier: the questions before it in the same conversation, which also give statements, and their answers,
                which give none.
        The table in `docs/steps.md` says what is given, and what is only protected.
        """
        given = prompt.read(text, earlier)
        return cls(
            given.facts,
            given.program,
            unlabelled=tuple(given.unlabelled),
            protected=frozenset(given.protected),
            unread=given.unread,
        )

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
            case (terms.Universal() | terms.Instance()) as step:
                return replace(self, shown=(*self.shown, step))
        return self

    @property
    def is_grounded(self) -> bool:
        """Whether the problem says where premises come from. If not, a conclusion only holds if its premises do."""
        return bool(self.facts or self.program or self.unlabelled or self.protected or self.unread)

    def _with_event(self) -> Context:
        """The context after the next event, without the conclusions that the variable's new value makes out of date.

        If a fact mentions the variable, all conclusions are dropped, and so are all values of names that the facts
        mention.
        """
        event = self.execution.event(self.events)
        assert event is not None, "a valid trace line retells an event"
        mentioned = _mentioned(self.given)
        if event.name in mentioned:
            known = {name: value for name, value in self.names.items() if name not in mentioned}
            return replace(self, events=self.events + 1, conclusions=(), names=known)
        kept = tuple(conclusion for conclusion in self.conclusions if event.name not in terms.names(conclusion))
        return replace(self, events=self.events + 1, conclusions=kept)

    def _with_definition(self, statement: Term) -> Context:
        name, term = _definition(statement)
        if term is None or name in self.values or name in self._solution[1]:
            return self
        value = _value(term, self.values, evaluation_budget())
        return self if value is None else replace(self, names={**self.names, name: value})

    @cached_property
    def statements(self) -> Mapping[str, Term]:
        """The readable facts by label, except those about a variable that the program has changed."""
        statements = _statements(tuple(self.facts.items()))
        return {label: term for label, term in statements.items() if self._counts(term)}

    @cached_property
    def given(self) -> tuple[Term, ...]:
        """All statements of the problem that still count."""
        if not self.unlabelled:
            return tuple(self.statements.values())
        unlabelled = map(parse_statement, self.unlabelled)
        return (*self.statements.values(), *filter(self._counts, unlabelled))

    def _counts(self, statement: Term) -> bool:
        return not self.events or self.execution.state(self.events).keys().isdisjoint(terms.names(statement))

    @property
    def values(self) -> Mapping[str, Value]:
        """The value of every name that has one: from the program's state, a definition or a fact."""
        return self._solution[0]

    @cached_property
    def _solution(self) -> tuple[Mapping[str, Value], set[str]]:
        """All values, and the names to which the facts give two values. Those names have no value."""
        definitions, without = self._definitions, set[str]()
        while True:
            known, contested = self._solve(definitions)
            if not contested:
                return known, without
            without |= contested
            definitions = [(name, term) for name, term in definitions if name not in contested]

    def _solve(self, definitions: Iterable[tuple[str, Term]]) -> tuple[dict[str, Value], set[str]]:
        """The values that follow from definitions, and the names that have more than one."""
        known: dict[str, Value] = dict(self.names)
        if self.program:
            known.update(self.execution.state(self.events))
        contested: set[str] = set()
        budget = evaluation_budget()
        pending = [(name, term, terms.names(term)) for name, term in definitions]
        while ready := [(name, term) for name, term, needed in pending if needed <= known.keys()]:
            pending = [fact for fact in pending if not fact[2] <= known.keys()]
            for name, term in ready:
                value = _value(term, known, budget)
                if value is not None and not equal(known.setdefault(name, value), value):
                    contested.add(name)
        return known, contested

    @property
    def _definitions(self) -> list[tuple[str, Term]]:
        definitions = map(_definition, self.given)
        return [(name, term) for name, term in definitions if term is not None]

    @cached_property
    def unknowns(self) -> frozenset[str]:
        """The names in the statements and the program of the problem, and in the conclusions so far."""
        facts = (*_statements(tuple(self.facts.items())).values(), *map(parse_statement, self.unlabelled))
        return _mentioned((*facts, *self.conclusions)) | self.execution.variables

    @property
    def labels(self) -> frozenset[str]:
        """The labels of the prompt."""
        return frozenset((*self.facts, *self.program, *filter(LABEL.fullmatch, self.protected)))

    def belongs_to_problem(self, name: str) -> bool:
        """Whether a name belongs to the problem, so that no line may define it at will."""
        others = (self.unknowns, self.facts, self.program)
        return any(name in some for some in others) or self._is_protected(name)

    def _is_protected(self, name: str) -> bool:
        return prompt.EVERY_NAME in self.protected or bool(shared(self.protected, (name,)))

    def may_be_given(self, statement: Term) -> bool:
        """Whether text that could not be read may give a statement that was not found."""
        return self.unread or bool(shared(self.protected, _mentioned((statement, *self.given))))

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
