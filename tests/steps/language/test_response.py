"""The text form of a response."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Response, render_response, split_response

line = (
    st.text(st.characters(codec="ascii", exclude_characters="<>\n\r\x0b\x0c\x1c\x1d\x1e"), min_size=1)
    .map(str.strip)
    .filter(bool)
)


@given(st.lists(line), line)
def test_what_is_rendered_is_split_again(steps: list[str], answer: str) -> None:
    assert split_response(render_response(steps, answer)) == Response(tuple(steps), answer, complete=True)


def test_an_answer_may_have_several_lines() -> None:
    program = "def f(a):\n  if a:\n    return 1\n\n  return 2"
    assert split_response(render_response(["1 + 1 = 2"], program)) == Response(("1 + 1 = 2",), program, complete=True)


def test_the_format() -> None:
    assert render_response(["1 + 1 = 2", "2 * 2 = 4"], "4") == "<think>\n1 + 1 = 2\n2 * 2 = 4\n</think>4"
    assert render_response([], "4") == "<think>\n</think>4"


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ("", Response((), "", False)),
        ("42", Response((), "42", False)),
        ("<think>\na = b\n", Response(("a = b",), "", False)),
        ("<think>\na = b\n</think> 42 <|end|> tail", Response(("a = b",), "42", True)),
        ("well, <think>\na = b\n</think>42", Response(("a = b",), "42", False)),
        ("</think>42<think>", Response((), "", False)),
        ("<think>\n\n  a = b  \n</think>", Response(("a = b",), "", True)),
    ],
)
def test_every_text_can_be_split(text: str, response: Response) -> None:
    assert split_response(text) == response
