"""A compression method: what it makes of a model, stage by stage. `run` adds recovery and writes the result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from tuili.compress.healing import HealedNetwork
from tuili.compress.network import Network
from tuili.compress.parent import HealingData, Parent, Samples
from tuili.compress.trial import Part, Tried
from tuili.compress.watch import Tell, Watch
from tuili.engine import Numbers
from tuili.posttrain import LearningNetwork, OpenBlocks
from tuili.store import DenseShape, ModelShape, Parameters, count_parameters


@dataclass(frozen=True)
class StageSetting:
    """The inputs of a stage. first, until: its steps. folder: the run folder. stopped: says whether to stop."""

    data: HealingData
    first: int
    until: int
    folder: Path
    stopped: Callable[[], bool]
    tell: Tell


class Compression(ABC):
    """One method, with its settings, for one parent. Its constructor raises `InputError` for what is impossible."""

    step: str
    """Its name in the lineage, and its recipe section."""
    stages: int = 1
    """How many times the model is changed; recovery follows each change."""
    compared_with: Numbers = "auto"
    """The numeric format in which the parent answers the problems that both are measured on; the result uses `auto`."""

    def __init__(self, parent: Parent) -> None:
        self.parent = parent

    @property
    @abstractmethod
    def recipe(self) -> Mapping[str, Any]:
        """Its settings as JSON-compatible values, including those of the healing."""

    @property
    @abstractmethod
    def shape(self) -> ModelShape | DenseShape:
        """The shape of the final model, whatever its numeric format."""

    @property
    def parameters(self) -> Parameters:
        """The parameter count of the final model."""
        return count_parameters(self.shape)

    @property
    def sample_bytes(self) -> int:
        """Bytes that samples leave in memory before the recovery, besides the parent and the copy that becomes the
        model; 0 if the method uses no samples."""
        return 0

    @property
    def begun_as(self) -> Parent | None:
        """The model from whose weights it starts, its ancestor; None if all weights are new."""
        return self.parent

    @property
    def read_from(self) -> Mapping[str, Path]:
        """The model folders that it reads and that no run may write into, by the names that the user knows them by."""
        return {"MODEL": self.parent.path}

    def trained_with(self, data: HealingData) -> Mapping[str, Any]:
        """Recipe sections that say what it was trained on, in the form of a training; empty if its ancestors were
        trained on the same data."""
        return {}

    @property
    def changes(self) -> Mapping[str, str]:
        """What changes in the model, in a few lines for the reader of a plan: names and descriptions."""
        return {}

    @abstractmethod
    def blank(self, stage: int) -> nn.Module:
        """A model of the shape that a stage has, with arbitrary weights."""

    @abstractmethod
    def change(self, stage: int, model: nn.Module, samples: Samples, watch: Watch) -> nn.Module:
        """Make the model of a stage from the previous stage's model, or from the parent in stage 0. May modify it.

        The result depends only on the weights of the model and the samples. watch: is told the progress, and ends the
        change after a Ctrl-C.
        """

    @property
    def figures(self) -> Mapping[str, float]:
        """What `change` found, for the lineage."""
        return {}

    @property
    def decisions(self) -> Mapping[str, Any]:
        """Choices of `change` on which the shape of a `blank` model depends, as JSON-compatible values."""
        return {}

    def recall(self, decisions: Mapping[str, Any]) -> None:
        """Take the decisions of an earlier session of a run, so that `blank` returns a model of that shape.

        Raises `LookupError`, `TypeError` or `ValueError` for any that cannot be its own.
        """
        assert not decisions

    def teacher(self) -> Network:
        """The parent as the teacher that the model learns from."""
        return self.parent.network(self.parent.load(), learns=False)

    def learner(self, stage: int, student: Network, teacher: Network) -> LearningNetwork:
        """The learning network of a stage; by default it learns what its parent predicts."""
        return HealedNetwork(student, teacher)

    def span(self, stage: int, steps: int) -> tuple[int, int]:
        """The steps of a stage, given the total: its first step, and the one after its last."""
        return stage_steps(stage, self.stages, steps)

    def blocks(self, stage: int, student: Network, teacher: Network, setting: StageSetting) -> OpenBlocks:
        """What is learnt in a stage; by default the texts of the healing."""
        return setting.data.open_blocks

    def parts(self, tried: Tried) -> Iterator[Part]:
        """What a run does in all stages besides its steps, in parts of which the caller tries a little, one after the
        other; empty if that takes negligible time."""
        return iter(())

    def write(self, network: Network, fresh: Path) -> None:
        """Write the recovered model to a path where nothing exists; by default in the same way as its parent."""
        self.parent.write(network, fresh)


def stage_steps(stage: int, stages: int, steps: int) -> tuple[int, int]:
    """The steps of a stage: its first, and the one after its last. The last stage has half of all; others share."""
    earlier = steps // 2 if stages > 1 else 0
    bounds = [*(earlier * number // max(1, stages - 1) for number in range(stages)), steps]
    return bounds[stage], bounds[stage + 1]
