"""Adapters in PEFT's format: the terms that a teaching adds to the weights of a model, as a small separate folder.

PEFT reads them, and so does `tuili fetch`, which adds them to the weights of their base. Two files:
`adapter_config.json` and `adapter_model.safetensors`, with matrices A [R, I] and B [O, R] for each weight matrix.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from tuili.files import whole_file
from tuili.posttrain.low_rank import PROJECTIONS, LowRankTerm

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."


def write_adapter(folder: Path, terms: Mapping[str, LowRankTerm], base: str) -> None:
    """Write the terms, by the names of their weights, as an adapter in bfloat16. base: the name of their model."""
    layers = sorted({int(name.split(".")[2]) for name in terms})
    rank = next(iter(terms.values())).a_RI.shape[0]
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "target_modules": [name for names in PROJECTIONS.values() for name in names],
        "layers_to_transform": layers,
        "layers_pattern": "layers",
        "inference_mode": True,
    }
    tensors = dict[str, Tensor]()
    for name, term in terms.items():
        module = f"{_PREFIX}{name.removesuffix('.weight')}"
        tensors[f"{module}.lora_A.weight"] = term.a_RI.detach().bfloat16().contiguous()
        tensors[f"{module}.lora_B.weight"] = term.b_OR.detach().bfloat16().contiguous()
    with whole_file(folder / CONFIG_FILE) as part:
        part.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    with whole_file(folder / WEIGHTS_FILE) as part:
        save_file(tensors, part, {"format": "pt"})
        part.chmod((folder / CONFIG_FILE).stat().st_mode)  # safetensors makes it readable only by its owner
