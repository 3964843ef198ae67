"""The texts of conversations, from `texts/LANGUAGE/KIND.yaml` or from the files of a folder of that name.

A file holds groups, a group holds the parts `seen` and `held_out`, and a part holds texts by id. Held-out texts never
occur in training. A wrong file gives a one-line error with its place. `converse` decides which text is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tuili.errors import InputError
from tuili.tasks.content import Language
from tuili.tasks.conversations.shapes import SHAPES, Shape
from tuili.yaml_reading import compose

TEXTS = Path(__file__).parent / "texts"
_SLOT = re.compile(r"\{(\w*)\}|[{}]")


@dataclass(frozen=True)
class Text:
    """A text, or texts that belong together. part: `seen`, `held_out` or `plain`. place: the file and the line."""

    id: str
    group: str
    part: str
    pieces: tuple[str, ...]
    place: str

    def filled(self, **slots: int) -> str:
        """The text with its slots filled."""
        return _SLOT.sub(lambda slot: str(slots[slot[1]]), self.pieces[0])


@cache
def texts_of(kind: str, language: Language, part: str, group: str | None = None) -> tuple[Text, ...]:
    """The texts of one part, of one group or of all groups. Raises `InputError` for a wrong file."""
    texts = all_texts(kind, language)
    return tuple(text for text in texts if text.part == part and group in (None, text.group))


@cache
def all_texts(kind: str, language: Language) -> tuple[Text, ...]:
    """All texts of a kind in a language, read on first use. Raises `InputError` for a wrong file."""
    path = TEXTS / language / kind
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path.with_suffix(".yaml")]
    return tuple(text for file in files for text in read_texts(file, SHAPES[kind]))


def read_texts(path: Path, shape: Shape) -> tuple[Text, ...]:
    """The texts of one file. Raises `InputError` with the file and the line for content that does not fit the shape."""
    try:
        root = compose(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise InputError(f"{path}:{line}: no YAML: {getattr(error, 'problem', error)}") from error
    texts, places = tuple(_texts(path, root, shape)), dict[tuple[str, ...], str]()
    for text in texts:
        if (first := places.setdefault((text.group, *text.pieces), text.place)) != text.place:
            raise InputError(f"{text.place}: the text of {text.id!r} stands already at {first}")
    return texts


def _texts(path: Path, root: Node | None, shape: Shape) -> Iterator[Text]:
    for group, group_node in _entries(path, root):
        if shape.slots and group not in shape.slots:
            known = ", ".join(sorted(shape.slots))
            raise InputError(f"{_at(path, group_node)}: unknown group {group!r}: known are {known}")
        parts, ids = shape.parts_of(group), set[str]()
        entries = dict(_entries(path, group_node))
        if missing := [part for part in parts if part not in entries]:
            raise InputError(f"{_at(path, group_node)}: the group {group!r} has no part {missing[0]!r}")
        for part, part_node in entries.items():
            if part not in parts:
                raise InputError(f"{_at(path, part_node)}: unknown part {part!r}: known are {', '.join(parts)}")
            for name, node in _entries(path, part_node):
                if name in ids:
                    raise InputError(f"{_at(path, node)}: the id {name!r} stands in the group {group!r} twice")
                ids.add(name)
                pieces = _pieces(path, node, shape.pieces_of(group))
                _check_slots(path, node, pieces, shape.slots_of(group, part))
                yield Text(name, group, part, pieces, _at(path, node))


def _pieces(path: Path, node: Node, count: int) -> tuple[str, ...]:
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    if len(nodes) != count or not all(isinstance(one, ScalarNode) and one.value.strip() for one in nodes):
        wanted = "a text" if count == 1 else f"a list of {count} texts"
        raise InputError(f"{_at(path, node)}: must be {wanted}")
    return tuple(str(one.value) for one in nodes)


def _check_slots(path: Path, node: Node, pieces: tuple[str, ...], slots: frozenset[str]) -> None:
    """Raises `InputError` unless these pieces have exactly the required slots."""
    found = {slot[1] or slot[0] for piece in pieces for slot in _SLOT.finditer(piece)}
    if wrong := sorted(found - slots):
        known = ", ".join(sorted(slots)) or "none"
        raise InputError(f"{_at(path, node)}: unknown slot {wrong[0]!r}: known here are {known}")
    if missing := sorted(slots - found):
        raise InputError(f"{_at(path, node)}: the slot {{{missing[0]}}} is missing")


def _entries(path: Path, node: Node | None) -> Iterator[tuple[str, Node]]:
    """The keys and values of a mapping. Raises `InputError` if it is not a mapping, and for a key that occurs twice."""
    if not isinstance(node, MappingNode):
        raise InputError(f"{_at(path, node) if node else f'{path}:1'}: must hold `key: value` lines")
    seen = set[str]()
    for key, value in node.value:
        if not isinstance(key, ScalarNode) or key.value in seen:
            raise InputError(f"{_at(path, key)}: a key must be a word that stands there once")
        seen.add(key.value)
        yield key.value, value


def _at(path: Path, node: Node) -> str:
    return f"{path}:{node.start_mark.line + 1}"
