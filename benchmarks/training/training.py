"""The speed of training, over this machine's own matrix products and over that of a Mixtral of equal size.

Operations are those of the linear layers that run, forward and backward: 6 for each parameter and token. Attention
itself counts none. Our side runs a recipe by the code of `tuili train`, replicas included, on its real stream (problems
are generated beside the training, on the same cores). Prompt tokens run the trunk alone, and learnt tokens leave at
their exits in the mean shares of the recipe, so that tokens a second alone would flatter it. "Equal-model" tokens a
second are therefore given too: our operations a second over those of a token that runs all layers, as every token of
Mixtral does. Mixtral reads the same documents from memory, in the fastest of the Trainer's variants here, with as many
documents a step. The Trainer runs in one process on all cores, its default; our training divides itself into replicas.
The training of an earlier commit, `--before COMMIT`, runs beside them by its own sources and defaults.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import torch

from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure
from benchmarks.training.earlier import checked_out, train_earlier
from benchmarks.training.mixtral import VARIANTS, equal_mixtral, mixtral_parameters, train_mixtral
from benchmarks.training.tuili_training import Segment, TuiliTraining
from tuili.config import load_recipe
from tuili.model import TuiliConfig, count_parameters, transformers_tokenizer
from tuili.train import Recipe

WITHOUT_NATIVE_KERNELS = "ce60c11"
"""The last commit whose training had no native kernels. A clone must reach back to it; an empty name leaves it out."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def measure(
    sizes: tuple[str, ...] = ("nano", "micro"),
    recipe: str = "nano",
    steps: int = 15,
    runs: int = 5,
    before: str = WITHOUT_NATIVE_KERNELS,
    overrides: tuple[str, ...] = (),
) -> Measured:
    """Rates of our training, Mixtral's and the products', in turns, in runs of `steps` steps, for each model size."""
    figures: dict[str, Figure] = {}
    chosen: dict[str, Any] = {}
    warmup = steps // 3
    with checked_out(before) if before else nullcontext() as earlier:
        for size in sizes:
            short = (
                f"train.steps={steps}",
                f"log.interval={warmup}",
                f"checkpoint.interval={steps}",
                "train.device=cpu",
            )
            changes = (*overrides, f"model.preset={size}", *short)
            changes = (*changes, mean_exits(load_recipe(recipe, changes, Recipe)))
            others = {"before": partial(train_earlier, earlier, recipe, changes)} if earlier else {}
            size_figures, chosen[size] = compare(load_recipe(recipe, changes, Recipe), runs, others)
            figures |= {f"{size}_{name}": figure for name, figure in size_figures.items()}
    return {
        "recipe": recipe,
        "before": before or None,
        "overrides": list(overrides),
        "steps_a_run": f"{steps}, the first {warmup} not timed",
        "chosen": chosen,
        "operations": "6 a parameter and token of the linear layers that run, forward and backward; attention none",
        "goal": "nano: tokens_over_before >= 2, tokens_over_mixtral >= 3.2; micro: share_of_matmul >= 0.5",
    }, figures


def mean_exits(recipe: Recipe) -> str:
    """The override that holds a recipe's exit shares at their mean over the run: a step then costs what a step costs on
    average."""
    first, last = recipe.objective.exits
    mean = [(a + b) / 2 for a, b in zip(first, last, strict=True)]
    return f"objective.exits={json.dumps([mean, mean])}"


