"""How much of a model stays: widths, experts and heads, the same in every layer, from round to round."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from tuili.compress.pruning.recipe import PruneConfig
from tuili.errors import InputError
from tuili.store import DenseShape, ModelShape


@dataclass(frozen=True)
class Sizes:
    """The sizes that pruning changes. A model without experts has 0 for theirs.

    feed_forward, expert: neurons of a dense feed-forward layer and of an expert. experts, heads: of a layer; heads are
    those of keys and values.
    """

    feed_forward: int
    expert: int
    experts: int
    heads: int

    @classmethod
    def of(cls, shape: ModelShape | DenseShape) -> Sizes:
        """The sizes of a model."""
        if isinstance(shape, DenseShape):
            return cls(shape.intermediate_size, 0, 0, shape.num_key_value_heads)
        inner, experts = shape.moe_intermediate_size, shape.num_experts
        return cls(shape.intermediate_size, inner, experts, shape.num_key_value_heads)

    def towards(self, last: Sizes, part: float, multiple: int) -> Sizes:
        """Sizes at a fraction `part` (0 to 1) of the way from these to the last ones. Widths differ from the last ones
        by multiples, or are still these."""

        def on_the_way(name: str) -> int:
            before, after = getattr(self, name), getattr(last, name)
            unit = multiple if name in ("feed_forward", "expert") else 1
            return int(min(before, after + round((before - after) * (1 - part) / unit) * unit))

        return Sizes(*(on_the_way(field.name) for field in fields(self)))

    def shape_from(self, shape: ModelShape | DenseShape) -> ModelShape | DenseShape:
        """The shape of a model with its sizes replaced by these."""
        queries = shape.num_attention_heads // shape.num_key_value_heads * self.heads
        heads: dict[str, Any] = {"num_attention_heads": queries, "num_key_value_heads": self.heads}
        if isinstance(shape, DenseShape):
            return replace(shape, intermediate_size=self.feed_forward, **heads)
        experts: dict[str, Any] = {"num_experts": self.experts, "moe_intermediate_size": self.expert}
        domains = shape.domains if self.experts == shape.num_experts else None  # layers keep different experts
        return replace(shape, intermediate_size=self.feed_forward, domains=domains, **experts, **heads)


def pruned_sizes(shape: ModelShape | DenseShape, config: PruneConfig) -> Sizes:
    """The sizes that a pruning leaves of a model. Raises `InputError` if that is nothing, or more than there is."""
    now = Sizes.of(shape)
    feed_forward = _width("a feed-forward layer", now.feed_forward, config)
    expert = _width("an expert", now.expert, config) if now.experts else 0
    heads = _count("key_value_heads", config.key_value_heads, now.heads)
    if config.experts is not None and isinstance(shape, DenseShape):
        raise InputError(f"prune.experts = {config.experts}: the model has no experts: leave it out")
    experts = _count("experts", config.experts, now.experts)
    if isinstance(shape, ModelShape) and experts < shape.num_experts_per_tok:
        raise InputError(
            f"prune.experts = {experts}: each token takes {shape.num_experts_per_tok}: keep as many at least"
        )
    sizes = Sizes(feed_forward, expert, experts, heads)
    if sizes == now:
        raise InputError("prune: nothing would be removed: raise the share, or name experts or key_value_heads")
    return sizes


def _width(place: str, neurons: int, config: PruneConfig) -> int:
    """The largest multiple that removes at least the share."""
    if not config.share:
        return neurons
    width = int((1 - config.share) * neurons / config.multiple + 1e-9) * config.multiple
    if not width:
        raise InputError(
            f"prune.share = {config.share:g}: of the {neurons} neurons of {place} no multiple of {config.multiple} "
            "would stay: lower prune.share or prune.multiple"
        )
    return width


def _count(key: str, wanted: int | None, there: int) -> int:
    if wanted is None:
        return there
    if wanted > there:
        raise InputError(f"prune.{key} = {wanted}: the model has {there}: give as many or fewer")
    return wanted
