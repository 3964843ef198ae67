"""Reads the files of forms in `forms/LANGUAGE`: `DOMAIN.yaml` (seen), `DOMAIN.unseen.yaml`, `DOMAIN.independent.yaml`.

The independent forms are unseen too, and were first written by someone who had read none of the others. Files are read
on first use. All values are texts (`yes` and `1:30` too). A wrong file gives a one-line error with its place. `render`
fills a form; `template` parses its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from tuili.errors import InputError
from tuili.tasks.content import Language, Wording
from tuili.tasks.wordings.filters import FILTERS
from tuili.tasks.wordings.template import Alternatives, SlotPart, Template, parse_template
from tuili.yaml_reading import compose

FORMS = Path(__file__).parent / "forms"
_MAIN = ""
_SUFFIXES: Mapping[Wording, tuple[str, ...]] = {
    Wording.SEEN: (_MAIN,),
    Wording.UNSEEN: (".unseen", ".independent"),
    Wording.ALL: (_MAIN, ".unseen", ".independent"),
}
"""The suffixes of the domain in the file names of a wording. The other files also use the phrases of the main file."""
MERGE = "<<"
"""The key that merges another mapping of the file: `<<: *plain`."""
Phrases = Mapping[str, Mapping[str, Template]]
"""Style → kind of clause → its phrase."""


@dataclass(frozen=True)
class Form:
    """One way to word contents of some kinds (of all kinds if `kinds` is empty).

    `answer`: how the answer is written; None for the content's own answer. `place`: the file and the line.
    """

    id: str
    kinds: frozenset[str]
    text: Template
    answer: Template | None
    phrases: Phrases
    place: str

    def fits(self, kind: str) -> bool:
        """Whether the form can word contents of this kind."""
        return not self.kinds or kind in self.kinds


@cache
def forms_of(domain: str, language: Language, wording: Wording, folder: Path = FORMS) -> tuple[Form, ...]:
    """The forms of a domain in a language; none if there is no file. Raises `InputError` for a wrong file."""
    read = [_read(domain, language, suffix, folder) for suffix in _SUFFIXES[wording]]
    seen: dict[str, Form] = {}
    for form in (form for forms in read for form in forms):
        if (first := seen.setdefault(form.id, form)) is not form:
            raise InputError(f"{form.place}: the form {form.id!r} stands already at {first.place}")
    return tuple(seen.values())


@cache
def forms_for(domain: str, kind: str, language: Language, wording: Wording, folder: Path = FORMS) -> tuple[Form, ...]:
    """The forms of a domain that fit a kind of content."""
    return tuple(form for form in forms_of(domain, language, wording, folder) if form.fits(kind))


def _read(domain: str, language: Language, suffix: str, folder: Path) -> tuple[Form, ...]:
    forms, phrases = _main(domain, language, folder)
    if suffix != _MAIN:
        path = folder / language / f"{domain}{suffix}.yaml"
        if not path.exists():
            return ()
        forms, own = read_forms(path, language)
        phrases = {style: {**phrases.get(style, {}), **own.get(style, {})} for style in {**phrases, **own}}
    return tuple(_checked(form, phrases) for form in forms)


@cache
def _main(domain: str, language: Language, folder: Path) -> tuple[tuple[Form, ...], Phrases]:
    """The forms and phrases of a domain's main file; none if there is no file."""
    path = folder / language / f"{domain}{_MAIN}.yaml"
    return read_forms(path, language) if path.exists() else ((), {})


