"""Pruning as a `Compression`: in rounds, from the parent's sizes to those of the recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from tuili.compress.compression import Compression
from tuili.compress.imported import ImportedParent
from tuili.compress.own import OwnParent
from tuili.compress.parent import Parent, Samples
from tuili.compress.pruning.imported import (
    blank_dense,
    cut_dense,
    dense_parts,
    dense_scores,
    reconstruct_dense,
)
from tuili.compress.pruning.kept import choose
from tuili.compress.pruning.own import blank_own, cut_own, own_parts, own_scores, reconstruct_own
from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.reconstruction import reconstruction_bytes
from tuili.compress.pruning.sizes import Sizes, pruned_sizes
from tuili.compress.trial import Part, Tried
from tuili.compress.watch import Watch
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM
from tuili.store import DenseShape, ModelShape


class Pruning(Compression):
    """One pruning of one parent."""

    step = "prune"

    def __init__(self, parent: Parent, config: PruneConfig) -> None:
        super().__init__(parent)
        if parent.shape.ranks:
            raise InputError(f"{parent.path} is factorised: prune its parent, and factorise what comes out")
        self._config, self.stages = config, config.rounds
        self._before, self._after = Sizes.of(parent.shape), pruned_sizes(parent.shape, config)
        least = max(1, 2 * (config.rounds - 1))  # the last round has half of all steps
        if 0 < config.healing.steps < least:
            raise InputError(
                f"prune.healing.steps = {config.healing.steps}: {config.rounds} rounds recover in {least} or more; "
                "give as many, or 0 for no recovery"
            )

    @property
    def recipe(self) -> Mapping[str, Any]:
        """See `Compression`."""
        return self._config.model_dump(mode="json")

    @property
    def shape(self) -> ModelShape | DenseShape:
        """See `Compression`."""
        return self._after.shape_from(self.parent.shape)

    @property
    def sample_bytes(self) -> int:
        """See `Compression`: second moments of the inputs of those matrices that lose inputs."""
        return reconstruction_bytes(self.parent.shape, self._after) if self._config.by == "reconstruction" else 0

    @property
    def changes(self) -> Mapping[str, str]:
        """See `Compression`."""
        before, after = self._before, self._after
        told = {
            "neurons of a feed-forward layer": (before.feed_forward, after.feed_forward),
            "neurons of an expert": (before.expert, after.expert),
            "experts of a layer": (before.experts, after.experts),
            "heads of keys and values": (before.heads, after.heads),
        }
        return {name: f"{was} -> {now} ({now / was - 1:+.0%})" for name, (was, now) in told.items() if was != now}

    def sizes(self, stage: int) -> Sizes:
        """The sizes of the model in a stage."""
        return self._before.towards(self._after, (stage + 1) / self.stages, self._config.multiple)

    def blank(self, stage: int) -> nn.Module:
        """See `Compression`."""
        if isinstance(self.parent, ImportedParent):
            return blank_dense(self.parent.transformers_config, self.sizes(stage), self.parent.compute_dtype)
        assert isinstance(self.parent, OwnParent)
        return blank_own(self.parent.configuration, self.sizes(stage))

    def change(self, stage: int, model: nn.Module, samples: Samples, watch: Watch) -> nn.Module:
        """See `Compression`: removes parts, and lets the rest compensate for them if the recipe says so."""
        config, parent, sizes = self._config, self.parent, self.sizes(stage)
        told = [config.by] * self._loses + [config.experts_by] * (config.experts is not None)
        watch.tell(f"round {stage + 1} of {self.stages}: scores by {' and '.join(told)}")
        blocks = samples(config.samples)
        if isinstance(model, TuiliForCausalLM):
            assert isinstance(parent, OwnParent)
            if self._reconstructs:
                return cut_own(model, reconstruct_own(model, config, sizes, blocks, watch), sizes)
            return cut_own(model, choose(own_scores(model, config, blocks), sizes), sizes)
        assert isinstance(parent, ImportedParent) and isinstance(parent.shape, DenseShape)
        network = parent.network(model, learns=False)
        if self._reconstructs:
            return cut_dense(model, reconstruct_dense(model, network, parent.prefix, sizes, blocks, watch), sizes)
        return cut_dense(model, choose(dense_scores(model, network, parent.prefix, config, blocks), sizes), sizes)

    def parts(self, tried: Tried) -> Iterator[Part]:
        """See `Compression`: each round takes about as long as the first one."""
        config, parent, sizes, model = self._config, self.parent, self.sizes(0), self.parent.load()
        if isinstance(model, TuiliForCausalLM):
            found = own_parts(model, config, sizes, tried.block, self._reconstructs)
        else:
            assert isinstance(parent, ImportedParent)
            network = parent.network(model, learns=False)
            found = dense_parts(model, network, parent.prefix, config, sizes, tried.block, self._reconstructs)
        for part in found:
            yield part.repeated(self.stages)

    @property
    def _loses(self) -> bool:
        """Whether neurons or heads are removed."""
        return bool(self._config.share or self._config.key_value_heads)

    @property
    def _reconstructs(self) -> bool:
        return self._loses and self._config.by == "reconstruction"
