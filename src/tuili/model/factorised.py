"""Dense models of the Llama, Qwen2 and Qwen3 families whose folders hold low-rank factors or whole numbers.

transformers has no such networks. These are its networks with two changes: factors replace the linear layers that the
configuration's `ranks` names, and if `quantization` is set, whole numbers are loaded as the weights that they stand
for. `tuili.store` defines their model types; Tuili's own networks are in `modeling`.
Annotations are evaluated in this file, as in `config`.

Dimensions: I and O inputs and outputs of a matrix.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tuili.model.stored_numbers import read_whole_numbers, stored_state
from tuili.silence import quiet_transformers
from tuili.store import Quantization


class LowRankLinear(nn.Module):
    """A linear layer whose matrix [O, I] is `outer` times `inner`; its bias, if it has one, keeps its name."""

    bias: nn.Parameter | None

    def __init__(self, inputs: int, outputs: int, rank: int, bias: bool) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs, bias=False)
        self.register_parameter("bias", nn.Parameter(torch.zeros(outputs)) if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.outer(self.inner(x))
        return output if self.bias is None else output + self.bias


def _keep_factors(network: nn.Module, ranks: Mapping[str, int] | None) -> None:
    """Replace the linear layers of a network that `ranks` names by factors."""
    for name, rank in (ranks or {}).items():
        linear = network.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        factors = LowRankLinear(linear.in_features, linear.out_features, rank, linear.bias is not None)
        network.set_submodule(name, factors.to(linear.weight.dtype))


class _WholeNumbers:
    """Loads and saves whole numbers: a mixin to put before a model class of transformers."""

    @classmethod
    def _load_pretrained_model(
        cls, model: Any, state_dict: Any, checkpoint_files: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """As in transformers, which calls this to load weight files; whole numbers become the weights that they stand
        for."""
        if state_dict is None and checkpoint_files is not None:
            state_dict = read_whole_numbers([Path(file) for file in checkpoint_files], foreign=True)
        loading: Any = super()
        return loading._load_pretrained_model(model, state_dict, checkpoint_files, *args, **kwargs)

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """As in transformers; saves whole numbers if the model was trained in them."""
        model: Any = self
        if model.config.quantization is not None and kwargs.get("state_dict") is None:
            numbers, tied = Quantization(**model.config.quantization), model.config.tie_word_embeddings
            kwargs["state_dict"] = stored_state(model.state_dict(), numbers, foreign=True, tied=tied)
        saving: Any = super()
        saving.save_pretrained(save_directory, *args, **kwargs)


@strict
class TuiliLlamaConfig(LlamaConfig):
    """A Llama model with factors or whole numbers. ranks, quantization: as in `tuili.store.DenseShape`."""

    model_type = "tuili_llama"
    ranks: dict[str, int] | None = None
    quantization: dict[str, Any] | None = None


@strict
class TuiliQwen2Config(Qwen2Config):
    """A Qwen2 model with factors or whole numbers."""

    model_type = "tuili_qwen2"
    ranks: dict[str, int] | None = None
    quantization: dict[str, Any] | None = None


@strict
class TuiliQwen3Config(Qwen3Config):
    """A Qwen3 model with factors or whole numbers."""

    model_type = "tuili_qwen3"
    ranks: dict[str, int] | None = None
    quantization: dict[str, Any] | None = None


class TuiliLlamaForCausalLM(_WholeNumbers, LlamaForCausalLM):
    """A Llama model with factors or whole numbers."""

    config_class = TuiliLlamaConfig

    def __init__(self, config: TuiliLlamaConfig) -> None:
        super().__init__(config)
        _keep_factors(self.model, config.ranks)


class TuiliQwen2ForCausalLM(_WholeNumbers, Qwen2ForCausalLM):
    """A Qwen2 model with factors or whole numbers."""

    config_class = TuiliQwen2Config

    def __init__(self, config: TuiliQwen2Config) -> None:
        super().__init__(config)
        _keep_factors(self.model, config.ranks)


class TuiliQwen3ForCausalLM(_WholeNumbers, Qwen3ForCausalLM):
    """A Qwen3 model with factors or whole numbers."""

    config_class = TuiliQwen3Config

    def __init__(self, config: TuiliQwen3Config) -> None:
        super().__init__(config)
        _keep_factors(self.model, config.ranks)


_KINDS: dict[str, tuple[type[PreTrainedConfig], Any]] = {
    "llama": (TuiliLlamaConfig, TuiliLlamaForCausalLM),
    "qwen2": (TuiliQwen2Config, TuiliQwen2ForCausalLM),
    "qwen3": (TuiliQwen3Config, TuiliQwen3ForCausalLM),
}


def register_factorised() -> None:
    """Register these model types with transformers' Auto classes."""
    for config_class, model_class in _KINDS.values():
        AutoConfig.register(config_class.model_type, config_class)
        AutoModelForCausalLM.register(config_class, model_class)


def load_dense(folder: Path, dtype: torch.dtype) -> Any:
    """Load an imported model with transformers, from a folder that has been checked, in this number format."""
    with quiet_transformers():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, trust_remote_code=False)


def factorised_dense(config: Any, ranks: Mapping[str, int], dtype: torch.dtype) -> Any:
    """A new network with factors, with the family and the sizes of a transformers configuration."""
    config_class, model_class = _KINDS[config.model_type]
    fields = config.to_dict() | {"ranks": dict(ranks), "architectures": [model_class.__name__]}
    del fields["model_type"]
    network = model_class(config_class(**fields))
    return network.to(dtype)
