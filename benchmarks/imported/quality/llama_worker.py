"""llama.cpp reads and continues given texts: `python -m benchmarks.imported.quality.llama_worker FILE THREADS`.

Lines in: `{"write": texts of one length, "new": tokens}`, answered by `{"tokens": …}`; or `{"score": text}`, answered
by `{"nats": …}`, the sum over all tokens but the first of their negative log-probabilities. Texts are ids. Speeds are
left to `benchmarks.engine.peers`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llama_cpp import llama_cpp

from benchmarks.engine.peers.protocol import Work, answer_lines
from benchmarks.engine.peers.workers.llama_cpp import LlamaCpp

CACHE = {"cache": "f32"}


@dataclass(frozen=True)
class Given(Work):
    """Work whose prompts are given."""

    given: tuple[Sequence[int], ...] = ()

    def prompts(self) -> list[list[int]]:
        """See `Work`."""
        return [list(prompt) for prompt in self.given]


class LlamaTexts(LlamaCpp):
    """One GGUF file, with a cache in fp32."""

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one line."""
        texts = asked["write"] if "write" in asked else [asked["score"]]
        vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        work = Given(len(texts), len(texts[0]), asked.get("new", 1), vocabulary, CACHE, given=tuple(texts))
        write = self.prepare(work)
        return {"tokens": write()} if "write" in asked else {"nats": self._nats(texts[0], vocabulary)}

    def _nats(self, ids: Sequence[int], vocabulary: int) -> float:
        self._decode((token, at, 0, True) for at, token in enumerate(ids[:-1]))
        nats = 0.0
        for place, token in enumerate(ids[1:]):
            logits = llama_cpp.llama_get_logits_ith(self._context, place)
            logits_V = np.ctypeslib.as_array(logits, (vocabulary,)).astype(np.float64)
            largest = logits_V.max()
            nats += largest + np.log(np.exp(logits_V - largest).sum()) - logits_V[token]
        return float(nats)


if __name__ == "__main__":
    file, threads = sys.argv[1:]
    answer_lines(LlamaTexts(file, int(threads)).answer)
