"""How exact a model is: what agrees is counted as equal, what differs is seen, and known results are kept."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from math import exp
from pathlib import Path

import numpy as np
import pytest

from benchmarks.engine.fuzz import BUDGETS
from benchmarks.harness.cells import Cells
from benchmarks.harness.record import Figure
from benchmarks.imported.prompts import chats, worked_questions
from benchmarks.imported.quality import budgets, drafts, forms, measuring, numbers, texts
from benchmarks.imported.quality.measuring import Counts, Measuring
from benchmarks.imported.quality.ours import Ours
from benchmarks.imported.quality.reference import Reference
from benchmarks.imported.quality.round_trip import NAMES
from benchmarks.imported.quality.texts import prose, windows
from tuili.engine import Depth, Scheduler
from tuili.errors import InputError
from tuili.store import ImportedModel

LLAMA = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "score" in asked:
        print(json.dumps({"nats": 2.0 * (len(asked["score"]) - 1)}), flush=True)
    else:
        print(json.dumps({"tokens": [[0] * asked["new"] for _ in asked["write"]]}), flush=True)
"""
"""In place of llama.cpp's worker."""


@pytest.fixture
def compared(
    imported: ImportedModel, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Measuring]:
    page, python, program = tmp_path / "page.md", tmp_path / "python", tmp_path / "llama.py"
    page.write_text("The quick brown fox jumps over the lazy dog. " * 60)
    program.write_text(LLAMA)
    python.write_text(f"#!/bin/sh\nexec {sys.executable} {program}\n")
    python.chmod(0o755)
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    for module, name, value in (
        (measuring, "BATCH", 3),
        (measuring, "NEW", 5),
        (measuring, "EVERYTHING", 9),
        (numbers, "NEW", 5),
        (numbers, "WINDOW", 40),
        (numbers, "TEXT", 30),
        (forms, "NEW", 5),
        (drafts, "CELL", 2),
        (drafts, "NEW", 5),
    ):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(drafts, "worked_questions", lambda *asked: worked_questions(*asked, data=data))
    for module in (measuring, numbers, drafts):
        monkeypatch.setattr(module, "chats", lambda tokenizer, count: chats(tokenizer, count, data=data))
    monkeypatch.setattr(numbers, "windows", lambda *asked: windows(*asked, pages=tmp_path))
    cells = Cells("q", {}, tmp_path)
    with Measuring(imported, cells, Counts(4, 2, 6, 6, 6, 60), tmp_path, str(python), 1) as comparing:
        yield comparing


def medians(figures: dict[str, Figure]) -> dict[str, float]:
    return {key: figure.median for key, figure in figures.items()}


def test_ours_agrees_with_transformers(compared: Measuring):
    figures = numbers.logits(compared)
    assert [len(figures[name].runs) for name in ("logits", "logits_fp64", "logits_of_transformers")] == [4, 4, 4]
    assert 0 < figures["logits_most_apart"].median == max(figures["logits"].runs) < 1e-3
    assert medians(numbers.generate(compared)) == {"generate_equal": 6, "generate_prompts": 6}


def test_a_token_that_differs_is_counted(compared: Measuring, monkeypatch: pytest.MonkeyPatch):
    write = Reference.write

    def wrong(self: Reference, prompts: list[list[int]], new: int) -> list[list[int]]:
        return [[*write(self, prompts, new)[0][:-1], -1], *write(self, prompts, new)[1:]]

    monkeypatch.setattr(Reference, "write", wrong)
    assert numbers.generate(compared)["generate_equal"].median == 4  # one of each batch differs


def test_perplexity_is_told_of_every_reader(compared: Measuring):
    figures = numbers.perplexity(compared)
    assert figures["perplexity_ours_fp32"].median == pytest.approx(figures["perplexity_transformers"].median, rel=1e-4)
    assert figures["perplexity_ours_fp32_over_fp32"].median == pytest.approx(0, abs=1e-2)
    assert figures["perplexity_llama_cpp_q8_0"].median == pytest.approx(exp(2))
    assert {f"perplexity_ours_{each}" for each in numbers.FORMATS} <= figures.keys()


