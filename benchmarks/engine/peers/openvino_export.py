"""A Llama in Hugging Face layout for OpenVINO: `python -m benchmarks.engine.peers.openvino_export FOLDER OUT`."""

from __future__ import annotations

import sys

from optimum.intel import OVModelForCausalLM

if __name__ == "__main__":
    folder, out = sys.argv[1:]
    model = OVModelForCausalLM.from_pretrained(folder, export=True, compile=False, load_in_8bit=False)
    model.save_pretrained(out)
