"""Conversion of whole-number weights between the network and a model folder, for models trained in whole numbers.

`tuili.store.Quantization` says which tensors these are and how they are laid out; `rounding` rounds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from tuili.errors import ModelFolderError, NotMakeable
from tuili.model.rounding import Rounded, mixed, round_weight
from tuili.native import mixing_of
from tuili.store import SCALE_SUFFIX, WEIGHT_GROUP, Quantization

_HEAD, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def stored_state(
    state: Mapping[str, Tensor], quantization: Quantization, *, foreign: bool = False, tied: bool = True
) -> dict[str, Tensor]:
    """The tensors of a folder, given those of the network. A head that is tied to the embedding is left out.

    foreign: whether the model is an imported one, whose blocks are mixed at 8 bits too. tied: whether the head is the
    embedding; if not, the embedding keeps full numbers.
    Raises `NotMakeable` for weights that are not finite, or too large for 4 bits.
    """
    stored = dict[str, Tensor]()
    for name, tensor in state.items():
        bits = quantization.stored_bits(name, tuple(tensor.shape))
        if name == _HEAD and tied:
            continue
        if bits is None or (name == _EMBEDDING and not tied):
            stored[name] = tensor
            continue
        block = _mixing(quantization, tensor.shape[-1], bits, foreign)
        rounded = round_weight(mixed(tensor.detach().float() / max(1, block), block), bits)
        if not (rounded.scale.isfinite().all() and rounded.number.isfinite().all()):
            raise NotMakeable(f"{name} has weights that are not finite, or too large for {bits} bits")
        if bits == 8:
            stored |= {name: rounded.number.to(torch.int8), name + SCALE_SUFFIX: rounded.scale}
        else:
            stored |= {name: _two_in_a_byte(rounded.number), name + SCALE_SUFFIX: rounded.scale[..., 0].half()}
    return stored


def network_state(stored: Mapping[str, Tensor], *, foreign: bool = False) -> dict[str, Tensor]:
    """The tensors of the network, given those of a folder: the values that whole numbers stand for, in float32.

    foreign: as in `stored_state`.
    """
    state = dict[str, Tensor]()
    for name, tensor in stored.items():
        scale = stored.get(name + SCALE_SUFFIX)
        if scale is None:
            if not name.endswith(SCALE_SUFFIX):
                state[name] = tensor
        elif tensor.dtype is torch.int8:
            value = Rounded(tensor.float(), scale).value
            state[name] = mixed(value, _mixing(Quantization(), value.shape[-1], 8, foreign))
        else:
            group = _one_by_one(tensor).unflatten(-1, (-1, WEIGHT_GROUP))
            value = Rounded(group, scale.float()[..., None], 4).value
            state[name] = mixed(value, Quantization("w4a8").mixing(value.shape[-1]))
    return state


def read_whole_numbers(files: Sequence[Path], *, foreign: bool = False) -> dict[str, Tensor] | None:
    """The tensors of the network from weight files with whole numbers; None, without reading, if there are none.

    foreign: as in `stored_state`.
    Raises `ModelFolderError` if numbers and scales do not fit together.
    """
    if not any(file.suffix == ".safetensors" and _has_scales(file) for file in files):
        return None
    stored = dict[str, Tensor]()
    for file in files:
        stored |= load_file(file)
    try:
        return network_state(stored, foreign=foreign)
    except RuntimeError as error:
        raise ModelFolderError(f"{files[0].parent}: whole numbers and their scales do not fit together") from error


def _mixing(quantization: Quantization, inputs: int, bits: int, foreign: bool) -> int:
    """The number of inputs in a block that is mixed before it is rounded; 0 for no mixing."""
    if bits == 4:
        return quantization.mixing(inputs)
    return mixing_of(inputs) if foreign else 0


def _has_scales(file: Path) -> bool:
    with safe_open(file, "pt") as tensors:
        names: list[str] = tensors.keys()
    return any(name.endswith(SCALE_SUFFIX) for name in names)


def _two_in_a_byte(number: Tensor) -> Tensor:
    """Packs numbers from -8 to 7, [..., G, I], plus 8, into bytes [..., G * I / 2], the first in the low half."""
    low, high = (number.flatten(-2) + 8).to(torch.uint8).unflatten(-1, (-1, 2)).unbind(-1)
    both: Tensor = low | high << 4
    return both


def _one_by_one(byte: Tensor) -> Tensor:
    """Unpacks such bytes into floats [..., G * I]."""
    return torch.stack([byte & 15, byte >> 4], -1).flatten(-2).float() - 8