def test_what_comes_back_is_compared_byte_by_byte(compared: Measuring, monkeypatch: pytest.MonkeyPatch):
    def run(*arguments: str) -> None:
        out = Path(arguments[-1])
        shutil.copytree(compared.model.path, out)
        if arguments[0] == "import":
            (out / "config.json").write_text("{}")

    monkeypatch.setattr("benchmarks.imported.quality.round_trip.tuili", run)
    files = len([file for file in compared.model.path.iterdir() if file.is_file()])
    expected = {
        f"back_{form}_{what}": count for form in NAMES for what, count in (("files", files), ("same", files - 1))
    }
    assert medians(forms.back(compared)) == expected


def test_the_exported_file_is_given_to_llama_cpp(compared: Measuring, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr("benchmarks.imported.quality.round_trip.tuili", lambda *arguments: asked.append(arguments))
    assert medians(forms.gguf(compared)) == {"gguf_equal": 0, "gguf_prompts": 6}  # the fake one writes zeros
    ((verb, model, _, form, _, out),) = asked
    assert (verb, model, form, Path(out).name) == ("export", str(compared.model.path), "gguf", "model.gguf")


def test_known_results_are_kept(compared: Measuring, monkeypatch: pytest.MonkeyPatch):
    known = numbers.generate(compared)
    monkeypatch.setattr(Ours, "write", None)
    assert numbers.generate(compared) == known


def test_results_of_other_prompts_are_not_taken(compared: Measuring):
    one, other = ([[[1, 50, 60]]], [[[1, 80, 90]]])
    written = compared.written_by_ours("one", one, "fp32")
    assert compared.written_by_ours("one", one, "fp32") == written
    assert compared.written_by_ours("other", other, "fp32") == compared.ours.write(other[0], measuring.NEW, "fp32", 4)


def test_drafts_are_compared_alone_and_together_and_known_cells_are_kept(
    compared: Measuring, monkeypatch: pytest.MonkeyPatch
):
    figures = drafts.drafts(compared)
    told = {"equal": 6, "prompts": 6}
    for name in (f"drafts_{bits}_{together}" for bits, together in drafts.CASES):
        assert {key: figures[f"{name}_{key}"].median for key in told} == told
        assert len(figures[f"{name}_over_full"].runs) == 3
    assert drafts.prompts_of(compared)[0] != drafts.prompts_of(compared)[1]
    monkeypatch.setattr(drafts, "write", None)
    assert drafts.drafts(compared) == figures


def test_a_draft_that_changes_a_text_is_counted(compared: Measuring, monkeypatch: pytest.MonkeyPatch):
    write = drafts.write

    def wrong(scheduler: Scheduler, prompts: list[list[int]], depth: Depth) -> tuple[list[list[int]], float]:
        written, seconds = write(scheduler, prompts, depth)
        return ([[*tokens[:-1], -1] for tokens in written], seconds) if depth == "exact" else (written, seconds)

    monkeypatch.setattr(drafts, "write", wrong)
    assert drafts.drafts(compared)["drafts_int8_1_equal"].median == 0


def test_no_budget_is_overrun(compared: Measuring):
    figures = medians(budgets.budgets(compared))
    assert figures["budgets_offered"] == 60 > figures["budgets_admitted"] > 0
    assert {name: count for name, count in figures.items() if "overran" in name} == {
        f"budgets_overran_{name}": 0 for name in BUDGETS
    }


def test_given_texts_are_forced_place_by_place(imported: ImportedModel):
    ours, prompts = Ours(imported), [[1, 50, 60, 70], [1, 80, 90]]
    written = ours.write(prompts, 6, "fp32", 4)
    texts = [(prompts[0], written[0]), (prompts[1], [written[1][0], 33, 44, 55])]
    one, other = ours.read_forced(texts, "fp32", 4)
    assert one.chosen == written[0]
    assert other.chosen[:2] == written[1][:2]
    assert other.chosen[2:] == [ours.write([[*prompts[1], *other.response[:n]]], 1, "fp32", 4)[0][0] for n in (2, 3)]
    assert one.depths == [4] * 6


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
