"""The worker of llama.cpp: `python -m benchmarks.engine.peers.workers.llama_cpp FILE THREADS`.

It uses the C interface as llama.cpp's batched benchmark does: each prompt in one call, then one call a step for all
rows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from llama_cpp_py_sync._cffi_bindings import get_ffi, get_lib

from benchmarks.engine.peers.protocol import Tokens, Work, serve

MAX_CALL_TOKENS = 2048
"""Of one call."""


class LlamaCpp:
    """One GGUF file."""

    def __init__(self, file: str, threads: int) -> None:
        self._ffi, self._lib = get_ffi(), get_lib()
        self._lib.llama_backend_init()
        self._model = self._lib.llama_model_load_from_file(file.encode(), self._lib.llama_model_default_params())
        assert self._model != self._ffi.NULL, f"{file} cannot be loaded"
        self._batch, self._threads = self._lib.llama_batch_init(MAX_CALL_TOKENS, 0, 1), threads
        self._context: Any = None

    def prepare(self, work: Work) -> Callable[[], Tokens]:
        """An empty context with room for the work."""
        if self._context is not None:
            self._lib.llama_free(self._context)
        settings = self._lib.llama_context_default_params()
        settings.n_ctx = work.batch * (work.prompt + work.new)
        settings.n_seq_max, settings.n_batch = work.batch, MAX_CALL_TOKENS
        settings.n_threads = settings.n_threads_batch = self._threads
        self._context = self._lib.llama_init_from_model(self._model, settings)
        assert self._context != self._ffi.NULL, "no context for this work"
        prompts = work.prompts()
        return lambda: self._write(work, prompts)

    def _write(self, work: Work, prompts: list[list[int]]) -> Tokens:
        new: list[list[int]] = []
        for row, prompt in enumerate(prompts):
            last = work.prompt - 1
            self._decode((token, place, row, place == last) for place, token in enumerate(prompt))
            new.append([self._likeliest(last, work.vocabulary)])
        for step in range(1, work.new):
            self._decode((tokens[-1], work.prompt + step - 1, row, True) for row, tokens in enumerate(new))
            for row, tokens in enumerate(new):
                tokens.append(self._likeliest(row, work.vocabulary))
        return new

    def _decode(self, entries: Iterable[tuple[int, int, int, bool]]) -> None:
        """Read tokens: id, position, row, and whether logits are wanted."""
        batch = self._batch
        batch.n_tokens = 0
        for place, (token, position, row, wanted) in enumerate(entries):
            batch.token[place], batch.pos[place], batch.logits[place] = token, position, wanted
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, row
            batch.n_tokens += 1
        assert self._lib.llama_decode(self._context, batch) == 0

    def _likeliest(self, place: int, vocabulary: int) -> int:
        logits = self._ffi.buffer(self._lib.llama_get_logits_ith(self._context, place), 4 * vocabulary)
        return int(np.frombuffer(logits, np.float32).argmax())


if __name__ == "__main__":
    file, threads = sys.argv[1:]
    serve(LlamaCpp(file, int(threads)).prepare)
