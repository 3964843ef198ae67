"""The libraries around transformers run on the model as it is: PEFT, TRL's SFT trainer, lm-eval's `hf` model.

They are imported where they are used: only `make integration` needs them, and they take seconds to import.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from benchmarks.harness.tiny import save_tiny, tiny_model
from tuili.model import TuiliForCausalLM
from tuili.model.tokenizer import transformers_tokenizer

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("default"),  # what these libraries warn each other of is not ours to mend
]

PROBLEMS = [
    (f"What is {a} + {b}?", f"<think>\n{a} + {b} = {a + b}\n</think>{a + b}") for a in range(8) for b in range(3)
]
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
EXPERTS = [f"experts.{name}" for name in ("gate_up_proj", "down_proj")]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "model")


def batch(tokenizer: PreTrainedTokenizerFast) -> dict[str, torch.Tensor]:
    texts = [f"<|begin|><|user|>{prompt}<|assistant|>{response}<|end|>" for prompt, response in PROBLEMS[:4]]
    inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    return {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"], "labels": labels}


@torch.inference_mode()
def logits(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    return model.eval()(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits


@pytest.mark.parametrize(
    "targets",
    [{"target_modules": ATTENTION}, {"target_modules": [], "target_parameters": EXPERTS}],
    ids=["attention", "experts"],
)
def test_peft_trains_saves_loads_and_merges_an_adapter(saved: Path, tmp_path: Path, targets: dict[str, Any]) -> None:
    import peft

    base, tokenizer = tiny_model()
    tokenizer = transformers_tokenizer(tokenizer)
    inputs = batch(tokenizer)
    before = logits(base, inputs)
    model = peft.get_peft_model(base, peft.LoraConfig(r=2, lora_alpha=8, task_type="CAUSAL_LM", **targets))
    assert torch.equal(logits(model, inputs), before)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    optimizer = torch.optim.AdamW(trained.values(), lr=0.05)
    losses = []
    for _ in range(3):
        loss = model.train()(**inputs).loss
        loss.backward()
        losses.append(loss.item())
        if len(losses) == 2:  # an adapter starts at zero: after one step all of it has a gradient
            assert all(parameter.grad is not None and parameter.grad.any() for parameter in trained.values())
        optimizer.step()
        optimizer.zero_grad()
    assert losses[2] < losses[0]
    after = logits(model, inputs)
    assert not torch.allclose(after, before, atol=1e-3)

    model.save_pretrained(tmp_path / "adapter")
    assert not list((tmp_path / "adapter").glob("*.bin"))
    loaded = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(saved), tmp_path / "adapter")
    assert torch.equal(logits(loaded, inputs), after)
    merged = loaded.merge_and_unload()
    assert isinstance(merged, TuiliForCausalLM)
    torch.testing.assert_close(logits(merged, inputs), after, rtol=1e-4, atol=1e-5)
    merged.save_pretrained(tmp_path / "merged")
    torch.testing.assert_close(
        logits(AutoModelForCausalLM.from_pretrained(tmp_path / "merged"), inputs), logits(merged, inputs)
    )


@pytest.mark.parametrize("checkpointed", [False, True], ids=["plain", "checkpointed"])
def test_the_sft_trainer_learns_the_responses(tmp_path: Path, checkpointed: bool) -> None:
    import datasets
    import trl

    model, tokenizer = tiny_model()
    tokenizer = transformers_tokenizer(tokenizer)
    rows = [
        {"prompt": [{"role": "user", "content": prompt}], "completion": [{"role": "assistant", "content": response}]}
        for prompt, response in PROBLEMS
    ]
    config = trl.SFTConfig(
        output_dir=str(tmp_path),
        max_steps=3,
        per_device_train_batch_size=8,
        learning_rate=0.02,
        lr_scheduler_type="constant",
        warmup_steps=0,
        activation_checkpointing=checkpointed,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
    )
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    trainer = trl.SFTTrainer(model, config, train_dataset=datasets.Dataset.from_list(rows), processing_class=tokenizer)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 3
    assert losses[2] < losses[0] < float("inf")
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert any(".experts." in name for name in changed)
    assert changed == set(before)


def test_the_trainer_balances_by_the_callback_of_the_page_and_predicts_logits(tmp_path: Path) -> None:
    from transformers import Trainer, TrainingArguments

    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    (tmp_path / "shown.py").write_text(page.split("```python\n")[1].split("```")[0])
    shown = runpy.run_path(str(tmp_path / "shown.py"))
    model, tokenizer = tiny_model()
    tokenizer = transformers_tokenizer(tokenizer)
    inputs = batch(tokenizer)
    rows = [{name: values[row] for name, values in inputs.items()} for row in range(4)]
    settings = TrainingArguments(
        str(tmp_path), max_steps=2, save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True
    )
    trainer = Trainer(model, settings, train_dataset=rows, callbacks=[shown["Balance"]()])
    trainer.train()
    for router in model.routers():
        assert router.load.sum() == 0
        spread = router.balance_bias.max() - router.balance_bias.min()  # centring shifts all alike
        assert 0 < spread <= 2.01 * 2 * model.config.router_bias_rate  # each of two steps moves two apart by 2 rates
    predicted = trainer.predict(rows).predictions
    assert predicted.shape == (*inputs["input_ids"].shape, model.config.vocab_size)


def harness(saved: Path) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(saved), device="cpu", dtype="float32", batch_size=3, trust_remote_code=False)


def test_lm_eval_scores_as_the_model_does(saved: Path) -> None:
    """Continuations of different lengths in one batch, against the log-probabilities of each alone."""
    from lm_eval.api.instance import Instance

    lm = harness(saved)
    requests = [(prompt, response) for prompt, response in PROBLEMS[:5]] + [("1 + 1 =", " 2")]
    instances = [Instance("loglikelihood", {}, pair, index) for index, pair in enumerate(requests)]
    scored = lm.loglikelihood(instances, disable_tqdm=True)
    model, tokenizer = tiny_model()
    tokenizer = transformers_tokenizer(tokenizer)
    for (prompt, response), (score, _) in zip(requests, scored, strict=True):
        context = tokenizer.encode(prompt, add_special_tokens=False)
        target = tokenizer.encode(response, add_special_tokens=False)
        with torch.inference_mode():
            logprobs = model.eval()(torch.tensor([context + target])).logits[0].log_softmax(-1)
        expected = sum(float(logprobs[len(context) + i - 1, token]) for i, token in enumerate(target))
        assert score == pytest.approx(expected, rel=1e-4)


def test_lm_eval_runs_a_task_that_generates(saved: Path, tmp_path: Path) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    data = tmp_path / "sums.jsonl"
    data.write_text("".join(json.dumps({"question": q, "answer": r}) + "\n" for q, r in PROBLEMS[:6]))
    task = {
        "task": "sums",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}, "cache_dir": str(tmp_path / "cache")},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["<|end|>"], "max_gen_toks": 12, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    results = lm_eval.simple_evaluate(
        model=harness(saved),
        tasks=[task],
        task_manager=TaskManager(include_defaults=False),
        apply_chat_template=True,
        bootstrap_iters=0,
        log_samples=True,
    )
    assert results["n-samples"]["sums"]["effective"] == 6
    assert 0 <= results["results"]["sums"]["exact_match,none"] <= 1
    model, tokenizer = tiny_model()
    tokenizer = transformers_tokenizer(tokenizer)
    for sample in results["samples"]["sums"]:
        prompt = sample["arguments"][0][0]
        assert prompt == f"<|begin|><|user|>{sample['doc']['question']}<|assistant|>"
        ids = torch.tensor([tokenizer.encode(prompt, add_special_tokens=False)])
        output = model.eval().generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
        expected = tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
        assert sample["resps"][0][0] == expected.split("<|end|>")[0]
