"""Factorisation as a `Compression`: replaces the matrices of a model by factors, within a number of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from tuili.compress.compression import Compression
from tuili.compress.dense import dense_moments
from tuili.compress.factorising.allocation import dynamic, least_parameters, uniform
from tuili.compress.factorising.imported import dense_matrices, factorised_imported
from tuili.compress.factorising.options import Decomposed, Option, without_data
from tuili.compress.factorising.own import factorised_own, matrices_of, with_ranks
from tuili.compress.factorising.recipe import FactoriseConfig
from tuili.compress.factorising.sensitivity import divergences
from tuili.compress.factorising.trial import decomposing, sensing
from tuili.compress.imported import ImportedParent
from tuili.compress.moments import damped, moment_bytes
from tuili.compress.own import OwnParent
from tuili.compress.parent import Parent, Samples
from tuili.compress.reading import moments_of
from tuili.compress.trial import Part, Tried, sampled, silent
from tuili.compress.watch import Watch
from tuili.data import Block
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM, factorised_dense
from tuili.store import DenseShape, ModelShape, Rank, count_parameters, matrix_shapes

LEAST_DIVERGENCE = 1e-9
"""In nats per token; a matrix whose approximation changes less counts as if it changed this much."""


class Factorising(Compression):
    """One factorisation of one parent."""

    step = "factorise"

    def __init__(self, parent: Parent, config: FactoriseConfig) -> None:
        super().__init__(parent)
        self._config, shape = config, parent.shape
        if isinstance(parent, ImportedParent) and config.bases == "shared":
            raise InputError(f"factorise.bases = shared: {parent.path} is imported and has no experts: leave bases out")
        if shape.ranks:
            raise InputError(f"{parent.path} is factorised already: factorise its parent, with a lower keep")
        self._shape = shape
        self._sizes = matrix_shapes(shape)
        total = count_parameters(shape).total
        self._others = total - sum(prod(sizes) for sizes in self._sizes.values())
        self._budget = int(config.keep * total) - self._others
        self._planned = [without_data(sizes, config.multiple) for sizes in self._sizes.values()]
        self._refuse_too_few(self._planned)
        self._ranks: Mapping[str, Rank] | None = None
        self._figures: Mapping[str, float] = {}

    @property
    def recipe(self) -> Mapping[str, Any]:
        """See `Compression`."""
        return self._config.model_dump(mode="json")

    @property
    def shape(self) -> ModelShape | DenseShape:
        """See `Compression`; uniform ranks until the ranks are chosen."""
        return replace(self._shape, ranks=self.ranks)

    @property
    def changes(self) -> Mapping[str, str]:
        """See `Compression`."""
        of_others = f"{self._others:,} parameters stay as they are"
        ranks = f"{self._config.ranks}, multiples of {self._config.multiple}"
        told = f"at most {self._budget:,} parameters for {len(self._sizes)} matrices and stacks of experts, {of_others}"
        return {"factors": told, "ranks": ranks}

    @property
    def sample_bytes(self) -> int:
        """See `Compression`: second moments, their damped copies, and decompositions in float32, which take no more
        than the matrices."""
        moments = 2 * moment_bytes(self._shape) if self._config.by == "whitened" else 0
        return moments + 4 * sum(map(prod, self._sizes.values()))

    @property
    def decisions(self) -> Mapping[str, Any]:
        """See `Compression`: the ranks."""
        return {"ranks": self._ranks, "figures": self._figures}

    def recall(self, decisions: Mapping[str, Any]) -> None:
        """See `Compression`."""
        ranks = {name: tuple(rank) if isinstance(rank, list) else rank for name, rank in decisions["ranks"].items()}
        replace(self._shape, ranks=ranks)  # refuses ranks that its matrices cannot have
        self._ranks, self._figures = ranks, dict(decisions["figures"])

    @property
    def figures(self) -> Mapping[str, float]:
        """See `Compression`."""
        return self._figures

    def blank(self, stage: int) -> nn.Module:
        """See `Compression`."""
        if isinstance(self.parent, ImportedParent):
            ranks = {name: rank for name, rank in self.ranks.items() if isinstance(rank, int)}
            blank: nn.Module = factorised_dense(self.parent.transformers_config, ranks, self.parent.compute_dtype)
            return blank
        assert isinstance(self.parent, OwnParent)
        return TuiliForCausalLM(with_ranks(self.parent.configuration, self.ranks))

    def change(self, stage: int, model: nn.Module, samples: Samples, watch: Watch) -> nn.Module:
        """See `Compression`: replaces matrices by factors."""
        config, weights = self._config, self._matrices(model)
        moments = self._moments(model, samples, watch)
        decomposed = {}
        for name, sizes in watch.counted([*self._sizes.items()], "decomposition", "matrices"):
            weight_EOI = weights[name].detach().view(-1, *sizes[-2:])
            decomposed[name] = Decomposed(weight_EOI, moments[name], sizes, config.multiple, config.bases)
        options = [each.options for each in decomposed.values()]
        self._refuse_too_few(options)
        even = uniform(options, self._budget)
        chosen = even
        if config.ranks == "dynamic":
            matters = self._sensitivities(model, decomposed, even, samples, watch)
            chosen = dynamic(options, matters, self._budget)
        ranks = {name: option.rank for name, option in zip(decomposed, chosen, strict=True) if option.rank is not None}
        self._ranks, self._figures = ranks, _figures(chosen) | _compared(decomposed.values(), even)
        watch.tell(_told(self._sizes, chosen))
        factors = {name: decomposed.pop(name).factors(rank) for name, rank in ranks.items()}
        if isinstance(model, TuiliForCausalLM):
            return factorised_own(model, factors)
        return factorised_imported(model, factors)

    def parts(self, tried: Tried) -> Iterator[Part]:
        """See `Compression`."""
        config, model, moments = self._config, self.parent.load(), dict[str, Tensor]()

        def read(blocks: Iterable[Block]) -> None:
            moments.update(self._moments(model, lambda documents: iter(blocks), silent()))

        if config.by == "whitened":
            yield sampled(config.samples, tried.block, read)
        else:
            read(())
        yield from decomposing(self._matrices(model), moments, self._sizes, config)
        if config.ranks == "dynamic":
            network = self.parent.network(model, learns=False)
            yield sensing(network, len(self._even_ranks), config.probes, tried.block)

    def _matrices(self, model: nn.Module) -> dict[str, nn.Parameter]:
        if isinstance(model, TuiliForCausalLM):
            return matrices_of(model)
        return dense_matrices(model, self._sizes)

    def _moments(self, model: nn.Module, samples: Samples, watch: Watch) -> dict[str, Tensor]:
        """Second moments of the inputs of each matrix, or identity matrices for plain factors."""
        if self._config.by == "plain":
            stacks = {name: (1 if len(sizes) == 2 else sizes[0], sizes[-1]) for name, sizes in self._sizes.items()}
            units = {inputs: torch.eye(inputs) for _, inputs in stacks.values()}
            return {name: units[inputs].expand(count, -1, -1) for name, (count, inputs) in stacks.items()}
        watch.tell(f"second moments on {self._config.samples} documents")
        blocks, parent = samples(self._config.samples), self.parent
        if isinstance(model, TuiliForCausalLM):
            found = moments_of(model, self._sizes, blocks)
        else:
            assert isinstance(parent, ImportedParent)
            network = parent.network(model, learns=False)
            found = dense_moments(model, network, parent.prefix, self._sizes, blocks)
        return {name: damped(moment, self._config.damping) for name, moment in found.items()}

    def _sensitivities(
        self, model: nn.Module, decomposed: Mapping[str, Decomposed], even: Sequence[Option],
        samples: Samples, watch: Watch,
    ) -> list[float]:  # fmt: skip
        """For each matrix, the nats per token lost, divided by the error of its approximation with uniform ranks."""
        ranks, errors = dict[str, Rank](), dict[str, float]()
        for name, option in zip(decomposed, even, strict=True):
            if option.rank is not None:
                ranks[name], errors[name] = option.rank, option.error

        def approximation(name: str) -> Tensor:
            each = decomposed[name]
            return each.factors(ranks[name]).product_EOI.reshape(each.sizes)

        network = self.parent.network(model, learns=False)
        blocks = list(samples(self._config.probes))
        found = divergences(network, self._matrices(model), [*ranks], approximation, blocks, watch)
        lost = {name: max(found[name], LEAST_DIVERGENCE) for name in found}
        measured = {name: lost[name] / errors[name] if errors[name] > 0 else 0.0 for name in found}
        most = max(measured.values(), default=1.0)  # matrices that uniform ranks leave whole were not measured
        return [measured.get(name, most) for name in decomposed]

    @cached_property
    def _even_ranks(self) -> dict[str, Rank]:
        """Uniform ranks of separate factors, for estimates before samples are read."""
        chosen = uniform(self._planned, self._budget)
        return {name: option.rank for name, option in zip(self._sizes, chosen, strict=True) if option.rank is not None}

    @property
    def ranks(self) -> Mapping[str, Rank]:
        """The ranks of the matrices that become factors; uniform ranks until samples have chosen them."""
        return self._even_ranks if self._ranks is None else self._ranks

    def _refuse_too_few(self, options: Sequence[Sequence[Option]]) -> None:
        least = least_parameters(options)
        if least > self._budget:
            total = count_parameters(self._shape).total
            possible = (self._others + least) / total
            raise InputError(
                f"factorise.keep = {self._config.keep:g}: with ranks of {self._config.multiple} {possible:.3f} is the "
                "least: raise it, or lower factorise.multiple"
            )


def _figures(chosen: Sequence[Option]) -> dict[str, float]:
    factors = [option.rank for option in chosen if option.rank is not None]
    return {"factors": float(len(factors)), "shared_bases": float(sum(isinstance(rank, tuple) for rank in factors))}


def _compared(decomposed: Iterable[Decomposed], even: Sequence[Option]) -> dict[str, float]:
    """The loss of shared bases divided by that of separate factors, with the parameters of uniform ranks, averaged over
    stacks."""
    found = [each.shared_over_separate(option.parameters) for each, option in zip(decomposed, even, strict=True)]
    known = [ratio for ratio in found if ratio is not None]
    return {"shared_over_separate": sum(known) / len(known)} if known else {}


def _told(sizes: Mapping[str, Sequence[int]], chosen: Sequence[Option]) -> str:
    figures, stacks = _figures(chosen), sum(len(each) == 3 for each in sizes.values())
    return (
        f"{figures['factors']:.0f} of {len(sizes)} matrices become factors; the experts of "
        f"{figures['shared_bases']:.0f} of {stacks} stacks share bases"
    )
