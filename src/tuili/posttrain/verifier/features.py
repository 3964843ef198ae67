"""What the frozen model makes of chains: the features of their tokens, computed once and kept in a file.

How features are made of states and logits is decided in `tuili.model.verifier`, what the labels mean in `chains`.

Dimensions: A rows, Q tokens of a response, N tokens of all, F features, C chains, E ends of steps and answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tuili.files import whole_file
from tuili.model import TuiliForCausalLM, features_of
from tuili.posttrain.verifier.chains import OWN, RIGHT, Chain
from tuili.tasks import MUTATION_KINDS

SOURCES = (RIGHT, OWN, *MUTATION_KINDS)
ROWS = 16


@dataclass(frozen=True)
class Examples:
    """Chains as features and labels, end to end.

    feature_NF, label_N: of every token. start_C, length_C: where the tokens of a chain are. source_C: a place in
    `SOURCES`. wrong_C: which end is the first behind an error, -1 if none; known_C: whether that is certain.
    end_E, chain_E: the token of each end, and its chain.
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
        """Whether an end is that of the answer."""
        return self.end_E == (self.start_C + self.length_C)[self.chain_E] - 1

    def __len__(self) -> int:
        return len(self.start_C)

    def of(self, *sources: str) -> Tensor:
        """Which chains are of these sources, [C]."""
        return torch.isin(self.source_C, torch.tensor([SOURCES.index(source) for source in sources]))

    def some(self, chosen_C: Tensor) -> Examples:
        """The chains that are True."""
        token_N = chosen_C.repeat_interleave(self.length_C)
        end = chosen_C[self.chain_E]
        length_C = self.length_C[chosen_C]
        start_C = length_C.cumsum(0) - length_C
        chain_E = (chosen_C.cumsum(0) - 1)[self.chain_E[end]]
        moved_E = self.end_E[end] - self.start_C[self.chain_E[end]] + start_C[chain_E]
        own = (self.source_C[chosen_C], self.wrong_C[chosen_C], self.known_C[chosen_C])
        return Examples(self.feature_NF[token_N], self.label_N[token_N], start_C, length_C, *own, moved_E, chain_E)

    def save(self, path: Path) -> None:
        """Write them to a file, whole or not at all."""
        with whole_file(path) as part:
            save_file({field.name: getattr(self, field.name).contiguous() for field in fields(self)}, part)

    @classmethod
    def load(cls, path: Path) -> Examples:
        """Read what `save` has written."""
        return cls(**load_file(path))


def joined(parts: Sequence[Examples]) -> Examples:
    """Several sets as one."""
    tokens, chains = 0, 0
    moved: dict[str, list[Tensor]] = {field.name: [] for field in fields(Examples)}
    for part in parts:
        for name, own in moved.items():
            offset = {"start_C": tokens, "end_E": tokens, "chain_E": chains}.get(name)
            own.append(getattr(part, name) + offset if offset else getattr(part, name))
        tokens, chains = tokens + len(part.label_N), chains + len(part)
    return Examples(**{name: torch.cat(own) for name, own in moved.items()})


def examples(model: TuiliForCausalLM, chains: Sequence[Chain], tell: Callable[[int, int], None]) -> Examples:
    """The chains with what the model makes of them; `tell` is called with how many are done, of how many."""
    length_C = torch.tensor([len(chain.labels) for chain in chains])
    start_C = length_C.cumsum(0) - length_C
    feature_NF: Tensor | None = None
    for done, (places, found) in enumerate(_batches(model, chains)):
        if feature_NF is None:
            feature_NF = torch.empty(int(length_C.sum()), found.shape[-1], dtype=torch.bfloat16)
        for place, feature_QF in zip(places, found, strict=True):
            start, length = int(start_C[place]), int(length_C[place])
            feature_NF[start : start + length] = feature_QF[:length]
        tell(min(len(chains), (done + 1) * ROWS), len(chains))
    assert feature_NF is not None, "no chain"
    return Examples(
        feature_NF,
        torch.tensor([mark for chain in chains for mark in chain.labels], dtype=torch.int8),
        start_C,
        length_C,
        torch.tensor([SOURCES.index(chain.source) for chain in chains]),
        torch.tensor([-1 if chain.wrong is None else chain.wrong for chain in chains]),
        torch.tensor([chain.known for chain in chains]),
        torch.tensor([int(start_C[place]) + end for place, chain in enumerate(chains) for end in chain.ends]),
        torch.tensor([place for place, chain in enumerate(chains) for _ in chain.ends]),
    )


def _batches(model: TuiliForCausalLM, chains: Sequence[Chain]) -> Iterator[tuple[list[int], Tensor]]:
    """Places of chains of about one length, and the features [A, Q, F] of their responses, filled up."""
    order = sorted(range(len(chains)), key=lambda place: len(chains[place].ids))
    for first in range(0, len(order), ROWS):
        places = order[first : first + ROWS]
        yield places, features_of(model, [(chains[place].ids, chains[place].prompt) for place in places])
