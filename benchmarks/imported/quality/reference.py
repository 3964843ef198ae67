"""What transformers makes of a model's folder: the measure of everything else. Texts are given as ids.

Dimensions: B texts, T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, GenerationConfig


class Reference:
    """One model by transformers' own code."""

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()

    @torch.inference_mode()
    def logits(self, ids: Sequence[int]) -> NDArray[Any]:
        """The logits [T, V] behind each token."""
        logits_TV: NDArray[Any] = self._model(torch.tensor([ids])).logits[0].numpy()
        return logits_TV

    def nats(self, ids: Sequence[int]) -> float:
        """The sum over all tokens but the first of their negative log-probabilities."""
        logits_TV = torch.from_numpy(self.logits(ids))[:-1]
        return float(torch.nn.functional.cross_entropy(logits_TV, torch.tensor(ids[1:]), reduction="sum"))

    @torch.inference_mode()
    def write(self, prompts: Sequence[Sequence[int]], new: int) -> list[list[int]]:
        """Go on with prompts of one length by so many tokens each: greedily, and behind ends too."""
        id_BT = torch.tensor(prompts)
        config = GenerationConfig(max_new_tokens=new, do_sample=False, pad_token_id=0, eos_token_id=None)
        self._model.generation_config = config
        done_BT = self._model.generate(id_BT, attention_mask=torch.ones_like(id_BT), generation_config=config)
        written: list[list[int]] = done_BT[:, id_BT.shape[1] :].tolist()
        return written
