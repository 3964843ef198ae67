"""The worker of llama.cpp: `python -m benchmarks.engine.peers.workers.llama_cpp FILE THREADS`.

It uses the C interface as llama.cpp's batched benchmark does: all prompts in as few calls as hold them, then one call a
step for all rows. The library is built for this machine's instructions, as `make bench` does it. Variant `cache`: the
format of keys and values.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from llama_cpp import llama_cpp

from benchmarks.engine.peers.protocol import Tokens, Work, serve

MAX_CALL_TOKENS = 2048
"""Of one call."""
CACHES = {"f32": llama_cpp.GGML_TYPE_F32, "f16": llama_cpp.GGML_TYPE_F16, "q8_0": llama_cpp.GGML_TYPE_Q8_0}


class LlamaCpp:
    """One GGUF file."""

    def __init__(self, file: str, threads: int) -> None:
        llama_cpp.llama_backend_init()
        self._model = llama_cpp.llama_model_load_from_file(file.encode(), llama_cpp.llama_model_default_params())
        assert self._model, f"{file} cannot be loaded"
        self._batch, self._threads = llama_cpp.llama_batch_init(MAX_CALL_TOKENS, 0, 1), threads
        self._context: Any = None

    def prepare(self, work: Work) -> Callable[[], Tokens]:
        """An empty context with room for the work."""
        if self._context is not None:
            llama_cpp.llama_free(self._context)
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = work.batch * (work.prompt + work.new)
        settings.n_seq_max, settings.n_batch = work.batch, MAX_CALL_TOKENS
        settings.n_threads = settings.n_threads_batch = self._threads
        settings.type_k = settings.type_v = CACHES[work.variant["cache"]]
        if work.variant["cache"] == "f32":  # flash attention would round keys and values to f16
            settings.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._context = llama_cpp.llama_init_from_model(self._model, settings)
        assert self._context, "no context for this work"
        prompts = work.prompts()
        return lambda: self._write(work, prompts)

    def _write(self, work: Work, prompts: list[list[int]]) -> Tokens:
        new: list[list[int]] = []
        last, together = work.prompt - 1, max(1, MAX_CALL_TOKENS // work.prompt)
        for first in range(0, work.batch, together):
            rows = range(first, min(first + together, work.batch))
            self._decode((token, at, row, at == last) for row in rows for at, token in enumerate(prompts[row]))
            new += [[self._likeliest((row - first) * work.prompt + last, work.vocabulary)] for row in rows]
        for step in range(1, work.new):
            self._decode((tokens[-1], work.prompt + step - 1, row, True) for row, tokens in enumerate(new))
            for row, tokens in enumerate(new):
                tokens.append(self._likeliest(row, work.vocabulary))
        return new

    def _decode(self, entries: Iterable[tuple[int, int, int, bool]]) -> None:
        """Read tokens: id, position, row, and whether logits are wanted."""
        batch = self._batch
        place = -1
        for place, (token, position, row, wanted) in enumerate(entries):
            batch.token[place], batch.pos[place], batch.logits[place] = token, position, wanted
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, row
        batch.n_tokens = place + 1
        assert llama_cpp.llama_decode(self._context, batch) == 0

    def _likeliest(self, place: int, vocabulary: int) -> int:
        logits = llama_cpp.llama_get_logits_ith(self._context, place)
        return int(np.ctypeslib.as_array(logits, (vocabulary,)).argmax())


if __name__ == "__main__":
    file, threads = sys.argv[1:]
    serve(LlamaCpp(file, int(threads)).prepare)
