"""A model to be run in torch: read from its folder, or already in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from tuili.engine.runtime.choice import Numbers
from tuili.engine.runtime.source import ModelInTorch, exits_of, thinking_of
from tuili.engine.runtime.torch.dense_model import DenseModel
from tuili.errors import InputError
from tuili.model import LoadedModel, TuiliForCausalLM, load_model, network_state, stored_state
from tuili.store import DenseShape, ImportedModel, StoredModel, Tokenizer, open_tensors

_EMBEDDING = "model.embed_tokens.weight"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""Number formats that torch's weights may have; int8 is made from either."""


def model_in_torch(source: StoredModel | ModelInTorch, numbers: Numbers, device: str = "cpu") -> LoadedModel:
    """Get the model. If it is read from a folder, it is copied to its own memory, so its files may be overwritten.

    device: where a model that is read goes.

    Raises `InputError` for a model in memory whose weights have another format than the requested one.
    """
    if isinstance(source, StoredModel):
        loaded = load_model(source.path, DTYPES.get(numbers, torch.float32))
        for tensor in (*loaded.model.parameters(), *loaded.model.buffers()):
            tensor.data = tensor.data.clone()
        source.check_unchanged()
        nn.Module.to(loaded.model, device)  # the library's own `to` has another type
        return loaded
    _check_dtype(source.model, numbers)
    assert isinstance(source.tokenizer, Tokenizer)
    return LoadedModel(source.model, source.tokenizer, source.path)


def arrays_of(model: PreTrainedModel) -> dict[str, NDArray[Any]]:
    """The weights of a model in memory by their names in its folder, copied if they are not float32 on a CPU. They are
    integers if the model is one of Tuili's own that was trained for them."""
    tensors: dict[str, Tensor] = model.state_dict()
    if model.config.tie_word_embeddings:
        tensors = {name: tensor for name, tensor in tensors.items() if name != "lm_head.weight"}
    if isinstance(model, TuiliForCausalLM) and (trained := model.config.shape.quantization) is not None:
        tensors = stored_state(tensors, trained)
    return {
        name: (tensor.detach().float() if tensor.is_floating_point() else tensor).cpu().numpy()
        for name, tensor in tensors.items()
    }


def dense_in_torch(
    source: ImportedModel | ModelInTorch, shape: DenseShape, numbers: Numbers, device: str = "cpu"
) -> DenseModel:
    """Load an imported model. A model read from its folder is in fp32 unless bf16 is requested, and `int8` is made from
    fp32; a model in memory keeps its format and device.

    device: where a model that is read goes.

    Raises `InputError` as `model_in_torch` does.
    """
    stored_exits, common_X = exits_of(source)
    if isinstance(source, ImportedModel):
        dtype = DTYPES.get(numbers, torch.float32)

        def place(name: str, tensor: Tensor) -> str:  # a matrix moves to its device once it has 8 bits
            return "cpu" if numbers == "int8" and tensor.ndim > 1 and name != _EMBEDDING else device

        with open_tensors(source.path, shape) as stored:
            found = network_state({name: _tensor(stored[name]) for name in stored}, foreign=True)
        tensors = {name: tensor.to(place(name, tensor), dtype) for name, tensor in found.items()}
        source.check_unchanged()
    else:
        _check_dtype(source.model, numbers)
        tensors = {name: tensor.detach() for name, tensor in source.model.state_dict().items()}
    exits = {name: torch.from_numpy(array) for name, array in stored_exits.items()}
    some = thinking_of(source), common_X
    thinking, common = (None if id_X is None else torch.from_numpy(id_X) for id_X in some)
    return DenseModel(shape, tensors, exits, thinking, common, int8=numbers == "int8")


def _check_dtype(model: Any, numbers: Numbers) -> None:
    found = model.lm_head.weight.dtype
    if found is not DTYPES.get(numbers, found):
        raise InputError(f"{numbers} is asked for, and the model was loaded as {found}: load it as {DTYPES[numbers]}")


def _tensor(array: NDArray[Any]) -> Tensor:
    """An array from `StoredTensors` as a tensor."""
    return (
        torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        if array.dtype == np.uint16
        else torch.from_numpy(array)
    )
