"""The model sizes that the native step needs, by their names in config.json."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tuili.native.records import SizesRecord


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model. The defaults of the fields after `rms_norm_eps` describe a model without the feature.

    exit_layers: the depths of exits, ending with the full depth. per_layer_kv: whether every layer has its own keys and
    values; otherwise all layers after the trunk share one set. head_norms: whether queries and keys are normed.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    exit_layers: tuple[int, ...]
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rope_theta: float
    rms_norm_eps: float
    per_layer_kv: bool = False
    head_norms: bool = True
    convolution_width: int = 1
    layered: bool = False
    window: int = 1
    top_units: int = 1
    num_experts: int = 0
    num_experts_per_tok: int = 0
    moe_intermediate_size: int = 0

    @staticmethod
    def of(shape: object) -> Sizes:
        """The sizes of any object that has these attributes."""
        return Sizes(**{each.name: getattr(shape, each.name) for each in fields(Sizes) if hasattr(shape, each.name)})

    @property
    def layers(self) -> int:
        """The number of layers."""
        return self.exit_layers[-1]

    @property
    def num_groups(self) -> int:
        """The number of layer groups after the trunk, each with an exit."""
        return len(self.exit_layers) - 1

    @property
    def sets(self) -> int:
        """The number of key/value sets."""
        return self.layers if self.per_layer_kv else self.exit_layers[0] + 1

    @property
    def expert_layers(self) -> int:
        """The number of layers with experts."""
        return 0 if self.per_layer_kv else self.layers - self.exit_layers[0]

    @property
    def record(self) -> SizesRecord:
        """The structure that C functions read; its cache format is not set."""
        return SizesRecord(**{name: getattr(self, name) for name, *_ in SizesRecord._fields_ if hasattr(self, name)})
