"""The Tuili model as a transformers model: a trunk, groups of reasoning layers, an exit after each, one head.

Every token runs the trunk, which also writes the one set of keys and values that all reasoning layers read. The depth
of one token therefore does not affect other tokens: a token that exits early leaves no hole in any cache, and prompt
tokens need no reasoning layer at all. The layers are in `layers.py`.

Dimensions: B rows, T tokens, S stored tokens, Q queries that go beyond the trunk, M hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin  # a direct base, because transformers looks for it there
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import ModelOutput
from transformers.utils.deprecation import deprecate_kwarg

from tuili.errors import InputError
from tuili.model.attention import KeyValues, View, dense_view, layered_view
from tuili.model.base import TuiliPreTrainedModel
from tuili.model.cache import TuiliCacheLayer
from tuili.model.calls import LOSS, Generation, check_keywords
from tuili.model.config import TuiliConfig
from tuili.model.experts import Route, Router, RoutingRecord, record_routing
from tuili.model.fake_quantization import Roundable, RoundableLinear, rounded_embeddings, set_rounding
from tuili.model.flex import FlexView, takes_flex
from tuili.model.kernels import Fusable
from tuili.model.layers import (
    Frame,
    KeyValueProjection,
    ReasoningLayer,
    RMSNorm,
    ShortConvolution,
    TrunkLayer,
)
from tuili.model.low_rank import keep_factors
from tuili.model.native_attention import takes_attention
from tuili.model.reach import Reach
from tuili.model.rotary import rotary
from tuili.model.units import has_hole, segment, unit_ends_of
from tuili.store import WEIGHT_GROUP, Quantization


@dataclass
class TuiliOutput(ModelOutput):
    """The result of a forward pass, for the tokens that `logits_to_keep` names (all of them if 0).

    loss: scalar, if labels were given. logits: [B, kept, V]. last_hidden_state: [B, kept, M], after the final norm.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    last_hidden_state: Tensor | None = None
    cache: Cache | None = None


