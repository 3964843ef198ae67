"""Balancing the experts once more after the last step, without gradients and with equal weight for every domain.

Each training step balances the load of its own blocks, in which long responses and domains of higher weight count more
(`data.weights`, the curriculum). Here each domain has its own blocks, and the load is the mean of their shares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import torch
from torch import Tensor

from tuili.data import Block, Source
from tuili.model import TuiliForCausalLM
from tuili.store import Tokenizer
from tuili.train.build import domain_blocks
from tuili.train.setup import TrainingSetup

RATE = 0.09
"""How far, as a logit, a bias moves in the first round if an expert's load is off by the mean load; each later round
moves it less."""
LARGEST_MOVE = 0.03
"""The largest move of a bias in the first round, as a logit."""


def balance_domains(
    setup: TrainingSetup, sources: Sequence[Source], tokenizer: Tokenizer, rounds: int, tell: Callable[[str], None]
) -> None:
    """Adjust the biases of the second choice in `rounds` rounds, each over one block of every domain of the run.

    `tell` receives what is done and, after the first round, how long the others will take.

    `sources` are the run's; its files are skipped, because their domains are unknown. Only learnt tokens count, each in
    the layers that it would run through at the end of the training.
    """
    tell(f"balancing the experts in {rounds} rounds, every domain weighing the same")
    begun = monotonic()
    streams = domain_blocks(setup.recipe, sources, tokenizer)
    generator = torch.Generator(setup.model.device).manual_seed(setup.recipe.train.seed)
    with _counting(setup.model), torch.no_grad():
        for number in range(rounds):
            shares_DLE = torch.stack([_shares(setup, next(stream), generator) for stream in streams])
            off_LE = 1 - shares_DLE.mean(0) * shares_DLE.shape[-1]
            for router, off_E in zip(setup.model.routers(), off_LE, strict=True):
                router.move_bias((RATE * off_E).clamp(-LARGEST_MOVE, LARGEST_MOVE) * (1 - number / rounds))
            if not number:
                tell(f"the experts will be balanced in about {(monotonic() - begun) * (rounds - 1):.0f} s")


def _shares(setup: TrainingSetup, block: Block, generator: torch.Generator) -> Tensor:
    """Each expert's share of the second choices in a block, layer by layer [L, E]."""
    with setup.plan.autocast():
        setup.objective(block.to(setup.model.device), 1.0, generator)
    load_LE = torch.stack([router.load for router in setup.model.routers()]).float()
    for router in setup.model.routers():
        router.load.zero_()
    return load_LE / load_LE.sum(-1, keepdim=True).clamp(min=1)


@contextmanager
def _counting(model: TuiliForCausalLM) -> Iterator[None]:
    """Inside the `with` block, the model counts its load and does not explore."""
    was_training, exploration = model.training, [router.exploration for router in model.routers()]
    model.train()
    for router in model.routers():
        router.exploration = 0.0
        router.load.zero_()
    try:
        yield
    finally:
        model.train(was_training)
        for router, share in zip(model.routers(), exploration, strict=True):
            router.exploration = share
