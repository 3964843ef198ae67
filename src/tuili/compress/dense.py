"""Imported dense networks: samples run through one while its layers are watched, and new ones of other sizes.

Dimensions: B rows, T positions.
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

from tuili.compress.moments import InputMoments
from tuili.compress.network import Network
from tuili.data import Block
from tuili.silence import quiet_transformers


def read_dense(network: Network, prefix: int, watchers: Sequence[InputMoments], blocks: Iterable[Block]) -> None:
    """Run blocks through a model while moments of the inputs of its layers are taken, over real tokens alone.

    prefix: the tokens in front of every row.
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
    """A model of a configuration of transformers but for some fields, its weights new."""
    config = deepcopy(model_config)
    for name, value in changes.items():
        setattr(config, name, value)
    with quiet_transformers():
        return cast(nn.Module, AutoModelForCausalLM.from_config(config, dtype=dtype))


def _all_of(real_BT: Tensor, columns: int) -> Tensor:
    return real_BT
