"""What the bare network and the language model share: loading, saving, initial weights, gradient checkpointing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init

from tuili.errors import InputError
from tuili.model.config import TuiliConfig
from tuili.model.experts import Experts, Router
from tuili.model.layers import Projection, ShortConvolution
from tuili.model.low_rank import ExpertMatrices, LowRankExperts
from tuili.model.stored_numbers import read_whole_numbers, stored_state


class TuiliPreTrainedModel(PreTrainedModel):
    """The base class of `TuiliModel` and `TuiliForCausalLM`."""

    config_class = TuiliConfig
    config: TuiliConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["TrunkLayer", "ReasoningLayer"]
    _supports_sdpa = True
    _keep_in_fp32_modules_strict = ["router"]  # its choices and its bias steps need the precision of fp32

    @classmethod
    def _load_pretrained_model(
        cls, model: PreTrainedModel, state_dict: Any, checkpoint_files: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """As in transformers, which calls this to load weight files from any source; whole numbers become the weights
        that they stand for."""
        if state_dict is None and checkpoint_files is not None:
            state_dict = read_whole_numbers([Path(file) for file in checkpoint_files])
        return super()._load_pretrained_model(model, state_dict, checkpoint_files, *args, **kwargs)

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """As in transformers; saves whole numbers if the model was trained in them."""
        quantization = self.config.shape.quantization
        if quantization is not None and kwargs.get("state_dict") is None:
            kwargs["state_dict"] = stored_state(self.state_dict(), quantization)
        super().save_pretrained(save_directory, *args, **kwargs)

    @classmethod
    def _can_set_experts_implementation(cls) -> bool:
        return True  # transformers looks for its decorator in this file, but it is in experts.py

    def get_correct_experts_implementation(self, requested_experts: str | None) -> str:
        """`Experts.forward` is the default; transformers' `grouped_mm` and `batched_mm` can be requested."""
        of_factors = any(".experts." in name for name in self.config.ranks or ())
        if of_factors and requested_experts not in (None, "eager"):
            raise InputError(
                f"experts_implementation = {requested_experts}: experts kept as factors run by eager alone"
            )
        return str(super().get_correct_experts_implementation(requested_experts or "eager"))

    def activation_checkpointing_enable(
        self, activation_checkpointing_kwargs: dict[str, Any] | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """As in transformers, without the reentrant form. Also called by the older `gradient_checkpointing_enable`."""
        settings = {"use_reentrant": False} | (activation_checkpointing_kwargs or {})
        if settings["use_reentrant"]:
            raise InputError(
                "use_reentrant=True would lose the gradients of the keys and values that the reasoning layers share: "
                "give use_reentrant=False"
            )
        super().activation_checkpointing_enable(settings, *args, **kwargs)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        config = self.config
        if isinstance(module, Projection):
            init.normal_(module.weight, std=module.init_std)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=config.hidden_size**-0.5)
        elif isinstance(module, ShortConvolution):
            init.normal_(module.weight, std=0.3)
        elif isinstance(module, Experts):
            init.normal_(module.gate_up_proj, std=config.hidden_size**-0.5)
            init.zeros_(module.down_proj)
        elif isinstance(module, ExpertMatrices | LowRankExperts):
            for parameter in module.parameters(recurse=False):
                init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
        elif isinstance(module, Router):
            init.normal_(module.weight, std=config.initializer_range)
            init.zeros_(module.balance_bias)
            init.zeros_(module.load)
        else:
            super()._init_weights(module)
