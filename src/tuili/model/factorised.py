"""Dense models of the Llama, Qwen2 and Qwen3 families of which some matrices are kept as factors of low rank.

transformers has no such networks: these are its own, with factors in the place of the linear layers that `ranks` of the
configuration names. Which model types they have is said by `tuili.store`; Tuili's own networks are in `modeling`.
Annotations are evaluated here, as in `config`.

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

from tuili.silence import quiet_transformers


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
    """Put factors in the place of these linear layers of a network."""
    for name, rank in (ranks or {}).items():
        linear = network.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        factors = LowRankLinear(linear.in_features, linear.out_features, rank, linear.bias is not None)
        network.set_submodule(name, factors.to(linear.weight.dtype))


@strict
class TuiliLlamaConfig(LlamaConfig):
    """A Llama model with factors. ranks: as `tuili.store.DenseShape` has them."""

    model_type = "tuili_llama"
    ranks: dict[str, int] | None = None


@strict
class TuiliQwen2Config(Qwen2Config):
    """A Qwen2 model with factors."""

    model_type = "tuili_qwen2"
    ranks: dict[str, int] | None = None


@strict
class TuiliQwen3Config(Qwen3Config):
    """A Qwen3 model with factors."""

    model_type = "tuili_qwen3"
    ranks: dict[str, int] | None = None


class TuiliLlamaForCausalLM(LlamaForCausalLM):
    """A Llama model with factors."""

    config_class = TuiliLlamaConfig

    def __init__(self, config: TuiliLlamaConfig) -> None:
        super().__init__(config)
        _keep_factors(self.model, config.ranks)


class TuiliQwen2ForCausalLM(Qwen2ForCausalLM):
    """A Qwen2 model with factors."""

    config_class = TuiliQwen2Config

    def __init__(self, config: TuiliQwen2Config) -> None:
        super().__init__(config)
        _keep_factors(self.model, config.ranks)


class TuiliQwen3ForCausalLM(Qwen3ForCausalLM):
    """A Qwen3 model with factors."""

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
    """Tell transformers' Auto classes of these model types."""
    for config_class, model_class in _KINDS.values():
        AutoConfig.register(config_class.model_type, config_class)
        AutoModelForCausalLM.register(config_class, model_class)


def load_dense(folder: Path, dtype: torch.dtype) -> Any:
    """What transformers makes of the folder of an imported model, which has been checked, in these numbers."""
    with quiet_transformers():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, trust_remote_code=False)


def factorised_dense(config: Any, ranks: Mapping[str, int], dtype: torch.dtype) -> Any:
    """A new network with factors, of the sizes and the family of a configuration of transformers."""
    config_class, model_class = _KINDS[config.model_type]
    fields = config.to_dict() | {"ranks": dict(ranks), "architectures": [model_class.__name__]}
    del fields["model_type"]
    network = model_class(config_class(**fields))
    return network.to(dtype)
