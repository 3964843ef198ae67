"""A teaching writes a model and its adapter, goes on where it was, and refuses what cannot be."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from rich.console import Console
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from benchmarks.harness.tiny import save_tiny
from tuili.data import Record, read_questions, write_records
from tuili.errors import InputError
from tuili.posttrain import TeachingConfig, TeachingRecipe, TeachingResult, teach
from tuili.posttrain.teaching.data import SmallLetters, build_sources
from tuili.posttrain.teaching.recipe import TeachingDataConfig
from tuili.store import THINKING_FILE, model_hash, open_model, read_lineage, read_thinking_file
from tuili.tasks import Split, generate
from tuili.train import read_log


def config(folder: Path, data: Path, **changes: Any) -> TeachingConfig:
    tree: dict[str, Any] = {
        "model": str(folder), "data": {"files": {str(data): 1}}, "rank": 4, "steps": 12, "rows": 2, "length": 128,
        "learning_rate": 0.01, "extra_tokens": 50, "schedule": {"warmup": 2}, "checkpoint": {"interval": 5},
        "log": {"interval": 4},
    }  # fmt: skip
    tree["data"] |= {key: changes.pop(key) for key in ("validation", "domains") if key in changes}
    return TeachingRecipe.model_validate_json(json.dumps({"teach": tree | changes})).teach


def run(folder: Path, data: Path, out: Path, resume: bool = False, **changes: Any) -> TeachingResult:
    return teach(config(folder, data, **changes), out, resume=resume, console=Console(quiet=True))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # which PEFT asks for
def test_a_taught_model_is_its_base_with_the_adapter(folder: Path, data: Path, tmp_path: Path) -> None:
    result = run(folder, data, tmp_path / "run", validation=[str(data)])
    assert result.model is not None
    assert result.adapter is not None
    open_model(result.model)
    ids = torch.tensor([[1, 50, 60, 70]])
    with torch.inference_mode():
        before, taught = (AutoModelForCausalLM.from_pretrained(path) for path in (folder, result.model))
        plain = before(ids).logits
        adapted = PeftModel.from_pretrained(before, str(result.adapter)).eval()(ids).logits
        torch.testing.assert_close(adapted, taught(ids).logits, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(adapted, plain, atol=0.01)
    thinking = read_thinking_file(result.model)
    assert thinking is not None
    assert (thinking.language, thinking.calculator) == ("steps", "forced")
    assert read_thinking_file(result.adapter) == thinking
    entry = read_lineage(result.model)[-1]
    assert (entry.step, entry.parent, entry.hash) == ("teach", model_hash(folder), model_hash(result.model))
    assert entry.tokens == result.tokens > 12 * 2 * 90
    first, *_, last = read_log(tmp_path / "run")
    assert entry.figures["loss"] == last["loss"] < first["loss"]
    assert entry.figures["validation_loss"] < first["loss"]


def test_layers_that_learn_whole_have_no_adapter(folder: Path, data: Path, tmp_path: Path) -> None:
    result = run(folder, data, tmp_path / "run", way="full", first_layer=3, learning_rate=0.003)
    assert result.model is not None
    assert result.adapter is None
    before, after = (load_file(path / "model.safetensors") for path in (folder, result.model))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith(("model.layers.3.", "model.norm"))}


def interrupted_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a Ctrl-C when this step has been logged."""
    from tuili.posttrain.teaching import run as module

    class Log(module.TrainingLog):
        def step(self, number: int, *arguments: Any, **more: Any) -> None:
            super().step(number, *arguments, **more)
            if number == step:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(module, "TrainingLog", Log)


