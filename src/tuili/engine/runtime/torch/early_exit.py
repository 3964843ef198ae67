"""Early exits: each sequence leaves at the first exit where it is sure enough, or where its limits end.

Sequences that have left are taken out of the batch, so that fewer rows run the next group of layers. `StepPolicy` knows
the limits.

Dimensions: A sequences, N of them that go on, M hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tuili.engine.runtime.runner import StepPolicy
from tuili.engine.runtime.torch.attention_metadata import AttentionMetadata, CachedKeyValues
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.logit_bias import LogitBiases
from tuili.engine.sequence import Sequence


@dataclass
class Exits:
    """Where each of A sequences left.

    logits_AV: of the next token, without biases. depths: layers that ran. top_probs: the probability of the likeliest
    token, with biases. limited: whether the policy made it leave before it was sure.
    """

    logits_AV: Tensor
    depths: list[int]
    top_probs: list[float]
    limited: list[bool]


def run_to_exits(
    model: LeanModel,
    sequences: list[Sequence],
    hidden_A1M: Tensor,
    kv: CachedKeyValues,
    metadata: AttentionMetadata,
    policy: StepPolicy,
    biases: LogitBiases,
    clock: Callable[[], float],
) -> Exits:
    """Run the last token of each sequence, which the trunk has read, as deep as it needs and the policy allows.

    Args:
        clock: the time in seconds, at which an accelerator has done its work.
    """
    count, last = len(sequences), model.config.num_groups
    exits = Exits(hidden_A1M.new_empty(count, model.config.vocab_size), [0] * count, [0.0] * count, [False] * count)
    going, hidden_N1M = list(range(count)), hidden_A1M
    for index, depth in enumerate(model.config.exit_layers):
        running = [sequences[row] for row in going]
        must_leave = [not policy.may_go_deeper(sequence, index, len(going)) for sequence in running]
        may_leave = [each.depth == "auto" or each.min_layers(model.config.exit_layers) <= depth for each in running]
        if any(must_leave) or any(may_leave):
            logits_N1V = model.exit(hidden_N1M)
            top_probs = biases.add_to(logits_N1V, running)[:, 0].softmax(-1).amax(-1).tolist()
            staying, leaving = list[int](), list[int]()
            for place, sequence in enumerate(running):
                sure = sequence.depth != "auto" or top_probs[place] >= sequence.exit_threshold
                wants_to = may_leave[place] and sure
                if must_leave[place] or wants_to:
                    row = going[place]
                    exits.limited[row] = index < last and not wants_to
                    exits.depths[row], exits.top_probs[row] = depth, top_probs[place]
                    leaving.append(place)
                else:
                    staying.append(place)
            if leaving:
                exits.logits_AV[[going[place] for place in leaving]] = logits_N1V[leaving, 0]
            if not staying:
                break
            if len(staying) < len(going):
                rows_N = torch.tensor(staying, device=hidden_A1M.device)
                going = [going[place] for place in staying]
                hidden_N1M, kv, metadata = hidden_N1M[rows_N], kv.some(rows_N), metadata.some(rows_N)
        begun = clock()
        hidden_N1M = model.group(index, hidden_N1M, kv, metadata)
        policy.group_took(len(going), clock() - begun)
    return exits
