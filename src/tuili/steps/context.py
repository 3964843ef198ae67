"""What a line may rely on: the labelled facts and the program of the prompt, and what the chain has shown so far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from tuili.steps.evaluate import evaluate
from tuili.steps.parser import parse, parse_statement
from tuili.steps.program import Run, parse_program_line, run
from tuili.steps.terms import Claim, Compare, Inference, Name, Term, Trace, names
from tuili.steps.values import Value
from tuili.steps.verdict import Status, StepFault, Unreadable, Verdict

LABEL = re.compile(r"[A-Z][0-9]{1,3}", re.ASCII)
_ENTRY = re.compile(r"(?<![A-Za-z0-9_])([A-Z][0-9]{1,3}): +(.+?)(?=[.?;]?(?:\s*\n|\s+[A-Z][0-9]{1,3}: |\s*$)|[.;?] )", re.ASCII)
MAX_PROMPT = 20_000


@dataclass(frozen=True)
class Context:
    """The ground a chain of steps stands on.

    `facts` and `program` map the labels of a prompt to statements and to lines of a program; `names` holds the values
    of names defined so far, `conclusions` what was inferred, `events` how many events of the program were retold.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    program: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, Value] = field(default_factory=dict)
    conclusions: tuple[Term, ...] = ()
    events: int = 0

    @classmethod
    def from_prompt(cls, text: str) -> Context:
        """Reads entries like `P1: A -> B` or `L2: y = x * 3` from a prompt.

        An entry ends with its line, or at `. `, `; ` or `? `. Labels with L are lines of a program, all others facts;
        entries that do not parse are left out.
        """
        facts: dict[str, str] = {}
        program: dict[str, str] = {}
        for label, entry in _ENTRY.findall(text[:MAX_PROMPT]):
            try:
                if label.startswith("L"):
                    parse_program_line(entry)
                    program[label] = entry
                else:
                    parse_statement(entry)
                    facts[label] = entry
            except Unreadable:
                continue
        return cls(facts, program)

    def after(self, line: str, verdict: Verdict) -> Context:
        """The context for the next line: a valid line adds its definition, conclusion or event."""
        if verdict.status is not Status.VALID:
            return self
        match parse(line):
            case Claim(Compare() as relation):
                return self._with_definition(relation)
            case Inference(conclusion=conclusion):
                grown = replace(self, conclusions=(*self.conclusions, conclusion))
                return grown._with_definition(conclusion) if isinstance(conclusion, Compare) else grown
            case Trace():
                return replace(self, events=self.events + 1)
        return self

    def _with_definition(self, relation: Compare) -> Context:
        if not isinstance(relation.first, Name) or relation.first.id in self.values:
            return self
        if relation.rest[0][0] != "=":
            return self
        try:
            value = evaluate(relation.rest[0][1], self.values)
        except StepFault:
            return self
        return replace(self, names={**self.names, relation.first.id: value})

    @cached_property
    def statements(self) -> Mapping[str, Term]:
        """The facts that can be read, by label."""
        found: dict[str, Term] = {}
        for label, text in self.facts.items():
            try:
                found[label] = parse_statement(text)
            except Unreadable:
                continue
        return found

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """The value of every name that has one: in the program's state, by a fact, or by a definition."""
        known: dict[str, Value] = dict(self.names)
        for statement in self.statements.values():
            match statement:
                case Compare(Name(id=name), (("=", term), *_)) if name not in known:
                    try:
                        known[name] = evaluate(term, known)
                    except StepFault:
                        continue
        if self.program:
            known.update(self.run.state(self.events))
        return known

    @cached_property
    def unknowns(self) -> frozenset[str]:
        """The names of the problem, which a line may not define at will."""
        mentioned = frozenset().union(*map(names, self.statements.values()), *map(names, self.conclusions))
        return mentioned | self.run.variables if self.program else mentioned

    @property
    def run(self) -> Run:
        """The run of the program."""
        return run(tuple(self.program.items()))
