"""Imported dense networks: runs samples through one while its layers are watched, and makes new ones of other sizes.

Dimensions: B rows, T positions, E a stack of one, I inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from tuili.compress.moments import InputMoments, products
from tuili.compress.network import Network
from tuili.data import Block
from tuili.silence import quiet_transformers

_READS_AS = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
"""Linear layers, each with another layer that has the same inputs."""


def dense_moments(
    model: Any, network: Network, prefix: int, names: Iterable[str], blocks: Iterable[Block]
) -> dict[str, Tensor]:
    """The second moments [E, I, I] of the inputs of each of these layers, over real tokens only.

    network: reads the model. prefix: the number of tokens before every row.
    """
    names = [*names]
    read_as = {name: other if (other := _with_inputs_of(name)) in names else name for name in names}
    watchers = {
        name: InputMoments(model.model.get_submodule(name), products) for name in dict.fromkeys(read_as.values())
    }
    read_dense(network, prefix, [*watchers.values()], blocks)
    means = {name: watcher.mean[None] for name, watcher in watchers.items()}
    return {name: means[other] for name, other in read_as.items()}


def read_dense(network: Network, prefix: int, watchers: Sequence[InputMoments], blocks: Iterable[Block]) -> None:
    """Run blocks through a model while the watchers take moments of its layers' inputs, over real tokens only.

    prefix: the number of tokens before every row.
    """
    with ExitStack() as stack, torch.inference_mode():
        for watcher in watchers:
            stack.enter_context(watcher.watching())
        for block in blocks:
            real_BT = nn.functional.pad(block.documents_BT >= 0, (prefix, 0))
            for watcher in watchers:
                watcher.counts = partial(_all_of, real_BT)
            network.read(block, 0)


def new_dense(model_config: Any, dtype: torch.dtype, **changes: Any) -> nn.Module:
    """A model with new weights, from a transformers configuration with some fields changed."""
    config = deepcopy(model_config)
    for name, value in changes.items():
        setattr(config, name, value)
    with quiet_transformers():
        return cast(nn.Module, AutoModelForCausalLM.from_config(config, dtype=dtype))


def _all_of(real_BT: Tensor, columns: int) -> Tensor:
    return real_BT


def _with_inputs_of(name: str) -> str:
    place, _, last = name.rpartition(".")
    return f"{place}.{_READS_AS.get(last, last)}"
