"""Recovery: distils the parent's predictions into the changed model (forward KL; Hinton et al. 2015, arXiv 1503.02531).

The learner is a `Network`, trained in steps of `tuili.posttrain.LearningSession`. The divergence is computed from
states, in parts, so that the logits of a large vocabulary need not be in memory all at once.

Dimensions: N learnt tokens, M hidden size, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from tuili.compress.network import Network, TokenStates
from tuili.data import Block

Divergence = Callable[[TokenStates, TokenStates], tuple[Tensor, Tensor, Tensor]]
"""Computes the divergence of a teacher's and a student's predictions, with the results of `forward_kl`."""
LOGITS_AT_A_TIME = 1 << 25
"""The most logits of a model that are in memory at a time."""


class Student(ABC):
    """A network that learns, as a `LearningNetwork`; subclasses define the loss."""

    def __init__(self, student: Network) -> None:
        self._student = student

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """The trained parameters."""
        return self._student.parameters

    @abstractmethod
    def learn(self, block: Block, step: int) -> dict[str, float]:
        """See `LearningNetwork`."""

    def follow(self, scale: float) -> None:
        """See `LearningNetwork`."""
        self._student.follow(scale)

    def tensors(self) -> Mapping[str, Tensor]:
        """See `LearningNetwork`."""
        return self._student.tensors()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """See `LearningNetwork`."""
        self._student.load(tensors)


class HealedNetwork(Student):
    """A student that learns what its teacher predicts."""

    def __init__(self, student: Network, teacher: Network, divergence: Divergence | None = None) -> None:
        super().__init__(student)
        self._teacher, self._divergence = teacher, divergence or forward_kl

    def learn(self, block: Block, step: int) -> dict[str, float]:
        """See `LearningNetwork`. Figures: `loss`, the divergence in nats per token; `agreement`, the share of tokens at
        which both find the same next token likeliest; `accuracy`, the share that the student predicts correctly."""
        with torch.no_grad():
            aim = self._teacher.read(block, step)
        states = self._student.read(block, step)
        divergence, agrees_N, right_N = self._divergence(aim, states)
        (divergence + states.penalty).backward()
        self._student.take_gradients()
        return {
            "loss": divergence.item(),
            "agreement": agrees_N.float().mean().item(),
            "accuracy": right_N.float().mean().item(),
        }


def forward_kl(teacher: TokenStates, student: TokenStates) -> tuple[Tensor, Tensor, Tensor]:
    """The mean divergence of a student's predictions from its teacher's, over the learnt tokens, in nats.

    Also, for each token, whether both find the same next token likeliest, and whether the student's is right.
    """
    return _in_parts(teacher, student, reverse=False)


def reverse_kl(teacher: TokenStates, student: TokenStates) -> tuple[Tensor, Tensor, Tensor]:
    """As `forward_kl`, with the mean divergence of the teacher's predictions from the student's: it leads the student
    away from what the teacher would not say (Gu et al. 2023, arXiv 2306.08543)."""
    return _in_parts(teacher, student, reverse=True)


def _in_parts(teacher: TokenStates, student: TokenStates, reverse: bool) -> tuple[Tensor, Tensor, Tensor]:
    rows = max(1, LOGITS_AT_A_TIME // len(student.head_VM))
    parts = list(zip(teacher.hidden_NM.split(rows), student.hidden_NM.split(rows), strict=True))
    sums, agrees, likeliest = list[Tensor](), list[Tensor](), list[Tensor]()
    for aim_NM, hidden_NM in parts:
        given = (teacher, aim_NM, student, hidden_NM, reverse)
        # With several parts, each is recomputed in the backward pass instead of stored.
        part = _part_of_kl(*given) if len(parts) == 1 else checkpoint(_part_of_kl, *given, use_reentrant=False)
        for collected, value in zip((sums, agrees, likeliest), part, strict=True):
            collected.append(value)
    mean = torch.stack(sums).sum() / max(1, len(student.target_N))
    return mean, torch.cat(agrees), torch.cat(likeliest) == student.target_N


def _part_of_kl(
    teacher: TokenStates, aim_NM: Tensor, student: TokenStates, hidden_NM: Tensor, reverse: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The sum of the divergences, whether both models agree on the likeliest token, and the student's likeliest."""
    with torch.no_grad():
        aim_NV = teacher.logits(aim_NM).log_softmax(-1)
    logits_NV = student.logits(hidden_NM).log_softmax(-1)
    likeliest_N = logits_NV.detach().argmax(-1)
    if reverse:
        divergence = (logits_NV.exp() * (logits_NV - aim_NV)).sum()
    else:
        divergence = functional.kl_div(logits_NV, aim_NV, reduction="sum", log_target=True)
    return divergence, aim_NV.argmax(-1) == likeliest_N, likeliest_N
