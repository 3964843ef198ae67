"""The shape of a model: its sizes, switches and special token ids, as given in config.json.

`tuili.model.TuiliConfig` is the counterpart for transformers, with the additional fields that transformers needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from sys import float_info
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from tuili.errors import ModelFolderError
from tuili.store.folder import CONFIG_FILE
from tuili.store.matrices import Rank, check_ranks
from tuili.store.quantization import Quantization

MAX_SIZE = 2**24
"""A larger value of any field of `SIZES` is refused."""
MAX_LAYERS = 1000
MAX_CONVOLUTION_TOKENS = 32
SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "trunk_layers",
    "group_layers",
    "num_groups",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
    "window",
    "top_units",
    "max_unit",
    "num_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "convolution_width",
)
"""Fields that hold a count and must be at least 1."""
OTHER_FIELDS = frozenset(
    [
        "_name_or_path",
        "architectures",
        "chunk_size_feed_forward",
        "dtype",
        "id2label",
        "is_encoder_decoder",
        "label2id",
        "layer_types",
        "model_type",
        "output_attentions",
        "output_hidden_states",
        "problem_type",
        "return_dict",
        "tie_word_embeddings",
        "transformers_version",
        "use_cache",
    ]
)
"""The fields of config.json that transformers writes in addition to those of `ModelSettings`."""
Conversation = Literal["single", "multi"]
"""What a model was trained on: single questions, or conversations of several turns with instructions before them."""


def check_attention(query_heads: int, key_heads: int, head_dim: int, **above_0: float) -> None:
    """Raise `ValueError` for impossible attention heads, and for named numbers that are not above 0 and finite."""
    for name, value in above_0.items():
        if not 0 < value <= float_info.max:
            raise ValueError(f"{name} is {value}: it must be above 0 and finite")
    if query_heads % key_heads:
        raise ValueError(
            f"num_attention_heads is {query_heads}: it must be a multiple of num_key_value_heads, {key_heads}"
        )
    if head_dim % 2:
        raise ValueError(f"head_dim is {head_dim}: it must be even, to be rotated in pairs")


@dataclass(frozen=True)
class ModelShape:
    """The fields of config.json that define a model's network and how it is asked; `TuiliConfig` documents them.

    Raises `ValueError` for values that no network can have.
    """

    vocab_size: int = 2048
    hidden_size: int = 192
    intermediate_size: int = 512
    trunk_layers: int = 3
    group_layers: int = 3
    num_groups: int = 3
    num_hidden_layers: int | None = None
    num_attention_heads: int = 6
    num_key_value_heads: int = 2
    head_dim: int = 32
    max_position_embeddings: int = 2048
    rope_theta: int | float = 10_000.0
    convolution_width: int = 4
    rms_norm_eps: int | float = 1e-6

    layered: bool = True
    window: int = 64
    top_units: int = 16
    max_unit: int = 16
    separator_token_ids: tuple[int, ...] | None = None

    num_experts: int = 16
    num_experts_per_tok: int = 2
    moe_intermediate_size: int = 80
    domains: tuple[str, ...] | None = None
    ranks: Mapping[str, Rank] | None = None

    exit_threshold: int | float = 0.97
    conversation: Conversation = "single"
    quantization: Quantization | None = None
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | tuple[int, ...] | None = 4

    def __post_init__(self) -> None:
        """Raise `ValueError` for sizes that no network can have, and for token ids outside the vocabulary."""
        self.count_layers(self.trunk_layers, self.group_layers, self.num_groups, self.num_hidden_layers)
        for name in SIZES:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
            if getattr(self, name) > MAX_SIZE:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at most {MAX_SIZE}")
        if self.convolution_width > MAX_CONVOLUTION_TOKENS:
            raise ValueError(
                f"convolution_width is {self.convolution_width}: it must be at most {MAX_CONVOLUTION_TOKENS}"
            )
        if not 0 <= self.exit_threshold <= 1:
            raise ValueError(f"exit_threshold is {self.exit_threshold}: it must be a probability, 0 to 1")
        heads = self.num_attention_heads, self.num_key_value_heads, self.head_dim
        check_attention(*heads, rope_theta=self.rope_theta, rms_norm_eps=self.rms_norm_eps)
        if self.num_experts_per_tok > self.num_experts:
            raise ValueError(f"num_experts_per_tok is {self.num_experts_per_tok}: there are {self.num_experts} experts")
        if self.domains is not None and len(self.domains) != self.num_experts:
            raise ValueError(f"domains has {len(self.domains)} names: give one for each of {self.num_experts} experts")
        for name in ("pad_token_id", "bos_token_id", "eos_token_id", "separator_token_ids"):
            value = getattr(self, name)
            ids = value if isinstance(value, tuple) else [value]
            if wrong := [token for token in ids if token is not None and not 0 <= token < self.vocab_size]:
                raise ValueError(f"{name} is {wrong[0]}: the vocabulary goes from 0 to {self.vocab_size - 1}")
        if self.ranks is not None:
            check_ranks(self)

    @property
    def exit_layers(self) -> tuple[int, ...]:
        """The depths at which a token may exit, from the end of the trunk to the full depth."""
        return self.exits(self.trunk_layers, self.group_layers, self.num_groups)

    @property
    def per_layer_kv(self) -> bool:
        """Whether every layer has its own keys and values; here, reasoning layers share one set."""
        return False

    @staticmethod
    def exits(trunk_layers: int, group_layers: int, num_groups: int) -> tuple[int, ...]:
        """The depths at which a token may exit: after the trunk, and after each group of reasoning layers."""
        return tuple(trunk_layers + group * group_layers for group in range(num_groups + 1))

    @staticmethod
    def count_layers(trunk_layers: int, group_layers: int, num_groups: int, num_hidden_layers: int | None) -> int:
        """The total number of layers. Raises `ValueError` if it is too large or differs from `num_hidden_layers`."""
        depth = trunk_layers + num_groups * group_layers
        if num_hidden_layers not in (None, depth):
            raise ValueError(
                f"num_hidden_layers is {num_hidden_layers}, but {trunk_layers} trunk layers and "
                f"{num_groups} groups of {group_layers} make {depth}"
            )
        if depth > MAX_LAYERS:  # checked before an entry is made for each layer
            raise ValueError(f"num_groups is {num_groups}: {depth} layers in all, use at most {MAX_LAYERS}")
        return depth


@dataclass(frozen=True)
class ModelSettings(ModelShape):
    """A shape plus the fields of config.json that only training needs; `TuiliConfig` documents them."""

    initializer_range: int | float = 0.02
    router_bias_rate: int | float = 1e-3
    router_exploration: int | float = 0.0

    def __post_init__(self) -> None:
        """Also raise `ValueError` for values that training cannot use."""
        super().__post_init__()
        if not 0 < self.initializer_range <= float_info.max:
            raise ValueError(f"initializer_range is {self.initializer_range}: it must be above 0 and finite")
        if not 0 <= self.router_bias_rate <= float_info.max:
            raise ValueError(f"router_bias_rate is {self.router_bias_rate}: it must be at least 0 and finite")
        if not 0 <= self.router_exploration <= 1:
            raise ValueError(f"router_exploration is {self.router_exploration}: it must be a probability, 0 to 1")


_SHAPE, _SETTINGS = TypeAdapter(ModelShape), TypeAdapter(ModelSettings)
CONFIG_FIELDS = OTHER_FIELDS.union(field.name for field in fields(ModelSettings))
"""All fields that a config.json of Tuili may have."""
Kind = TypeVar("Kind", bound=ModelShape)


def read_shape(folder: Path) -> ModelShape:
    """The shape of the model in a folder that `check_files` accepts.

    Raises `ModelFolderError` if its config.json is not a configuration or describes an impossible network.
    """
    return _read(folder, _SHAPE)


def read_settings(folder: Path) -> ModelSettings:
    """The shape plus the fields that only training needs. Raises as `read_shape` does."""
    return _read(folder, _SETTINGS)


def _read(folder: Path, kind: TypeAdapter[Kind]) -> Kind:
    config = folder / CONFIG_FILE
    try:
        return kind.validate_json(config.read_bytes(), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        reason = f"{key}: {first['msg']}" if key else first["msg"].removeprefix("Value error, ")
        raise ModelFolderError(f"{config} is not a usable configuration: {reason}") from error
