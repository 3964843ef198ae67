"""Our worker writes all tokens, whatever ends a text, at the depths that were drawn; sizes of the models are equal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.engine.peers.protocol import Work
from benchmarks.engine.peers.sizes import SIZES, Size, build_ours
from benchmarks.engine.peers.workers import tuili_engine
from benchmarks.engine.peers.workers.tuili_engine import TuiliEngine, replayed
from tests.store.dense_folders import dense_model, save_dense
from tuili.engine import Sequence

TINY = Size(2048, 64, 12, 2, 1, 64, 32, 32, 16, 3)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> TuiliEngine:
    monkeypatch.setitem(SIZES, "tiny", TINY)
    return TuiliEngine("tiny")


@pytest.mark.parametrize("size", list(SIZES))
def test_a_token_uses_as_many_parameters_of_ours_as_of_the_llama(size: str):
    counts = SIZES[size].parameters()
    assert counts["ours_active"] == pytest.approx(counts["llama_total_and_active"], rel=0.015)
    assert counts["ours_total"] > counts["ours_active"] > counts["ours_active_trunk"]


@pytest.mark.parametrize(("batch", "texts"), [(1, None), (3, ["0012", "0303"])])
def test_every_response_has_its_tokens_at_the_depths_that_are_replayed(tiny: TuiliEngine, batch, texts, monkeypatch):
    sequences: list[Sequence] = []

    def noted(*given, **more) -> Sequence:
        sequences.append(Sequence(*given, **more))
        return sequences[-1]

    monkeypatch.setattr(tuili_engine, "Sequence", noted)
    work = Work(batch, 16, 40, 2048, {"runner": "torch"} | ({"depths": texts} if texts else {}))
    tokens = tiny.prepare(work)()
    written = sequences[-batch:]
    assert tokens == [sequence.tokens for sequence in written]
    assert {len(response) for response in tokens} == {40}
    exits = tiny.loaded.model.config.exit_layers
    for row, sequence in enumerate(written):
        wanted = replayed(texts, work, row) if texts else "3" * 40
        assert sequence.depths == [exits[int(exit_)] for exit_ in wanted]


def test_replayed_depths_cost_as_many_layers(tiny: TuiliEngine):
    tiny.prepare(Work(1, 16, 20, 2048, {"runner": "torch", "depths": ["0"]}))()
    (scheduler,) = tiny.schedulers.values()
    assert scheduler.stats.layer_steps == 3 * scheduler.stats.tokens


def test_the_end_is_never_the_likeliest():
    model, tokenizer = build_ours(TINY, torch.float32)
    assert tokenizer.end_id not in model.lm_head(torch.randn(1000, 64)).argmax(-1).tolist()


def test_the_model_of_a_folder_goes_on_behind_ends(tmp_path: Path):
    """Every token that transformers writes is declared an end; the worker writes the same tokens all the same."""
    prompts = [[1, *range(first, first + 9)] for first in (30, 60)]
    model = dense_model("llama")
    expected = model.generate(torch.tensor(prompts), max_new_tokens=8, do_sample=False, eos_token_id=None)[:, 10:]
    folder, texts = save_dense(tmp_path / "model", eos_token_id=expected.flatten().tolist()), tmp_path / "texts.jsonl"
    texts.write_text("".join(f"{json.dumps(prompt)}\n" for prompt in prompts))
    work = Work(2, 10, 8, 400, {"runner": "native", "numbers": "fp32"}, texts=str(texts))
    places = [prompts.index(prompt) for prompt in work.prompts()]
    assert TuiliEngine(str(folder)).prepare(work)() == expected[places].tolist()
