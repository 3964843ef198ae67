"""Familiar prompts are told from others by their pairs and triples of tokens; nothing is promised about the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.tiny import save_tiny
from tests.engine.promises.test_promises import PROMPT, calibration, entry_for, write
from tuili.engine import Budget, Familiar, Familiarity, NotPromised, Request, load_engine
from tuili.model import load_model
from tuili.store import (
    FAMILIARITY_FILE,
    FamiliarityFile,
    NgramFilter,
    familiarity_hash,
    ngrams_of,
    without_ends,
    write_familiarity_file,
)

CLASSES = np.array([0, 0, *range(3, 41)], np.uint32)
"""Of forty tokens, of which the first two are numbers."""
texts = st.lists(st.integers(0, 39), max_size=60)


def familiarity(*read: list[int], scores: tuple[float, ...] = (0.0, 0.1, 0.2, 0.5), level: float = 0.3) -> Familiarity:
    key_N = np.unique(np.concatenate([key_N for ids in read for key_N in ngrams_of(ids, CLASSES)]))
    return Familiarity(
        FamiliarityFile(NgramFilter.of(key_N).filter_B, CLASSES, np.array(scores, np.float32), level, "made up")
    )


@given(texts)
def test_pairs_and_triples_are_those_of_a_loop(ids: list[int]) -> None:
    classes = [int(CLASSES[token]) for token in ids]
    merged = [one + 1 for place, one in enumerate(classes) if one or not place or classes[place - 1]]
    pairs, triples = (zip(*(merged[start:] for start in range(n)), strict=False) for n in (2, 3))
    found = [key_N.tolist() for key_N in ngrams_of(ids, CLASSES)]
    assert found == [[a * 42 + b for a, b in pairs], [(a * 42 + b) * 42 + c for a, b, c in triples]]


@given(st.lists(texts, min_size=1, max_size=6))
def test_what_was_read_is_known(read: list[list[int]]) -> None:
    tells = familiarity(*read)
    assert all(tells.score(ids) == 0 for ids in read)
    assert all(tells.of(ids).p == 1 for ids in read)


def test_a_filter_knows_little_that_were_not_put_in() -> None:
    rng = np.random.default_rng(1)
    key_N, other_N = np.unique(rng.integers(0, 2**60, 60_000, dtype=np.uint64)).reshape(2, -1)[:, :20_000]
    made = NgramFilter.of(key_N)
    assert made.knows(key_N).all()
    assert made.knows(other_N).mean() < 0.015


def test_a_p_value_is_the_share_of_prompts_that_score_as_high() -> None:
    tells = familiarity([5, 6, 7, 8, 9])
    half_known = [5, 6, 7, 30, 31]  # two of four pairs and one of three triples
    assert tells.score(half_known) == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert tells.of(half_known).p == (1 + 0) / (1 + 4)
    assert tells.of([5, 6, 7, 8, 9, 30]).p == (1 + 1) / (1 + 4)
    foreign = tells.of([20, 21, 22, 23])
    assert (foreign.p, foreign.level, foreign.enough) == (1 / 5, 0.3, False)
    assert foreign.reason == "it is unlike those that the model has learnt from (p = 0.2, and 0.3 is needed)"
    assert tells.of([5, 6, 7]).reason == ""


def test_numbers_are_alike_however_long_they_are() -> None:
    tells = familiarity([5, 0, 6, 7])
    assert tells.score([5, 1, 0, 0, 1, 6, 7]) == 0
    assert tells.score([5, 6, 7]) == pytest.approx((1 / 2 + 1) / 2)


@given(*[st.lists(st.integers(0, 3), max_size=6)] * 3)
def test_the_ends_of_a_prompt_are_taken_off_as_far_as_they_stand_there(
    ids: list[int], before: list[int], after: list[int]
) -> None:
    rest = list(without_ends(ids, before, after))
    assert list(without_ends([*before, 9, *ids, 9, *after], before, after)) == [9, *ids, 9]
    assert any(ids[place : place + len(rest)] == rest for place in range(len(ids) + 1))
    start = next((place for place, token in enumerate(ids) if before[place : place + 1] != [token]), len(ids))
    assert rest == [] or rest[0] == ids[start], "no more is taken off than stands in both"


@pytest.mark.parametrize("ids", [[], [5], [9, 8]])
def test_a_prompt_without_anything_new_is_familiar(ids: list[int]) -> None:
    assert familiarity([9, 8, 7]).of(ids).p == 1


def write_familiarity(folder: Path, known: bool) -> None:
    """A file that knows every pair and triple of tokens, or none."""
    filter_B = np.full(64, 255 * known, np.uint8)
    class_V = np.arange(1, load_model(folder).tokenizer.size + 1, dtype=np.uint32)
    write_familiarity_file(folder, FamiliarityFile(filter_B, class_V, np.zeros(60, np.float32), 0.02, "made up"))


def test_nothing_is_promised_about_an_unfamiliar_prompt(tmp_path: Path) -> None:
    folder, asked = save_tiny(tmp_path / "model"), Request(PROMPT, Budget(error_tolerance=0.1))
    for known, p in ((True, 1.0), (False, 1 / 61)):
        write_familiarity(folder, known)
        engine = load_engine(write(folder, calibration(folder, familiarity=familiarity_hash(folder))), runner="torch")
        if known:
            engine.admit(asked)
        else:
            with pytest.raises(NotPromised, match=r"nothing is promised about this prompt: .*p = 0\.016, and 0\.02 is"):
                engine.admit(asked)
        (plain,) = engine.answer([Request(PROMPT, Budget(max_tokens=5))])
        assert plain.receipt.familiar == Familiar(p, 0.02)


def test_nothing_is_promised_with_another_file_of_familiarity_than_in_calibration(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    write_familiarity(folder, known=True)
    loaded = write(folder, calibration(folder, familiarity=familiarity_hash(folder)))
    assert entry_for(loaded, error_tolerance=0.1).error_tolerance == 0.1
    write_familiarity(folder, known=False)
    other = r"made with another tuili/familiarity\.safetensors: calibrate anew"
    for _ in ("another file", "none"):
        with pytest.raises(NotPromised, match=other):
            entry_for(loaded, error_tolerance=0.1)
        (folder / FAMILIARITY_FILE).unlink(missing_ok=True)
    (folder / FAMILIARITY_FILE).write_bytes(b"damaged")
    with pytest.raises(NotPromised, match=r"familiarity\.safetensors"):
        entry_for(write(folder, calibration(folder, familiarity=familiarity_hash(folder))), error_tolerance=0.1)
