"""Examples: chains with the frozen model's features of their tokens, computed once and stored in a file.

`tuili.model` computes features from states and logits, and `chains` defines the meaning of the labels.

Dimensions: A rows, Q tokens of a response, N tokens of all chains, F features, C chains, E ends of steps and answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tuili.files import whole_file
from tuili.posttrain.verifier.chains import CORRECT, GENERATED, Chain, ProgressCallback
from tuili.tasks import MUTATION_KINDS

SOURCES = (CORRECT, GENERATED, *MUTATION_KINDS)
ReadCallback = Callable[[Sequence[tuple[Sequence[int], int]]], Tensor]
"""Returns the features of responses, as `Generator.features` does."""
FORWARD_BATCH_CHAINS = 16
"""Chains that the model reads at once."""


@dataclass(frozen=True)
class Examples:
    """Features and labels of chains, one chain after the other.

    feature_NF, label_N: of every token of the responses.
    start_C, length_C: the first token of each chain, and how many tokens it has.
    source_C: an index in `SOURCES`.
    wrong_C: which end of the chain is the first one after an error, -1 if there is none.
    known_C: whether that is certain.
    end_E, chain_E: the token of each end, and the chain that it belongs to.
    """

    feature_NF: Tensor
    label_N: Tensor
    start_C: Tensor
    length_C: Tensor
    source_C: Tensor
    wrong_C: Tensor
    known_C: Tensor
    end_E: Tensor
    chain_E: Tensor

    @property
    def last_E(self) -> Tensor:
        """Whether an end is the end of the answer."""
        return self.end_E == (self.start_C + self.length_C)[self.chain_E] - 1

    def __len__(self) -> int:
        return len(self.start_C)

    def from_sources(self, *sources: str) -> Tensor:
        """Which chains come from these sources, [C]."""
        return torch.isin(self.source_C, torch.tensor([SOURCES.index(source) for source in sources]))

    def select(self, chosen_C: Tensor) -> Examples:
        """The chains for which `chosen_C` is true."""
        token_N = chosen_C.repeat_interleave(self.length_C)
        end_E = chosen_C[self.chain_E]
        length_C = self.length_C[chosen_C]
        start_C = length_C.cumsum(0) - length_C
        chain_E = (chosen_C.cumsum(0) - 1)[self.chain_E[end_E]]
        moved_E = self.end_E[end_E] - self.start_C[self.chain_E[end_E]] + start_C[chain_E]
        of_chains = (self.source_C[chosen_C], self.wrong_C[chosen_C], self.known_C[chosen_C])
        return Examples(
            self.feature_NF[token_N], self.label_N[token_N], start_C, length_C, *of_chains, moved_E, chain_E
        )

    def save(self, path: Path) -> None:
        """Write the examples to a file, completely or not at all."""
        with whole_file(path) as part:
            save_file({field.name: getattr(self, field.name).contiguous() for field in fields(self)}, part)

    @classmethod
    def load(cls, path: Path) -> Examples:
        """Read what `save` has written."""
        return cls(**load_file(path))


def concatenate(parts: Sequence[Examples]) -> Examples:
    """Join several sets into one."""
    tokens, chains = 0, 0
    moved: dict[str, list[Tensor]] = {field.name: [] for field in fields(Examples)}
    for part in parts:
        for name, tensors in moved.items():
            offset = {"start_C": tokens, "end_E": tokens, "chain_E": chains}.get(name)
            tensors.append(getattr(part, name) + offset if offset else getattr(part, name))
        tokens, chains = tokens + len(part.label_N), chains + len(part)
    return Examples(**{name: torch.cat(tensors) for name, tensors in moved.items()})


def build_examples(
    read: ReadCallback,
    chains: Sequence[Chain],
    tell: ProgressCallback,
    reading_order: Callable[[Chain], tuple[int, ...]] = lambda chain: (len(chain.ids),),
) -> Examples:
    """The chains with the features from `read`, in their order; there must be at least one chain."""
    length_C = torch.tensor([len(chain.labels) for chain in chains])
    start_C = length_C.cumsum(0) - length_C
    feature_NF: Tensor | None = None
    for batch, (places, feature_AQF) in enumerate(_batches(read, chains, reading_order)):
        if feature_NF is None:
            feature_NF = torch.empty(int(length_C.sum()), feature_AQF.shape[-1], dtype=torch.bfloat16)
        for place, feature_QF in zip(places, feature_AQF, strict=True):
            start, length = int(start_C[place]), int(length_C[place])
            feature_NF[start : start + length] = feature_QF[:length]
        tell(min(len(chains), (batch + 1) * FORWARD_BATCH_CHAINS), len(chains))
    assert feature_NF is not None, "no chain"
    return Examples(
        feature_NF,
        torch.tensor([label for chain in chains for label in chain.labels], dtype=torch.int8),
        start_C,
        length_C,
        torch.tensor([SOURCES.index(chain.source) for chain in chains]),
        torch.tensor([-1 if chain.wrong is None else chain.wrong for chain in chains]),
        torch.tensor([chain.known for chain in chains]),
        torch.tensor([int(start_C[place]) + end for place, chain in enumerate(chains) for end in chain.ends]),
        torch.tensor([place for place, chain in enumerate(chains) for _ in chain.ends]),
    )


def _batches(
    read: ReadCallback, chains: Sequence[Chain], reading_order: Callable[[Chain], tuple[int, ...]]
) -> Iterator[tuple[list[int], Tensor]]:
    """The places of some chains, and the features [A, Q, F] of their responses, padded at the end."""
    order = sorted(range(len(chains)), key=lambda place: reading_order(chains[place]))
    for first in range(0, len(order), FORWARD_BATCH_CHAINS):
        places = order[first : first + FORWARD_BATCH_CHAINS]
        yield places, read([(chains[place].ids, chains[place].prompt) for place in places])
