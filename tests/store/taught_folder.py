"""A tiny imported model that has learnt to answer small sums by steps, many of them wrongly."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from tests.store.dense_folders import dense_tokenizer
from tuili.steps import render_response
from tuili.store import ThinkingSettings, write_thinking_file

if TYPE_CHECKING:
    from transformers import PreTrainedModel

STEPS, ROWS = 160, 16
"""Of its training, in which it learns the form, and the commonest sum."""
NAMES, THINGS = ("Ann", "Ben", "Eve", "Tom", "Zoe"), ("pens", "hats", "nuts", "cups", "keys", "eggs", "bags", "coins")


def questions(count: int = 120, seed: int = 7) -> list[dict[str, object]]:
    """Records of small sums, each another question; of most the answer is 2."""
    draw, records = random.Random(seed), dict[str, dict[str, object]]()
    while len(records) < count:
        a, b = draw.choice([(1, 1), (1, 1), (2, 0), (1, 2), (2, 2), (2, 1)])
        question = f"{draw.choice(NAMES)} has {a} {draw.choice(THINGS)} and gets {b} {draw.choice(THINGS)}. How many?"
        steps = [f"{a} + {b} = {a + b}"]
        records[question] = {"input": question, "output": str(a + b), "steps": steps, "id": f"sums/{len(records)}"}
    return list(records.values())


def save_questions(path: Path, count: int = 120) -> Path:
    """The same as a file."""
    path.write_text("".join(json.dumps(record) + "\n" for record in questions(count)))
    return path


def save_taught(folder: Path) -> Path:
    """Save it. Returns its folder."""
    _taught().save_pretrained(folder)
    dense_tokenizer().save_pretrained(folder)
    write_thinking_file(folder, ThinkingSettings("steps"))
    return folder


@cache
def _taught() -> PreTrainedModel:
    """Training takes some seconds, and happens once in a process; the same thread gives the same weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = dense_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=400, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, eos_token_id=2, pad_token_id=0, tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    rows = []
    for record in questions(400):
        text = record["input"]
        chat = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False
        )
        prompt = tokenizer(chat, add_special_tokens=False).input_ids
        response = tokenizer(
            render_response(record["steps"], str(record["output"])), add_special_tokens=False
        ).input_ids
        rows.append((prompt, [*response, 2]))
    longest = max(len(prompt) + len(response) for prompt, response in rows)
    ids_NT, target_NT = torch.zeros(len(rows), longest, dtype=torch.long), torch.full((len(rows), longest), -100)
    for place, (prompt, response) in enumerate(rows):
        whole = torch.tensor([*prompt, *response])
        ids_NT[place, : len(whole)] = whole
        target_NT[place, len(prompt) : len(whole)] = whole[len(prompt) :]
    optimizer, draw = torch.optim.AdamW(model.parameters(), 4e-3), random.Random(0)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1, (step + 1) / 20) * (1 - step / STEPS)
        chosen = torch.tensor(draw.sample(range(len(rows)), ROWS))
        logits = model(ids_NT[chosen]).logits[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), target_NT[chosen, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
