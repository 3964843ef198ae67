"""At which exits the tokens of a text leave a model of Tuili's own kind, for various thresholds.

The states at all exits are read once; a threshold then decides for each token.

Dimensions: D exits, N learnt tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuili.compress.watch import Watch
from tuili.data import IGNORE_INDEX, Block
from tuili.model import TuiliForCausalLM
from tuili.posttrain import Reading, choose_threshold

THRESHOLD_TRIES = 8


@dataclass(frozen=True)
class ExitReadings:
    """What each exit predicts for the learnt tokens of some blocks: the likeliest next token, and its probability.

    depth_D: the number of layers before each exit.
    """

    depth_D: Tensor
    token_DN: Tensor
    probability_DN: Tensor

    @property
    def full_depth(self) -> Reading:
        """All tokens at full depth. The full-depth predictions serve here as the targets."""
        return Reading(self.depth_D[-1].expand(self.token_DN.shape[1]), self.token_DN[-1], self.token_DN[-1])

    def leaving_at(self, threshold: float) -> Reading:
        """Each token at the first exit whose probability reaches the threshold, or else at full depth."""
        sure_DN = self.probability_DN >= threshold
        sure_DN[-1] = True
        exit_1N = sure_DN.int().argmax(0, keepdim=True)  # the first of equal ones
        return Reading(self.depth_D[exit_1N[0]], self.token_DN.gather(0, exit_1N)[0], self.token_DN[-1])


def agreement_loss(exits: ExitReadings, threshold: float) -> float:
    """The percentage of tokens that differ from full depth if tokens leave at a threshold."""
    return 100 * (1 - exits.leaving_at(threshold).accuracy)


@torch.inference_mode()
def read_exits(model: TuiliForCausalLM, blocks: Iterable[Block]) -> ExitReadings:
    """Read the learnt tokens of blocks at every exit of a model, in its own numeric format."""
    was_training = model.training
    model.train(False)
    read = [_read_block(model, block) for block in blocks]
    model.train(was_training)
    token_DN, probability_DN = (torch.cat(of_blocks, dim=1).cpu() for of_blocks in zip(*read, strict=True))
    return ExitReadings(torch.tensor(model.config.exit_layers), token_DN, probability_DN)


def choose_exits(
    parent: TuiliForCausalLM, model: TuiliForCausalLM, blocks: Sequence[Block], watch: Watch
) -> dict[str, float]:
    """Set the model's exit threshold to the lowest that keeps it as close to its own full depth as its parent is to the
    parent's. Returns figures for its lineage."""
    before, exits = (
        read_exits(one, watch.counted(blocks, f"choice of exits, {whose}", "blocks"))
        for one, whose in ((parent, "the parent"), (model, "the smaller model"))
    )
    tolerated = agreement_loss(before, parent.config.exit_threshold)
    threshold, _ = choose_threshold(exits.leaving_at, exits.full_depth, tolerated, THRESHOLD_TRIES)
    depth, depth_before = (
        one.leaving_at(at).mean_depth for one, at in ((exits, threshold), (before, parent.config.exit_threshold))
    )
    watch.tell(
        f"tokens leave at a probability of {threshold:.3f}, behind {depth:.2f} of {model.config.exit_layers[-1]} "
        f"layers on average; the parent's left at {parent.config.exit_threshold:g}, behind {depth_before:.2f} of "
        f"{parent.config.exit_layers[-1]}"
    )
    model.config.exit_threshold = threshold
    return {"exit_threshold": threshold, "mean_depth_before": depth_before, "mean_depth": depth}


def _read_block(model: TuiliForCausalLM, block: Block) -> tuple[Tensor, Tensor]:
    """The likeliest next token after each learnt token at each exit, and its probability."""
    network, learnt_BT = model.model, block.targets_BT != IGNORE_INDEX
    real_BT = block.documents_BT >= 0
    mask_BT = None if bool(real_BT.all()) else real_BT
    hidden_BTM, shared, frame = network.encode(block.tokens_BT, mask_BT, block.positions_BT)
    tokens, probabilities = [], []
    for exit in range(model.config.num_groups + 1):
        if exit:
            hidden_BTM, _ = network.reason(hidden_BTM, shared, frame, exit - 1)
        logits_NV = model.lm_head(network.norm(hidden_BTM[learnt_BT]))
        best_N = logits_NV.float().softmax(-1).max(-1)
        tokens.append(best_N.indices)
        probabilities.append(best_N.values)
    return torch.stack(tokens), torch.stack(probabilities)
