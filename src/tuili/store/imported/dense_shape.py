"""The shape of an imported model: a dense decoder of the Llama, Qwen2 or Qwen3 family; each layer has keys and values.

Tuili's own kind of model is in `shape`. `dense_config` reads config.json, and `rotary` handles rotary positions.

Dimensions: M hidden size, N outputs of a projection, V vocabulary, D head size.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from tuili.store.imported.rotary import Array, RopeScaling, scaled_frequencies
from tuili.store.matrices import Rank, check_ranks, factor_shapes
from tuili.store.quantization import WEIGHT_GROUP, Quantization
from tuili.store.shape import MAX_LAYERS, MAX_SIZE, Conversation, check_attention

Family = Literal["llama", "qwen2", "qwen3"]
FAMILIES: tuple[str, ...] = get_args(Family)
"""The values of `model_type` in config.json that an imported model may have, except those in `FACTORISED`."""
FACTORISED = {f"tuili_{family}": family for family in FAMILIES}
"""The values of `model_type` for models stored as factors or integers, and the families of their networks.
`tuili.model` registers them with transformers."""
IMPORTED_TYPES = (*FAMILIES, *FACTORISED)
SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
)

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
"""Names of the head and of the embedding to which it may be tied."""
_IGNORED = (".rotary_emb.inv_freq",)
"""Suffixes of the names of tensors that older folders contain and that every reader recomputes."""


@dataclass(frozen=True)
class DenseShape:
    """The network of an imported model, its exits, and how it is asked.

    query_bias: the projections q, k and v have a bias. output_bias: o has one. mlp_bias: the three projections of the
    feed-forward network have one. head_norms: each head of queries and of keys has an RMS norm. eos_token_ids: the ids
    that end a text. exit_layers: depths at which a token may exit, the full depth last; empty means only the full
    depth. exit_threshold: the confidence at which a token exits at depth `auto`. quantization: the integer formats that
    the model was trained for, see `stored_dense`. ranks: those of the matrices stored as factors, see `matrix_shapes`.
    Raises `ValueError` for values that no network can have.
    """

    family: Family
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rope_theta: float
    rms_norm_eps: float
    rope_scaling: RopeScaling | None = None
    tie_word_embeddings: bool = False
    query_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    head_norms: bool = False
    bos_token_id: int | None = None
    eos_token_ids: tuple[int, ...] = ()
    pad_token_id: int | None = None
    exit_layers: tuple[int, ...] = ()
    exit_threshold: float = 1.0
    quantization: Quantization | None = None
    ranks: Mapping[str, Rank] | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` for sizes that no network can have, and for token ids outside the vocabulary."""
        for name in SIZES:
            most = MAX_LAYERS if name == "num_hidden_layers" else MAX_SIZE
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be from 1 to {most}")
        heads = self.num_attention_heads, self.num_key_value_heads, self.head_dim
        check_attention(*heads, rope_theta=self.rope_theta, rms_norm_eps=self.rms_norm_eps)
        if self.rope_theta <= 1:
            raise ValueError(f"rope_theta is {self.rope_theta}: it must be above 1")
        ids = [("bos_token_id", self.bos_token_id), ("pad_token_id", self.pad_token_id)]
        for name, token in [*ids, *(("eos_token_id", token) for token in self.eos_token_ids)]:
            if token is not None and not 0 <= token < self.vocab_size:
                raise ValueError(f"{name} is {token}: the vocabulary goes from 0 to {self.vocab_size - 1}")
        if not self.exit_layers:
            object.__setattr__(self, "exit_layers", (self.num_hidden_layers,))
        exits = self.exit_layers
        if exits[0] < 1 or exits[-1] != self.num_hidden_layers or list(exits) != sorted({*exits}):
            raise ValueError(f"layers is {list(exits)}: exits rise from 1 on, and the last is {self.num_hidden_layers}")
        if not 0 <= self.exit_threshold <= 1:
            raise ValueError(f"threshold is {self.exit_threshold}: it must be a probability, 0 to 1")
        if self.quantization is not None and self.quantization.numbers == "w4a8" and self.hidden_size % WEIGHT_GROUP:
            raise ValueError(f"quantization is w4a8, and hidden_size {self.hidden_size}: {WEIGHT_GROUP} must divide it")
        if self.ranks is not None:
            check_ranks(self)

    @property
    def num_groups(self) -> int:
        """The number of groups of layers after the first exit; the layers before it are the trunk."""
        return len(self.exit_layers) - 1

    @property
    def per_layer_kv(self) -> bool:
        """Every layer has its own keys and values."""
        return True

    @property
    def conversation(self) -> Conversation:
        """Imported models are asked through their chat template, which supports turns."""
        return "multi"

    @property
    def domains(self) -> tuple[str, ...] | None:
        """No experts, so no domains."""
        return None

    @property
    def convolution_width(self) -> int:
        """No convolution: a token's embedding depends on that token only."""
        return 1

    @property
    def separator_token_ids(self) -> tuple[int, ...] | None:
        """No layered attention, so no tokens that end a unit."""
        return None

    @property
    def max_unit(self) -> int:
        """No units, so no limit on their length."""
        return 2**31 - 1


