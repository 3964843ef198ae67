"""Confident adaptive language modeling (Schuster et al. 2022, arXiv 2207.07061): two of its exit rules, on our model.

Softmax: the likeliest token's probability less that of the second. Saturation: the cosine between the states before and
behind the last layer of an exit. CALM's third measure, a trained classifier, is left out. All layers are computed, and
those behind the chosen exit are not counted: this gives the texts and counts of an early exit, not its speed.

Dimensions: B prompts, T columns, Q columns of this step, M hidden size, V vocabulary, E exits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from tuili.model import TuiliForCausalLM

Measure = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Confidence [E, B] from logits [E, B, V] and the states [E, B, M] before and behind the last layer of each exit."""
Rule = tuple[Measure, float]
"""A measure and the threshold at which a token may leave."""


def softmax(logits_EBV: Tensor, before_EBM: Tensor, behind_EBM: Tensor) -> Tensor:
    """The likeliest token's probability less that of the second."""
    first_EB, second_EB = logits_EBV.softmax(-1).topk(2, dim=-1).values.unbind(-1)
    return first_EB - second_EB


def saturation(logits_EBV: Tensor, before_EBM: Tensor, behind_EBM: Tensor) -> Tensor:
    """How little the last layer turned the state."""
    return F.cosine_similarity(before_EBM, behind_EBM, dim=-1)


@torch.inference_mode()
def decode(
    network: TuiliForCausalLM, prompts: Sequence[Sequence[int]], rules: Sequence[Rule], end: int, most: int
) -> list[tuple[list[int], list[int]]]:
    """Greedy responses to prompts, each by its own rule, written together: the tokens and the layers that they took.

    A token leaves at the first exit whose confidence is at least the threshold, at the latest behind the last layer.
    """
    exits, width = network.config.exit_layers, max(map(len, prompts))
    most = min(most, network.config.max_position_embeddings - width)
    id_BT = torch.tensor([[end] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    real_BT = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    cache = DynamicCache(config=network.config)
    written: list[tuple[list[int], list[int]]] = [([], []) for _ in prompts]
    writing = list(range(len(prompts)))
    while writing:
        logits_EBV, before_EBM, behind_EBM = _at_exits(network, id_BT, real_BT, cache)
        measures: list[Measure] = [softmax, saturation]
        sure_EB = {measure: measure(logits_EBV, before_EBM, behind_EBM) for measure in measures}
        going = []
        for place, row in enumerate(writing):
            measure, threshold = rules[row]
            sure_E = sure_EB[measure][:, place] >= threshold
            sure_E[-1] = True
            exit = int(sure_E.int().argmax())
            tokens, depths = written[row]
            tokens.append(int(logits_EBV[exit, place].argmax()))
            depths.append(exits[exit])
            if tokens[-1] != end and len(tokens) < most:
                going.append(place)
        writing = [writing[place] for place in going]
        id_BT = torch.tensor([[written[row][0][-1]] for row in writing])
        kept_B = torch.tensor(going, dtype=torch.long)
        real_BT = F.pad(real_BT[kept_B], (0, 1), value=1)
        cache.batch_select_indices(kept_B)
    return written


def _at_exits(
    network: TuiliForCausalLM, id_BT: Tensor, real_BT: Tensor, cache: DynamicCache
) -> tuple[Tensor, Tensor, Tensor]:
    """Read more columns. Gives, for the last column at each exit, the logits and the states around the last layer."""
    model, size = network.model, network.config.group_layers
    before: list[Tensor] = []
    last_layers = [model.trunk[-1], *(model.reasoning[group * size + size - 1] for group in model.groups())]
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: before.append(inputs[0][:, -1])) for layer in last_layers
    ]
    try:
        hidden_BQM, shared, frame = model.encode(id_BT, real_BT, cache=cache)
        last_BQ = torch.full((len(id_BT), 1), id_BT.shape[1] - 1)
        hidden_BQM, frame = hidden_BQM[:, -1:], frame.at(last_BQ, real_BT[:, -1:].bool())
        behind = [hidden_BQM[:, 0]]
        for group in model.groups():
            hidden_BQM, _ = model.reason(hidden_BQM, shared, frame, group)
            behind.append(hidden_BQM[:, 0])
    finally:
        for hook in hooks:
            hook.remove()
    behind_EBM = torch.stack(behind)
    logits_EBV: Tensor = network.lm_head(model.norm(behind_EBM))
    return logits_EBV, torch.stack(before), behind_EBM
