"""Imported dense models: their healing data, and how they read packed rows.

Dimensions: B rows, T positions, N learnt tokens, M hidden size, P tokens before every row.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AutoConfig

from tuili.compress.network import Network, TokenStates
from tuili.compress.parent import HealingData, Parent
from tuili.compress.recipe import HealingConfig
from tuili.compress.watch import Tell
from tuili.data import IGNORE_INDEX, Block, StreamState, prefetch
from tuili.errors import InputError
from tuili.posttrain import (
    Backbone,
    ExampleEncoder,
    MasterWeights,
    TeachingConfig,
    TeachingDataConfig,
    build_sources,
    open_stream,
    pack_attention,
    packed_states,
    recorded_teaching,
)
from tuili.store import THINKING_FILE, ImportedModel
from tuili.train import PreparedBlocks

LENGTH_TOKENS = 256
"""The length of a row if no teaching specifies it."""
SHAPE_FIELDS = ("intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim")
"""Configuration fields that compression may have changed."""
FACTOR_FIELDS = ("model_type", "architectures", "ranks")
"""Further such fields of a model with factors."""
_LEFT_BEHIND = ("*.safetensors", "*.safetensors.index.json", "README.md", ".*")


class ImportedNetwork:
    """A dense model with the tokens that precede every row."""

    def __init__(self, model: nn.Module, prefix_P: Tensor, learns: bool) -> None:
        self.model, self._prefix_P = model, prefix_P
        model.eval().requires_grad_(False)
        self._backbone = Backbone(model)
        pack_attention(self._backbone)
        self._masters = MasterWeights(dict(model.named_parameters()) if learns else {})

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """The trained parameters, by name."""
        return self._masters.parameters

    def read(self, block: Block, step: int) -> TokenStates:
        """See `Network`."""
        hidden_BTM = packed_states(self._backbone, self._prefix_P, block)[:, len(self._prefix_P) :]
        target_N = block.targets_BT.flatten()
        learnt_N = target_N != IGNORE_INDEX
        hidden_NM = self._backbone.final_norm(hidden_BTM.flatten(0, 1)[learnt_N])
        head: Callable[[Tensor], Tensor] = self._backbone.model.lm_head
        return TokenStates(hidden_NM, self._backbone.head_VM, target_N[learnt_N], head=head)

    def take_gradients(self) -> None:
        """See `Network`."""
        self._masters.take_gradients()

    def follow(self, scale: float) -> None:
        """See `Network`."""
        self._masters.follow()

    def tensors(self) -> Mapping[str, Tensor]:
        """See `Network`. A head that is tied to the embedding is listed once."""
        weights = {name: weight.detach() for name, weight in self.model.named_parameters()}
        return weights | {name: weight.detach() for name, weight in self.parameters.items()}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Network`."""
        for name, weight in (*self.model.named_parameters(), *self.parameters.items()):
            weight.copy_(tensors[name])


