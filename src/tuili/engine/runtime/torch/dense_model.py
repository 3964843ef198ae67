"""Dense decoders of the Llama, Qwen2 and Qwen3 families in torch: every layer has its own keys and values.

The slow counterpart of what `tuili.native` packs, and the layers for accelerators. Weights are plain tensors under
their names in the Hugging Face folder. Texts are kept in a `KVCache`; `step` decides which rows run.

Dimensions: R rows, M hidden size, Q heads that are rotated, H query heads, K key/value heads, D head size, P positions,
V vocabulary, X some tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.engine.runtime.torch.attention_plan import AttentionPlan
from tuili.engine.runtime.torch.int8_linear import Chain, Weight, linear, quantize
from tuili.engine.runtime.torch.kv_cache import KVCache
from tuili.engine.runtime.torch.lean_model import Norm, attend, rotated, unchanged, write
from tuili.engine.runtime.torch.runtime import runtime_of
from tuili.engine.runtime.torch.tally import Tally
from tuili.native import Among
from tuili.store import DenseShape, rotary_frequencies


class DenseModel:
    """The layers of an imported model over rows of a KV cache.

    Args:
        tensors: the weights, all of one dtype, on the embedding's device; with `int8`, matrices may be elsewhere.
        exits: the weights of the exits, by their names in their file.
        thinking, common: the tokens that are chosen among in thinking, and those whose logits determine the confidence
            of exits; None for all tokens.
        int8: round the weights and the inputs of products to 8 bits.
    """

    def __init__(
        self,
        shape: DenseShape,
        tensors: Mapping[str, Tensor],
        exits: Mapping[str, Tensor],
        thinking: Tensor | None = None,
        common: Tensor | None = None,
        int8: bool = False,
    ) -> None:
        self.shape = shape
        self.embedding_VM = tensors["model.embed_tokens.weight"]
        self.runtime = runtime_of(self.embedding_VM, int8)
        device = self.embedding_VM.device
        convert = partial(quantize, foreign=True, device=device) if int8 else unchanged
        head_VM = tensors.get("lm_head.weight", self.embedding_VM)
        self._head = convert(head_VM)
        self.thinking = None if thinking is None else thinking.to(device, torch.long)
        self._thinking_head, self._common_head = (
            self._head if id_X is None else convert(head_VM[id_X.to(head_VM.device, torch.long)])
            for id_X in (thinking, common)
        )
        self._layers = [
            _Layer(shape, {name.removeprefix(start): each for name, each in tensors.items() if name.startswith(start)})
            for start in (f"model.layers.{index}." for index in range(shape.num_hidden_layers))
        ]
        self._norm = Norm(tensors["model.norm.weight"], shape.rms_norm_eps)
        self._plain = Norm(torch.ones_like(tensors["model.norm.weight"]), shape.rms_norm_eps)
        self._exits = {name: tensor.to(self.embedding_VM.device, torch.float32) for name, tensor in exits.items()}
        for layer in self._layers:
            layer.convert(convert)

    def angles(self) -> tuple[Tensor, Tensor]:
        """Cosines and sines [P, D] of rotary embedding at each position, times its scaling factor."""
        frequency, factor = rotary_frequencies(self.shape)
        angle_PD = torch.arange(self.shape.max_position_embeddings).float()[:, None] * torch.from_numpy(frequency)
        angle_PD = torch.cat([angle_PD, angle_PD], dim=-1)
        return angle_PD.cos() * factor, angle_PD.sin() * factor

    def trunk(self, cache: KVCache, recent_R1: Tensor, plan: AttentionPlan, tally: Tally) -> Tensor:
        """Read new tokens. Returns their states [R, M] at the first exit."""
        return self._run(
            0, self.shape.exit_layers[0], F.embedding(recent_R1[:, 0], self.embedding_VM), cache, plan, tally
        )

    def group(self, index: int, hidden_RM: Tensor, cache: KVCache, plan: AttentionPlan, tally: Tally) -> Tensor:
        """Run some rows from one exit to the next."""
        exits = self.shape.exit_layers
        return self._run(exits[index], exits[index + 1], hidden_RM, cache, plan, tally)

    def _run(
        self, begin: int, end: int, hidden_RM: Tensor, cache: KVCache, plan: AttentionPlan, tally: Tally
    ) -> Tensor:
        for index in range(begin, end):
            hidden_RM = self._layers[index](hidden_RM, cache.kv[index], plan, index, tally)
        return hidden_RM

    def adapted(self, index: int, hidden_RM: Tensor) -> Tensor:
        """The states after the adapter of an exit."""
        depth, state_RM = self.shape.exit_layers[index], hidden_RM.float()
        down, up = (self._exits[f"{depth}.{part}.weight"] for part in ("down", "up"))
        return (state_RM + F.linear(F.linear(self._plain(state_RM), down), up)).to(hidden_RM.dtype)

    def confidence(self, index: int, hidden_RM: Tensor) -> Tensor:
        """The probability [R] that the likeliest token of the adapted state is that of the full depth."""
        logit_RX = linear(self.normed(self.adapted(index, hidden_RM)), self._common_head).float()
        first_R, second_R = logit_RX.topk(2, dim=-1).values.unbind(-1)
        input_R2 = torch.stack([first_R - logit_RX.logsumexp(-1), first_R - second_R], dim=-1)
        name = f"{self.shape.exit_layers[index]}.confidence"
        inner, outer = ((self._exits[f"{name}.{n}.weight"], self._exits[f"{name}.{n}.bias"]) for n in (0, 2))
        return F.linear(F.silu(F.linear(input_R2, *inner)), *outer)[:, 0].sigmoid()

    def fill(self, index: int, hidden_RM: Tensor, cache: KVCache, plan: AttentionPlan) -> None:
        """Store keys and values, projected from these states, in the layers after an exit."""
        for number in range(self.shape.exit_layers[index], self.shape.num_hidden_layers):
            self._layers[number].store(hidden_RM, cache.kv[number], plan)

    def exit(self, hidden_RM: Tensor, among: Among = "all") -> Tensor:
        """The logits [R, V] of the next token; minus infinity for tokens that are not chosen among."""
        if among == "all" or self.thinking is None:
            return self.head(self.normed(hidden_RM))
        logit_RX = linear(self.normed(hidden_RM), self._thinking_head)
        nothing_RV = logit_RX.new_full((len(hidden_RM), self.shape.vocab_size), -torch.inf)
        return nothing_RV.index_copy_(1, self.thinking, logit_RX)

    def normed(self, hidden_RM: Tensor) -> Tensor:
        """The normalised states, which the head reads."""
        return self._norm(hidden_RM)

    def head(self, normed_RM: Tensor) -> Tensor:
        """The logits of normalised states."""
        return linear(normed_RM, self._head)


class _Layer:
    """A layer, from its tensors by their names in the folder without the common prefix."""

    def __init__(self, shape: DenseShape, tensors: Mapping[str, Tensor]) -> None:
        self._heads, self._kv_heads, self._size = shape.num_attention_heads, shape.num_key_value_heads, shape.head_dim
        eps = shape.rms_norm_eps
        self._attention_norm = Norm(tensors["input_layernorm.weight"], eps)
        self._mlp_norm = Norm(tensors["post_attention_layernorm.weight"], eps)
        self._head_norms = [
            Norm(tensors[f"self_attn.{part}_norm.weight"], eps) if shape.head_norms else None for part in "qk"
        ]
        names = {part: f"self_attn.{part}_proj" for part in "qkvo"}
        names |= {part: f"mlp.{part}_proj" for part in ("gate", "up", "down")}
        self._weights: dict[str, Weight] = {part: _weight(tensors, name) for part, name in names.items()}
        self._biases = {part: tensors.get(f"{name}.bias") for part, name in names.items()}

    def convert(self, convert: Callable[[Tensor], Weight]) -> None:
        """Replace every matrix by the result of `convert`."""
        self._weights = {part: _converted(weight, convert) for part, weight in self._weights.items()}

    def _project(self, part: str, x: Tensor) -> Tensor:
        result, bias = linear(x, self._weights[part]), self._biases[part]
        return result if bias is None else result + bias

    def _heads_of(self, part: str, normed_RM: Tensor, plan: AttentionPlan) -> Tensor:
        """The rotated queries or keys [R, heads, D]."""
        heads_RQD = self._project(part, normed_RM).unflatten(-1, (-1, self._size))
        norm = self._head_norms["qk".index(part)]
        return rotated(heads_RQD if norm is None else norm(heads_RQD), plan)

    def store(self, hidden_RM: Tensor, kv_C2KXD: Tensor, plan: AttentionPlan) -> Tensor:
        """Store the keys and values of states. Returns the normalised states."""
        normed_RM = self._attention_norm(hidden_RM)
        value_RKD = self._project("v", normed_RM).unflatten(-1, (-1, self._size))
        write(kv_C2KXD, plan, self._heads_of("k", normed_RM, plan), value_RKD)
        return normed_RM

    def __call__(self, hidden_RM: Tensor, kv_C2KXD: Tensor, plan: AttentionPlan, layer: int, tally: Tally) -> Tensor:
        query_RHD = self._heads_of("q", self.store(hidden_RM, kv_C2KXD, plan), plan) * self._size**-0.5
        read_RHD = attend(query_RHD, query_RHD[:, 0, :0], kv_C2KXD, plan)
        if tally.counts:
            tally.heads(layer, read_RHD)
        hidden_RM = hidden_RM + self._project("o", read_RHD.flatten(1))
        normed_RM = self._mlp_norm(hidden_RM)
        active_RF = F.silu(self._project("gate", normed_RM)) * self._project("up", normed_RM)
        return hidden_RM + self._project("down", active_RF)


def _weight(tensors: Mapping[str, Tensor], name: str) -> Weight:
    """The matrix of a linear layer, or its factors."""
    if f"{name}.weight" in tensors:
        return tensors[f"{name}.weight"]
    return Chain((tensors[f"{name}.inner.weight"], tensors[f"{name}.outer.weight"]))


def _converted(weight: Weight, convert: Callable[[Tensor], Weight]) -> Weight:
    if isinstance(weight, Chain):
        return Chain(tuple(_converted(factor, convert) for factor in weight.factors))
    return convert(weight) if isinstance(weight, Tensor) else weight
