"""Where a written chain goes wrong: what stands behind the first step that the checker refutes teaches nothing."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.steps import END_THINK, THINK, Context, Status, check
from tuili.store import Tokenizer


def refuted_end(tokenizer: Tokenizer, response: Sequence[int], context: Context) -> int | None:
    """How many tokens of a response there are up to the first step that the checker refutes, that step and the end of
    its line included; None where it refutes none.

    A step is a whole line before `</think>`; one that is cut off is not judged. context: what the prompt gives.
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