def rotary_frequencies(shape: DenseShape) -> tuple[Array, float]:
    """The radians per position by which each pair of a head rotates, float32 [D/2], and the factor of cosines and
    sines."""
    return scaled_frequencies(shape.head_dim, shape.rope_theta, shape.rope_scaling)


def dense_tensor_shapes(shape: DenseShape) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the tensors of a network, as in its Hugging Face folder.

    A head that is tied to the embedding has no tensor of its own. A factorised matrix is replaced by its factors, under
    its name; its bias stays where it is.
    """
    M, F, V, D = shape.hidden_size, shape.intermediate_size, shape.vocab_size, shape.head_dim
    queries, keys = shape.num_attention_heads * D, shape.num_key_value_heads * D
    layer: dict[str, tuple[int, ...]] = {"input_layernorm.weight": (M,), "post_attention_layernorm.weight": (M,)}
    for name, outputs, inputs in (("q", queries, M), ("k", keys, M), ("v", keys, M), ("o", M, queries)):
        layer[f"self_attn.{name}_proj.weight"] = (outputs, inputs)
        if shape.output_bias if name == "o" else shape.query_bias:
            layer[f"self_attn.{name}_proj.bias"] = (outputs,)
    if shape.head_norms:
        layer |= {"self_attn.q_norm.weight": (D,), "self_attn.k_norm.weight": (D,)}
    for name, outputs, inputs in (("gate", F, M), ("up", F, M), ("down", M, F)):
        layer[f"mlp.{name}_proj.weight"] = (outputs, inputs)
        if shape.mlp_bias:
            layer[f"mlp.{name}_proj.bias"] = (outputs,)
    tensors: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (V, M)}
    for number in range(shape.num_hidden_layers):
        for name, sizes in layer.items():
            matrix = f"layers.{number}.{name}".removesuffix(".weight")
            if (rank := (shape.ranks or {}).get(matrix)) is None:
                tensors[f"model.layers.{number}.{name}"] = sizes
            else:
                factors = factor_shapes(sizes, rank)
                tensors |= {f"model.{matrix}.{part}.weight": each for part, each in factors.items()}
    tensors["model.norm.weight"] = (M,)
    if not shape.tie_word_embeddings:
        tensors[HEAD] = (V, M)
    return tensors


def stored_dense(shape: DenseShape) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """The names and shapes of the tensors in a folder, and the number formats of those that have a fixed one.

    If the model was trained for integer arithmetic, integers and their scales replace all matrices. They represent
    mixed weights (`tuili.native.rounding.mixed`). An embedding that is not also the head keeps full precision.
    """
    shapes = dense_tensor_shapes(shape)
    if shape.quantization is None:
        return shapes, {}
    rounded = {name: sizes for name, sizes in shapes.items() if shape.tie_word_embeddings or name != EMBEDDING}
    return shapes | shape.quantization.stored_shapes(rounded), shape.quantization.stored_kinds(rounded)


def dense_matrix_shapes(shape: DenseShape) -> dict[str, tuple[int, ...]]:
    """See `matrix_shapes`: the linear maps of all layers."""
    tensors = dense_tensor_shapes(replace(shape, ranks=None))
    layers = {name: sizes for name, sizes in tensors.items() if name.startswith("model.layers.") and len(sizes) == 2}
    return {name.removeprefix("model.").removesuffix(".weight"): sizes for name, sizes in layers.items()}


def dense_tensors_found(shape: DenseShape, found: Collection[str]) -> list[str]:
    """The names of tensors in a folder, without ignored ones such as a copy of a tied head.

    Those of the network come first, in its own order, then any others, so that files written from them are always the
    same.
    """
    own = dense_tensor_shapes(shape)
    names = [name for name in own if name in found]
    for name in sorted(set(found) - own.keys()):
        if not name.endswith(_IGNORED) and not (shape.tie_word_embeddings and name == HEAD):
            names.append(name)
    return names
