"""The inverse of a form: from a prompt back to the texts of its slots, for twins that solve all wordings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tuili.tasks import Language, Problem, Wording
from tuili.tasks.wordings.filters import FILTERS, GLOSSED, INLINE, LABELLED, TEXT_FILTERS
from tuili.tasks.wordings.forms import Form, forms_of
from tuili.tasks.wordings.language import lexicon
from tuili.tasks.wordings.template import Alternatives, SlotPart, Template

SPLITS = {
    "anded": re.compile(r" and |和"),
    "bulleted": re.compile(r"\n?- "),
    "commas": re.compile(r", (?![^()]*\))|，|(?<=.)(?=（[^（）每]+）)"),
    "conjoined": re.compile(r", (?![^()]*\))| and |、|和"),
    GLOSSED: re.compile(r" [A-Z]\d+: [^\n]+\n?"),
    INLINE: re.compile(r"(?:, )?[A-Z]\d+: "),
    LABELLED: re.compile(r"\n?[A-Z]\d+: "),
    "lines": re.compile(r"\n"),
    "numbered": re.compile(r"\n?\d+\. "),
    "semicolons": re.compile(r"; |；"),
    "sentences": re.compile(r"(?<=[.?!]) |(?<=[。？！])(?!”)|(?<=[。？！]”)"),
}
"""How the list that a filter has made is taken apart."""
MOST_SHAPES = 60
"""Phrases of a style that a pattern lists one by one at most."""


@dataclass(frozen=True)
class ReadClause:
    """A clause that was read back: its kind and its slots, whose clauses are read as well."""

    kind: str
    slots: dict[str, ReadSlot]


ReadSlot = str | ReadClause | list[ReadClause | str]


def form_of(problem: Problem) -> Form:
    """The form that the id of a problem names."""
    forms = forms_of(problem.domain, problem.language, Wording.ALL)
    return next(form for form in forms if form.id == problem.form)


def read_back(problem: Problem) -> dict[str, ReadSlot]:
    """The slots that the prompt shows, each as a text, a clause or a list of clauses.

    A list or a clause without a style is formal: its entries come as texts.
    """
    form = form_of(problem)
    read = _match(form, form.text, problem.prompt, "")
    assert read is not None, (form.place, problem.prompt)
    return read


def _match(form: Form, template: Template, text: str, style: str) -> dict[str, ReadSlot] | None:
    """The slots of a template that fits the whole text; None where it fits not at all.

    A list takes as much of the text as possible, or as little where what it took cannot be read.
    """
    for much in (True, False):
        pattern, parts = _compiled(form, template, much)
        match = pattern.fullmatch(text)
        read = None if match is None else _values(form, parts, match, style)
        if read is not None or not any(SPLITS.keys() & part.filters for part in parts.values()):
            return read
    return None


_COMPILED: dict[tuple[str, int, bool], tuple[re.Pattern[str], dict[str, SlotPart], Template]] = {}
"""With the template, which so keeps its number: to hash all that is in it would take longer than to match."""


def _compiled(form: Form, template: Template, much: bool) -> tuple[re.Pattern[str], dict[str, SlotPart]]:
    """The pattern of a template of a form, and the slots that its groups stand for."""
    key = form.place, id(template), much
    if key not in _COMPILED:
        parts: dict[str, SlotPart] = {}
        _COMPILED[key] = re.compile("".join(_pattern(form, template, parts, much)), re.DOTALL), parts, template
    return _COMPILED[key][:2]


def _values(form: Form, parts: dict[str, SlotPart], match: re.Match[str], style: str) -> dict[str, ReadSlot] | None:
    """The slots of a match. A style that has one phrase for all kinds is no better reading of a slot than another."""
    found: dict[str, ReadSlot] = {}
    for group, part in parts.items():
        if match[group] is None:
            continue
        value = _value(form, part, match[group], "" if match[group] == match[0] else style)
        if value is None:
            return None
        phrases = form.phrases.get(part.style, {})
        alike = len(phrases) > 1 and len({*phrases.values()}) == 1
        shown = alike or any(name in TEXT_FILTERS for name in part.filters)
        if part.name not in found or not (shown or _tells_more(found[part.name], value)):
            found[part.name] = value
    return found


def _tells_more(read: ReadSlot, other: ReadSlot) -> bool:
    """Whether a slot that is shown twice says more by its first reading: by a clause, or by one with more slots."""
    if isinstance(read, ReadClause) and isinstance(other, ReadClause):
        return len(read.slots) > len(other.slots)
    return isinstance(read, ReadClause)


def _pattern(form: Form, template: Template, parts: dict[str, SlotPart], much: bool) -> Iterator[str]:
    for part in template.parts:
        match part:
            case str():
                yield re.escape(part)
            case Alternatives():
                yield f"(?:{'|'.join(''.join(_pattern(form, piece, parts, much)) for piece in part.pieces)})"
            case SlotPart():
                group = f"{part.name}__{len(parts)}"
                parts[group] = part
                yield f"(?P<{group}>{_some(form, part, much)})"


def _shape(phrase: Template) -> str:
    """A pattern of the texts of a phrase, whatever stands in its slots."""
    shapes = []
    for part in phrase.parts:
        match part:
            case str():
                shapes.append(re.escape(part))
            case Alternatives():
                shapes.append(f"(?:{'|'.join(map(_shape, part.pieces))})")
            case SlotPart():
                shapes.append(".*?")
    return "".join(shapes)


def _some(form: Form, part: SlotPart, much: bool) -> str:
    """What stands in the place of a slot; one with a style is one of its phrases."""
    phrases = form.phrases.get(part.style, {}).values()
    if 0 < len(phrases) <= MOST_SHAPES and not part.filters:
        return f"(?:{'|'.join(dict.fromkeys(map(_shape, phrases)))})"
    if "term" in part.filters:
        return f"(?:{'|'.join(map(re.escape, lexicon(Language.ZH).terms.values()))}|[ -~]+?)"
    if "measure" in part.filters:
        return f"(?:{'|'.join({*lexicon(Language.ZH).measures.values(), '个'})}|)"
    if part.name == "number":
        return r"[^\u4e00-\u9fff]+?"
    some = ".+" if much and SPLITS.keys() & part.filters else ".+?"
    return f"{some}[.?!。？！]”?" if "sentences" in part.filters else some


def _value(form: Form, part: SlotPart, text: str, style: str) -> ReadSlot | None:
    style = part.style or style
    last = part.filters[-1] if part.filters else ""
    if last in SPLITS:
        pieces = [piece for piece in SPLITS[last].split(text) if piece.strip()]
        if not part.style:
            return None if any(re.search(r"\n|\.\s|。", piece) for piece in pieces) else list(pieces)
        clauses = [_clause(form, piece, style) for piece in pieces]
        return None if None in clauses else [clause for clause in clauses if clause]
    if part.style or (style and part.name not in ("atom", "formal") and not text[:1].isdigit()):
        clause = _clause(form, text, style)
        if clause is not None:
            return clause
        return None if part.style else text
    return text


_CLAUSES: dict[tuple[str, str, str], ReadClause | None] = {}


def _clause(form: Form, text: str, style: str) -> ReadClause | None:
    """The clause that a phrase of the style gives in these words: the flattest that leaves least to its slots."""
    key = form.place, text, style
    if key not in _CLAUSES:
        ends = dict.fromkeys((text, text.rstrip(".。")))
        variants = dict.fromkeys(
            start + end[1:] for end in ends for start in (end[:1], end[:1].lower(), end[:1].upper())
        )
        found = [
            ReadClause(kind, slots)
            for kind, phrase in form.phrases.get(style, {}).items()
            for variant in variants
            if (slots := _match(form, phrase, variant, style)) is not None
        ]
        _CLAUSES[key] = min(found, key=_size, default=None)
    return _CLAUSES[key]


def _size(read: ReadSlot) -> tuple[int, int]:
    """How many characters are left to slots, and how deep clauses stand in each other."""
    if isinstance(read, str):
        return len(read), 0
    sizes = [_size(part) for part in (read.slots.values() if isinstance(read, ReadClause) else read)]
    return sum(length for length, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)


assert SPLITS.keys() | TEXT_FILTERS.keys() | {"shuffled"} == FILTERS, "each filter has its inverse"


def every_form(domain: str) -> Iterator[tuple[Language, Form]]:
    """Every form of a domain, in both languages."""
    for language in Language:
        for form in forms_of(domain, language, Wording.ALL):
            yield language, form
