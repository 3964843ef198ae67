"""What a frozen model computes on texts, stored on disk: its states at the exits, and the predictions of full depth.

The small networks of exits can then learn without running the model again. Every shard of the store is complete and has
a checksum, so that an interrupted reading can continue where it stopped.

Dimensions: N tokens that predict another one, M hidden size, K likeliest tokens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from tuili.errors import InputError
from tuili.files import refusing_faults, write_durably
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.text_batch import TextBatch
from tuili.posttrain.exits.texts import Text

TaskCallback = Callable[[str, int, int], None]
"""Called with the name of the task, how many of its parts are finished, and how many there are."""

LIKELIEST = 32
"""The number K of tokens at full depth whose log-probabilities are stored."""
_POOL = 8
"""Batches whose texts are sorted by length together, to reduce padding."""
_HEAD_ROWS = 512
_MANIFEST = "states.json"


@dataclass(frozen=True)
class States:
    """States of some tokens. hidden: [N, M] by depth, including full depth, before the final norm, in bfloat16.

    response_N: whether the next token belongs to a response. top_NK: the likeliest tokens at full depth, likeliest
    first; log_prob_NK: their log-probabilities.
    """

    hidden: Mapping[int, Tensor]
    response_N: Tensor
    next_N: Tensor
    top_NK: Tensor
    log_prob_NK: Tensor

    def __len__(self) -> int:
        return len(self.next_N)

    def split(self, share: float) -> tuple[States, States]:
        """Split into the first tokens, this share of all, and the others."""
        first_N = torch.arange(len(self)) < round(share * len(self))
        return self.select(first_N), self.select(~first_N)

    def select(self, chosen_N: Tensor) -> States:
        """The chosen tokens."""
        return States(
            {depth: hidden_NM[chosen_N] for depth, hidden_NM in self.hidden.items()},
            *(array[chosen_N] for array in (self.response_N, self.next_N, self.top_NK, self.log_prob_NK)),
        )

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of a shard."""
        named = {f"hidden.{depth}": hidden_NM.bfloat16().contiguous() for depth, hidden_NM in self.hidden.items()}
        return named | {
            "response": self.response_N,
            "next": self.next_N.int(),
            "top": self.top_NK.int(),
            "log_prob": self.log_prob_NK.float(),
        }

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> States:
        """The states of a shard."""
        hidden = {int(name.removeprefix("hidden.")): tensors[name] for name in tensors if name.startswith("hidden.")}
        rest = tensors["response"], tensors["next"].long(), tensors["top"].long(), tensors["log_prob"]
        return cls(dict(sorted(hidden.items())), *rest)


def joined(shards: Sequence[States]) -> States:
    """The tokens of all shards."""
    hidden = {depth: torch.cat([shard.hidden[depth] for shard in shards]) for depth in shards[0].hidden}
    fields = ("response_N", "next_N", "top_NK", "log_prob_NK")
    return States(hidden, *(torch.cat([getattr(shard, name) for shard in shards]) for name in fields))


class StateStore:
    """The states of one part of the texts, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes = self._read_manifest()

    def states(
        self,
        load_backbone: Callable[[], Backbone],
        texts: Sequence[Text],
        depths: Sequence[int],
        tokens: int,
        rows: int,
        tell: Callable[[int, int], None],
    ) -> States:
        """The states after these depths on the first texts, up to this many tokens.

        Stored states are read; the rest is computed, `rows` texts at a time, and stored. Raises `InputError` for a
        damaged store.
        """
        shards, backbone, done = list[States](), None, 0
        for number, batch in enumerate(batches_of(texts, rows)):
            if done >= tokens:
                break
            if (shard := self._load(number)) is None:
                backbone = backbone or load_backbone()
                # The same values as when read again: in bfloat16.
                shard = States.of(read_states(backbone, TextBatch.of(batch), depths).tensors())
                self._save(number, shard)
            shards.append(shard)
            done += len(shard)
            tell(min(done, tokens), tokens)
        return joined(shards)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:05d}.safetensors"

    def _load(self, number: int) -> States | None:
        file = self._file(number)
        if file.name not in self._hashes:
            return None
        try:
            data = file.read_bytes()
            if hashlib.sha256(data).hexdigest() != self._hashes[file.name]:
                raise ValueError("its checksum is another")
            return States.of(load(data))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise InputError(f"{file} is damaged ({error}): delete {self._folder}, to compute it again") from error

    def _save(self, number: int, shard: States) -> None:
        data = save(shard.tensors())
        with refusing_faults(self._file(number)):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(self._file(number), data)
            self._hashes[self._file(number).name] = hashlib.sha256(data).hexdigest()
            write_durably(self._folder / _MANIFEST, json.dumps(self._hashes, indent=1).encode())

    def _read_manifest(self) -> dict[str, str]:
        file = self._folder / _MANIFEST
        if not file.is_file():
            return {}
        try:
            hashes = json.loads(file.read_bytes())
            return {str(name): str(value) for name, value in hashes.items()}
        except (ValueError, AttributeError) as error:
            raise InputError(f"{file} is damaged: delete {self._folder}, to compute it again") from error


def batches_of(texts: Sequence[Text], rows: int) -> Iterator[Sequence[Text]]:
    """The texts, `rows` at a time, grouped by similar length. The first texts come roughly first."""
    for start in range(0, len(texts), rows * _POOL):
        pool = sorted(texts[start : start + rows * _POOL], key=lambda text: len(text.ids))
        yield from (pool[first : first + rows] for first in range(0, len(pool), rows))


@torch.no_grad()  # not inference_mode: training on the states needs gradients
def read_states(backbone: Backbone, batch: TextBatch, depths: Sequence[int]) -> States:
    """The states of a batch, at these depths and at full depth."""
    full_depth = len(backbone.layers)
    hidden = backbone.states(batch.ids_BT, (*depths, full_depth))
    flat = {depth: hidden_BTM.flatten(0, 1)[batch.position_N] for depth, hidden_BTM in hidden.items()}
    tops, log_probs = [], []
    for rows_NM in flat[full_depth].split(_HEAD_ROWS):
        logits_NV = (backbone.final_norm(rows_NM) @ backbone.head_VM.T).float()
        likeliest = logits_NV.topk(min(LIKELIEST, logits_NV.shape[1]), dim=-1)
        tops.append(likeliest.indices)
        log_probs.append(likeliest.values - logits_NV.logsumexp(-1, keepdim=True))
    return States(flat, batch.response_N, batch.next_N, torch.cat(tops), torch.cat(log_probs))
