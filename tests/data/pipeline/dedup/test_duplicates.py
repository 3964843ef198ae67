from __future__ import annotations

import io
import json
import os
import random
import signal
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.data.pipeline.conftest import ROOT, contents, lines
from tests.data.pipeline.test_resuming import KILLED
from tuili.data.pipeline import BuildSettings, Document, Dropped, Kept, Pipeline, build, hash_words
from tuili.data.pipeline.characters import INVISIBLE
from tuili.data.pipeline.dedup import neighbours
from tuili.data.pipeline.dedup.duplicates import Deduplication, DedupSettings
from tuili.data.pipeline.dedup.neighbours import Neighbours
from tuili.data.pipeline.dedup.signature import digest_of, signature_of, similarity

VOCABULARY = ["".join(random.Random(number).choices(string.ascii_lowercase, k=6)) for number in range(3000)]
HAN = [chr(0x4E00 + number) for number in range(3000)]


def drawn(rng: random.Random, words: list[str], count: int = 200) -> list[str]:
    """Words as often as in a language: few are common, most are rare."""
    return rng.choices(words, [1 / (rank + 10) for rank in range(len(words))], k=count)


def edited(rng: random.Random, text: list[str], share: float, words: list[str]) -> list[str]:
    """A text of which a share of the words is replaced, removed or put in."""
    changed = list[str]()
    places = set(rng.sample(range(len(text)), round(share * len(text))))
    for place, word in enumerate(text):
        if place not in places:
            changed.append(word)
        else:
            changed += rng.choice([[rng.choice(words)], [], [word, rng.choice(words)]])
    return changed


def document(text: str, identity: str, kind: str = "prose") -> Document:
    return Document(text, identity, identity, kind)


def dropped(documents: list[Document], **more: object) -> dict[str, tuple[str, str]]:
    """For each document that is dropped the reason and the one that is kept."""
    block = DedupSettings.model_validate({"block": "dedup"} | more).build()
    found = dict[str, tuple[str, str]]()
    for settled in Pipeline([block]).run(iter(documents)):
        if isinstance(settled, Dropped):
            found[settled.trace.id] = settled.drop.reason, str(settled.drop.measured["of"])
        else:
            assert isinstance(settled, Kept)
    return found


@pytest.mark.parametrize(("words", "space"), [(VOCABULARY, " "), (HAN, "")], ids=["English", "Chinese"])
def test_near_duplicates_are_found_by_the_share_of_edits_and_nothing_else_is_dropped(
    words: list[str], space: str
) -> None:
    rng = random.Random(1)
    originals = [drawn(rng, words) for _ in range(100)]
    recall = dict[float, float]()
    for share in (0.05, 0.1, 0.4):
        documents = [document(space.join(text), f"first/{number}") for number, text in enumerate(originals)]
        documents += [
            document(space.join(edited(rng, text, share, words)), f"again/{number}")
            for number, text in enumerate(originals)
        ]
        found = dropped(documents)
        assert all(found[name] == ("near_duplicate", name.replace("again", "first")) for name in found)
        assert all(name.startswith("again") for name in found)
        recall[share] = len(found) / 100
    assert recall[0.05] == 1
    assert recall[0.1] >= 0.99
    assert recall[0.4] <= 0.05


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_the_estimate_is_near_the_true_similarity(seed: int, share: float) -> None:
    """Within five standard errors."""
    rng = np.random.default_rng(seed)
    common = rng.integers(0, 2**63, round(300 * share) + 1, np.uint64)
    one, two = (np.append(common, rng.integers(0, 2**63, 300 - round(300 * share), np.uint64)) for _ in "12")
    true = len(common) / len(np.union1d(one, two))
    estimate = similarity(signature_of(one), signature_of(two)[None])[0]
    assert abs(estimate - true) <= 5 * max((true * (1 - true) / 128) ** 0.5, 1 / 128)


def test_a_signature_belongs_to_the_set_of_shingles() -> None:
    hashes = hash_words(" ".join(VOCABULARY))
    again = np.concatenate([hashes[::-1], hashes[:1500]])
    assert (signature_of(hashes) == signature_of(again)).all()


def test_the_same_text_is_a_duplicate_whatever_its_spacing_and_other_symbols_are_none() -> None:
    documents = [
        document("3 + 4", "a"),
        document("3 - 4", "b"),
        document("3  +\n4 ", "c"),
        document("x", "d"),
        document("x\u00ad", "e"),
        document("X", "f"),
    ]
    assert dropped(documents) == {"c": ("duplicate", "a"), "e": ("duplicate", "d")}


