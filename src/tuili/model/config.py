"""The configuration of a Tuili model: every size and switch that its folder's `config.json` records.

Named sizes (`nano` … `r1-70b`) are in `presets.py`, the network that a configuration describes is in `modeling.py`.
`tuili.store.ModelShape` has the fields that describe a network, their defaults and their bounds, without transformers.
Annotations are evaluated in this file, unlike elsewhere, because `strict` ignores types that are strings.
"""

from dataclasses import fields
from typing import Any, TypeVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from tuili.store import Conversation, ModelSettings, ModelShape, Quantization

Kind = TypeVar("Kind", bound=ModelShape)


@strict
class TuiliConfig(PreTrainedConfig):
    """A trunk with its own keys and values, then groups of reasoning layers that share one more key/value set.

    Depth: `trunk_layers` + `num_groups` × `group_layers` layers, an exit after the trunk and after every group.
    Embeddings: each gets the weighted embeddings of the `convolution_width` - 1 tokens before it added; 1 adds none.
    Attention (`layered`): each head blends pooled semantic units, the last `window` tokens with the first one, and
    the tokens of the `top_units` best-scoring units. A unit ends at one of `separator_token_ids` or after
    `max_unit` tokens. `layered=False` is plain grouped-query attention.
    Experts: the reasoning layers route every token to `num_experts_per_tok` of `num_experts` feed-forward experts;
    the trunk is dense. `domains` names the experts. In training, a share `router_exploration` of the tokens takes a
    random second expert, so that the model still works when only a few experts are kept.
    Numbers: `quantization` has the fields of `tuili.store.Quantization` if the model was trained in whole numbers.
    Factors: `ranks` names the matrices that are stored as products of smaller ones; see `tuili.store.matrix_shapes`.
    Asking: `conversation` says whether the model was trained on conversations (`multi`) or on single questions.
    """

    model_type = "tuili"
    keys_to_ignore_at_inference = ["last_hidden_state", "cache"]
    attribute_map = {"num_local_experts": "num_experts"}

    vocab_size: int = ModelShape.vocab_size
    hidden_size: int = ModelShape.hidden_size
    intermediate_size: int = ModelShape.intermediate_size
    trunk_layers: int = ModelShape.trunk_layers
    group_layers: int = ModelShape.group_layers
    num_groups: int = ModelShape.num_groups
    num_hidden_layers: int | None = None
    num_attention_heads: int = ModelShape.num_attention_heads
    num_key_value_heads: int = ModelShape.num_key_value_heads
    head_dim: int = ModelShape.head_dim
    max_position_embeddings: int = ModelShape.max_position_embeddings
    rope_theta: int | float = ModelShape.rope_theta
    convolution_width: int = ModelShape.convolution_width
    rms_norm_eps: int | float = ModelShape.rms_norm_eps
    initializer_range: int | float = ModelSettings.initializer_range

    layered: bool = ModelShape.layered
    window: int = ModelShape.window
    top_units: int = ModelShape.top_units
    max_unit: int = ModelShape.max_unit
    separator_token_ids: list[int] | None = None

    num_experts: int = ModelShape.num_experts
    num_experts_per_tok: int = ModelShape.num_experts_per_tok
    moe_intermediate_size: int = ModelShape.moe_intermediate_size
    router_bias_rate: int | float = ModelSettings.router_bias_rate
    router_exploration: int | float = ModelSettings.router_exploration
    domains: list[str] | None = None
    ranks: dict[str, int | list[int]] | None = None

    exit_threshold: int | float = ModelShape.exit_threshold
    conversation: Conversation = ModelShape.conversation
    quantization: dict[str, Any] | None = None
    use_cache: bool = True
    tie_word_embeddings: bool = True
    pad_token_id: int | None = ModelShape.pad_token_id
    bos_token_id: int | None = ModelShape.bos_token_id
    eos_token_id: int | list[int] | None = 4
    layer_types: list[str] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        depth = ModelShape.count_layers(self.trunk_layers, self.group_layers, self.num_groups, self.num_hidden_layers)
        self.num_hidden_layers = depth
        # Each trunk layer and the shared set has one cache layer; the other layers store nothing.
        stored = self.trunk_layers + 1
        self.layer_types = ["tuili"] * stored + ["dummy"] * (depth - stored)
        super().__post_init__(**kwargs)

    def validate_architecture(self) -> None:
        """Refuses values that no network can have. Called by `strict`."""
        assert self._fields_of(ModelSettings)

    def validate_token_ids(self) -> None:
        """Does nothing: `ModelShape` refuses ids beyond the vocabulary, for which transformers only warns."""

    def validate_layer_type(self) -> None:
        """Does nothing: `layer_types` is derived above, and names a cache layer that transformers does not know."""

    @property
    def shape(self) -> ModelShape:
        """The fields that describe the network, without torch and transformers."""
        return self._fields_of(ModelShape)

    @property
    def exit_layers(self) -> tuple[int, ...]:
        """The depths at which a token may exit, from the trunk's depth to the full depth."""
        return ModelShape.exits(self.trunk_layers, self.group_layers, self.num_groups)

    @property
    def residual_scale(self) -> float:
        """The factor on the initial size of a layer's update to the residual stream: 1 / √(number of updates)."""
        assert self.num_hidden_layers is not None
        return float((2 * self.num_hidden_layers) ** -0.5)

    def _fields_of(self, kind: type[Kind]) -> Kind:
        values: dict[str, Any] = {}
        for field in fields(kind):
            value = getattr(self, field.name)
            if isinstance(value, dict) and field.name == "ranks":
                value = {key: _frozen(each) for key, each in value.items()}
            values[field.name] = _frozen(value)
        if self.quantization is not None:
            values["quantization"] = Quantization(**self.quantization)
        return kind(**values)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
