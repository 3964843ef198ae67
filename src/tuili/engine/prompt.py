"""Checks and tokenises prompts, including prompts given as token ids.

Ids that begin with `<|begin|>` are read exactly as they are. Other ids take the place of a question's text, between the
special tokens that `encode_prompt` puts around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tuili.errors import PromptError, PromptTooLong
from tuili.store import BEGIN, SPECIAL_TOKENS, USER, AnyTokenizer, Tokenizer


def prompt_ids(tokenizer: Tokenizer, prompt: str, context: int, earlier: Sequence[tuple[str, str]] = ()) -> list[int]:
    """The ids of a prompt that follows earlier questions and answers.

    Args:
        context: the maximum tokens of the model, of which at least one must be left for the response.
    Raises `PromptTooLong` for one that does not fit, `PromptError` for one that is empty or not UTF-8.
    """
    if not prompt.strip():
        raise PromptError("the prompt is empty: write a question")
    check_text(tokenizer, "".join((*(text for pair in earlier for text in pair), prompt)), context)
    return fitting(tokenizer.encode_prompt(prompt, earlier), context)


def check_text(tokenizer: AnyTokenizer, whole: str, context: int) -> None:
    """Raise `PromptError` for a text that is empty or not UTF-8, `PromptTooLong` for one that can never fit."""
    if not whole.strip():
        raise PromptError("the prompt is empty: write a question")
    if any("\ud800" <= character <= "\udfff" for character in whole):  # how Python decodes bytes that are not UTF-8
        raise PromptError("the prompt is not UTF-8: write it in that encoding")
    longest, size = tokenizer.max_token_bytes, len(whole.encode())
    if size > context * longest:  # known without tokenising the whole text
        raise PromptTooLong(
            f"the prompt has {size} bytes: the model's context takes at most {context - 1} tokens, of {longest} at most"
        )


def given_ids(tokenizer: Tokenizer, ids: Sequence[int], context: int) -> list[int]:
    """The ids that are read when these ids are given as a prompt.

    Raises `PromptTooLong` for ids that do not fit, `PromptError` if there are none or some are not in the vocabulary.
    """
    if not ids:
        raise PromptError("the prompt is empty: there are no token ids")
    if wrong := [token for token in ids if not 0 <= token < tokenizer.size]:
        raise PromptError(f"there is no token {wrong[0]}: the vocabulary has ids from 0 to {tokenizer.size - 1}")
    if is_whole(tokenizer, ids):
        if len(ids) < 2:
            raise PromptError(f"the prompt is empty: nothing stands behind {BEGIN}")
        return fitting(list(ids), context)
    *before, assistant = tokenizer.encode_prompt("")
    return fitting([*before, *ids, assistant], context)


def is_whole(tokenizer: Tokenizer, ids: Sequence[int]) -> bool:
    """Whether the given ids are the whole input, special tokens included."""
    return ids[0] == tokenizer.token_id(BEGIN)


def question_text(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, str]:
    """The text of the last question in the given ids, from which the checker may take facts, and all text before it."""
    special = {tokenizer.token_id(token) for token in SPECIAL_TOKENS}
    user = tokenizer.token_id(USER)
    last = max((place for place, token in enumerate(ids) if token == user), default=-1)
    parts = groupby(ids[last + 1 :], special.__contains__)
    texts = (tokenizer.decode(list(part)) for is_special, part in parts if not is_special)
    return (next(texts, ""), tokenizer.decode(list(ids[:last]))) if last >= 0 else ("\n".join(texts), "")


def fitting(ids: list[int], context: int) -> list[int]:
    """The same ids. Raises `PromptTooLong` if they leave no room for a response."""
    if len(ids) >= context:
        raise PromptTooLong(f"the prompt has {len(ids)} tokens: the model's context takes at most {context - 1}")
    return ids
