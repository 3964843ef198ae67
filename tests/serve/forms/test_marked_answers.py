"""Grammars of the fields that DSPy's messages ask for."""

from __future__ import annotations

import json

import pytest

from tests.grammars.test_grammars import closed, compiler, tokenizer
from tuili.serve.forms.marked_answers import marked_grammar
from tuili.serve.schemas.messages import Message

PART = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
LIST = json.dumps({"type": "array", "items": {"$ref": "#/$defs/Part"}, "$defs": {"Part": PART}})
NOTES = {
    "verdict": "must exactly match (no extra characters) one of: good; so so",
    "sure": "must be True or False",
    "score": "must be a single float value",
    "parts": f"must adhere to the JSON schema: {LIST}",
}
TYPE = "(must be formatted as a valid Python value)"
MARKED = (
    "Respond with the corresponding output fields, starting with the field `[[ ## reasoning ## ]]`, "
    + ", then ".join(f"`[[ ## {name} ## ]]` {TYPE}" for name in NOTES)
    + ", and then ending with the marker for `[[ ## completed ## ]]`."
)
IN_JSON = (
    "Respond with a JSON object in the following order of fields: `reasoning`, then "
    + ", then ".join(f"`{name}` {TYPE}" for name in NOTES)
    + "."
)
RIGHT = ("because\n\n[it] is", "so so", "True", "1.5", '[{"n": 3}]')


def asked(wanted: str, in_json: bool) -> list[Message]:
    notes = [f"{{{name}}}        # note: the value you produce {note}" for name, note in NOTES.items()]
    lines = [f"  {json.dumps(note)}," for note in notes] if in_json else notes
    question = f"[[ ## question ## ]]\nIs it?\n\n{wanted}"
    return [Message(role="system", content="\n".join(lines)), Message(role="user", content=question)]


def accepted(messages: list[Message], text: str) -> bool:
    grammar = marked_grammar(messages)
    assert grammar is not None
    written = [*tokenizer().encode_text(text), tokenizer().end_id]
    return compiler().compile(grammar, closed()).accepts(written)


def under_marks(values: tuple[str, ...]) -> str:
    parts = [f"[[ ## {name} ## ]]\n{value}" for name, value in zip(("reasoning", *NOTES), values, strict=True)]
    return "\n\n".join([*parts, "[[ ## completed ## ]]"])


def test_fields_under_marks_have_their_types() -> None:
    messages = asked(MARKED, False)
    assert accepted(messages, under_marks(RIGHT))
    for place, wrong in ((1, "bad"), (2, "true"), (3, "much"), (4, '[{"n": "3"}]')):
        assert not accepted(messages, under_marks((*RIGHT[:place], wrong, *RIGHT[place + 1 :])))
    assert not accepted(messages, under_marks(RIGHT).replace("\n\n[[ ## completed ## ]]", ""))


def test_fields_in_json_have_their_types_and_definitions_of_their_own() -> None:
    messages = asked(IN_JSON, True)
    right = {"reasoning": "b\n", "verdict": "good", "sure": False, "score": 2, "parts": [{"n": 3}, {"n": 4}]}
    assert accepted(messages, json.dumps(right))
    for wrong in ({"verdict": "bad"}, {"sure": "False"}, {"parts": [{"m": 3}]}, {"reasoning": 1}):
        assert not accepted(messages, json.dumps(right | wrong))
    assert not accepted(messages, json.dumps({name: right[name] for name in list(right)[:-1]}))


@pytest.mark.parametrize(
    ("system", "user"),
    [
        ("", "Respond with love."),
        ("", "[[ ## question ## ]]\nIs it?\n\nRespond with one word."),
        ("{answer} # note: the value you produce must be poetry", f"[[ ## q ## ]]\nIs it?\n\n{MARKED}"),
        ('{score} # note: the value you produce must adhere to the JSON schema: {"not": {}}', f"?\n\n{MARKED}"),
        ("{score} # note: the value you produce must adhere to the JSON schema: [1]", f"?\n\n{MARKED}"),
    ],
)
def test_other_messages_are_left_alone(system: str, user: str) -> None:
    marked = user.replace("reasoning", "answer")
    assert marked_grammar([Message(role="system", content=system), Message(role="user", content=marked)]) is None


def test_a_talk_that_ends_otherwise_is_left_alone() -> None:
    assert marked_grammar([*asked(MARKED, False), Message(role="assistant", content="Yes.")]) is None
    assert marked_grammar([]) is None
