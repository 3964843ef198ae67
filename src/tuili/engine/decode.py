"""Greedy decoding with a depth chosen for each token: prompts in, tokens and the layers they used out.

A token leaves at the first exit whose most likely token has at least the threshold's probability; rows that go on
leave the others behind, and rows that have ended leave the batch. What an answer means is left to `answer.py`.

Dimensions: B rows, A rows still going deeper, T prompt tokens, M hidden size, V vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedTokenizerFast

from tuili.data.tokenizer import encode_prompt
from tuili.errors import InputError, PromptError
from tuili.model import TuiliForCausalLM
from tuili.model.attention import KeyValues
from tuili.model.layers import Frame

Depth = int | Literal["auto"]


@dataclass
class Generation:
    """The response to one prompt.

    text: without special tokens other than `<think>`. tokens: ids, `<|end|>` included. depths: layers used by each of
    them. stop: `end`, or `length` where the limit cut it. seconds: wall-clock of the row's batch while it was in it.
    """

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    stop: Literal["end", "length"] = "length"
    seconds: dict[str, float] = field(default_factory=dict)


class Decoder:
    """Answers prompts with one model.

    Args:
        depth: layers for every token, one of `model.config.exit_layers`, or `auto` for as many as each needs.
        threshold: probability at which `auto` leaves; the model's own `exit_threshold` if None.
        max_new_tokens: longest response.
        batch_size: prompts that are answered together.
        keep_rows: the batch is made smaller once no more than this share of its rows is still being written; at 1,
            nothing but prompts and responses ever passes through the model.
    Raises `InputError` for a depth the model does not have, or a threshold outside [0, 1].
    """

    def __init__(
        self,
        model: TuiliForCausalLM,
        tokenizer: PreTrainedTokenizerFast,
        depth: Depth = "auto",
        threshold: float | None = None,
        max_new_tokens: int = 400,
        batch_size: int = 64,
        keep_rows: float = 0.75,
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        model.train(False)
        self.threshold = model.config.exit_threshold if threshold is None else threshold
        if not 0 <= self.threshold <= 1:
            raise InputError(f"threshold {self.threshold} is no probability: use 0 to 1")
        if max_new_tokens < 1 or batch_size < 1:
            raise InputError(f"max_new_tokens {max_new_tokens} and batch_size {batch_size} must be at least 1")
        model.model.groups(None if depth == "auto" else depth)
        self.depth, self.max_new_tokens = depth, max_new_tokens
        self.batch_size, self.keep_rows = batch_size, keep_rows

    def generate(self, prompts: Sequence[str], progress: Callable[[int], None] | None = None) -> list[Generation]:
        """One generation for each prompt, in order; `progress` is called with the number of prompts just answered.

        Raises `PromptError` for a prompt that is empty, is not UTF-8 or does not fit the model's context.
        """
        encoded = [self._encode(prompt) for prompt in prompts]
        order = sorted(range(len(prompts)), key=lambda index: len(encoded[index]))
        generations = [Generation() for _ in prompts]
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            self._generate_batch([encoded[i] for i in chosen], [generations[i] for i in chosen])
            if progress is not None:
                progress(len(chosen))
        for generation in generations:
            generation.text = str(self.tokenizer.decode(generation.tokens, skip_special_tokens=True))
        return generations

    def _encode(self, prompt: str) -> list[int]:
        if not prompt.strip():
            raise PromptError("the prompt is empty: write a question")
        if any("\ud800" <= character <= "\udfff" for character in prompt):  # what Python makes of other bytes
            raise PromptError("the prompt is not UTF-8: write it in that encoding")
        ids = encode_prompt(self.tokenizer, prompt)
        longest = self.model.config.max_position_embeddings - 1
        if len(ids) > longest:
            raise PromptError(f"the prompt has {len(ids)} tokens: the model's context takes at most {longest}")
        return ids

    @torch.inference_mode()
    def _generate_batch(self, prompts: list[list[int]], generations: list[Generation]) -> None:
        """Fills in the generations of prompts that are answered together."""
        device = self.model.device
        width = max(map(len, prompts))
        pad = self.tokenizer.pad_token_id
        tokens_BT = torch.tensor([[pad] * (width - len(ids)) + ids for ids in prompts], device=device)
        mask_BS = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts], device=device)
        context = self.model.config.max_position_embeddings
        limits = [min(self.max_new_tokens, context - len(ids)) for ids in prompts]
        cache = DynamicCache(config=self.model.config)
        alive = list(zip(generations, limits, strict=True))
        started = time.perf_counter()
        prefilled = None
        while True:
            padded = mask_BS if bool((mask_BS == 0).any()) else None
            hidden_BTM, shared, frame = self.model.model.encode(tokens_BT, attention_mask=padded, cache=cache)
            if hidden_BTM.shape[1] > 1:
                last_B1 = torch.full((len(alive), 1), hidden_BTM.shape[1] - 1, device=device)
                hidden_BTM, frame = hidden_BTM[:, -1:], frame.at(last_B1, None)
            token_B, depth_B = self._next(hidden_BTM, shared, frame)
            now = time.perf_counter()
            prefilled = prefilled or now
            tokens, depths, left = token_B.tolist(), depth_B.tolist(), []
            for row, (generation, limit) in enumerate(alive):
                if generation.stop == "end" or len(generation.tokens) == limit:
                    continue
                generation.tokens.append(tokens[row])
                generation.depths.append(depths[row])
                generation.seconds = {"prefill": prefilled - started, "decode": now - prefilled}
                if tokens[row] == self.tokenizer.eos_token_id:
                    generation.stop = "end"
                elif len(generation.tokens) < limit:
                    left.append(row)
            if not left:
                break
            tokens_BT = token_B[:, None]
            if len(left) <= self.keep_rows * len(alive) and len(left) < len(alive):
                rows = torch.tensor(left, device=device)
                cache.batch_select_indices(rows)
                tokens_BT, mask_BS, alive = tokens_BT[rows], mask_BS[rows], [alive[row] for row in left]
            mask_BS = torch.cat([mask_BS, mask_BS.new_ones(len(alive), 1)], dim=1)

    def _next(self, hidden_B1M: Tensor, shared: KeyValues, frame: Frame) -> tuple[Tensor, Tensor]:
        """The next token of each row and the number of layers that it took."""
        model, exits = self.model.model, self.model.config.exit_layers
        token_B = torch.zeros(hidden_B1M.shape[0], dtype=torch.long, device=hidden_B1M.device)
        depth_B = torch.zeros_like(token_B)
        going_A = torch.arange(hidden_B1M.shape[0], device=hidden_B1M.device)
        for group, depth in enumerate(exits):
            if self.depth in ("auto", depth):
                logits_AV = self.model.lm_head(model.norm(hidden_B1M[:, 0])).float()
                top = logits_AV.softmax(-1).max(-1)
                leaves_A = top.values >= self.threshold
                if depth in (exits[-1], self.depth):
                    leaves_A = torch.ones_like(leaves_A)
                token_B[going_A[leaves_A]] = top.indices[leaves_A]
                depth_B[going_A[leaves_A]] = depth
                stays = (~leaves_A).nonzero()[:, 0]
                if len(stays) == 0:
                    break
                if len(stays) < len(going_A):
                    going_A, hidden_B1M = going_A[stays], hidden_B1M[stays]
                    shared, frame = shared.rows(stays), frame.rows(stays)
            hidden_B1M, _ = model.reason(hidden_B1M, shared, frame, group)
        return token_B, depth_B
