"""The configuration of a Tuili model: every size and switch that its folder's `config.json` records.

Named sizes (`nano` … `r1-70b`) are in `presets.py`; the network that reads this is in `modeling.py`. Annotations are
evaluated here, unlike elsewhere: `strict` checks values only against types that are no strings.
"""

from sys import float_info
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from tuili.model.cache import WIDEST

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
"""Fields that count something of which there must be at least one."""

LARGEST, DEEPEST = 2**24, 1000
"""The largest of these sizes and the most layers that are taken for earnest."""


@strict
class TuiliConfig(PreTrainedConfig):
    """A trunk with its own keys and values, then groups of reasoning layers that share one more key/value set.

    Depth: `trunk_layers` + `num_groups` × `group_layers` layers, an exit after the trunk and after every group.
    Embeddings: each takes in those of the `convolution_width` - 1 tokens before it; 1 is none.
    Attention (`layered`): each head blends pooled semantic units, the last `window` tokens with the first one, and
    the tokens of the `top_units` best-scoring units. A unit ends at one of `separator_token_ids` or after
    `max_unit` tokens. `layered=False` is plain grouped-query attention.
    Experts: the reasoning layers route every token to `num_experts_per_tok` of `num_experts` feed-forward experts;
    the trunk is dense. `domains` names the experts. While training, a share `router_exploration` of the tokens takes
    a random second expert, so that the model still works where few experts are kept.
    """

    model_type = "tuili"
    keys_to_ignore_at_inference = ["last_hidden_state", "cache"]
    attribute_map = {"num_local_experts": "num_experts"}

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
    initializer_range: int | float = 0.02

    layered: bool = True
    window: int = 64
    top_units: int = 16
    max_unit: int = 16
    separator_token_ids: list[int] | None = None

    num_experts: int = 16
    num_experts_per_tok: int = 2
    moe_intermediate_size: int = 80
    router_bias_rate: int | float = 1e-3
    router_exploration: int | float = 0.0
    domains: list[str] | None = None

    exit_threshold: int | float = 0.97
    use_cache: bool = True
    tie_word_embeddings: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 4
    layer_types: list[str] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        depth = self.trunk_layers + self.num_groups * self.group_layers
        if self.num_hidden_layers not in (None, depth):
            raise ValueError(
                f"num_hidden_layers is {self.num_hidden_layers}, but {self.trunk_layers} trunk layers and "
                f"{self.num_groups} groups of {self.group_layers} make {depth}"
            )
        if depth > DEEPEST:  # before one entry is made for each
            raise ValueError(f"num_groups is {self.num_groups}: {depth} layers in all, use at most {DEEPEST}")
        self.num_hidden_layers = depth
        # One cache layer for each trunk layer and one for the shared set; the other layers store nothing.
        stored = self.trunk_layers + 1
        self.layer_types = ["tuili"] * stored + ["dummy"] * (depth - stored)
        super().__post_init__(**kwargs)

    def validate_architecture(self) -> None:
        """Refuses sizes that no network can have. `strict` calls this."""
        for name in SIZES:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
            if getattr(self, name) > LARGEST:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at most {LARGEST}")
        if self.convolution_width > WIDEST:
            raise ValueError(f"convolution_width is {self.convolution_width}: it must be at most {WIDEST}")
        for name in ("rope_theta", "rms_norm_eps", "initializer_range"):
            if not 0 < getattr(self, name) <= float_info.max:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be above 0 and finite")
        if not 0 <= self.router_bias_rate <= float_info.max:
            raise ValueError(f"router_bias_rate is {self.router_bias_rate}: it must be at least 0 and finite")
        for name in ("exit_threshold", "router_exploration"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be a probability, 0 to 1")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads is {self.num_attention_heads}: it must be a multiple of num_key_value_heads, "
                f"{self.num_key_value_heads}"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim is {self.head_dim}: it must be even, to be rotated in pairs")
        if self.num_experts_per_tok > self.num_experts:
            raise ValueError(f"num_experts_per_tok is {self.num_experts_per_tok}: there are {self.num_experts} experts")
        if self.domains is not None and len(self.domains) != self.num_experts:
            raise ValueError(f"domains has {len(self.domains)} names: give one for each of {self.num_experts} experts")

    def validate_token_ids(self) -> None:
        """Refuses ids beyond the vocabulary, of which transformers only warns. `strict` calls this."""
        for name in ("pad_token_id", "bos_token_id", "eos_token_id", "separator_token_ids"):
            given = getattr(self, name)
            ids = given if isinstance(given, list) else [given]
            if wrong := [token for token in ids if token is not None and not 0 <= token < self.vocab_size]:
                raise ValueError(f"{name} is {wrong[0]}: the vocabulary goes from 0 to {self.vocab_size - 1}")

    def validate_layer_type(self) -> None:
        """`layer_types` is derived above, and names a cache layer that transformers does not know."""

    @property
    def exit_layers(self) -> tuple[int, ...]:
        """The depths at which a token may leave, from the trunk's to the full one."""
        return tuple(self.trunk_layers + g * self.group_layers for g in range(self.num_groups + 1))

    @property
    def residual_scale(self) -> float:
        """Factor on the initial size of what a layer adds to the stream: one over the root of the number of adds."""
        assert self.num_hidden_layers is not None
        return float((2 * self.num_hidden_layers) ** -0.5)
