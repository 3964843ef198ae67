"""Training exits together with the layers of their model: the second way, which makes another model.

The loss is LayerSkip's: all exits and the full depth predict the text at once (Elhoushi et al., "LayerSkip", 2024,
arXiv:2404.16710). Here exits also learn what full depth predicts, and in every second step some tokens leave, so that
the layers learn to read the keys and values of tokens that left. Confidence heads are trained afterwards. The layers
change by low-rank terms (LoRA, Hu et al. 2021, arXiv:2106.09685), which are added to the weights at the end.

Dimensions: B texts, T tokens, M hidden size, N tokens that predict another one, S tokens that are scored, R rank.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from tuili.config import Config
from tuili.errors import InputError
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.adapters import Head, rate_factor
from tuili.posttrain.exits.network import Exits
from tuili.posttrain.exits.policy import Stop, walk
from tuili.posttrain.exits.states import TaskCallback, batches_of
from tuili.posttrain.exits.text_batch import TextBatch
from tuili.posttrain.exits.texts import Text
from tuili.posttrain.low_rank import add_terms, term_parameters
from tuili.posttrain.optimizer_state import build_optimizers, optimizer_tensors, restore_optimizers
from tuili.train import CheckpointConfig, CheckpointManager

LOG = logging.getLogger(__name__)
_EXTRA_TOKENS = 500
"""Tokens that are scored in a step in addition to those that are likely in it."""


class JointConfig(Config):
    """How the layers of a model learn with its exits."""

    steps: PositiveInt = 400
    texts: PositiveInt = 4
    """Texts per step."""
    rank: PositiveInt = Field(16, le=1024)
    """The rank of the term that is added to a matrix."""
    first_layer: int = Field(4, ge=0)
    """Layers below this one, counted from 0, do not change."""
    learning_rate: PositiveFloat = 1.5e-3
    weight_decay: NonNegativeFloat = 0.01
    exit_weight: NonNegativeFloat = 0.5
    """The weight of an exit's loss; the loss of full depth has weight 1."""
    text_share: NonNegativeFloat = Field(0.5, le=1)
    """The share of the text itself in what an exit learns to predict; the rest is what full depth predicts."""
    prompt_weight: NonNegativeFloat = 0.15
    """The weight of a prompt token; a response token has weight 1."""
    leaving: NonNegativeFloat = Field(0.2, lt=1)
    """The share of response tokens that leave at each exit, drawn at random, in every second step."""
    checkpoint: PositiveInt = 20
    """Steps between two checkpoints."""


def train_jointly(
    backbone: Backbone, exits: Exits, head: Head, texts: Sequence[Text], config: JointConfig, seed: int, folder: Path,
    tell: TaskCallback,
) -> dict[str, Tensor]:  # fmt: skip
    """Train the exits and the layers. Returns the term to be added to each weight matrix, by its name.

    An interrupted training continues from its newest checkpoint in `folder`.
    """
    terms = add_terms(backbone, config.first_layer, config.rank, torch.Generator().manual_seed(seed))
    learning = term_parameters(terms) | {
        f"{depth}.{name}": network.get_parameter(f"{name}.weight")
        for depth, network in exits.items()
        for name in ("down", "up")
    }
    parameters = [*learning.values()]
    optimizers = build_optimizers(learning, config.learning_rate, config.weight_decay)
    vocabulary_S = torch.unique(torch.tensor([token for text in texts for token in text.ids[text.start :]]))
    with CheckpointManager(folder, CheckpointConfig().keep, LOG.warning) as checkpoints:
        done = 0
        if checkpoint := checkpoints.latest():
            restore_optimizers(learning, optimizers, checkpoint)
            done = checkpoint.step
        for step, part in enumerate(steps_of(texts, config, seed)):
            if step < done:
                continue
            batch = TextBatch.of(part)
            generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
            loss = joint_loss(backbone, exits, head, batch, vocabulary_S, config, bool(step % 2), generator)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = config.learning_rate * rate_factor(step, config.steps)
                optimizer.step()
                optimizer.zero_grad()
            if (step + 1) % config.checkpoint == 0 or step + 1 == config.steps:
                checkpoints.save(step + 1, optimizer_tensors(learning, optimizers), {})
            tell("training layers and exits", step + 1, config.steps)
    return {name: term.delta() for name, term in terms.items()}


