"""A teaching writes a model and its adapter, goes on where it was, and refuses what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from benchmarks.harness.tiny import save_tiny
from tests.posttrain.teaching.running import config, run, told
from tests.store.dense_folders import KINDS, save_dense
from tuili.data import Record, RecordSource, read_questions, write_records
from tuili.errors import InputError
from tuili.posttrain import taught_sources
from tuili.posttrain.teaching.data import TaughtSource, build_sources
from tuili.posttrain.teaching.recipe import TeachingDataConfig
from tuili.store import THINKING_FILE, model_hash, open_model, read_lineage, read_thinking_file
from tuili.tasks import Split, generate
from tuili.train import read_log


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


def test_of_a_model_with_factors_the_factors_learn(data: Path, tmp_path: Path) -> None:
    folder = save_dense(tmp_path / "factors", **KINDS["llama, factors"])
    with pytest.raises(InputError, match=r"teach\.way = lora: .* has factors, which get no terms: use full"):
        run(folder, data, tmp_path / "run")
    result = run(folder, data, tmp_path / "run", way="full", first_layer=1, steps=2)
    assert result.model is not None
    before, after = (load_file(path / "model.safetensors") for path in (folder, result.model))
    for part in ("inner", "outer"):
        name = f"model.layers.1.self_attn.k_proj.{part}.weight"
        assert not torch.equal(before[name], after[name])
    assert open_model(result.model).shape.ranks == open_model(folder).shape.ranks


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
    for place in ("checkpoints", "model", "adapter"):
        (tmp_path / "run5" / place).mkdir(parents=True)
        with pytest.raises(InputError, match=rf"has {place} and no run\.json"):
            run(folder, data, tmp_path / "run5")
        (tmp_path / "run5" / place).rmdir()
    first = run(folder, data, tmp_path / "run4", steps=1)
    assert first.model is not None
    with pytest.raises(InputError, match="where this run writes its own model"):
        run(first.model, data, tmp_path / "run4", resume=True)


def test_questions_that_are_longer_than_a_row_are_told_of(folder: Path, data: Path, tmp_path: Path) -> None:
    long = {"question": f"{'Add. ' * 90}", "equation": "+ 1 2", "answer": "3"}
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text(data.read_text() + json.dumps(long) + "\n")
    line = f"{mixed}: 1 of 41 questions are longer than the "
    assert line in told(folder, mixed, tmp_path / "run", steps=1)


def test_one_question_is_enough(folder: Path, data: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    one.write_text(data.read_text().splitlines()[0])
    assert run(folder, one, tmp_path / "run", steps=1).model is not None


def test_a_file_that_has_changed_is_not_what_was_taught(folder: Path, data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_bytes(data.read_bytes())
    model = run(folder, mine, tmp_path / "run", steps=1).model
    assert model is not None
    (source,), faults = taught_sources(model)
    assert (source.name, faults) == (str(mine), [])
    with mine.open("a") as file:
        file.write(data.read_text().splitlines()[0])
    assert taught_sources(model) == ([], [f"{mine} has changed since the model was taught with it"])
    mine.unlink()
    sources, (fault,) = taught_sources(model)
    assert not sources
    assert fault.startswith(f"{mine} cannot be read")


def test_problems_that_are_held_out_may_be_watched(folder: Path, data: Path, tmp_path: Path) -> None:
    held_out = tmp_path / "held_out.jsonl"
    write_records(held_out, [Record.of(generate("arithmetic", Split.TEST.seed(1), 0, 1))])
    result = run(folder, data, tmp_path / "run", steps=1, length=256, validation=[str(held_out), str(held_out)])
    assert result.model is not None
    assert read_lineage(result.model)[-1].figures["validation_loss"] > 0


def test_a_file_is_named_once_and_not_as_a_domain(folder: Path, data: Path) -> None:
    for files in ({str(data): 1, f"{data.parent}/../{data.parent.name}/{data.name}": 2}, {"arithmetic": 1}):
        with pytest.raises(ValueError, match=r"is named twice|is also the name of a domain"):
            config(folder, data, files=files, domains=["arithmetic"])


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
    source = TaughtSource(RecordSource(str(data), [next(iter(read_questions(data))).record], 1), 1.0, 1, 0.3)
    lowered = [source.record(number).input == "add 0 and 3." for number in range(300)]
    assert 60 < sum(lowered) < 120


def test_problems_of_domains_come_without_working_unless_it_is_wanted() -> None:
    def lines(working: bool) -> int:
        data = TeachingDataConfig(domains=("arithmetic",), working=working, lower_case=0.0)
        (source,) = build_sources(data, 1, False, lambda line: None)
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