class ImportedParent(Parent):
    """A dense model. It is healed with the data of its last teaching, or with the questions of a file."""

    def __init__(self, stored: ImportedModel, healing: HealingConfig) -> None:
        self.stored: ImportedModel = stored
        self._healing = healing
        if healing.kernels == "native":
            raise InputError(f"healing.kernels = native: {stored.path} is imported and heals by torch: leave it out")

    @cached_property
    def _taught(self) -> TeachingConfig | None:
        return recorded_teaching(self.path)

    @cached_property
    def _encode(self) -> ExampleEncoder:
        taught = self._taught
        masks = taught is not None and taught.results == "masked"
        return ExampleEncoder(self.stored.tokenizer, masks, taught is not None and taught.response == "prose")

    def data(self, file: Path | None, tell: Tell) -> HealingData:
        """See `Parent`. A file is read as in the last teaching, or with equations if there was no teaching."""
        taught, healing = self._taught, self._healing
        if file is not None:
            config = TeachingDataConfig(files={file: 1.0}, domains=(), lower_case=0.0)
        elif taught is not None:
            config = taught.data
            if missing := [path for path in config.files if not path.is_file()]:
                raise InputError(f"{self.path} was taught with {missing[0]}, which is not there: give --data FILE")
        else:
            raise InputError(f"{self.path} has not been taught, so nothing says what to heal it with: give --data FILE")
        whole, prefix = self.row_length(healing, LENGTH_TOKENS if taught is None else taught.length), self.prefix
        if (length := whole - prefix) < whole // 2:
            raise InputError(f"healing.length = {whole}: the template alone takes {prefix}: use {2 * prefix} or more")
        prose = taught is not None and taught.response == "prose"

        # A file of many questions takes seconds to read; its messages are reported only at the first reading.
        read = cache(lambda seed: build_sources(config, seed, prose, tell if seed == healing.seed else lambda _: None))

        def opened(seed: int, held: bool, state: StreamState) -> AbstractContextManager[PreparedBlocks]:
            sources, end_id = [source.part(held) for source in read(seed)], self.stored.tokenizer.end_id
            return prefetch(open_stream(sources, self._encode, healing.rows, length, end_id, state))

        names = tuple(source.name for source in read(healing.seed))
        kinds = ((0, False), (1, False), (2, True))
        of_run, others, held = (partial(opened, healing.seed + more, part) for more, part in kinds)
        return HealingData(names, length, of_run, others, held, tuple(config.files))

    @property
    def held_back(self) -> tuple[Path, ...]:
        """See `Parent`: the files on which the loss of its last teaching was measured."""
        files = () if self._taught is None else self._taught.data.validation
        return tuple(path for path in files if path.is_file())

    def load(self) -> nn.Module:
        """See `Parent`: in bf16 if it is stored so, unless the recipe says otherwise."""
        return cast(nn.Module, Backbone.load(self.path, self.compute_dtype).model)

    @property
    def prefix(self) -> int:
        """The number of tokens before every row."""
        return len(self._encode.prefix)

    @property
    def compute_dtype(self) -> torch.dtype:
        """See `Parent`."""
        by_default = torch.bfloat16 if self.dtype is torch.bfloat16 else torch.float32
        return {"auto": by_default, "fp32": torch.float32, "bf16": torch.bfloat16}[self._healing.precision]

    @cached_property
    def transformers_config(self) -> Any:
        """Its configuration as a transformers object."""
        return AutoConfig.from_pretrained(self.path, trust_remote_code=False)

    def network(self, model: nn.Module, learns: bool) -> Network:
        """See `Parent`."""
        return ImportedNetwork(model, torch.tensor(self._encode.prefix, dtype=torch.long), learns)

    def write(self, network: Network, fresh: Path) -> None:
        """See `Parent`: a copy of the parent's folder, except the weights, the sizes, and files that describe them."""
        self.write_as(network, fresh, {name: weight.to(self.dtype) for name, weight in network.tensors().items()}, {})

    def write_as(
        self, network: Network, fresh: Path, weights: Mapping[str, Tensor], changes: Mapping[str, object]
    ) -> None:
        """As `write`, with these weights and with these changes to the configuration."""
        kept = self.kept_parts()

        def left_out(place: str, names: list[str]) -> set[str]:
            if Path(place) == self.path / "tuili":
                return {name for name in names if name not in kept}
            return set(shutil.ignore_patterns(*_LEFT_BEHIND)(place, names))

        shutil.copytree(self.path, fresh, ignore=left_out)
        config: Any = network.model.config
        document = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
        fields = (*SHAPE_FIELDS, *(FACTOR_FIELDS if getattr(config, "ranks", None) else ()))
        sizes = {name: getattr(config, name) for name in fields if getattr(config, name, None) is not None}
        if "layer_types" in document:
            sizes["layer_types"] = list(config.layer_types)
        document |= sizes | dict(changes)
        (fresh / "config.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        in_order = {name: weight.contiguous() for name, weight in weights.items()}
        save_file(in_order, fresh / "model.safetensors", {"format": "pt"})

    def kept_parts(self) -> tuple[str, ...]:
        """See `Parent`: its way of thinking also holds for other weights."""
        return (*super().kept_parts(), THINKING_FILE.name)