def hold_out(texts: Sequence[Text], tokens: int, seed: int) -> tuple[list[Text], list[Text]]:
    """The texts to learn from, shuffled, and others that are held out from training: this many tokens of them, and at
    most half of all texts. Raises `InputError` for a single text."""
    if len(texts) < 2:
        raise InputError("one text to learn from is too few: confidences are learnt from others")
    order, held = random.Random(f"{seed}/0").sample(texts, len(texts)), list[Text]()
    while tokens > 0 and len(order) > len(held) + 1:
        held.append(order.pop())
        tokens -= len(held[-1].ids)
    return order, held


def steps_of(texts: Sequence[Text], config: JointConfig, seed: int) -> Iterator[Sequence[Text]]:
    """The texts of each step, in order; when they are used up, they repeat in another order."""
    step, round_number, order = 0, 0, texts
    while True:
        for part in batches_of(order, config.texts):
            if step == config.steps:
                return
            yield part
            step += 1
        round_number += 1
        order = random.Random(f"{seed}/{round_number}").sample(texts, len(texts))


def joint_loss(
    backbone: Backbone, exits: Exits, head: Head, batch: TextBatch, vocabulary_S: Tensor, config: JointConfig,
    leaving: bool, generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """The loss of all exits and of full depth on a batch. leaving: some tokens leave.

    A token that has left has no full depth to learn from, so it does not count in such a step; its effect on later
    tokens does.
    """
    known_N = torch.isin(batch.next_N, vocabulary_S)
    place_N, weight_N = batch.position_N[known_N], torch.where(batch.response_N[known_N], 1.0, config.prompt_weight)
    label_N = torch.searchsorted(vocabulary_S, batch.next_N[known_N])

    def some(stop: Stop) -> Tensor:
        return (torch.rand(stop.going_BT.shape, generator=generator) < config.leaving) & batch.leaving_BT

    stops = [*walk(backbone, exits, batch.ids_BT, some if leaving else None)]
    weight_N = weight_N * stops[-1].going_BT.flatten()[place_N]
    total = weight_N.sum().clamp(min=1)
    rows_SM = head.weight_VM[vocabulary_S].bfloat16()

    def log_probs(adapted_BTM: Tensor, rows_SM: Tensor) -> Tensor:
        read_NM = head.read(adapted_BTM.flatten(0, 1)[place_N])
        return functional.log_softmax((read_NM.bfloat16() @ rows_SM.T).float(), dim=-1)

    full_NS = log_probs(stops[-1].adapted_BTM, rows_SM)
    loss = (functional.nll_loss(full_NS, label_N, reduction="none") * weight_N).sum() / total
    with torch.no_grad():
        prob_NS = full_NS.exp()
        extra = torch.randint(len(vocabulary_S), (_EXTRA_TOKENS,), generator=generator)
        scored_C = torch.unique(torch.cat([label_N, prob_NS.topk(min(3, prob_NS.shape[1])).indices.flatten(), extra]))
        target_NC = prob_NS[:, scored_C] / prob_NS[:, scored_C].sum(-1, keepdim=True)
    narrow_N = torch.searchsorted(scored_C, label_N)
    for stop in stops[:-1]:
        exit_NC = log_probs(stop.adapted_BTM, rows_SM[scored_C])
        to_text_N = functional.nll_loss(exit_NC, narrow_N, reduction="none")
        to_full_N = -(target_NC * exit_NC).sum(-1)
        exit_N = config.text_share * to_text_N + (1 - config.text_share) * to_full_N
        loss = loss + config.exit_weight * (exit_N * weight_N).sum() / total
    return loss
