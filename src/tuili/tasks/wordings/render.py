"""Renders a content in a language: fills a form with the content's slots.

`registry` decides which form is used; `forms` reads the files of forms.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuili.errors import InputError
from tuili.tasks.content import PROGRAM, Clause, Clauses, Content, Language, Slot
from tuili.tasks.wordings.filters import GLOSSED, INLINE, LABELLING, LIST_FILTERS, SHUFFLED, TEXT_FILTERS, sentence
from tuili.tasks.wordings.forms import Form
from tuili.tasks.wordings.language import Translation, lexicon
from tuili.tasks.wordings.template import Alternatives, SlotPart, Template


@dataclass(frozen=True)
class Worded:
    """A content in words. `facts` and `program` are what the prompt gives under labels."""

    prompt: str
    steps: tuple[str, ...]
    answer: str
    facts: Mapping[str, str]
    program: Mapping[str, str]


def render(content: Content, form: Form, language: Language, rng: random.Random) -> Worded:
    """The content in the wording of a form; `rng` draws alternatives and orders.

    Raises `InputError`, with the file and line of the form, for a missing slot, phrase or word.
    """
    return _Renderer(content, form, language, rng).render()


class _Renderer:
    """Fills one form for one content and records what the prompt shows under labels."""

    def __init__(self, content: Content, form: Form, language: Language, rng: random.Random) -> None:
        self._content, self._form, self._language, self._rng = content, form, language, rng
        self._translate = Translation(content.names, language)
        self._facts: dict[str, str] = {}
        self._program: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        """The label that the prompt shows for each label of the content."""

    def render(self) -> Worded:
        content = self._content
        slots: Mapping[str, Slot] = {"answer": content.answer, **content.slots}
        prompt = self._fill(self._form.text, slots, "")
        answer = self._translate(lexicon(self._language).terms.get(content.answer, content.answer))
        if self._form.answer:
            answer = self._fill(self._form.answer, slots, "")
        steps = tuple(map(self._translate, content.relabelled(self._labels)))
        return Worded(prompt, steps, answer, self._facts, self._program)

    def _fill(self, template: Template, slots: Mapping[str, Slot], style: str) -> str:
        texts = []
        for part in template.parts:
            match part:
                case str():
                    texts.append(part)
                case Alternatives():
                    texts.append(self._fill(self._rng.choice(part.pieces), slots, style))
                case SlotPart():
                    texts.append(self._slot(part, slots, style))
        return "".join(texts)

    def _slot(self, part: SlotPart, slots: Mapping[str, Slot], style: str) -> str:
        if part.name not in slots:
            known = ", ".join(sorted(slots))
            raise InputError(f"{self._form.place}: no slot {part.name!r} in a {self._content.kind!r}: it has {known}")
        slot, filters, style = slots[part.name], part.filters, part.style or style
        if isinstance(slot, Clauses):
            return self._list(part, slot, style)
        text = self._clause(slot, style) if isinstance(slot, Clause) else self._translate(str(slot))
        for name in filters:
            if name not in TEXT_FILTERS:
                raise InputError(f"{self._form.place}: the filter {name!r} is for lists, and {part.name!r} is none")
            text = TEXT_FILTERS[name](text, self._language)
        return text

    def _list(self, part: SlotPart, clauses: Clauses, style: str) -> str:
        items: Sequence[Clause] = clauses.items
        *before, last = part.filters or ("",)
        for name in before:
            if name != SHUFFLED:
                raise InputError(
                    f"{self._form.place}: the filter {name!r} cannot stand before another in {part.name!r}"
                )
            if not clauses.ordered:
                items = self._rng.sample(items, len(items))
        if last in LABELLING:
            return self._labelled(items, clauses, style, last)
        if last not in LIST_FILTERS:
            raise InputError(
                f"{self._form.place}: the list {part.name!r} needs one of {', '.join((*LABELLING, *LIST_FILTERS))}"
            )
        return LIST_FILTERS[last]([self._clause(item, style) for item in items], self._language)

    def _labelled(self, items: Sequence[Clause], clauses: Clauses, style: str, how: str) -> str:
        letter = clauses.letter
        given = self._program if letter == PROGRAM else self._facts
        own = {id(item): f"{letter}{number}" for number, item in enumerate(clauses.items, start=1)}
        lines = []
        for number, item in enumerate(items, start=1):
            if how == GLOSSED and not item.formal:
                lines.append(sentence(self._clause(item, style), self._language))
                continue
            label = f"{letter}{number}"
            self._labels[own[id(item)]] = label
            given[label] = self._translate(item.formal)
            text = self._clause(item, style)
            if how == GLOSSED:
                lines.append(f"{sentence(text, self._language)} {label}: {given[label]}")
            else:
                lines.append(f"{label}: {text}")
        return (", " if how == INLINE else "\n").join(lines)

    def _clause(self, clause: Clause, style: str) -> str:
        """The clause in the phrase of a style, or its formal text if there is no style or the clause has no kind."""
        if not style or not clause.kind:
            return self._translate(clause.formal)
        phrase = self._form.phrases.get(style, {}).get(clause.kind)
        if phrase is None:
            raise InputError(f"{self._form.place}: the style {style!r} has no phrase for {clause.kind!r}")
        return self._fill(phrase, {"formal": clause.formal, **clause.slots}, style)
