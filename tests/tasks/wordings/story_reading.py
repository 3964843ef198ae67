"""The inverse of a form for prompts of several sentences, of which each is a clause with several phrases.

Each slot with a style stands for one of the phrases, which do not go on behind their sentence. Forms with formulas are
left to `reading_back`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from tests.tasks.wordings.reading_back import SPLITS, ReadClause, ReadSlot, form_of
from tuili.tasks import Language, Problem
from tuili.tasks.wordings.filters import LABELLED, TEXT_FILTERS
from tuili.tasks.wordings.forms import Phrases
from tuili.tasks.wordings.language import lexicon
from tuili.tasks.wordings.template import Alternatives, SlotPart, Template

MEASURE = f"(?:{'|'.join(sorted({'个', *lexicon(Language.ZH).measures.values()}))}|)"
WHOLE_NUMBERS = r"(?!(?<=\d)\d)"
"""Stands where a number may begin or end, but does not go on."""
WITHIN_A_SENTENCE = r"(?:[^.?\n](?<!？)(?<!。)|\.(?=\d))"
"""Any character but the end of a sentence. A set with characters beyond Latin ones would take long to compile."""


@dataclass(frozen=True, eq=False)
class _Reading:
    """The phrases of a file's forms, what is known of the texts in slots, and the patterns of templates so far."""

    phrases: Phrases
    texts: Mapping[str, str]
    patterns: dict[int, tuple[re.Pattern[str], dict[str, SlotPart]]] = field(default_factory=dict)

    def compiled(self, template: Template) -> tuple[re.Pattern[str], dict[str, SlotPart]]:
        """The pattern of a form or a phrase and the slots of its groups."""
        if id(template) not in self.patterns:
            parts: dict[str, SlotPart] = {}
            pattern = re.compile("".join(_pattern(self, template, parts)), re.DOTALL)
            self.patterns[id(template)] = (pattern, parts)
        return self.patterns[id(template)]


_READINGS: dict[tuple[int, str], _Reading] = {}


def read_story(problem: Problem, texts: Mapping[str, str] | None = None) -> dict[str, ReadSlot]:
    """The slots that the prompt shows, each as a text, a clause or a list of clauses.

    A list or a clause without a style is formal: its entries come as texts. `texts` has a pattern for what stands in
    a slot of a name, where words alone do not say where one slot ends: in Chinese.
    """
    form = form_of(problem)
    # Patterns take long to make: all forms of a file share those of its phrases.
    reading = _READINGS.setdefault((id(form.phrases), repr(texts)), _Reading(form.phrases, texts or {}))
    read = _match(reading, form.text, problem.prompt, "")
    assert read is not None, (form.place, problem.prompt)
    return read


def _match(reading: _Reading, template: Template, text: str, style: str) -> dict[str, ReadSlot] | None:
    """The slots of a template that fits the whole text; None where it fits not at all."""
    pattern, parts = reading.compiled(template)
    match = pattern.fullmatch(text)
    if match is None:
        return None
    found: dict[str, ReadSlot] = {}
    for group, part in parts.items():
        if match[group] is None:
            continue
        value = _value(reading, part, match[group], style)
        if value is None:
            return None
        shown = any(name in TEXT_FILTERS for name in part.filters)
        if part.name not in found or not shown:
            found[part.name] = value
    return found


def _pattern(reading: _Reading, template: Template, parts: dict[str, SlotPart]) -> Iterator[str]:
    for part, after in pairwise([*template.parts, ""]):
        match part:
            case str():
                yield re.escape(part)
            case Alternatives():
                yield f"(?:{'|'.join(''.join(_pattern(reading, piece, parts)) for piece in part.pieces)})"
            case SlotPart():
                group = f"{part.name}__{len(parts)}"
                parts[group] = part
                phrases = {} if SPLITS.keys() & part.filters else reading.phrases.get(part.style, {})
                worded = sorted((_worded(reading, phrase) for phrase in phrases.values()), key=lambda text: not text)
                some = "|".join(worded) or _some(reading, part)
                shortest = isinstance(after, SlotPart) and some == ".+"
                yield f"(?P<{group}>{some}{'?' if shortest else ''})"


def _worded(reading: _Reading, phrase: Template) -> str:
    """A pattern for a phrase with part of a sentence in its slots, and a small or a capital letter at its start."""
    texts: list[str] = []
    for part in phrase.parts:
        match part:
            case str():
                texts.append(re.escape(part) if texts else f"(?i:{re.escape(part[:1])}){re.escape(part[1:])}")
            case Alternatives():
                texts.append(f"(?:{'|'.join(_worded(reading, piece) for piece in part.pieces)})")
            case SlotPart():
                texts.append(_some(reading, part).replace(".", WITHIN_A_SENTENCE))
    return "".join(texts)


def _some(reading: _Reading, part: SlotPart) -> str:
    """What stands in the place of a slot: as much as possible for a list, as little as possible for a text."""
    if "measure" not in part.filters and part.name in reading.texts:
        return reading.texts[part.name]
    if LABELLED in part.filters:
        return r"(?:[A-Z]\d+: [^\n]+\n?)+"
    if "sentences" in part.filters:
        return ".+[.?!。？！]"
    if "measure" in part.filters:
        return MEASURE
    return ".+" if SPLITS.keys() & part.filters else f"{WHOLE_NUMBERS}.+?{WHOLE_NUMBERS}"


def _value(reading: _Reading, part: SlotPart, text: str, style: str) -> ReadSlot | None:
    style = part.style or style
    last = part.filters[-1] if part.filters else ""
    if last in SPLITS:
        return _entries(reading, text, _spans(SPLITS[last], text), part, style)
    if part.style or (style and part.name not in ("atom", "formal")):
        clause = _clause(reading, text, style)
        if clause is not None:
            return clause
        return None if part.style else text
    return text


def _spans(separator: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    cuts = [match.span() for match in separator.finditer(text)]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if text[start:end].strip()]


def _entries(
    reading: _Reading, text: str, spans: list[tuple[int, int]], part: SlotPart, style: str
) -> list[ReadClause | str] | None:
    """The entries of a list, as clauses where they are some; a separator may stand within a phrase of the style.

    Read from the end, so that each piece is read once.
    """
    entries: list[list[ReadClause | str] | None] = [*[None] * len(spans), []]
    for first in reversed(range(len(spans))):
        for end in range(first + 1, min(first + 3, len(spans)) + 1):
            if (rest := entries[end]) is None:
                continue
            piece = text[spans[first][0] : spans[end - 1][1]]
            if clause := _clause(reading, piece, style) or (None if part.style else piece):
                entries[first] = [clause, *rest]
                break
    return entries[0]


def _clause(reading: _Reading, text: str, style: str) -> ReadClause | None:
    """The clause that a phrase of the style gives in these words: least is left to its slots, the flattest."""
    ends = dict.fromkeys((text, text.rstrip(".。")))
    variants = dict.fromkeys(start + end[1:] for end in ends for start in (end[:1], end[:1].lower()))
    found = [
        ReadClause(kind, slots)
        for kind, phrase in reading.phrases.get(style, {}).items()
        for variant in variants
        if (slots := _match(reading, phrase, variant, style)) is not None
    ]
    return min(found, key=_size, default=None)


def _size(read: ReadSlot) -> tuple[int, int]:
    """How many characters are left to slots, and how deep clauses stand in each other."""
    if isinstance(read, str):
        return len(read), 0
    sizes = [_size(part) for part in (read.slots.values() if isinstance(read, ReadClause) else read)]
    return sum(length for length, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)
