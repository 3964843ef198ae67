"""A pruning and a factorisation of a few steps, and the learning of whole numbers, in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from tuili.compress import (
    CompressionResult,
    DistilRecipe,
    FactoriseConfig,
    FactoriseRecipe,
    Factorising,
    Measuring,
    PruneRecipe,
    Pruning,
    QuantizeRecipe,
    Quantizing,
    compress,
    distillation,
    open_parent,
)

HEALING = {
    "steps": 6, "rows": 2, "precision": "fp32", "schedule": {"warmup": 2}, "checkpoint": {"interval": 2},
    "log": {"interval": 2},
}  # fmt: skip

LEARNING = {
    "steps": 5, "rows": 2, "precision": "auto", "schedule": {"warmup": 2}, "checkpoint": {"interval": 2},
    "log": {"interval": 1}, "learning_rate": 1e-3,
}  # fmt: skip


def pruned(
    model: Path, out: Path, file: Path | None = None, resume: bool = False, steps: int = 6, problems: int = 0,
    test: Path | None = None, **changes: Any,
) -> CompressionResult:  # fmt: skip
    """Prune in two rounds, or as `changes` of the recipe say."""
    kernels = "torch" if file is None else "auto"
    tree = {"multiple": 4, "rounds": 2, "healing": HEALING | {"kernels": kernels, "steps": steps}}
    tree |= {} if changes.get("by") == "magnitude" else {"samples": 6}
    config = PruneRecipe.model_validate_json(json.dumps({"prune": tree | changes})).prune
    compression, console = Pruning(open_parent(model, config.healing), config), Console(quiet=True)
    measuring = Measuring(problems, test)
    return compress(compression, config.healing, file, out, resume=resume, measuring=measuring, console=console)


def quantised(
    model: Path, out: Path, file: Path | None = None, resume: bool = False,
    healing: Mapping[str, Any] | None = None, problems: int = 0, test: Path | None = None, **changes: Any,
) -> CompressionResult:  # fmt: skip
    """Learn whole numbers, or as `changes` of the recipe say."""
    kernels = "torch" if file is None else "auto"
    tree: dict[str, Any] = {"healing": LEARNING | {"kernels": kernels} | (healing or {})}
    if changes.get("numbers") == "w4a8" and changes.get("rounding") != "nearest":
        tree["samples"] = 6
    config = QuantizeRecipe.model_validate_json(json.dumps({"quantize": tree | changes})).quantize
    compression = Quantizing(open_parent(model, config.healing, config.rounded), config)
    console, measured = Console(quiet=True), Measuring(problems, test)
    return compress(compression, config.healing, file, out, resume=resume, measuring=measured, console=console)


def config_of(steps: int = 6, kernels: str = "torch", **changes: Any) -> FactoriseConfig:
    """Of a factorisation in ranks that a tiny model has."""
    healing = HEALING | {"kernels": kernels, "steps": steps}
    tree = {"keep": 0.8, "multiple": 2, "healing": healing}
    tree |= {} if changes.get("by") == "plain" else {"samples": 6}
    tree |= {} if changes.get("ranks") == "uniform" else {"probes": 3}
    return FactoriseRecipe.model_validate_json(json.dumps({"factorise": tree | changes})).factorise


def factorised(
    model: Path, out: Path, file: Path | None = None, resume: bool = False, steps: int = 6, **changes: Any
) -> CompressionResult:
    """Factorise as `changes` of the recipe say."""
    config = config_of(steps, "torch" if file is None else "auto", **changes)
    compression, console = Factorising(open_parent(model, config.healing), config), Console(quiet=True)
    return compress(compression, config.healing, file, out, resume=resume, console=console)


def shallower(
    model: Path, out: Path, file: Path, resume: bool = False, steps: int = 6, depth: int = 2, **changes: Any
) -> CompressionResult:
    """Distil an imported model into fewer layers, as `changes` of the recipe say."""
    tree = {"to": {"overrides": {"num_hidden_layers": depth}}, "healing": HEALING | {"steps": steps}}
    config = DistilRecipe.model_validate_json(json.dumps({"distil": tree | changes})).distil
    compression, console = distillation(open_parent(model, config.healing), config), Console(quiet=True)
    return compress(compression, config.healing, file, out, resume=resume, console=console)
