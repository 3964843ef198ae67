"""The basic filter: language, length, repetition, symbols and boilerplate, with thresholds for each kind of text.

The first reason that applies is reported; cheap measures come first. `measures` computes them; `thresholds.yaml` holds
one threshold for each reason and kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import Field, field_validator

from tuili.data.pipeline.block import Block, BlockSettings
from tuili.data.pipeline.document import Document, Drop
from tuili.data.pipeline.filters import measures
from tuili.data.pipeline.filters.language import BY_SCRIPT, LANGUAGES, UNKNOWN, language_of, latin_languages
from tuili.data.pipeline.words import Words

LIKE = "like"
"""The key in a kind's thresholds that names the kind from which it inherits."""


class Reason(StrEnum):
    """Why the basic filter drops a document. Except for the first two, each is a key of `thresholds.yaml`."""

    UNKNOWN_KIND = "unknown_kind"
    OTHER_LANGUAGE = "other_language"
    FEW_WORDS = "few_words"
    MANY_WORDS = "many_words"
    GARBLED = "garbled"
    MANY_SYMBOLS = "many_symbols"
    MANY_DIGITS = "many_digits"
    LONG_WORDS = "long_words"
    SHORT_WORDS_ON_AVERAGE = "short_words_on_average"
    LONG_WORDS_ON_AVERAGE = "long_words_on_average"
    SAME_CHARACTERS = "same_characters"
    FEW_FUNCTION_WORDS = "few_function_words"
    FEW_FUNCTION_CHARACTERS = "few_function_characters"
    SHORT_LINES = "short_lines"
    UNENDED_LINES = "unended_lines"
    SAME_STARTS = "same_starts"
    BOILERPLATE = "boilerplate"
    REPEATED_LINES = "repeated_lines"
    COMMONEST_RUN = "commonest_run"
    REPEATED_RUNS = "repeated_runs"


class Rule(NamedTuple):
    """A measure that must not exceed, or not fall below, a kind's threshold."""

    reason: Reason
    measure: Callable[[Words], float]
    least: bool = False
    """Whether the threshold is the minimum, not the maximum."""


LENGTH_RULES = (
    Rule(Reason.FEW_WORDS, measures.word_count, least=True),
    Rule(Reason.MANY_WORDS, measures.word_count),
)
LETTERS_RULES = (
    Rule(Reason.SHORT_WORDS_ON_AVERAGE, measures.mean_word_length, least=True),
    Rule(Reason.LONG_WORDS_ON_AVERAGE, measures.mean_word_length),
)
"""Rules for texts in letters; in Chinese, each Han character is a word of its own."""
RULES = (
    Rule(Reason.GARBLED, measures.garbled),
    Rule(Reason.MANY_SYMBOLS, measures.symbols),
    Rule(Reason.MANY_DIGITS, measures.digits),
    Rule(Reason.LONG_WORDS, measures.long_words),
    Rule(Reason.SAME_CHARACTERS, measures.same_characters),
    Rule(Reason.SHORT_LINES, measures.short_lines),
    Rule(Reason.UNENDED_LINES, measures.unended_lines),
    Rule(Reason.SAME_STARTS, measures.same_starts),
    Rule(Reason.BOILERPLATE, measures.boilerplate),
    Rule(Reason.REPEATED_LINES, measures.repeated_lines),
    Rule(Reason.COMMONEST_RUN, measures.commonest_run),
    Rule(Reason.REPEATED_RUNS, measures.repeated_runs),
)
Thresholds = Mapping[str, float | None]


@cache
def shipped_thresholds() -> dict[str, dict[str, float | None]]:
    """The thresholds that Tuili ships, for each kind of text."""
    read: dict[str, dict[str, Any]] = yaml.safe_load(
        Path(__file__).with_name("thresholds.yaml").read_text(encoding="utf-8")
    )
    resolved = dict[str, dict[str, float | None]]()
    for kind, given in read.items():
        resolved[kind] = {**resolved.get(given.pop(LIKE, ""), {}), **given}
    return resolved


class BasicSettings(BlockSettings):
    """The basic filter in a recipe."""

    block: Literal["basic"]
    languages: tuple[str, ...] = Field(
        ("en", "zh"), min_length=1, description="Languages to be kept; codes of ISO 639-1."
    )
    thresholds: dict[str, dict[str, float | None]] = Field(
        {}, description="Changes to thresholds.yaml: a number, or null for none, by kind of text and reason."
    )

    @field_validator("languages")
    @classmethod
    def _told(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        told = {*latin_languages(), *LANGUAGES}
        if unknown := sorted(set(given) - told):
            raise ValueError(f"{unknown[0]!r} is no language that is told: those are {', '.join(sorted(told))}")
        return given

    @field_validator("thresholds")
    @classmethod
    def _known(cls, given: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
        known = set(Reason) - {Reason.UNKNOWN_KIND, Reason.OTHER_LANGUAGE}
        for kind, changes in given.items():
            if unknown := sorted(set(changes) - set(known)):
                raise ValueError(f"{kind}: {unknown[0]!r} is no reason: known are {', '.join(sorted(known))}")
        return given

    def by_kind(self) -> dict[str, dict[str, float | None]]:
        """The thresholds for each kind of text, with the recipe's changes."""
        thresholds = {kind: dict(values) for kind, values in shipped_thresholds().items()}
        for kind, changes in self.thresholds.items():
            thresholds[kind] = {**thresholds.get(kind, {}), **changes}
        return thresholds

    def build(self) -> BasicFilter:
        """Build the block."""
        return BasicFilter(self.by_kind(), self.languages)


class BasicFilter(Block):
    """Drops a document that is not in a wanted language, too short, too repetitive, or mostly not text."""

    name = "basic"
    Reason = Reason

    def __init__(self, thresholds: Mapping[str, Thresholds], languages: tuple[str, ...]) -> None:
        self._thresholds, self._languages = thresholds, languages

    def apply(self, document: Document) -> Document | Drop:
        """Return the document with its language in the metadata, or a drop."""
        thresholds = self._thresholds.get(document.kind)
        if thresholds is None:
            known = ", ".join(self._thresholds)
            return self.drop(Reason.UNKNOWN_KIND, kind=document.kind, known=known)
        words = document.words
        if drop := self._first(LENGTH_RULES, words, thresholds):
            return drop
        if not len(words):
            return self.drop(Reason.FEW_WORDS, measured=0, least=1)
        language = language_of(words)
        few = Reason.FEW_FUNCTION_CHARACTERS if language.name == "zh" else Reason.FEW_FUNCTION_WORDS
        least = thresholds.get(few)
        # if function words do not count, those of another language are names of variables, or a reference
        unsure = least is None and (language.name == UNKNOWN or language.name in latin_languages())
        if language.name not in self._languages and not unsure:
            return self.drop(Reason.OTHER_LANGUAGE, language=language.name)
        if least is not None and language.name not in BY_SCRIPT and language.function_words < least:
            return self.drop(few, measured=round(language.function_words, 4), least=least)
        if language.name != "zh" and (drop := self._first(LETTERS_RULES, words, thresholds)):
            return drop
        if drop := self._first(RULES, words, thresholds):
            return drop
        return document.with_metadata(detected_language=language.name)

    def _first(self, rules: tuple[Rule, ...], words: Words, thresholds: Thresholds) -> Drop | None:
        for rule in rules:
            limit = thresholds.get(rule.reason)
            if limit is None:
                continue
            value = rule.measure(words)
            if value < limit if rule.least else value > limit:
                return self.drop(rule.reason, measured=round(value, 4), **{"least" if rule.least else "most": limit})
        return None
