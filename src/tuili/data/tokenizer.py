"""Training of the tokenizer: byte-level BPE of about 2,000 entries, in which each digit and each newline is a token.

`tuili.store` uses a trained tokenizer; `sources` provides the texts that it is trained on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers

from tuili.errors import InputError
from tuili.steps import END, END_THINK, THINK
from tuili.store import SPECIAL_TOKENS, Tokenizer

VOCABULARY_SIZE = 2048
"""The number of entries of a tokenizer, unless a recipe says otherwise."""
MIN_VOCABULARY_SIZE = len(SPECIAL_TOKENS) + 256
MAX_VOCABULARY_SIZE = 1_000_000
"""The maximum number of entries: the trainer allocates memory for all of them before it learns the first."""

_LETTER = r"(?:(?!\p{Han})\p{L})"
PIECE_PATTERN = (
    rf"\p{{N}}|\p{{Han}}|(?<=\p{{N}}) {_LETTER}+| ?\p{{Ll}}{_LETTER}+|\p{{Lu}}{_LETTER}*|\p{{L}}"
    r"|\n| ?[(\[{]|[)\]}]| ?[^\s\p{L}\p{N}()\[\]{}]+ ?|\s"
)
"""The pieces of text that no token may cross: a digit, a unit, a word, a name, a newline, a bracket, an operator.

A Chinese character is a piece, so that a name has the same tokens in every context: `小明有12个苹果`, `小明 = 12`.

Names and single letters exclude the space before them, so that their tokens are the same in a question and in a
formula. An operator includes its spaces, and a bracket is a piece of its own, so that an operator is the same token
after a bracket and after a number.
"""


def train_tokenizer(texts: Iterable[str], vocabulary: int = VOCABULARY_SIZE) -> Tokenizer:
    """Train a tokenizer on plain texts (prompts, steps, answers). The same texts give the same tokenizer.

    `vocabulary` is the number of entries; short texts give fewer. Raises `InputError` for a number that is too small
    for all bytes or larger than `MAX_VOCABULARY_SIZE`. Method: byte-level BPE, Radford et al. 2019, "Language Models
    are Unsupervised Multitask Learners".
    """
    if not MIN_VOCABULARY_SIZE <= vocabulary <= MAX_VOCABULARY_SIZE:
        allowed = f"{MIN_VOCABULARY_SIZE} to {MAX_VOCABULARY_SIZE}"
        raise InputError(f"a vocabulary of {vocabulary} is out of range: use {allowed}")
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECE_PATTERN), "isolated"),
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
    """Keep `<think>` and `</think>` in `decode(skip_special_tokens=True)`, because answers are read from its text."""
    state = json.loads(backend.to_str())
    for token in state["added_tokens"]:
        token["special"] = token["content"] not in (THINK, END_THINK)
    return tokenizers.Tokenizer.from_str(json.dumps(state))