def read_forms(path: Path, language: Language) -> tuple[tuple[Form, ...], Phrases]:
    """The forms of one file, not yet with phrases, and its phrases. Raises `InputError` with the file and the line."""
    try:
        root = compose(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise InputError(f"{path}:{line}: no YAML: {getattr(error, 'problem', error)}") from error
    keys = dict(_entries(path, root))
    if unknown := keys.keys() - {"language", "phrases", "forms"}:
        raise InputError(
            f"{_at(path, keys[min(unknown)])}: unknown key {min(unknown)!r}: known are language, phrases, forms"
        )
    for key in ("language", "forms"):
        if key not in keys:
            raise InputError(f"{path}:1: the key {key!r} is missing")
    if (named := _text(path, keys["language"])) != language:
        known = ", ".join(Language)
        raise InputError(
            f"{_at(path, keys['language'])}: language {named!r} in a file of {language}: known are {known}"
        )
    phrases = {
        style: {kind: _template(path, text) for kind, text in _entries(path, node)}
        for style, node in (_entries(path, keys["phrases"]) if "phrases" in keys else ())
    }
    forms, texts = [], dict[str, str]()
    for name, node in _entries(path, keys["forms"]):
        form = _form(path, name, node)
        key = " ".join(_text(path, _form_entries(path, node)["text"]).split()) + repr(sorted(form.kinds))
        if (first := texts.setdefault(key, name)) != name:
            raise InputError(f"{form.place}: the form {name!r} has the text of {first!r}")
        forms.append(form)
    return tuple(forms), phrases


def _form(path: Path, name: str, node: Node) -> Form:
    entries = _form_entries(path, node)
    if unknown := entries.keys() - {"text", "for", "answer"}:
        raise InputError(
            f"{_at(path, entries[min(unknown)])}: unknown key {min(unknown)!r}: known are text, for, answer"
        )
    if "text" not in entries:
        raise InputError(f"{_at(path, node)}: the form {name!r} has no text")
    kinds = frozenset(_text(path, entries["for"]).split()) if "for" in entries else frozenset[str]()
    answer = _template(path, entries["answer"]) if "answer" in entries else None
    return Form(name, kinds, _template(path, entries["text"]), answer, {}, _at(path, node))


def _form_entries(path: Path, node: Node) -> dict[str, Node]:
    return {"text": node} if isinstance(node, ScalarNode) else dict(_entries(path, node))


def _checked(form: Form, phrases: Phrases) -> Form:
    """The form with its phrases. Raises `InputError` for an unknown filter or style."""
    for template in (form.text, form.answer):
        for part in _slot_parts(template) if template else ():
            if unknown := set(part.filters) - FILTERS:
                raise InputError(
                    f"{form.place}: unknown filter {min(unknown)!r}: known are {', '.join(sorted(FILTERS))}"
                )
            if part.style and part.style not in phrases:
                raise InputError(
                    f"{form.place}: unknown style {part.style!r}: known are {', '.join(phrases) or 'none'}"
                )
    return Form(form.id, form.kinds, form.text, form.answer, phrases, form.place)


def _slot_parts(template: Template) -> Iterator[SlotPart]:
    for part in template.parts:
        if isinstance(part, SlotPart):
            yield part
        elif isinstance(part, Alternatives):
            for piece in part.pieces:
                yield from _slot_parts(piece)


def _entries(path: Path, node: Node | None) -> Iterator[tuple[str, Node]]:
    """The keys and values of a mapping, with those of a mapping merged by `<<` in its place.

    Raises `InputError` if the node is not a mapping, and for a key that occurs twice.
    """
    if not isinstance(node, MappingNode):
        raise InputError(f"{_at(path, node) if node else f'{path}:1'}: must hold `key: value` lines")
    seen = set[str]()
    for key, value in node.value:
        name = _text(path, key)
        if name in seen:
            raise InputError(f"{_at(path, key)}: {name!r} stands there twice")
        seen.add(name)
        if name == MERGE:
            yield from _entries(path, value)
        else:
            yield name, value


def _template(path: Path, node: Node) -> Template:
    try:
        return parse_template(_text(path, node).rstrip("\n"))
    except InputError as error:
        raise InputError(f"{_at(path, node)}: {error}") from error


def _text(path: Path, node: Node) -> str:
    if not isinstance(node, ScalarNode):
        raise InputError(f"{_at(path, node)}: must be a text")
    return str(node.value)


def _at(path: Path, node: Node) -> str:
    return f"{path}:{node.start_mark.line + 1}"
