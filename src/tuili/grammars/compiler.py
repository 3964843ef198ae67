"""Compiles grammars for the vocabulary of one tokenizer, and caches the most recently used ones.

Dimensions: V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import tokenizers
from numpy.typing import NDArray

from tuili.errors import InputError
from tuili.grammars.grammar import Grammar
from tuili.grammars.json_rules import limits
from tuili.grammars.state import GrammarState
from tuili.steps import END_THINK, THINK

if TYPE_CHECKING:  # the library is loaded for the first grammar
    from llguidance import LLMatcher, LLTokenizer

KEPT_GRAMMARS = 32
MAX_CHARACTERS = 300_000
"""The limit for the rules of a grammar."""
CLOSED_WITHIN = 4
"""If thinking ends within this many tokens of the end of a prompt, the model is not to think."""
Thinking = Literal["open", "possible", "none"]


class Vocabulary(Protocol):
    """What a grammar needs of a tokenizer."""

    @property
    def backend(self) -> tokenizers.Tokenizer:
        """The library's tokenizer."""
        ...

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The ids that end a response."""
        ...

    @property
    def size(self) -> int:
        """The number of entries."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """The bytes of text that an id represents."""
        ...

    def encode_text(self, text: str) -> list[int]:
        """The ids of plain text."""
        ...


@dataclass(frozen=True, eq=False)
class CompiledGrammar:
    """A grammar for one vocabulary of `size` entries. matcher: in its initial state; it is only ever copied."""

    matcher: LLMatcher
    end_ids: tuple[int, ...]
    size: int

    @cached_property
    def ends_V(self) -> NDArray[np.bool_]:
        """Which tokens end a text [V]."""
        return np.isin(np.arange(self.size), self.end_ids)

    def begin(self) -> GrammarState:
        """The state before the first token."""
        return GrammarState(self)

    def accepts(self, written: Sequence[int]) -> bool:
        """Whether these tokens, the last of which ends the text, form a complete text of the grammar."""
        return self.begin().accepts(written)


class GrammarCompiler:
    """Compiles grammars for one tokenizer. Any thread may use it."""

    def __init__(self, tokenizer: Vocabulary) -> None:
        self._tokenizer = tokenizer
        self._compiled = lru_cache(KEPT_GRAMMARS)(self._compile)

    def compile(self, grammar: Grammar, prompt: Sequence[int]) -> CompiledGrammar:
        """The grammar of the text after a prompt: a model that thinks may think first, and must do so if the prompt
        opens the thinking.

        Raises `InputError` for a grammar that takes too much work, or that no text matches.
        """
        return self._compiled(grammar, self._thinking(prompt))

    def _thinking(self, prompt: Sequence[int]) -> Thinking:
        opening, closing = self._marks
        if opening is None or closing is None:
            return "none"
        for behind, token in enumerate(reversed(prompt)):
            if token == opening:
                return "open"
            if token == closing:
                return "none" if behind < CLOSED_WITHIN else "possible"
        return "possible"

    @cached_property
    def _marks(self) -> tuple[int | None, int | None]:
        """The tokens that open and close a model's thinking."""
        return self._tokenizer.backend.token_to_id(THINK), self._tokenizer.backend.token_to_id(END_THINK)

    @cached_property
    def _vocabulary(self) -> LLTokenizer:
        from llguidance import LLTokenizer, TokenizerWrapper

        added = self._tokenizer.backend.get_added_tokens_decoder()
        special = {token for token, entry in added.items() if entry.special} | {each for each in self._marks if each}
        entries = _Entries(self._tokenizer, special)
        return LLTokenizer(TokenizerWrapper(entries), eos_token=list(self._tokenizer.end_ids))

    def _compile(self, grammar: Grammar, thinking: Thinking) -> CompiledGrammar:
        from llguidance import LLMatcher

        if len(grammar.rules) > MAX_CHARACTERS:
            raise InputError(
                f"the form of the answer is too large: its schemas have more than {MAX_CHARACTERS:,} characters"
            )
        opening, closing = self._marks
        before = {"open": "thought ", "possible": f"(<[{opening}]> thought)? ", "none": ""}[thinking]
        lines = [f"start: {before}body", grammar.rules]
        if before:
            lines += [f"thought: THOUGHT <[{closing}]> /\\n{{0,2}}/", "THOUGHT: /(.|\\n)*/"]
        matcher = LLMatcher(
            self._vocabulary, LLMatcher.grammar_from_lark("\n".join(lines)), log_level=0, limits=limits()
        )
        if not matcher.is_error():
            matcher.compute_bitmask()
        if matcher.is_error():
            why = matcher.get_error().splitlines()[0][:200]
            why = "no text fits it" if why.startswith("NoExtension") else why
            raise InputError(f"the form of the answer cannot be kept: {why}")
        return CompiledGrammar(matcher, self._tokenizer.end_ids, self._tokenizer.size)


class _Entries:
    """A vocabulary in the form that the library reads."""

    def __init__(self, tokenizer: Vocabulary, special: set[int]) -> None:
        self.eos_token_id, self.bos_token_id = tokenizer.end_ids[0], None
        self.tokens = [tokenizer.token_bytes(token) for token in range(tokenizer.size)]
        self.special_token_ids = sorted(special)
        self._encode = tokenizer.encode_text

    def __call__(self, text: str) -> list[int]:
        return self._encode(text)
