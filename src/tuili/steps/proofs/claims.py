"""What a prompt claims: the relation to be proven or refuted, with its variables, in the step language.

Only certain claims are read. A claim as read is never weaker than the prompt's claim: a proof of the one proves the
other. A claim about all numbers is not stronger either, so that a counter-example to it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tuili.steps.context import Context
from tuili.steps.language import terms
from tuili.steps.language.parser import parse
from tuili.steps.language.terms import Compare, Universal
from tuili.steps.proofs.formulas import VARIABLE, Relation, is_one_link, least, relations
from tuili.steps.proofs.phrases import BOUND, CLAIM, OPEN_VALUE, RELATION, Found, Phrase, has, kinds, phrases
from tuili.steps.proofs.surroundings import ask_to_prove, leave_all_numbers

MAX_CHARACTERS = 4000
"""The maximum length of a prompt in characters. A longer prompt is not read."""

_SIGN = re.compile(r"[<>=]|divi|multiple|even|odd|整除|倍数|余|奇数|偶数")
_MARK = re.compile(f"[{RELATION}{BOUND}{OPEN_VALUE}{CLAIM}]")
_PLACE = re.compile(f"[{RELATION}{BOUND}]")
_OPEN_VALUE = re.compile(rf"(?<![A-Za-z0-9_]){VARIABLE} ?= ?(?:\.\.\.|…)")
_EXAMPLE = re.compile(r"(?:such as|like|e\.g\.|例如|比如|形如|如) ?\Z", re.IGNORECASE)
_LABEL = re.compile(r"(?<![A-Za-z0-9_])[A-Z][0-9]{1,3} ?: ?\Z")
_ITEM = re.compile(rf"(?<![A-Za-z]){VARIABLE}(?![A-Za-z])|{BOUND}")


class _Marked(NamedTuple):
    """A text with signs in place of its relations, without facts and without values that are left open."""

    text: str
    relations: Sequence[Relation]
    """The relations that the signs represent, in order."""

    def at(self, place: int) -> Relation:
        """The relation whose sign stands at a position in the text."""
        return self.relations[len(_PLACE.findall(self.text, 0, place))]

    def between(self, start: int, end: int) -> list[Relation]:
        """The relations whose signs are in a part of the text."""
        return [self.at(place.start()) for place in _PLACE.finditer(self.text, start, end)]


def read_claim(prompt: str, context: Context) -> str | None:
    """What a prompt asks to prove or refute, in the step language; None if it asks for neither, or nothing is certain.

    `prompt` is the text that `read_as` leaves, and `context` is what it gives. A claim is a `for all …` line, or a
    relation about what the prompt gives. Never raises.
    """
    if len(prompt) > MAX_CHARACTERS or not _SIGN.search(prompt) or _MARK.search(prompt):
        return None
    asks_for_proof = has(prompt, "tasks")
    about_unknowns = asks_for_proof or has(prompt, "tasks_about_unknowns")
    about_all = about_unknowns or (has(prompt, "tasks_about_all_numbers") and not has(prompt, "yes_or_no"))
    text = _OPEN_VALUE.sub(OPEN_VALUE, prompt)
    found = relations(text) if about_all else None
    if not found:
        return None
    marked = _mark(text, found, context)
    claims = {claim for phrase in phrases() for claim in _about_all_numbers(phrase, marked)}
    if not claims and (asks_for_proof or (about_unknowns and terms.names(found[-1].term))):
        claims = set(_about_the_given(marked))
    return claims.pop() if len(claims) == 1 else None


def _mark(text: str, found: Sequence[Relation], context: Context) -> _Marked:
    """Replaces the relations of a text with signs, and removes its facts and the example of an answer."""
    given = set(context.given)
    marked, kept, end = "", [], 0
    for relation in found:
        marked += text[end : relation.start]
        end = relation.end
        if relation.term in given:
            marked = _LABEL.sub("", marked)
        elif _EXAMPLE.search(marked) and _is_value(relation.term):
            marked += OPEN_VALUE
        else:
            marked += BOUND if least(relation.term) else RELATION
            kept.append(relation)
    return _Marked(marked + text[end:], kept)


def _is_value(term: Compare) -> bool:
    return isinstance(term.first, terms.Name) and [sign for sign, _ in term.rest] == ["="]


def _about_all_numbers(phrase: Phrase, marked: _Marked) -> Iterator[str]:
    """The claims that a phrase finds in a text, each only if nothing else in the text may change it."""
    for found in phrase.find(marked.text):
        part, relation = marked.between(found.start, found.end), marked.at(found.relation)
        if len(part) < len(marked.relations) or not is_one_link(relation.term):
            continue
        hypotheses = [each for span in found.hypotheses for each in marked.between(*span)]
        bounds = _variables(marked, found, relation)
        names = frozenset().union(*(terms.names(each.term) for each in part))
        if bounds is None or not names <= bounds.keys():
            continue
        hypotheses = _without_bounds(hypotheses, bounds)
        variables = ", ".join(name if low is None else f"{name} >= {low}" for name, low in bounds.items())
        lead = f"for all {'integers ' if found.integers else ''}{variables}: "
        premises = " and ".join(each.text for each in hypotheses)
        claim = f"{lead}{premises} -> {relation.text}" if premises else lead + relation.text
        if not isinstance(parse(claim), Universal):
            continue
        text, start, end = marked.text, found.start, found.end
        if leave_all_numbers(text[:start], text[start:end], text[end:], bounds):
            yield claim


def _variables(marked: _Marked, found: Found, relation: Relation) -> dict[str, int | None] | None:
    """The variables of a claim with their bounds; None if it is unclear which variable a bound belongs to."""
    bounds: dict[str, int | None] = {}
    for start, end in found.variables:
        for item in _ITEM.finditer(marked.text, start, end):
            bound = least(marked.at(item.start()).term) if item[0] == BOUND else None
            name, low = bound or (item[0], None)
            if bounds.get(name) is not None:
                return None
            bounds[name] = low
    if not found.variables:
        names = terms.names(relation.term)
        bounds = {item[0]: None for item in _ITEM.finditer(relation.text) if item[0] in names}
    if len({low is None for low in bounds.values()}) > 1:
        return None
    if found.least is None:
        return bounds
    return {name: found.least if low is None else max(low, found.least) for name, low in bounds.items()}


def _without_bounds(hypotheses: Sequence[Relation], bounds: dict[str, int | None]) -> list[Relation]:
    """The hypotheses except those like `n >= 1`, which become bounds of the variables."""
    rest = []
    for each in hypotheses:
        bound = least(each.term)
        if bound is None:
            rest.append(each)
        else:
            name, low = bound
            known = bounds[name]
            bounds[name] = low if known is None else max(low, known)
    return rest


def _about_the_given(marked: _Marked) -> Iterator[str]:
    """The one relation of a text that is not a fact, if the words around it ask to prove it."""
    if len(marked.relations) != 1 or not is_one_link(marked.relations[0].term) or kinds().search(marked.text):
        return
    before, _, after = re.split(f"({_PLACE.pattern})", marked.text)
    if ask_to_prove(before, after):
        yield marked.relations[0].text
