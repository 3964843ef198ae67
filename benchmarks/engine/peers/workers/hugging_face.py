"""The worker of transformers: `python -m benchmarks.engine.peers.workers.hugging_face FOLDER DTYPE THREADS`.

Variant `continuous`: `generate_batch`, which batches continuously over a paged cache, in place of `generate`. Each call
has a new manager, its default.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from transformers import GenerationConfig, LlamaForCausalLM
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from benchmarks.engine.peers.protocol import Tokens, Work, serve

PAGE_TOKENS, PAGES = 32, 512
"""Of the paged cache: room for all work of this benchmark."""


class HuggingFace:
    """One Llama."""

    def __init__(self, folder: str, dtype: torch.dtype) -> None:
        self._model = LlamaForCausalLM.from_pretrained(folder, dtype=dtype).eval()

    def prepare(self, work: Work) -> Callable[[], Tokens]:
        """The prompts as tensors; greedy, without an end."""
        prompts = work.prompts()
        if work.variant.get("continuous"):
            return lambda: self._continuous(work, prompts)
        id_BT = torch.tensor(prompts)
        config = GenerationConfig(max_new_tokens=work.new, do_sample=False, pad_token_id=0, eos_token_id=None)
        self._model.generation_config = config

        def go() -> Tokens:
            done_BT = self._model.generate(id_BT, attention_mask=torch.ones_like(id_BT), generation_config=config)
            new: list[list[int]] = done_BT[:, work.prompt :].tolist()
            return new

        return go

    def _continuous(self, work: Work, prompts: list[list[int]]) -> Tokens:
        outputs = self._model.generate_batch(
            prompts,
            generation_config=GenerationConfig(
                max_new_tokens=work.new, do_sample=False, pad_token_id=0, eos_token_id=-1
            ),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE_TOKENS, num_blocks=PAGES, max_batch_tokens=512, allow_block_sharing=False
            ),
            progress_bar=False,
            warmup=False,
        )
        by_prompt = {tuple(output.prompt_ids): list(output.generated_tokens) for output in outputs.values()}
        return [by_prompt[tuple(prompt)] for prompt in prompts]


if __name__ == "__main__":
    folder, dtype, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    serve(HuggingFace(folder, getattr(torch, dtype)).prepare)
