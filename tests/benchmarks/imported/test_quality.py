"""How exact a model is: what agrees is counted as equal, what differs is seen, and known results are kept."""

from __future__ import annotations

import sys
from math import exp
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.cells import Cells
from benchmarks.imported.quality import parts, texts
from benchmarks.imported.quality.ours import Ours
from benchmarks.imported.quality.parts import Compared, Counts
from benchmarks.imported.quality.reference import Reference
from benchmarks.imported.quality.texts import prose, windows
from tuili.errors import InputError
from tuili.store import ImportedModel

LLAMA = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"nats": 2.0 * (len(asked["score"]) - 1)}), flush=True)
"""
"""In place of llama.cpp's worker."""


@pytest.fixture
def compared(imported: ImportedModel, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compared:
    page, python, program = tmp_path / "page.md", tmp_path / "python", tmp_path / "llama.py"
    page.write_text("The quick brown fox jumps over the lazy dog. " * 60)
    program.write_text(LLAMA)
    python.write_text(f"#!/bin/sh\nexec {sys.executable} {program}\n")
    python.chmod(0o755)
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    for name, value in (("BATCH", 3), ("NEW", 5), ("WINDOW", 40), ("TEXT", 30), ("EVERYTHING", 9)):
        monkeypatch.setattr(parts, name, value)
    monkeypatch.setattr(parts, "chats", lambda tokenizer, count: texts_of(imported, data, count))
    monkeypatch.setattr(parts, "windows", lambda *asked: windows(*asked, pages=tmp_path))
    return Compared(imported, Cells("q", {}, tmp_path), Counts(4, 2, 6, 6, 6), tmp_path, str(python), 1)


def texts_of(imported: ImportedModel, data: Path, count: int) -> list[list[int]]:
    from benchmarks.imported.prompts import chats

    return chats(imported.tokenizer, count, data=data)


def test_ours_agrees_with_transformers(compared: Compared):
    figures = compared.logits()
    assert [len(figures[name].runs) for name in ("logits", "logits_fp64", "logits_of_transformers")] == [4, 4, 4]
    assert 0 < figures["logits_most_apart"].median == max(figures["logits"].runs) < 1e-3
    assert {key: figure.median for key, figure in compared.generate().items()} == {
        "generate_equal": 6,
        "generate_prompts": 6,
    }


def test_a_token_that_differs_is_counted(compared: Compared, monkeypatch: pytest.MonkeyPatch):
    write = Reference.write

    def wrong(self: Reference, prompts: list[list[int]], new: int) -> list[list[int]]:
        return [[*write(self, prompts, new)[0][:-1], -1], *write(self, prompts, new)[1:]]

    monkeypatch.setattr(Reference, "write", wrong)
    assert compared.generate()["generate_equal"].median == 4  # one of each batch


def test_perplexity_is_told_of_every_reader(compared: Compared, tmp_path: Path):
    figures = compared.perplexity()
    assert figures["perplexity_ours_fp32"].median == pytest.approx(figures["perplexity_transformers"].median, rel=1e-4)
    assert figures["perplexity_ours_fp32_over_fp32"].median == pytest.approx(0, abs=1e-2)
    assert figures["perplexity_llama_cpp_q8_0"].median == pytest.approx(exp(2))
    assert {f"perplexity_ours_{numbers}" for numbers in parts.FORMATS} <= figures.keys()


def test_known_results_are_kept(compared: Compared, monkeypatch: pytest.MonkeyPatch):
    known = compared.generate()
    monkeypatch.setattr(Ours, "write", None)
    assert compared.generate() == known


def test_drafts_are_left_out_without_exits(compared: Compared):
    assert compared.drafts() == {}


def test_logits_are_those_of_every_token(imported: ImportedModel):
    ids = list(range(3, 60))
    whole, part = (Ours(imported).logits(ids[:length]) for length in (57, 20))
    assert whole.shape == (57, imported.shape.vocab_size)
    assert np.array_equal(whole[:20], part)


def test_the_unseen_text_is_prose(tmp_path: Path, imported: ImportedModel):
    (tmp_path / "a.md").write_text("# Head\n\nSee [the page](page.md).\n\n| a | b |\n\n```\ncode\n```\n\nThe end.")
    (tmp_path / "benchmarks.md").write_text("Figures.")
    assert prose(tmp_path) == "See the page.\n\nThe end."
    assert [len(piece) for piece in windows(imported.tokenizer, 2, 5, tmp_path)] == [5, 5]
    with pytest.raises(InputError, match="are too many"):
        windows(imported.tokenizer, 50, 5, tmp_path)
    assert len(texts.prose()) > 50_000
