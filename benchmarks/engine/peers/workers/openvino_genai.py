"""The worker of OpenVINO GenAI: `python -m benchmarks.engine.peers.workers.openvino_genai FOLDER THREADS`.

Its pipeline batches continuously over a paged cache, its default on this kind of processor. It computes in bf16 where
the processor has instructions for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import openvino
import openvino_genai

from benchmarks.engine.peers.protocol import Tokens, Work, serve


class OpenVino:
    """One exported model."""

    def __init__(self, folder: str, threads: int) -> None:
        self._pipeline = openvino_genai.LLMPipeline(folder, "CPU", INFERENCE_NUM_THREADS=threads)

    def prepare(self, work: Work) -> Callable[[], Tokens]:
        """The prompts as tensors; greedy, without an end."""
        id_BT = np.array(work.prompts(), dtype=np.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(id_BT), openvino.Tensor(np.ones_like(id_BT)))
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens, config.eos_token_id, config.ignore_eos = work.new, 2, True

        def go() -> Tokens:
            new: list[list[int]] = self._pipeline.generate(inputs, config).tokens
            return new

        return go


if __name__ == "__main__":
    folder, threads = sys.argv[1:]
    serve(OpenVino(folder, int(threads)).prepare)
