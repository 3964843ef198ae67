"""Finds where a written chain goes wrong: nothing is learnt after the first step that the checker refutes."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.steps import END_THINK, THINK, Context, Status, check
from tuili.store import Tokenizer


def refuted_end(tokenizer: Tokenizer, response: Sequence[int], context: Context) -> int | None:
    """The number of response tokens up to the first step that the checker refutes, including that step and its line
    break; None if it refutes no step.

    A step is a whole line before `</think>`; a truncated line is not judged. context: what the prompt gives.
    """
    newline, closing = tokenizer.encode_text("\n")[0], tokenizer.token_id(END_THINK)
    first = 1 if response and response[0] == tokenizer.token_id(THINK) else 0
    for place, token in enumerate(response):
        if token == closing:
            break
        if token != newline:
            continue
        line = tokenizer.decode(list(response[first:place]))
        first = place + 1
        if line.strip():
            verdict = check(line, context)
            if verdict.status is Status.INVALID:
                return first
            context = context.after(line, verdict)
    return None
