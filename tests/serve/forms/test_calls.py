"""Calls in a text are found however it is cut into pieces."""

from __future__ import annotations

import random

import pytest

from tuili.serve.forms.calls import (
    BARE,
    ArgumentsWritten,
    Call,
    CallBegun,
    CallFormat,
    CallReader,
    ChosenCalls,
    Said,
    TextWritten,
)

MARKED = CallFormat()
FIRST, SECOND = Call("f", '{"a": "x}\\"{<tool_call>", "b": [1, {"c": 2}]}'), Call("g-2_", "{}")
BOTH = f"{MARKED.written(FIRST)}\n{MARKED.written(SECOND)}"


def in_pieces(format: CallFormat, text: str, seed: int) -> Said:
    reader, rng, pieces = CallReader(format), random.Random(seed), []
    while text:
        size = rng.randint(1, 5)
        pieces += reader.add(text[:size])
        text = text[size:]
    pieces += reader.end()
    content, calls = "", list[Call]()
    for piece in pieces:
        match piece:
            case TextWritten(text):
                assert text
                content += text
            case CallBegun(function):
                calls.append(Call(function, ""))
            case ArgumentsWritten(text):
                calls[-1] = Call(calls[-1].function, calls[-1].arguments + text)
    return Said(None if calls and not content else content, tuple(calls))


@pytest.mark.parametrize(
    ("format", "text", "said"),
    [
        (MARKED, BOTH, Said(None, (FIRST, SECOND))),
        (MARKED, f"Let me see.\n\n{BOTH}", Said("Let me see.", (FIRST, SECOND))),
        (MARKED, "Plain <tool text.\n", Said("Plain <tool text.\n")),
        (MARKED, "", Said("")),
        (MARKED, "It ends in <tool_c", Said("It ends in <tool_c")),
        (MARKED, BOTH[:14], Said("")),
        (MARKED, BOTH[:46], Said(None, (Call("f", FIRST.arguments[:7]),))),
        (BARE, BARE.written(FIRST), Said(None, (FIRST,))),
        (BARE, 'No {"name": "f", "parameters": {}}', Said('No {"name": "f", "parameters": {}}')),
        (BARE, '{"answer": 1}', Said('{"answer": 1}')),
    ],
)
def test_calls_are_found_in_whole_texts_and_in_pieces(format: CallFormat, text: str, said: Said) -> None:
    assert ChosenCalls(format).read(text) == said
    assert {in_pieces(format, text, seed) for seed in range(50)} == {said}


def test_the_format_is_that_of_the_chat_template() -> None:
    assert CallFormat.of_template("within <tool_call></tool_call> XML tags") == MARKED
    assert CallFormat.of_template("") == MARKED
    llama = 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.'
    assert CallFormat.of_template(llama) == BARE
