"""Checking a prompt before it is tokenised, and tokenising it."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.errors import PromptError
from tuili.store import Tokenizer


def prompt_ids(tokenizer: Tokenizer, prompt: str, context: int, earlier: Sequence[tuple[str, str]] = ()) -> list[int]:
    """The ids of a prompt behind earlier questions and answers.

    Args:
        context: tokens that the model can take, of which at least one must be left for the response.
    Raises `PromptError` for one that is empty, is not UTF-8 or does not fit.
    """
    if not prompt.strip():
        raise PromptError("the prompt is empty: write a question")
    whole = "".join((*(text for pair in earlier for text in pair), prompt))
    if any("\ud800" <= character <= "\udfff" for character in whole):  # Python reads bytes that are not UTF-8 as these
        raise PromptError("the prompt is not UTF-8: write it in that encoding")
    longest, size = tokenizer.max_token_bytes, len(whole.encode())
    if size > context * longest:  # known without tokenising all of it
        raise PromptError(
            f"the prompt has {size} bytes: the model's context takes at most {context - 1} tokens, of {longest} at most"
        )
    ids = tokenizer.encode_prompt(prompt, earlier)
    if len(ids) >= context:
        raise PromptError(f"the prompt has {len(ids)} tokens: the model's context takes at most {context - 1}")
    return ids
