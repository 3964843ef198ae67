"""What a call of the model may request: keywords that other libraries pass, and ways to generate."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from transformers import GenerationConfig, GenerationMixin

from tuili.errors import InputError
from tuili.model.config import TuiliConfig
from tuili.model.units import unit_ends_of

LOSS = frozenset({"num_items_in_batch", "ignore_index", "shift_labels"})
"""Keywords for transformers' loss function."""

PACKING = frozenset({"cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k", "seq_idx"})
"""Keywords that collators of packed rows pass alongside `position_ids`, which already mark where documents start."""

FIXED_SWITCHES = {
    "return_dict": True,
    "is_causal": True,
    "output_attentions": False,
    "output_hidden_states": False,
    "output_router_logits": False,
}
"""Switches of transformers' models, and the only value that this model accepts for each."""


def check_keywords(keywords: Mapping[str, Any], allowed: Collection[str], position_ids: Tensor | None) -> None:
    """Refuses a keyword that a forward pass would have to ignore. A keyword that is None requests nothing.

    Raises `InputError` for a keyword that is neither `allowed` nor known, and for a switch with the wrong value.
    """
    for name, value in keywords.items():
        if value is None or name in allowed or name == "cache_position" or FIXED_SWITCHES.get(name) is value:
            continue
        if name in FIXED_SWITCHES:
            raise InputError(f"{name}={value} is not offered by this model: use {name}={FIXED_SWITCHES[name]}")
        if name not in PACKING:
            raise InputError(f"unknown argument {name!r}: see the signature of forward for those that there are")
        if position_ids is None:
            raise InputError(f"{name} alone does not separate documents: give position_ids too, 0 at each start")


class Generation(GenerationMixin):
    """transformers' `generate`, with the argument `unit_ends`; requests that cannot work are refused in one line."""

    config: TuiliConfig

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        *args: Any,
        inputs_embeds: Tensor | None = None,  # transformers looks for this name
        unit_ends: Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """As in transformers. `unit_ends` [B, any] marks the ends of semantic units in the first columns of rows."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, *args, inputs_embeds=inputs_embeds, **kwargs
        )
        if unit_ends is None:
            return inputs
        ids_BT, cache = inputs["input_ids"], inputs.get("cache")
        past = cache.get_seq_length() if cache is not None else 0
        new: Tensor = inputs["inputs_embeds"] if ids_BT is None else ids_BT
        ends_BT = unit_ends[:, past : past + new.shape[1]].to(new.device)
        if ids_BT is not None:  # the tokens after `unit_ends` are generated ones
            generated_BT = ids_BT[:, ends_BT.shape[1] :]
            ends_BT = torch.cat([ends_BT, unit_ends_of(generated_BT, self.config.separator_token_ids)], dim=1)
        inputs["unit_ends"] = ends_BT
        return inputs

    def _prepare_cache_for_generation(self, generation_config: GenerationConfig, *args: Any, **kwargs: Any) -> Any:
        """Refuses unsupported options. Every way to generate calls this before its first step."""
        if generation_config.assistant_early_exit is not None:
            raise InputError("assistant_early_exit is not offered: give depth=, or assistant_model= for drafts")
        kind = generation_config.cache_implementation
        if kind not in (None, "dynamic", "offloaded"):
            raise InputError(f"cache_implementation {kind!r} is not offered: leave it out, the cache is dynamic")
        model = cast(Any, self)  # the next call is annotated for more than a mixin
        return GenerationMixin._prepare_cache_for_generation(model, generation_config, *args, **kwargs)
