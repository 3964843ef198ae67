"""A Llama in Hugging Face layout for OpenVINO: `python -m benchmarks.engine.peers.openvino_export FOLDER OUT KIND HEAD`

Kind `int8` has a scale for each output, as OpenVINO rounds by default, and `int4` one for every 32 inputs, as llama.cpp
and Tuili have. All matrices are rounded; where HEAD is `int8` and KIND is `int4`, embedding and head to int8, which is
OpenVINO's default. Any other kind keeps the weights as they are.
"""

from __future__ import annotations

import sys
from typing import Any

from optimum.intel import OVModelForCausalLM, OVWeightQuantizationConfig


def rounding(kind: str, head: str) -> dict[str, Any]:
    """How weights are rounded, as `from_pretrained` takes it."""
    if kind == "int8":
        return {"quantization_config": OVWeightQuantizationConfig(bits=8, sym=True)}
    if kind == "int4":
        settings = {"sym": True, "group_size": 32, "ratio": 1.0, "all_layers": head == "int4"}
        return {"quantization_config": OVWeightQuantizationConfig(bits=4, **settings)}
    return {"load_in_8bit": False}


if __name__ == "__main__":
    folder, out, kind, head = sys.argv[1:]
    model = OVModelForCausalLM.from_pretrained(folder, export=True, compile=False, **rounding(kind, head))
    model.save_pretrained(out)
