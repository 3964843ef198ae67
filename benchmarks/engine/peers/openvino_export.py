"""A Llama in Hugging Face layout for OpenVINO: `python -m benchmarks.engine.peers.openvino_export FOLDER OUT KIND`.

Kind `int8` has a scale for each output, as OpenVINO rounds by default, and `int4` one for every 32 inputs, as llama.cpp
and Tuili have. All matrices are rounded, as in theirs. Any other kind keeps the weights as they are.
"""

from __future__ import annotations

import sys

from optimum.intel import OVModelForCausalLM, OVWeightQuantizationConfig

FORMATS = {
    "int8": OVWeightQuantizationConfig(bits=8, sym=True),
    "int4": OVWeightQuantizationConfig(bits=4, sym=True, group_size=32, ratio=1.0, all_layers=True),
}

if __name__ == "__main__":
    folder, out, kind = sys.argv[1:]
    rounding = {"quantization_config": FORMATS[kind]} if kind in FORMATS else {"load_in_8bit": False}
    model = OVModelForCausalLM.from_pretrained(folder, export=True, compile=False, **rounding)
    model.save_pretrained(out)
