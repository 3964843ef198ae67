from __future__ import annotations

import itertools
import random
from collections import Counter

import numpy as np
import pytest

from tuili.data.pipeline.quality import familiarity
from tuili.data.pipeline.quality.familiarity import CLASSES, MEASURES, SIZES, Counting, Familiarity, merged, table
from tuili.data.pipeline.words import Words

TEXTS = [f"the cat sat on the mat {n} and the dog ran to the {word}" for n, word in enumerate(["hill", "tree", "road"])]


def familiar(texts: list[str], expected: float = 0.5) -> Familiarity:
    counted = {name: Counting() for name in SIZES}
    for text in texts:
        words = Words(text)
        counted["vocabulary"].add(words.hashes)
        counted["neighbours"].add(words.ngrams(2))
    tables = {name: table(name, *merged([one])) for name, one in counted.items()}
    return Familiarity(**tables, expected_CC=np.full((CLASSES, CLASSES), expected, np.float32))


def test_documents_that_have_a_word_are_counted_in_parts_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counting, "FULL", 50)
    rng = random.Random(0)
    documents = [[rng.randint(0, 60) for _ in range(20)] for _ in range(40)]
    counting, other = Counting(), Counting()
    for number, one in enumerate(documents):
        (other if number % 3 == 0 else counting).add(np.array(one, np.uint64))
    hashes, counts = merged([counting, other])
    wanted = Counter(hash_ for one in documents for hash_ in set(one))
    assert dict(zip(hashes.tolist(), counts.tolist(), strict=True)) == wanted


def test_a_table_tells_how_common_words_are_and_hardly_ever_knows_others() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 60_000, np.uint64)
    counts = np.arange(60_000) % 300 + 1
    entries = table("vocabulary", hashes, counts)
    assert len(entries) == SIZES["vocabulary"]
    common = counts > 250
    found = familiarity.classes_of(entries, hashes)
    right = found == np.minimum(1 + np.log2(counts).astype(int), 7)
    assert right[common].mean() > 0.75 and not found[counts < 50].mean() > 0.1
    others = rng.integers(0, 2**64, 60_000, np.uint64)
    assert 0 < (familiarity.classes_of(entries, others) > 0).mean() < 0.03


def test_measures_are_those_by_hand() -> None:
    tables = familiar(TEXTS)
    text = "the cat ran to the mat on the unheard hill"
    once, pairs = Counter[str](), Counter[str]()
    for one in TEXTS:
        words = one.split()
        once.update(set(words))
        pairs.update({" ".join(pair) for pair in itertools.pairwise(words)})
    level = {word: 1 + int(np.log2(count)) for word, count in once.items()}
    words = text.split()
    first = [level.get(word, 0) for word in words]
    known = [level_of(pairs[" ".join(pair)]) for pair in itertools.pairwise(words)]
    found = dict(zip(MEASURES, tables.measures(Words(text)), strict=True))
    assert found["unknown"] == pytest.approx(first[:-1].count(0) / 9)
    assert found["met"] == pytest.approx(sum(one > 0 for one in known) / 9)
    assert found["met_more"] == pytest.approx(sum((one > 0) - 0.5 for one in known) / 9)
    assert found["met_often"] == pytest.approx(sum(known) / sum(one > 0 for one in known))
    lower = [min(pair) for pair in itertools.pairwise(first)]
    other = [(one > 0) - 0.5 for one, low in zip(known, lower, strict=True) if 0 < low < 5]
    assert found["met_more_other"] == pytest.approx(sum(other) / (len(other) + 5))
    assert found["common"] == found["met_more_common"] == 0


def level_of(count: int) -> int:
    return 1 + int(np.log2(count)) if count else 0


def test_the_same_words_in_another_order_are_less_familiar() -> None:
    tables = familiar(TEXTS)
    shuffled = TEXTS[0].split()
    random.Random(1).shuffle(shuffled)
    own, other = (
        dict(zip(MEASURES, tables.measures(Words(text)), strict=True)) for text in (TEXTS[0], " ".join(shuffled))
    )
    assert own["met_more"] == 0.5 > other["met_more"] + 0.3 and own["unknown"] == other["unknown"] == 0


@pytest.mark.parametrize("text", ["", "word", "中"])
def test_texts_without_pairs_have_no_measures(text: str) -> None:
    assert familiar(TEXTS).measures(Words(text)) == [0.0] * len(MEASURES)