class TuiliModel(TuiliPreTrainedModel, Roundable, Fusable):
    """The network without its head.

    sparse_above: if more tokens than this are stored, a decoded token gathers what it reads; below, masks are faster.
    """

    sparse_above = 256

    def __init__(self, config: TuiliConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.convolution = ShortConvolution(config)
        self.trunk = nn.ModuleList([TrunkLayer(config, index) for index in range(config.trunk_layers)])
        self.shared_norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.shared_key_value = KeyValueProjection(config, config.trunk_layers)
        self.reasoning = nn.ModuleList([ReasoningLayer(config) for _ in range(config.num_groups * config.group_layers)])
        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        if config.ranks:
            keep_factors(self, config.shape)
        self.gradient_checkpointing = False
        set_rounding(self, config.shape.quantization)
        self.post_init()

    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        unit_ends: Tensor | None = None,
        depth: int | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> TuiliOutput:
        """Runs the trunk over all tokens, and the reasoning layers up to `depth` over the kept tokens.

        Args:
            position_ids: [B, T]; a 0 starts a new document, which sees nothing of earlier documents in the row.
                A row's first token starts a document at any position.
            unit_ends: [B, T] bool; True if a token ends a semantic unit. Required with `inputs_embeds`; otherwise
                derived from the ids.
            depth: one of `config.exit_layers`; the full depth if None.
            logits_to_keep: the number of last columns, or the column indices, to run beyond the trunk; 0 is all.
        """
        check_keywords(kwargs, (), position_ids)
        groups = self.groups(depth)
        use_cache = self.config.use_cache if use_cache is None else use_cache
        if use_cache and cache is None and not self.training:
            cache = DynamicCache(config=self.config)
        hidden_BTM, shared, frame = self.encode(
            input_ids, attention_mask, position_ids, cache if use_cache else None, inputs_embeds, unit_ends
        )
        if not _keeps_all(logits_to_keep):
            B, T, _ = hidden_BTM.shape
            columns = torch.arange(T, device=hidden_BTM.device)
            kept = columns[-logits_to_keep:] if isinstance(logits_to_keep, int) else columns[logits_to_keep]
            hidden_BTM = hidden_BTM[:, kept]
            real_BQ = None if frame.real_BT is None else frame.real_BT[:, kept]
            frame = frame.at(kept.expand(B, -1), real_BQ)
        for group in groups:
            hidden_BTM, _ = self.reason(hidden_BTM, shared, frame, group)
        return TuiliOutput(last_hidden_state=self.norm(hidden_BTM), cache=cache if use_cache else None)

    def encode(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        unit_ends: Tensor | None = None,
    ) -> tuple[Tensor, KeyValues, Frame]:
        """Runs the trunk. Returns its output [B, T, M], the shared keys and values, and the frame of these tokens."""
        if (input_ids is None) == (inputs_embeds is None):
            raise InputError("give exactly one of input_ids and inputs_embeds")
        embeds_BTM = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if inputs_embeds is None and self.rounding is not None:
            embeds_BTM = rounded_embeddings(embeds_BTM)
        memory = cache.layers[0] if cache is not None else None
        if not (memory is None or isinstance(memory, TuiliCacheLayer)):
            raise InputError("this cache was made for another model: use DynamicCache(config=model.config)")
        frame, reach_BT = self._frame(input_ids, embeds_BTM, attention_mask, position_ids, cache, memory, unit_ends)
        hidden_BTM = self.convolution(embeds_BTM * self.config.hidden_size**0.5, reach_BT, memory)
        for layer in self.trunk:
            hidden_BTM = layer(hidden_BTM, frame)
        return hidden_BTM, self.shared_key_value(self.shared_norm(hidden_BTM), frame), frame

    def groups(self, depth: int | None = None) -> range:
        """The groups of reasoning layers that a token of this depth runs. Raises `InputError` for other depths."""
        exits = self.config.exit_layers
        if depth is not None and depth not in exits:
            raise InputError(f"depth {depth} is no exit of this model: use one of {', '.join(map(str, exits))}")
        return range(self.config.num_groups if depth is None else exits.index(depth))

    def reason(self, hidden_BQM: Tensor, shared: KeyValues, frame: Frame, group: int) -> tuple[Tensor, list[Route]]:
        """Runs one group of reasoning layers over the tokens of a frame. Returns states [B, Q, M] and routes."""
        routes = []
        size = self.config.group_layers
        for layer in self.reasoning[group * size : (group + 1) * size]:
            hidden_BQM, route = layer(hidden_BQM, shared, frame)
            routes.append(route)
        return hidden_BQM, routes

    def _frame(
        self,
        input_ids: Tensor | None,
        embeds_BTM: Tensor,
        attention_mask: Tensor | None,
        position_ids: Tensor | None,
        cache: Cache | None,
        memory: TuiliCacheLayer | None,
        unit_ends: Tensor | None,
    ) -> tuple[Frame, Tensor]:
        """The frame of these tokens, and the number of tokens that precede each in its document [B, T].

        `memory` is written last, so that a refused call leaves the cache unchanged.
        """
        B, T, _ = embeds_BTM.shape
        past = cache.get_seq_length() if cache is not None else 0
        real_BT = torch.ones(B, T, dtype=torch.bool, device=embeds_BTM.device)
        if attention_mask is not None:
            if attention_mask.dim() != 2 or attention_mask.shape[1] != past + T:
                raise InputError(
                    f"attention_mask has shape {tuple(attention_mask.shape)}: give [{B}, {past + T}], "
                    "one entry for each stored and new token"
                )
            real_BT = attention_mask[:, past:].bool()
        if position_ids is None:
            if attention_mask is None:
                position_ids = torch.arange(past, past + T, device=embeds_BTM.device)[None]
            else:
                position_ids = (attention_mask.long().cumsum(1) - 1).clamp(min=0)[:, past:]
        position_BT = position_ids.expand(B, T)
        cos_BTD, sin_BTD = rotary(position_BT, self.config.head_dim, self.config.rope_theta)

        seen_BT = real_BT.cumsum(1) - 1
        if past > 0:
            # A continued row holds one document, number 0; its padding is -1.
            assert memory is not None and memory.document_BS is not None
            seen_BT = seen_BT + (memory.document_BS >= 0).sum(1, keepdim=True)
            document_BT = torch.where(real_BT, 0, -1)
            document_BS = torch.cat([memory.document_BS, document_BT], dim=1)
            if has_hole(document_BS):  # windows, units and the convolution are spans of columns
                raise InputError(
                    "a row has padding between its tokens: pad on the left (tokenizer.padding_side = 'left') "
                    "where rows are continued"
                )
        starts_BT = real_BT & ((position_BT == 0) | (seen_BT == 0))
        if past == 0:
            document_BS = document_BT = torch.where(real_BT, starts_BT.cumsum(1) - 1, -1)
        mask_BT = None if bool(real_BT.all()) else real_BT
        units = None
        if self.config.layered:
            ends_BT = self._unit_ends(input_ids, embeds_BTM, unit_ends)
            units = segment(ends_BT, starts_BT, real_BT, self.config.max_unit, None if memory is None else memory.units)
            reads = {"window": self.config.window, "top_units": self.config.top_units}
            view: View | Reach | FlexView
            by_columns = (self.native or self.flex) and cache is None and not has_hole(document_BS)
            if by_columns and self.native and takes_attention(embeds_BTM):
                view = Reach.of(document_BS, units, **reads)
            elif by_columns and self.flex and takes_flex(embeds_BTM, self.config.head_dim):
                view = FlexView(Reach.of(document_BS, units, **reads), units.count)
            else:
                view = layered_view(document_BT, document_BS, units, max_unit=self.config.max_unit, **reads)
        else:
            view = dense_view(document_BT, document_BS)
        if memory is not None:
            memory.document_BS, memory.units = document_BS, units
        sparse = units is not None and T == 1 and document_BS.shape[1] > self.sparse_above and mask_BT is None
        reach_BT = torch.minimum(position_BT, seen_BT)
        return Frame(view, cos_BTD, sin_BTD, units, cache, mask_BT, sparse), reach_BT

    def _unit_ends(self, input_ids: Tensor | None, embeds_BTM: Tensor, unit_ends: Tensor | None) -> Tensor:
        """The tokens that end a unit [B, T]: as given in `unit_ends`, else the separators."""
        if unit_ends is None:
            if input_ids is None:
                raise InputError("give unit_ends with inputs_embeds: without token ids no unit can be found")
            return unit_ends_of(input_ids, self.config.separator_token_ids)
        if unit_ends.shape != embeds_BTM.shape[:2]:
            raise InputError(
                f"unit_ends has shape {tuple(unit_ends.shape)}: give {list(embeds_BTM.shape[:2])}, "
                "one entry for each new token"
            )
        return unit_ends


def _keeps_all(logits_to_keep: int | Tensor) -> bool:
    return isinstance(logits_to_keep, int) and logits_to_keep == 0


class TuiliForCausalLM(TuiliPreTrainedModel, Generation, GenerationMixin):
    """The language model: the network, and one head that all exits share."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: TuiliConfig) -> None:
        super().__init__(config)
        self.model = TuiliModel(config)
        self.lm_head = RoundableLinear(config.hidden_size, config.vocab_size, "head")
        self.post_init()
        self.quantize(config.shape.quantization)

    def quantize(self, quantization: Quantization | None) -> None:
        """Compute and train products in whole numbers, and save the model in them; None returns to its own number
        format. The weights in memory stay unchanged.

        Raises `InputError` if the model is too narrow for the whole numbers.
        """
        hidden = self.config.hidden_size
        if quantization is not None and quantization.numbers == "w4a8" and hidden % WEIGHT_GROUP:
            raise InputError(f"w4a8 has groups of {WEIGHT_GROUP} inputs, and hidden_size is {hidden}: use int8")
        self.config.quantization = None if quantization is None else asdict(quantization)
        set_rounding(self, quantization)

    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        unit_ends: Tensor | None = None,
        depth: int | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> TuiliOutput:
        """See `TuiliModel.forward`. `labels` [B, T] are shifted inside; a label of -100 is ignored.

        The loss is the mean over the labels; with `num_items_in_batch`, the sum over the labels divided by that number.
        """
        check_keywords(kwargs, LOSS, position_ids)
        if labels is not None and not _keeps_all(logits_to_keep):
            raise InputError("labels need the logits of every token: leave logits_to_keep out")
        output: TuiliOutput = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            cache=cache,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            unit_ends=unit_ends,
            depth=depth,
            logits_to_keep=logits_to_keep,
        )
        output.logits = self.lm_head(output.last_hidden_state)
        if labels is not None:
            loss_arguments = {name: value for name, value in kwargs.items() if name in LOSS}
            output.loss = self.loss_function(output.logits, labels, self.config.vocab_size, **loss_arguments)
        return output

    def routers(self) -> Iterator[Router]:
        """The router of each reasoning layer, from the trunk upwards."""
        return (layer.moe.router for layer in self.model.reasoning)

    def after_step(self, scale: float = 1.0) -> None:
        """Balances the routers' load; call it after each optimiser step.

        `scale` is the current learning rate divided by its peak, so that the biases settle together with the weights.
        """
        for router in self.routers():
            router.balance(self.config.router_bias_rate * scale)

    def restrict_experts(self, allowed_E: Tensor | None) -> None:
        """Lets every router choose only among the experts that are True in `allowed_E` [E]; None allows all."""
        if allowed_E is not None:
            experts = self.config.num_experts
            if allowed_E.dtype != torch.bool or allowed_E.shape != (experts,):
                raise InputError(f"allowed_E is {allowed_E.dtype} {list(allowed_E.shape)}: give {experts} booleans")
            if not allowed_E.any():
                raise InputError("allowed_E allows no expert: leave at least one")
        for router in self.routers():
            router.allowed_E = allowed_E

    def record_routing(self) -> AbstractContextManager[RoutingRecord]:
        """Counts how many tokens go to each expert in each reasoning layer while a `with` block runs."""
        return record_routing(list(self.routers()))
