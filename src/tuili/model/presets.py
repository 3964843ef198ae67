"""Named sizes: one word stands for a whole configuration, whose fields can be overridden.

Their parameter counts are in `docs/models.md`, checked by a test. The two largest are plans: they are only ever built
on the meta device, which takes no memory.
"""

from __future__ import annotations

from typing import Any

from huggingface_hub.errors import StrictDataclassError

from tuili.errors import ConfigError
from tuili.model.config import TuiliConfig

PRESETS: dict[str, dict[str, Any]] = {
    "nano": {},
    "micro": {
        "hidden_size": 512,
        "intermediate_size": 1536,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "moe_intermediate_size": 256,
    },
    "small": {
        "vocab_size": 8192,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "head_dim": 64,
        "moe_intermediate_size": 768,
        "max_position_embeddings": 8192,
    },
    "r1-7b": {
        "vocab_size": 32768,
        "hidden_size": 2560,
        "intermediate_size": 6912,
        "trunk_layers": 8,
        "group_layers": 8,
        "num_attention_heads": 20,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "moe_intermediate_size": 2048,
        "max_position_embeddings": 32768,
        "rope_theta": 500_000.0,
        "window": 512,
        "max_unit": 64,
    },
    "r1-70b": {
        "vocab_size": 131072,
        "hidden_size": 6144,
        "intermediate_size": 16384,
        "trunk_layers": 20,
        "group_layers": 20,
        "num_attention_heads": 48,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "moe_intermediate_size": 3200,
        "max_position_embeddings": 131072,
        "rope_theta": 1_000_000.0,
        "window": 1024,
        "max_unit": 64,
    },
}


def preset(name: str, /, **overrides: Any) -> TuiliConfig:
    """The configuration of a named size with some fields changed.

    Raises `ConfigError` for a name or a field that does not exist, or a value that its field cannot hold.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown size {name!r}: use one of {', '.join(PRESETS)}")
    fields = set(TuiliConfig.__annotations__) - {"layer_types", "num_hidden_layers", "quantization"}
    if unknown := sorted(set(overrides) - fields):
        raise ConfigError(f"unknown model field {unknown[0]!r}: use one of {', '.join(sorted(fields))}")
    try:
        return TuiliConfig(**PRESETS[name] | overrides)
    except (TypeError, ValueError, StrictDataclassError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ConfigError(f"size {name!r} with {overrides}: {reason}") from error
