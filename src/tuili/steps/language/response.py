"""The text form of a response: steps inside a think block, one per line, then the answer.

`checker` decides whether a step is right. The tokenizer handles the tokens of a prompt and a response.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

THINK = "<think>"
END_THINK = "</think>"
END = "<|end|>"


@dataclass(frozen=True)
class Response:
    """The parts of a response. It is `complete` if it begins with a think block that is closed."""

    steps: tuple[str, ...]
    answer: str
    complete: bool


def render_response(steps: Iterable[str], answer: str) -> str:
    """`<think>`, one step per line, `</think>`, the answer."""
    return "\n".join((THINK, *steps, END_THINK)) + answer


def split_response(text: str) -> Response:
    """The steps and the answer of a response. A text of any other form gives an incomplete response. Never raises.

    Without a think block, the whole text is the answer. If the block is never closed, the answer is empty.
    """
    body = text.split(END, 1)[0]
    before, opened, rest = body.partition(THINK)
    if not opened:
        return Response((), body.strip(), complete=False)
    thoughts, closed, answer = rest.partition(END_THINK)
    steps = tuple(line.strip() for line in thoughts.splitlines() if line.strip())
    return Response(steps, answer.strip() if closed else "", complete=bool(closed) and not before.strip())