@pytest.mark.parametrize("way", ["lora", "full"])
def test_an_interrupted_teaching_ends_with_the_same_weights(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    whole = run(folder, data, tmp_path / "whole", way=way)
    with monkeypatch.context() as patch:
        interrupted_at(7, patch)
        part = run(folder, data, tmp_path / "part", way=way)
    assert (part.step, part.model) == (7, None)
    with pytest.raises(InputError, match="add --resume"):
        run(folder, data, tmp_path / "part", way=way)
    with pytest.raises(InputError, match="another recipe, model or data"):
        run(folder, data, tmp_path / "part", resume=True, way=way, learning_rate=0.02)
    again = run(folder, data, tmp_path / "part", resume=True, way=way)
    assert whole.model is not None
    assert again.model is not None
    assert model_hash(again.model) == model_hash(whole.model)
    assert again.tokens == whole.tokens


def test_what_cannot_be_taught_is_refused(folder: Path, data: Path, tmp_path: Path) -> None:
    own = save_tiny(tmp_path / "own")
    with pytest.raises(InputError, match="is of Tuili's own kind"):
        run(own, data, tmp_path / "run")
    with pytest.raises(InputError, match="the model has 4 layers"):
        run(folder, data, tmp_path / "run1", first_layer=4)
    bare = tmp_path / "bare.jsonl"
    bare.write_text('{"input": "How?", "output": "7"}\n')
    with pytest.raises(InputError, match="no question has steps that check"):
        run(folder, bare, tmp_path / "run2")
    held_out = tmp_path / "held_out.jsonl"
    write_records(held_out, [Record.of(generate("arithmetic", Split.TEST.seed(1), 0, 1))])
    with pytest.raises(InputError, match="is one that is never trained on"):
        run(folder, held_out, tmp_path / "run3")
    (tmp_path / "run5" / "checkpoints" / "step-00000005").mkdir(parents=True)
    with pytest.raises(InputError, match=r"has checkpoints and no run\.json"):
        run(folder, data, tmp_path / "run5")
    first = run(folder, data, tmp_path / "run4", steps=1)
    assert first.model is not None
    with pytest.raises(InputError, match="where this run writes its own model"):
        run(first.model, data, tmp_path / "run4", resume=True)


def test_the_words_of_a_file_are_learnt_without_steps(folder: Path, data: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.jsonl"
    words.write_text('{"question": "How many?", "answer": "They are <<2*3=6>>6 in all.\\n#### 6"}\n')
    (read,) = read_questions(words)
    assert read.prose == "They are 6 in all.\n#### 6"
    result = run(folder, words, tmp_path / "run", response="prose", steps=1)
    assert result.model is not None
    assert not (result.model / THINKING_FILE).exists()
    with pytest.raises(InputError, match="no question is answered in words"):
        run(folder, data, tmp_path / "other", response="prose")
    with pytest.raises(ValueError, match="prose is learnt from files alone"):
        config(folder, words, response="prose", domains=["arithmetic"])


def test_a_share_of_the_questions_is_in_small_letters(data: Path) -> None:
    class Source:
        name = "some"

        def record(self, number: int) -> Record:
            return next(iter(read_questions(data))).record

    lowered = [SmallLetters(Source(), 0.3, 1).record(number).input == "add 0 and 3." for number in range(300)]
    assert 60 < sum(lowered) < 120


def test_problems_of_domains_come_without_working_unless_it_is_wanted() -> None:
    def lines(working: bool) -> int:
        data = TeachingDataConfig(domains=("arithmetic",), working=working, lower_case=0.0)
        (source,), _ = build_sources(data, 1, False, lambda line: None)
        return sum(len(source.record(number).steps) for number in range(60))

    assert lines(working=False) < lines(working=True)


def test_a_taught_model_thinks_in_few_tokens(folder: Path, data: Path, tmp_path: Path) -> None:
    result = run(folder, data, tmp_path / "run", steps=2)
    assert result.model is not None
    thinking = read_thinking_file(result.model)
    assert thinking is not None
    stored = open_model(folder)
    written = set(thinking.token_ids or ())
    for one in read_questions(data):
        assert written.issuperset(stored.tokenizer.encode_text(one.record.response))
    assert len(written) < 60
    assert (result.model / THINKING_FILE).is_file()
