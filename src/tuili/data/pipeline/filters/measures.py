"""The measures of the basic filter, one function per reason, each computed from the shared words.

Shares are of the non-space characters, unless stated otherwise.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import yaml

from tuili.data.pipeline.characters import Class
from tuili.data.pipeline.filters.repetition import repeated_ngrams, repeated_share, top_ngram
from tuili.data.pipeline.lookup import Lookup
from tuili.data.pipeline.words import Words, once

LONG_WORD = 30
"""The length in characters above which a word is more likely code, an address or packed data."""
SHORT_LINE_WORDS, SHORT_LINE_HAN = 4, 8
"""A line with fewer words, or Han characters, is short: a menu entry, a label, a heading."""
RUN_WORDS = 100
FEW_LINES = 5
"""Measures of lines say nothing about a document with fewer lines."""
_LONGEST = 9
"""The number of words in the longest phrase of `boilerplate.yaml`."""
_REPLACEMENT = 0xFFFD
_ENDS = np.array(sorted(map(ord, ".!?:;\"')]”’»…。！？；：）」』】")), np.uint32)
_START = 8
_START_WEIGHTS = np.array([pow(0x9E3779B97F4A7C15, power, 2**64) for power in range(1, _START + 1)], np.uint64)


def word_count(words: Words) -> float:
    """The number of words; each Han character is one."""
    return float(len(words))


@once
def mean_word_length(words: Words) -> float:
    """The mean length of words with more than one character: proofs are full of single letters."""
    longer = words.lengths[words.lengths > 1]
    return float(longer.sum() / len(longer)) if len(longer) else 1.0


def symbols(words: Words) -> float:
    """The share of punctuation and symbols."""
    counts = words.class_counts
    return (counts[Class.PUNCTUATION] + counts[Class.SYMBOL]) / words.visible


def digits(words: Words) -> float:
    """The share of digits."""
    return words.class_counts[Class.DIGIT] / words.visible


def garbled(words: Words) -> float:
    """The share of control, private-use and replacement characters."""
    lost = np.count_nonzero(words.codes == _REPLACEMENT) if words.class_counts[Class.SYMBOL] else 0
    return (words.class_counts[Class.CONTROL] + lost) / words.visible


@once
def long_words(words: Words) -> float:
    """The share of word characters in words that are too long."""
    return float(words.lengths[words.lengths > LONG_WORD].sum() / words.length_sums[-1])


def same_characters(words: Words) -> float:
    """The share of characters that follow three equal ones, as in a drawn line."""
    codes = words.codes
    if len(codes) < 4:
        return 0.0
    same = codes[1:] == codes[:-1]
    return np.count_nonzero(same[2:] & same[1:-1] & same[:-2] & (words.classes[3:] > Class.NEWLINE)) / words.visible


def short_lines(words: Words) -> float:
    """The share of short lines."""
    if len(words.line_starts) < FEW_LINES:
        return 0.0
    least = SHORT_LINE_HAN if words.mostly_han else SHORT_LINE_WORDS
    return np.count_nonzero(words.line_ends - words.line_starts < least) / len(words.line_starts)


@once
def unended_lines(words: Words) -> float:
    """The share of line characters in lines that end without punctuation."""
    if len(words.line_starts) < FEW_LINES:
        return 0.0
    last = words.line_last_codes
    ended = _ENDS[np.minimum(np.searchsorted(_ENDS, last), len(_ENDS) - 1)] == last
    return float(words.line_lengths[~ended].sum() / words.line_lengths.sum())


@once
def same_starts(words: Words) -> float:
    """The share of lines that begin, except for digits, like an earlier line: logs, tables of links."""
    count = len(words.line_starts)
    if count < 2 * FEW_LINES:
        return 0.0
    starts = words.starts[words.line_starts]
    places = np.minimum(starts[:, None] + np.arange(_START), len(words.codes) - 1)
    heads = np.where(words.classes[places] == Class.DIGIT, ord("0"), words.codes[places])
    keys = np.sort((heads * _START_WEIGHTS).sum(1))
    return float((keys[1:] == keys[:-1]).sum() / count)


@once
def repeated_lines(words: Words) -> float:
    """The share of line characters in lines that repeat an earlier line."""
    return repeated_share(words.line_hashes, words.line_lengths)


@once
def repeated_runs(words: Words) -> float:
    """The share of word characters in repeated runs of five words; in Chinese, of ten characters."""
    return repeated_ngrams(words, 10 if words.mostly_han else 5)


@once
def commonest_run(words: Words) -> float:
    """The share of word characters that the commonest run of three words takes up; in Chinese, of four characters.

    0 for a text with fewer than a hundred words, in which a run that occurs twice may be a tenth.
    """
    if len(words) < RUN_WORDS:
        return 0.0
    return top_ngram(words, 4 if words.mostly_han else 3)


@once
def boilerplate(words: Words) -> float:
    """The share of words in phrases of `boilerplate.yaml`."""
    begins, phrases = _phrases()
    covered = end = 0
    for place in np.flatnonzero(begins.holds(words.ngrams(2))).tolist() if len(words) > 1 else ():
        rest = tuple(words.hashes[place : place + _LONGEST].tolist())
        n = max((n for n in range(2, len(rest) + 1) if rest[:n] in phrases), default=0)
        covered += max(0, place + n - max(end, place))
        end = max(end, place + n)
    return covered / len(words)


@cache
def _phrases() -> tuple[Lookup, frozenset[tuple[int, ...]]]:
    """The hashes of the first two words of all phrases, and the phrases as hashes of their words."""
    lists = yaml.safe_load(Path(__file__).with_name("boilerplate.yaml").read_text(encoding="utf-8"))
    phrases = [Words(phrase) for phrases in lists.values() for phrase in phrases]
    assert all(2 <= len(phrase) <= _LONGEST for phrase in phrases)
    begins = Lookup(np.unique(np.concatenate([phrase.ngrams(2)[:1] for phrase in phrases])))
    return begins, frozenset(tuple(phrase.hashes.tolist()) for phrase in phrases)