@given(st.text(st.sampled_from(f"a é他\n{INVISIBLE}"), max_size=30), st.sampled_from(INVISIBLE))
def test_a_digest_is_that_of_the_characters_that_show(text: str, sign: str) -> None:
    shown = "".join(letter for letter in text if letter not in INVISIBLE)
    assert digest_of(text) == digest_of(shown) == digest_of(f"{text}{sign}")
    assert digest_of(f"{text}b") != digest_of(text)


def test_problems_and_short_texts_are_dropped_only_where_they_are_the_same() -> None:
    text = drawn(random.Random(2), VOCABULARY, 40)
    one, other = " ".join(text), " ".join([*text[:-1], "7"])
    pair = [document(one, "a"), document(other, "b")]
    assert dropped(pair) == {"b": ("near_duplicate", "a")}
    assert dropped(pair, near=False) == {}
    assert dropped(pair, few_words=41) == {}
    assert dropped(pair, similarity=1.0) == {}
    assert dropped([document(one, "a", "problem"), document(other, "b", "problem")]) == {}
    assert dropped([document(one, "a", "problem"), document(one, "b", "problem")]) == {"b": ("duplicate", "a")}


def test_the_first_is_kept_and_the_one_most_alike_is_named() -> None:
    rng = random.Random(3)
    text = drawn(rng, VOCABULARY)
    far = edited(rng, text, 0.35, VOCABULARY)
    documents = [document(" ".join(far), "far"), document(" ".join(text), "first")]
    near = " ".join(edited(rng, text, 0.02, VOCABULARY))
    assert dropped([*documents, document(near, "b")]) == {"b": ("near_duplicate", "first")}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 8), min_size=3, max_size=3), max_size=60))
def test_neighbours_are_all_earlier_rows_that_share_a_key(rows: list[list[int]]) -> None:
    """The slow twin compares each row with all before, while the table grows from one row on."""
    table = Neighbours(3, np.uint32, room=1)
    for number, row in enumerate(rows):
        slow = [before for before in range(number) if any(a == b for a, b in zip(rows[before], row, strict=True))]
        assert table.find(np.array(row, np.uint32)).tolist() == slow
        table.append(np.array(row, np.uint32))


def test_a_long_chain_is_followed_for_its_latest_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "LONGEST_CHAIN", 3)
    table, key = Neighbours(1, np.uint32), np.array([7], np.uint32)
    for _ in range(2000):
        table.append(key)
    assert table.find(key).tolist() == [1997, 1998, 1999]


def test_what_is_learnt_in_parts_is_restored_whole() -> None:
    rng = random.Random(4)
    texts = [drawn(rng, VOCABULARY, 30) for _ in range(20)]
    documents = [document(" ".join(text), f"文/{number}") for number, text in enumerate(texts)]
    first, again, journal = Deduplication(_default()), Deduplication(_default()), b""
    for one in documents:
        assert first.decide(one.id, first.prepare(one)) is None
        journal += first.learnt()
    assert first.learnt() == b""
    again.restore(io.BytesIO(journal))
    for one, text in zip(documents, texts, strict=True):
        near = document(" ".join(text[1:]), "near")
        for block in (first, again):
            drop = block.decide("near", block.prepare(near))
            assert drop and drop.measured["of"] == one.id


def _default() -> DedupSettings:
    return DedupSettings(block="dedup")


@pytest.mark.usefixtures("small_steps")
def test_workers_and_kills_change_no_byte(tmp_path: Path) -> None:
    """It is killed in its fifth step, before the journal is on the disk."""
    rng = random.Random(5)
    texts = [drawn(rng, VOCABULARY, 60) for _ in range(30)]
    texts += [edited(rng, text, 0.05, VOCABULARY) for text in texts[::2]]
    rng.shuffle(texts)
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": " ".join(text)}) for text in texts))
    recipe = BuildSettings.model_validate({"inputs": [{"path": tmp_path / "a.jsonl"}], "blocks": [{"block": "dedup"}]})
    whole = build(recipe, tmp_path / "whole", workers=2)
    assert whole.manifest["dropped"] == {"dedup": {"near_duplicate": 15}}
    listed = lines(tmp_path / "whole" / "dropped" / "part-00000.jsonl.zst")
    assert all(str(drop["measured"]["of"]).startswith("a.jsonl:") for drop in listed)  # type: ignore[index]
    arguments = [recipe.model_dump_json(), str(tmp_path / "out"), "0", "18", ""]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "out.building" / ".build" / "journals" / "0-dedup").stat().st_size > 0
    build(recipe, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_is_said_of_near_duplicates_is_refused_where_none_are_looked_for() -> None:
    assert DedupSettings(block="dedup", near=False, similarity=0.5).similarity == 0.5  # what holds anyway
    with pytest.raises(ValidationError, match="similarity has no effect where near is false"):
        DedupSettings(block="dedup", near=False, similarity=0.6)
