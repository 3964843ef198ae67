from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.data.pipeline.characters import Class
from tuili.data.pipeline.filters.repetition import repeated_ngrams, top_ngram
from tuili.data.pipeline.kernels import kernels
from tuili.data.pipeline.lookup import Lookup
from tuili.data.pipeline.words import Words, hash_words, once

MIXED = (
    "The quick brown fox, it's a 12.5% test_case.\n\n他说你好，世界 abc\n --- \nThe  quick brown Fox!\r\n한국어 か な"
)
HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\u3005\u3007\U00020000-\U0003ffff]")
SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0000, 0xF0000))
IGNORED = {0xAD, 0x34F, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF, *SELECTORS}
TEXTS = st.text(st.sampled_from("ab Bé1_.\n,他好カ한\U00020001😀'\u0301 \t"), max_size=80) | st.text(max_size=40)


def slow_words(text: str) -> list[str]:
    """Words by a loop over characters."""
    words, current = list[str](), ""
    for letter in text.lower():
        if ord(letter) in IGNORED:
            continue
        kind = "Han" if HAN.match(letter) else unicodedata.category(letter)[0]
        if kind == "Han":
            words += [current, letter]
            current = ""
        elif kind in "LMN" or letter == "_" or (ord(letter) in range(0x3041, 0x3100) and letter not in "゠・"):
            current += letter
        else:
            words.append(current)
            current = ""
    return [word for word in [*words, current] if word]


def fast_words(text: str) -> list[str]:
    words = Words(text)
    lowered = "".join(map(chr, words.codes))
    return [lowered[start:end] for start, end in zip(words.starts, words.ends, strict=True)]


def test_words_are_runs_of_letters_and_single_han_characters() -> None:
    assert fast_words(MIXED)[:12] == [
        "the",
        "quick",
        "brown",
        "fox",
        "it",
        "s",
        "a",
        "12",
        "5",
        "test_case",
        "他",
        "说",
    ]
    assert fast_words(MIXED) == slow_words(MIXED)


@given(st.text(st.sampled_from("ab Bé1_.\n,他好カ한'\u0301 \t-゠\u00ad\u200b"), max_size=80))
def test_words_are_those_of_a_loop(text: str) -> None:
    assert fast_words(text) == slow_words(text)


@given(TEXTS, st.integers(1, 5))
def test_runs_have_the_same_hash_where_their_words_are_the_same(text: str, n: int) -> None:
    words, told = fast_words(text), Words(text)
    runs = [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]
    hashes = told.ngrams(n).tolist()
    assert len(hashes) == len(runs)
    assert len(set(hashes)) == len(set(runs)) == len(set(zip(hashes, runs, strict=True)))


@given(TEXTS, TEXTS)
def test_a_word_has_one_hash_wherever_it_stands(before: str, word: str) -> None:
    alone = hash_words(word).tolist()
    assert hash_words(f"{before} {word}").tolist()[len(hash_words(before)) :] == alone


def test_hashes_never_change() -> None:
    """Signatures that others keep would no longer fit."""
    assert hash_words("Hello 世界").tolist() == HELLO


HELLO = [15728609074135795854, 8432401288038125284, 4791900110096672892]


def test_lines_hold_words_and_know_their_last_character() -> None:
    words = Words(MIXED)
    assert words.line_starts.tolist() == [0, 10, 17, 21]
    assert words.line_hashes[0] != words.line_hashes[2]
    assert [chr(code) for code in words.line_last_codes] == [".", "c", "!", "な"]
    assert Words("a b.\nA, B").line_hashes[0] == Words("a b.\nA, B").line_hashes[1]


@given(st.text(st.sampled_from("ab .!\n\t\u00ad他"), max_size=60))
def test_the_last_character_of_a_line_is_that_of_a_loop(text: str) -> None:
    lines = [line.replace("\u00ad", "").rstrip() for line in text.split("\n")]
    slow = [line[-1] for line in lines if slow_words(line)]
    assert [chr(code) for code in Words(text).line_last_codes] == slow


@pytest.mark.parametrize("text", ["", " ", "\n\n", "...", "-\n-"])
def test_a_text_without_words_has_none(text: str) -> None:
    words = Words(text)
    assert len(words) == len(words.hashes) == len(words.line_hashes) == len(words.ngrams(3)) == 0
    assert words.class_counts[Class.LETTER] == 0


@given(st.lists(st.sampled_from(["a", "bb", "cccc", "dd"]), max_size=30), st.integers(1, 4))
def test_the_commonest_run_is_the_longest_of_a_loop(parts: list[str], n: int) -> None:
    runs = [tuple(parts[place : place + n]) for place in range(len(parts) - n + 1)]
    most = max((runs.count(run) for run in runs), default=0)
    longest = max((len("".join(run)) for run in runs if runs.count(run) == most), default=0)
    slow = min(1.0, longest * most / max(1, len("".join(parts)))) if most > 1 else 0.0
    assert top_ngram(Words(" ".join(parts)), n) == pytest.approx(slow)


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 4))
def test_repetition_is_that_of_a_loop(letters: list[str], n: int) -> None:
    words = Words(" ".join(letters))
    runs = [tuple(letters[place : place + n]) for place in range(len(letters) - n + 1)]
    covered = {place + step for place, run in enumerate(runs) if run in runs[:place] for step in range(n)}
    assert repeated_ngrams(words, n) == pytest.approx(len(covered) / max(1, len(letters)))
    most = max((runs.count(run) for run in runs), default=0)
    assert top_ngram(words, n) == pytest.approx(min(1.0, most * n / len(letters)) if most > 1 else 0)
    assert kernels().repeated(words.hashes).tolist() == [one in letters[:place] for place, one in enumerate(letters)]


@given(st.sets(st.integers(0, 2**64 - 1), max_size=50), st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_a_lookup_finds_what_it_holds(held: set[int], others: list[int]) -> None:
    lookup = Lookup(np.array(sorted(held), np.uint64))
    asked = [*others, *sorted(held), 0]
    assert lookup.holds(np.array(asked, np.uint64)).tolist() == [value in held for value in asked]


def test_a_lookup_finds_hashes_whose_slots_are_taken() -> None:
    crowded = np.arange(5, dtype=np.uint64)
    assert Lookup(crowded).places(np.array([3, 9, 4, 0], np.uint64)).tolist() == [3, 5, 4, 0]


def test_what_is_told_of_words_is_computed_once() -> None:
    asked = list[Words]()

    @once
    def count(words: Words) -> int:
        asked.append(words)
        return len(words)

    first, second = Words("one two"), Words("one two three")
    assert [count(first), count(second), count(first), count(second)] == [2, 3, 2, 3]
    assert asked == [first, second]
