"""How far the losses of training by the native library are from those of its twin in torch, over the steps of a run.

Three models of the same weights read the same blocks: one trains by torch, one by the library, and one by torch from
weights that are a rounding of its number format away. Figures:

- `at_once`: the loss by the library at the weights of the one that trains by torch, against that one's, step by step;
- `apart`: how far the two come to be apart while each goes its own way;
- `nudged`: how far a rounding of the weights alone brings torch's run from itself. What `apart` is beside it shows
  whether there is more between the two than rounding, which training amplifies.

`short` documents are problems of the first level, some to a row; `long` ones those of the fifth, a few to a row.
"""

from __future__ import annotations

import copy
import math
import tempfile
from itertools import islice
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from tuili.config import load_recipe
from tuili.data import Block
from tuili.model import TuiliForCausalLM, set_kernels
from tuili.store import Tokenizer
from tuili.train import Objective, Recipe, build_model, can_compile, train, training_stream

TEXTS = {
    "short": ("data.levels=[1]", "train.rows=2", "train.length=288"),
    "long": ("data.levels=[0,0,0,0,1]", "train.rows=1", "train.length=768"),
}


def measure(
    recipe: str = "quickstart",
    steps: int = 200,
    precisions: tuple[str, ...] = ("fp32", "bf16"),
    texts: tuple[str, ...] = tuple(TEXTS),
    overrides: tuple[str, ...] = (),
) -> Measured:
    """Differences of losses by number format and length of texts: at each step, and their largest one.

    One thread, AdamW at the recipe's learning rate.
    """
    torch.set_num_threads(1)
    figures: dict[str, Figure] = {}
    for text in texts:
        settings = load_recipe(recipe, (*TEXTS[text], *overrides, "train.device=cpu"), Recipe)
        for precision in precisions:
            found = differences(settings, steps, precision == "bf16")
            figures |= {f"{precision}_{text}_{name}": Figure("nats", values) for name, values in found.items()}
            for name in ("at_once", "apart", "nudged"):
                figures[f"{precision}_{text}_{name}_most"] = Figure("nats", [max(found[name])])
    return {
        "recipe": recipe,
        "steps": steps,
        "texts": {text: TEXTS[text] for text in texts},
        "overrides": list(overrides),
        "goal": "at_once <= 1e-3",
    }, figures


def differences(recipe: Recipe, steps: int, bf16: bool) -> dict[str, list[float]]:
    """The differences step by step, and the losses of the run by torch."""
    with tempfile.TemporaryDirectory() as scratch:
        first = recipe.model_copy(update={"train": recipe.train.model_copy(update={"steps": 1, "replicas": 1})})
        train(first, Path(scratch), console=Console(quiet=True))
        tokenizer = Tokenizer.load(Path(scratch, "tokenizer"))
    twin = build_model(recipe.model, tokenizer)
    native, nudged = copy.deepcopy(twin), copy.deepcopy(twin)
    rounding = torch.finfo(torch.bfloat16 if bf16 else torch.float32).eps / 2
    with torch.no_grad():
        for weight in nudged.parameters():
            weight.mul_(1 + rounding * torch.empty_like(weight).uniform_(-1, 1))
    models = {"twin": _Run(twin, recipe, native=False), "native": _Run(native, recipe, native=True)}
    models["nudged"] = _Run(nudged, recipe, native=False)
    kept: dict[str, list[float]] = {"at_once": [], "apart": [], "nudged": [], "loss": []}
    for number, block in enumerate(islice(training_stream(recipe, tokenizer), steps)):
        at_once = models["twin"].loss(block, number, bf16, native=True)
        losses = {name: one.step(block, number, bf16) for name, one in models.items()}
        kept["at_once"].append(abs(at_once - losses["twin"]))
        kept["apart"].append(abs(losses["native"] - losses["twin"]))
        kept["nudged"].append(abs(losses["nudged"] - losses["twin"]))
        kept["loss"].append(losses["twin"])
    return kept


class _Run:
    """A model while it is trained, by the library or by torch."""

    def __init__(self, model: TuiliForCausalLM, recipe: Recipe, *, native: bool) -> None:
        self._model, self._recipe, self._native = model.train(), recipe, native
        self._compiled = can_compile("auto", torch.device("cpu"))
        self._objective = Objective(recipe.objective, model)
        self._adamw = torch.optim.AdamW(model.parameters(), lr=recipe.optimizer.learning_rate, fused=True)

    def step(self, block: Block, number: int, bf16: bool) -> float:
        """Learn from a block; returns the loss before."""
        loss = self._forward(block, number, bf16, self._native)
        self._adamw.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._recipe.train.clip or math.inf)
        self._adamw.step()
        return loss.item()

    @torch.no_grad()
    def loss(self, block: Block, number: int, bf16: bool, *, native: bool) -> float:
        """The loss of a block in one of both forms. What the routers count meanwhile changes nothing."""
        return self._forward(block, number, bf16, native).item()

    def _forward(self, block: Block, number: int, bf16: bool, native: bool) -> torch.Tensor:
        set_kernels(self._model, fused=self._compiled, native=native)
        torch.manual_seed(number)
        generator = torch.Generator().manual_seed(number)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return self._objective(block, number / self._recipe.train.steps, generator).loss


if __name__ == "__main__":
    run("training_equality", measure)