def compare(
    recipe: Recipe, runs: int, others: Mapping[str, Callable[[], Segment]]
) -> tuple[dict[str, Figure], dict[str, Any]]:
    """The figures of one model size, and the settings that were chosen for both sides.

    others: further contenders by name, each of which trains once and returns its speed.
    """
    ours = TuiliTraining(recipe)
    steps, accumulation, rate = recipe.train.steps, recipe.train.accumulation, recipe.optimizer.learning_rate
    blocks = list(islice(ours.stream(), steps * accumulation))
    config = equal_mixtral(ours.config)
    arguments = (config, transformers_tokenizer(ours.tokenizer), accumulation)
    warmup = recipe.log.interval
    probe = blocks[: 2 * accumulation * max(1, warmup // 4)]
    probes = {v: train_mixtral(*arguments, probe, v, rate, warmup=1) for v in VARIANTS}
    # The loop over experts is not compiled: its shapes follow from the data, so that every batch would compile anew.
    grouped = max((v for v in VARIANTS if v.experts == "grouped_mm"), key=lambda v: probes[v].tokens)
    compiled = replace(grouped, compiled=True)
    probes[compiled] = train_mixtral(*arguments, blocks[: 2 * warmup * accumulation], compiled, rate, warmup=warmup)
    variant = max(probes, key=lambda v: probes[v].tokens)
    shapes = matmul_shapes(recipe, ours.config)
    products: dict[str, list[float]] = {f"matmul_{d}_{name}": [] for d in DTYPES for name in shapes}
    contenders = {
        "ours": ours.segment,
        "mixtral": lambda: train_mixtral(*arguments, blocks, variant, rate, warmup=warmup),
        **others,
    }
    segments: dict[str, list[Segment]] = {side: [] for side in contenders}
    for _ in range(runs):
        for key, rates in products.items():
            _, dtype, name = key.split("_")
            rates.append(matmul_rate(*shapes[name], DTYPES[dtype]))
        for side, train in contenders.items():
            segments[side].append(train())
    figures = {key: Figure("GFLOP/s", rates) for key, rates in products.items()}
    for side, runs_of_side in segments.items():
        figures[f"{side}_tokens"] = Figure("tokens/s", [segment.tokens for segment in runs_of_side])
        figures[f"{side}_gflops"] = Figure("GFLOP/s", [segment.flops / 1e9 for segment in runs_of_side])
    active = count_parameters(ours.config).active
    equal = Figure("tokens/s", [segment.flops / (6 * active) for segment in segments["ours"]])
    figures["ours_equal_model_tokens"] = equal
    figures["share_of_matmul"] = ratio(figures["ours_gflops"], figures[f"matmul_{ours.plan.precision}_1024"])
    for side in ("mixtral", *others):
        figures[f"tokens_over_{side}"] = ratio(figures["ours_tokens"], figures[f"{side}_tokens"])
    figures["equal_model_tokens_over_mixtral"] = ratio(equal, figures["mixtral_tokens"])
    figures |= {f"mixtral_probe_{v}": Figure("tokens/s", [segment.tokens]) for v, segment in probes.items()}
    parameters = {"ours": count_parameters(ours.config), "mixtral": mixtral_parameters(config)}
    return figures, {
        **ours.plan.settings(),
        "mixtral": str(variant),
        "parameters": {side: {"total": p.total, "active": p.active} for side, p in parameters.items()},
        "shapes": {name: list(shape) for name, shape in shapes.items()},
    }


def matmul_shapes(recipe: Recipe, config: TuiliConfig) -> dict[str, tuple[int, int, int]]:
    """Rows, inputs and outputs of the products: a large square, and the first matrix of the trunk and of an expert."""
    rows = recipe.train.rows * recipe.train.length
    return {
        "1024": (1024, 1024, 1024),
        "trunk": (rows, config.hidden_size, 2 * config.intermediate_size),
        "expert": (
            rows * config.num_experts_per_tok // config.num_experts,
            config.hidden_size,
            2 * config.moe_intermediate_size,
        ),
    }


def matmul_rate(rows: int, inputs: int, outputs: int, dtype: torch.dtype, repeats: int = 20) -> float:
    """GFLOP/s of a matrix product of this shape."""
    a, b = torch.randn(rows, inputs, dtype=dtype), torch.randn(outputs, inputs, dtype=dtype)
    result = a @ b.t()
    start = time.perf_counter()
    for _ in range(repeats):
        torch.mm(a, b.t(), out=result)
    return 2e-9 * rows * inputs * outputs * repeats / (time.perf_counter() - start)


if __name__ == "__main__":
    run("training", measure)
