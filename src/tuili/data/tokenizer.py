"""Training of the tokenizer: byte-level BPE of about 2,000 entries in which every digit and every newline is its own
token.

What a trained tokenizer does is in `tuili.store`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers

from tuili.errors import InputError
from tuili.steps import END, END_THINK, THINK
from tuili.store import SPECIAL_TOKENS, Tokenizer

VOCABULARY = 2048
SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 256
LARGEST_VOCABULARY = 1_000_000
"""The trainer takes memory for all entries before it learns the first."""

SPLIT = (
    r"\p{N}|(?<=\p{N}) \p{L}+| ?\p{Ll}\p{L}+|\p{Lu}\p{L}*|\p{L}"
    r"|\n| ?[(\[{]|[)\]}]| ?[^\s\p{L}\p{N}()\[\]{}]+ ?|\s"
)
"""No token reaches across these pieces: a digit, a unit, a word, a name, a newline, a bracket, an operator.

Names and single letters come without the space before them, so that they are the same tokens in a question as in a
formula. Operators come with their spaces, and brackets stand alone, so that an operator is the same token after one as
after a number.
"""


def train_tokenizer(texts: Iterable[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """Learn a tokenizer from plain texts (prompts, steps, answers): the same texts give the same tokenizer.

    Few texts give fewer than `vocabulary` entries. Method: byte-level BPE, Radford et al. 2019, "Language
    Models are Unsupervised Multitask Learners". Raises `InputError` for a vocabulary that cannot hold all
    bytes, or is larger than `LARGEST_VOCABULARY`.
    """
    if not SMALLEST_VOCABULARY <= vocabulary <= LARGEST_VOCABULARY:
        allowed = f"{SMALLEST_VOCABULARY} to {LARGEST_VOCABULARY}"
        raise InputError(f"a vocabulary of {vocabulary} is out of range: use {allowed}")
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        show_progress=False,
        special_tokens=[AddedToken(text, normalized=False) for text in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(texts, trainer)
    return Tokenizer(_keep_thinking(backend), end_id=SPECIAL_TOKENS.index(END))


def _keep_thinking(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """Let `<think>` and `</think>` survive `decode(skip_special_tokens=True)`: answers are read from that."""
    state = json.loads(backend.to_str())
    for token in state["added_tokens"]:
        token["special"] = token["content"] not in (THINK, END_THINK)
    return tokenizers.Tokenizer.from_str(json.dumps(state))
