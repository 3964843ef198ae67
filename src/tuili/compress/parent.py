"""The model that is compressed: its properties, its healing data, and how a model made from it is written.

The two kinds are in `own` and `imported`; `open_parent` chooses between them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from tuili.compress.closeness import MEASURED_DOCUMENTS, closeness
from tuili.compress.network import Network
from tuili.compress.recipe import HealingConfig
from tuili.compress.watch import Tell, Watch
from tuili.data import Block, StreamState
from tuili.errors import InputError
from tuili.posttrain import OpenBlocks
from tuili.store import (
    DenseShape,
    ImportedModel,
    LineageEntry,
    ModelShape,
    Quantization,
    StoredModel,
    learnt_numbers,
    model_hash,
    open_model,
    open_tensors,
    read_lineage,
)
from tuili.tasks import Problem
from tuili.train import StreamConfig

Samples = Callable[[int], Iterator[Block]]
"""Returns the first blocks of the healing data's sources that hold this many documents; always the same."""
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}


@dataclass(frozen=True)
class HealingData:
    """The data that a model is healed with.

    names: of the sources, for the reader of a plan. length: tokens of a row. open_blocks: the blocks of the run.
    open_others: other blocks of the same sources, for scores. open_held: blocks that nothing is learnt from, for
    closeness and thresholds: other problems of domains, and the questions of files that are held back. files: the files
    read. stream: what the blocks of one of Tuili's own models depend on.
    """

    names: tuple[str, ...]
    length: int
    open_blocks: OpenBlocks
    open_others: OpenBlocks
    open_held: OpenBlocks
    files: tuple[Path, ...] = ()
    stream: StreamConfig | None = None

    def samples(self, documents: int) -> Iterator[Block]:
        """The first of the other blocks, until they hold this many documents. Always the same."""
        return _first(self.open_others, documents)

    def held(self, documents: int) -> Iterator[Block]:
        """As `samples`, from the blocks that nothing is learnt from."""
        return _first(self.open_held, documents)


def _first(opened: OpenBlocks, documents: int) -> Iterator[Block]:
    with opened(StreamState()) as blocks:
        while documents > 0:
            block, _ = next(blocks)
            documents -= block.documents
            yield block


class Parent(ABC):
    """The model of a folder that has been checked."""

    stored: StoredModel | ImportedModel
    finishes: str = "closeness"
    """What `finish` does, for the reader of a plan."""

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.stored.path

    @property
    def shape(self) -> ModelShape | DenseShape:
        """The shape of its network."""
        return self.stored.shape

    @cached_property
    def hash(self) -> str:
        """SHA-256 of its weights and configuration."""
        return model_hash(self.path)

    @cached_property
    def lineage(self) -> tuple[LineageEntry, ...]:
        """The steps that made it."""
        return read_lineage(self.path)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The numeric type in which its matrices are stored."""
        with open_tensors(self.path, self.shape) as tensors:
            return _DTYPES[tensors.kind("model.embed_tokens.weight")]

    @property
    def compute_dtype(self) -> torch.dtype:
        """The numeric type in which it is loaded."""
        return torch.float32

    @abstractmethod
    def data(self, file: Path | None, tell: Tell) -> HealingData:
        """The data of its last training, according to its lineage, or the data of a file.

        Raises `InputError` if the lineage names nothing that still exists, and for a bad file.
        """

    @property
    def held_back(self) -> tuple[Path, ...]:
        """The files of questions that its teaching held back, if they exist."""
        return ()

    def unseen(self, count: int) -> Sequence[Problem]:
        """About this many problems of its domains that no training sees; none for a model without domains."""
        return ()

    def row_length(self, healing: HealingConfig, by_default: int) -> int:
        """The tokens of a row, including the tokens before every row: as many as the recipe asks for, or the default,
        limited to what it reads. Raises `InputError` if the recipe asks for more than it reads."""
        context = self.shape.max_position_embeddings
        if healing.length is not None and healing.length > context:
            raise InputError(
                f"healing.length = {healing.length}: {self.path} reads {context} tokens: give as many or fewer"
            )
        return min(healing.length or by_default, context)

    @abstractmethod
    def load(self) -> nn.Module:
        """The model in memory, in a numeric type in which it can be trained."""

    @abstractmethod
    def network(self, model: nn.Module, learns: bool) -> Network:
        """A network of a model of this kind, as a learner or a teacher."""

    @abstractmethod
    def write(self, network: Network, fresh: Path) -> None:
        """Write a network to a path where nothing exists: weights in the parent's numeric type, configuration and
        tokenizer."""

    def finish(self, teacher: Network, student: Network, samples: Samples, watch: Watch) -> Mapping[str, float]:
        """Make the final adjustments to a recovered student. Returns figures for its lineage, including those of
        `closeness`."""
        return closeness(teacher, student, samples(MEASURED_DOCUMENTS))

    def parts_left_behind(self) -> list[str]:
        """Files next to the parent's weights that describe only these weights; they are not copied."""
        kept = self.kept_parts()
        files = sorted(file for file in (self.path / "tuili").glob("*") if file.is_file() and file.name not in kept)
        card = self.path / "README.md"
        return [file.name for file in (*([card] if card.is_file() else []), *files)]

    def kept_parts(self) -> tuple[str, ...]:
        """Files of the `tuili` folder that also hold for other weights, or that are written anew."""
        return ("lineage.json",)


def open_parent(name: str | Path, healing: HealingConfig, rounded: Quantization | None = None) -> Parent:
    """Find a model and check it.

    rounded: the integer format in which its weights are stored unchanged; a model taught in this format is then
    accepted. Raises `ModelFolderError`, in one line, as `tuili.store.open_model` does, and `InputError` for a model
    that has learnt an integer format, which any change would undo.
    """
    from tuili.compress.imported import ImportedParent
    from tuili.compress.own import OwnParent

    stored = open_model(name)
    if (learnt := stored.shape.quantization) is not None:
        raise InputError(
            f"{stored.path} was quantised ({learnt.numbers}), which is the last step of all: give the model that it "
            "was made of"
        )
    taught = learnt_numbers(read_lineage(stored.path))
    if taught is not None and rounded != Quantization(taught):
        raise InputError(
            f"{stored.path} was taught in {taught}, which is the last step of all: give the model that it was made of, "
            "or store its numbers by tuili compress qat MODEL --steps 0, without other numbers and without --cache"
        )
    return ImportedParent(stored, healing) if isinstance(stored, ImportedModel) else OwnParent(stored, healing)
