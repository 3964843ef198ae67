"""A dense transformers decoder, run layer by layer, so that the states between its layers can be read or replaced.

The packages of this folder use its states.

Dimensions: B texts, T tokens, M hidden size, N tokens without those of a text's padding, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tuili.model import load_dense

_CPU = torch.device("cpu")


class Backbone:
    """The layers of a model, its final norm and its head."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.layers: list[Any] = list(model.model.layers[: model.config.num_hidden_layers])
        self.eps = float(model.config.rms_norm_eps)

    @classmethod
    def load(cls, folder: Path, dtype: torch.dtype, device: torch.device = _CPU) -> Backbone:
        """The model of a folder that has been checked, in this numeric type."""
        return cls(load_dense(folder, dtype).to(device).eval().requires_grad_(False))

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.head_VM.device

    @property
    def hidden_size(self) -> int:
        """The size of a state."""
        return int(self.model.config.hidden_size)

    @property
    def head_VM(self) -> Tensor:
        """The weights of the head."""
        weights: Tensor = self.model.lm_head.weight
        return weights

    def embed(self, ids_BT: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The states before the first layer, and the cosines and sines of the positions, which every layer needs."""
        hidden_BTM = self.model.model.embed_tokens(ids_BT)
        positions_1T = torch.arange(ids_BT.shape[1], device=ids_BT.device)[None]
        return hidden_BTM, self.model.model.rotary_emb(hidden_BTM, position_ids=positions_1T)

    def layer(self, number: int, hidden_BTM: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """The states after a layer, counted from 0. Every token sees itself and those before it."""
        out: Tensor = self.layers[number](hidden_BTM, attention_mask=None, position_embeddings=turns)
        return out

    def final_norm(self, hidden_NM: Tensor) -> Tensor:
        """The input of the head."""
        normed: Tensor = self.model.model.norm(hidden_NM)
        return normed

    def states(self, ids_BT: Tensor, depths: Sequence[int]) -> dict[int, Tensor]:
        """The states [B, T, M] after these numbers of layers."""
        hidden_BTM, turns = self.embed(ids_BT)
        kept = {}
        for number in range(max(depths)):
            hidden_BTM = self.layer(number, hidden_BTM, turns)
            if number + 1 in depths:
                kept[number + 1] = hidden_BTM
        return kept
