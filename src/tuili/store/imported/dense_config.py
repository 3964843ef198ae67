"""Reads config.json of a Llama, Qwen2 or Qwen3 model into a `DenseShape`, or refuses it and names what is unsupported.

Both notations for rotary positions are read: `rope_theta` with `rope_scaling`, and the `rope_parameters` of
transformers 5. The tokens that end a text come from config.json and generation_config.json. `exits_file` reads the
exits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from tuili.errors import ModelFolderError
from tuili.store.folder import CONFIG_FILE, read_object
from tuili.store.imported.dense_shape import FACTORISED, FAMILIES, IMPORTED_TYPES, DenseShape, Family
from tuili.store.imported.exits_file import read_exits_settings
from tuili.store.imported.rotary import ROPE_KINDS, RopeScaling
from tuili.store.quantization import Quantization

GENERATION_FILE = "generation_config.json"
ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
"""The transformers class of each family."""
FACTORISED_ARCHITECTURES = {kind: f"Tuili{ARCHITECTURES[family]}" for kind, family in FACTORISED.items()}
"""The `tuili.model` class for each family, for models that have factors or are quantised."""
DEFAULT_THETA = 10_000.0
_QWEN3_HEAD_DIM = 128


@dataclass(frozen=True)
class _Config:
    """The fields of config.json that define the computation; optional fields have their historical defaults."""

    model_type: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    rms_norm_eps: float
    architectures: list[str] | None = None
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    hidden_act: str = "silu"
    rope_theta: float | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    use_sliding_window: bool | None = False
    layer_types: list[str] | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    partial_rotary_factor: float | None = 1.0
    rope_interleaved: bool | None = False
    quantization: Quantization | None = None
    ranks: dict[str, int] | None = None


@dataclass(frozen=True)
class _Generation:
    """The part of generation_config.json that concerns the end of a text."""

    eos_token_id: int | list[int] | None = None


_CONFIG, _GENERATION = TypeAdapter(_Config), TypeAdapter(_Generation)
_SCALING = TypeAdapter(RopeScaling)
_SCALING_FIELDS = {field.name for field in fields(RopeScaling)} - {"kind"}
Kind = TypeVar("Kind")


def read_dense_shape(folder: Path) -> DenseShape:
    """The shape of the model in a folder that `check_files` accepts.

    Raises `ModelFolderError`, with a one-line message, for a configuration that is damaged, that no network can have,
    or that requires what Tuili does not support: custom code, quantised weights, sliding windows, other activations or
    positions.
    """
    file = folder / CONFIG_FILE
    document = read_object(file)
    _refuse(file, document)
    config = _valid(file, document, _CONFIG)
    if config.model_type not in IMPORTED_TYPES:
        raise ModelFolderError(f"{file}: model_type is {config.model_type!r}: use one of {', '.join(FAMILIES)}")
    _refuse_unsupported(file, config)
    generation = _Generation()
    if (folder / GENERATION_FILE).is_file():
        generation = _valid(folder / GENERATION_FILE, read_object(folder / GENERATION_FILE), _GENERATION)
    ends = (*_ids(generation.eos_token_id), *_ids(config.eos_token_id))
    exits = read_exits_settings(folder, config.num_hidden_layers)
    family = cast(Family, FACTORISED.get(config.model_type, config.model_type))
    theta, scaling = _positions(file, config)
    try:
        return DenseShape(
            family=family,
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            num_key_value_heads=_key_value_heads(file, document, config),
            head_dim=_head_dim(document, config),
            max_position_embeddings=config.max_position_embeddings,
            rope_theta=theta,
            rms_norm_eps=config.rms_norm_eps,
            rope_scaling=scaling,
            tie_word_embeddings=config.tie_word_embeddings,
            query_bias=family == "qwen2" or config.attention_bias,
            output_bias=family != "qwen2" and config.attention_bias,
            mlp_bias=family == "llama" and config.mlp_bias,
            head_norms=family == "qwen3",
            bos_token_id=config.bos_token_id,
            eos_token_ids=tuple(dict.fromkeys(ends)),
            pad_token_id=config.pad_token_id,
            exit_layers=exits.layers if exits else (),
            exit_threshold=exits.threshold if exits else 1.0,
            quantization=config.quantization,
            ranks=config.ranks,
        )
    except ValueError as error:
        raise ModelFolderError(f"{file} is not a usable configuration: {error}") from error


def _ids(value: int | list[int] | None) -> list[int]:
    if value is None:
        return []
    return [value] if isinstance(value, int) else value


def _refuse(file: Path, document: dict[str, Any]) -> None:
    """Refuse what is rejected before validation."""
    if document.get("auto_map"):
        raise ModelFolderError(f"{file}: auto_map asks for custom code, which is never run: use a model without it")
    if document.get("quantization_config"):
        raise ModelFolderError(
            f"{file}: quantization_config says that the weights are quantised: give the model in F32, F16 or BF16"
        )


def _refuse_unsupported(file: Path, config: _Config) -> None:
    wanted = (ARCHITECTURES | FACTORISED_ARCHITECTURES)[config.model_type]
    if config.architectures and config.architectures != [wanted]:
        raise ModelFolderError(f"{file}: architectures is {config.architectures}: it must be {wanted}")
    own = "ranks" if config.ranks is not None else "quantization" if config.quantization is not None else ""
    if bool(own) != (config.model_type in FACTORISED):
        what = f"{own}, which only" if own else "neither ranks nor quantization, of which"
        raise ModelFolderError(
            f"{file}: it has {what} a model with factors or in whole numbers has: model_type is {config.model_type!r}"
        )
    if config.use_sliding_window or any(kind == "sliding_attention" for kind in config.layer_types or ()):
        raise ModelFolderError(f"{file}: the model uses a sliding window, which is not supported: use one without")
    if other := [kind for kind in config.layer_types or () if kind != "full_attention"]:
        raise ModelFolderError(f"{file}: layer_types has {other[0]!r}: only full_attention is supported")
    if config.hidden_act != "silu":
        raise ModelFolderError(f"{file}: hidden_act is {config.hidden_act!r}: only silu is supported")
    if config.partial_rotary_factor not in (None, 1) or config.rope_interleaved:
        raise ModelFolderError(f"{file}: only whole heads with halves rotated against each other are supported")


def _key_value_heads(file: Path, document: dict[str, Any], config: _Config) -> int:
    if config.num_key_value_heads is not None:
        return config.num_key_value_heads
    if config.model_type != "llama" and "num_key_value_heads" not in document:
        raise ModelFolderError(f"{file} is not a usable configuration: num_key_value_heads: Field required")
    return config.num_attention_heads


def _head_dim(document: dict[str, Any], config: _Config) -> int:
    if config.head_dim is not None:
        return config.head_dim
    if config.model_type == "qwen3" and "head_dim" not in document:
        return _QWEN3_HEAD_DIM
    return config.hidden_size // config.num_attention_heads if config.num_attention_heads > 0 else 0


def _positions(file: Path, config: _Config) -> tuple[float, RopeScaling | None]:
    """Rotary base and scaling; `rope_scaling` takes precedence over `rope_parameters`, as in transformers."""
    given = config.rope_scaling or config.rope_parameters or {}
    theta = given.get("rope_theta", config.rope_theta)
    kind = given.get("rope_type", given.get("type", "default"))
    if kind in ("default", None):
        scaling = None
    elif kind not in ROPE_KINDS:
        raise ModelFolderError(
            f"{file}: rope_type is {kind!r}, which is not supported: use default, {', '.join(ROPE_KINDS)}"
        )
    else:
        values = {name: value for name, value in given.items() if name in _SCALING_FIELDS and value is not None}
        if kind != "linear":
            values.setdefault("original_max_position_embeddings", config.max_position_embeddings)
        first = values.get("original_max_position_embeddings")
        if kind == "yarn" and "factor" not in values and isinstance(first, int) and first > 0:
            values["factor"] = config.max_position_embeddings / first
        scaling = _valid(file, {"kind": kind, **values}, _SCALING)
    if given.get("partial_rotary_factor", 1) not in (None, 1):
        raise ModelFolderError(f"{file}: only whole heads with halves rotated against each other are supported")
    if theta is None:
        theta = DEFAULT_THETA
    if isinstance(theta, bool) or not isinstance(theta, int | float):
        raise ModelFolderError(f"{file} is not a usable configuration: rope_theta is {theta!r}: it must be a number")
    return float(theta), scaling


def _valid(file: Path, document: dict[str, Any], kind: TypeAdapter[Kind]) -> Kind:
    try:
        return kind.validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        reason = f"{key}: {first['msg']}" if key else first["msg"].removeprefix("Value error, ")
        raise ModelFolderError(f"{file} is not a usable configuration: {reason}") from error
