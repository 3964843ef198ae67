"""Answers in marked fields that a model of prose writes itself, as requested by the client DSPy.

The model reads the messages unchanged. A grammar restricts its answer to the fields that the last message asks for,
under marks or in a JSON object, with values of the types that a system message notes. `marked_fields` handles models of
steps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tuili.grammars import Grammar, SchemaFault, json_rule, quoted
from tuili.serve.forms.marked_fields import COMPLETED, IN_JSON, MARKED, WANTED
from tuili.serve.schemas.messages import Message
from tuili.steps import INSTRUCTING_ROLES

NOTE = "# note: the value you produce "
KINDS: Mapping[str, Mapping[str, Any]] = {
    "must be True or False": {"type": "boolean"},
    "must be a single int value": {"type": "integer"},
    "must be a single float value": {"type": "number"},
}
CHOICES = ("must exactly match (no extra characters) one of: ", "must be one of: ")
SCHEMA = "must adhere to the JSON schema: "


def marked_grammar(messages: Sequence[Message]) -> Grammar | None:
    """The grammar of an answer in the fields that the last message asks for; None if it asks for none, or if the type
    of one is not supported.
    """
    last = messages[-1].text if messages and messages[-1].role == "user" else ""
    _, respond, wanted = last.strip().rpartition("\n\nRespond with ")
    kind = next((kind for kind in WANTED if respond and wanted.startswith(kind)), None)
    fields = [] if kind is None else WANTED[kind].findall(wanted)
    if kind == MARKED and fields[-1:] == [COMPLETED]:
        fields.pop()
    notes = "\n".join(message.text for message in messages if message.role in INSTRUCTING_ROLES)
    schemas = {name: _schema(name, notes, kind == IN_JSON) for name in fields}
    if not fields or None in schemas.values():
        return None
    try:
        return Grammar(_json_rule(schemas) if kind == IN_JSON else "\n".join(_marked_rules(schemas)))
    except SchemaFault:
        return None


def _schema(name: str, notes: str, in_json: bool) -> Mapping[str, Any] | None:
    """The schema of a field's value, as given in a note; that of a string if there is no note, and None if the note is
    not understood.
    """
    found = re.search(rf"\{{{name}\}} +{re.escape(NOTE)}(.*)", notes)
    if found is None:
        return {"type": "string"}
    try:
        note = json.loads('"' + re.sub('",?$', "", found[1]) + '"') if in_json else found[1].strip()
        if note.startswith(SCHEMA):
            schema = json.loads(note.removeprefix(SCHEMA))
            return schema if isinstance(schema, dict) else None
    except ValueError:
        return None
    for words in CHOICES:
        if note.startswith(words):
            return {"enum": note.removeprefix(words).split("; ")}
    return KINDS.get(note)


def _json_rule(schemas: Mapping[str, Any]) -> str:
    """The rule of an object with these fields. Each schema has definitions of its own."""
    parts = [f"{quoted(json.dumps(name) + ': ')} {json_rule(schema, name)}" for name, schema in schemas.items()]
    between = f" {quoted(', ')} "
    return f"body: {quoted('{')} {between.join(parts)} {quoted('}')}"


def _marked_rules(schemas: Mapping[str, Any]) -> Iterator[str]:
    """The rules of fields under marks, each with the text between its value and the next one."""
    names = [*schemas, COMPLETED]
    places = range(len(schemas))
    yield f"body: {quoted(_mark(names[0]) + chr(10))} " + " ".join(f"field_{number}" for number in places)
    for number, (name, following) in enumerate(pairwise(names)):
        schema, end = schemas[name], "\n\n" + _mark(following) + ("" if following == COMPLETED else "\n")
        if schema == {"type": "string"}:
            yield rf"field_{number}[lazy]: /(.|\n)*{_pattern(end)}/"
        elif schema.keys() == {"enum"}:
            yield f"field_{number}: ({' | '.join(map(quoted, schema['enum']))}) {quoted(end)}"
        elif schema == KINDS["must be True or False"]:
            yield f'field_{number}: ("True" | "False") {quoted(end)}'
        else:
            yield f"field_{number}: {json_rule(schema, name)} {quoted(end)}"


def _pattern(text: str) -> str:
    """A text, escaped for a regular expression of a rule."""
    return "".join(f"\\{letter}" if letter in "[]#" else "\\n" if letter == "\n" else letter for letter in text)


def _mark(name: str) -> str:
    return f"[[ ## {name} ## ]]"
