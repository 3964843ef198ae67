from __future__ import annotations

import random

import numpy as np

from tuili.data.pipeline.characters import Class
from tuili.data.pipeline.quality.features import GROUPS, _shapes_in_a_row, features_of
from tuili.data.pipeline.words import Words

LENGTHS = (2, 3, 4, 6, 9, 13, 21)
TEXTS = (
    "The end.",
    "a b c",
    "GET /index.html HTTP/1.1\n\n\n200 {12}; x=[1,2,3];;;; end",
    "番茄炒蛋：准备鸡蛋三个、番茄两个，葱花少许。\n鸡蛋打散加盐abc搅匀 番茄",
    "function(a,b){return a.b(c)||!1}" * 3,
)


def shapes_by_hand(text: str) -> list[tuple[object, ...]]:
    """The shape of each word, or run of Han characters, found one character after the other."""
    kinds = [int(kind) for kind in Words(text).classes]
    assert len(kinds) == len(text)
    found, place = [], 0
    while place < len(text):
        if kinds[place] < Class.LETTER:
            place += 1
            continue
        end = place + 1
        while (
            end < len(text) and kinds[end] >= Class.LETTER and (kinds[end] == Class.HAN) == (kinds[place] == Class.HAN)
        ):
            end += 1
        behind, newlines, marks = end, 0, 0
        while behind < len(text) and kinds[behind] < Class.LETTER:
            newlines += kinds[behind] == Class.NEWLINE
            marks += kinds[behind] in (Class.PUNCTUATION, Class.SYMBOL)
            behind += 1
        following = text[end] if end < len(text) else ""
        length = sum(end - place >= least for least in LENGTHS)
        found.append((length, kinds[place], kinds[end - 1], min(newlines, 3), min(marks, 3), following))
        place = end
    return found


def partition(values: list[object]) -> list[int]:
    """For each value the place of its first equal: alike for lists that are the same up to names."""
    return [values.index(value) for value in values]


def test_shapes_are_those_found_by_hand() -> None:
    rng = random.Random(0)
    drawn = ["".join(rng.choice("ab1 \n.,;中文。") for _ in range(200)) for _ in range(20)]
    for text in (*TEXTS, *drawn):
        shapes = shapes_by_hand(text)
        rows: list[object] = [tuple(shapes[place : place + 3]) for place in range(len(shapes) - 2)]
        assert partition(_shapes_in_a_row(Words(text)).tolist()) == partition(rows)


def test_words_and_pairs_are_told_apart_by_what_they_are() -> None:
    words, pairs, _ = features_of(Words("the cat saw the cat, THE CAT"))
    assert partition(words.tolist()) == [0, 1, 2, 0, 1, 0, 1]
    assert partition(pairs.tolist()) == [0, 1, 2, 0, 4, 0]


def test_every_place_is_in_its_table_and_all_parts_of_it_are_used() -> None:
    words = Words(" ".join(f"{number:x}" for number in range(30_000)))
    for places, size in zip(features_of(words)[:2], list(GROUPS.values())[:2], strict=True):
        assert places.min() >= 0 and places.max() < size
        assert np.bincount(places * 16 // size, minlength=16).min() > 1500


def test_short_texts_have_few_features() -> None:
    assert [len(places) for places in features_of(Words(""))] == [0, 0, 0]
    assert [len(places) for places in features_of(Words("one two"))] == [2, 1, 0]
    assert [len(places) for places in features_of(Words("中文字"))] == [3, 2, 0]
