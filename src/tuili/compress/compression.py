"""A way to compress: what it makes of a model, stage by stage. `run` joins it with recovery and writes the result."""

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
    """What a stage has to do with. first, until: its steps. folder: that of the run. stopped: whether to stop."""

    data: HealingData
    first: int
    until: int
    folder: Path
    stopped: Callable[[], bool]
    tell: Tell


class Compression(ABC):
    """One way, with its settings, for one parent. Its constructor refuses, by `InputError`, what cannot be."""

    step: str
    """What the lineage calls it, and its section in a recipe."""
    stages: int = 1
    """How often the model is changed; recovery follows each change."""
    compared_with: Numbers = "auto"
    """The numbers in which the parent answers the problems that both are measured on; the result does so in `auto`."""

    def __init__(self, parent: Parent) -> None:
        self.parent = parent

    @property
    @abstractmethod
    def recipe(self) -> Mapping[str, Any]:
        """Its settings as JSON can hold them, those of the healing included."""

    @property
    @abstractmethod
    def shape(self) -> ModelShape | DenseShape:
        """That of the model in the end, in whatever numbers it is."""

    @property
    def parameters(self) -> Parameters:
        """How many the model has in the end."""
        return count_parameters(self.shape)

    @property
    def sample_bytes(self) -> int:
        """What samples leave in memory before the recovery, beside the parent and the copy that becomes the model; 0
        where nothing is found by samples."""
        return 0

    @property
    def begun_as(self) -> Parent | None:
        """The model whose weights it begins with, from which it descends; None where all of them are new."""
        return self.parent

    @property
    def read_from(self) -> Mapping[str, Path]:
        """The folders of models that it reads, which no run may write into, by what the reader calls them."""
        return {"MODEL": self.parent.path}

    def trained_with(self, data: HealingData) -> Mapping[str, Any]:
        """Sections of the recipe that say what it was trained on, as a training has them; none where its ancestors were
        trained on the same."""
        return {}

    @property
    def changes(self) -> Mapping[str, str]:
        """What becomes of the model, in a few lines for the reader of a plan: names, and what is told of them."""
        return {}

    @abstractmethod
    def blank(self, stage: int) -> nn.Module:
        """A model of the shape that it has in a stage, whatever its weights."""

    @abstractmethod
    def change(self, stage: int, model: nn.Module, samples: Samples, watch: Watch) -> nn.Module:
        """The model of a stage, made of that of the stage before, which may be changed; that of stage 0 of the parent.

        The weights of the model and the samples alone decide what comes out. watch: is told how far it is, and ends it
        after a Ctrl-C.
        """

    @property
    def figures(self) -> Mapping[str, float]:
        """What `change` found, for the lineage."""
        return {}

    @property
    def decisions(self) -> Mapping[str, Any]:
        """What the shape of a `blank` model depends on and `change` has chosen, as JSON can hold it."""
        return {}

    def recall(self, decisions: Mapping[str, Any]) -> None:
        """Take up the decisions of an earlier session of a run, so that `blank` gives a model of its shape.

        Raises `LookupError`, `TypeError` or `ValueError` for any that cannot be its own.
        """
        assert not decisions

    def teacher(self) -> Network:
        """The parent as what the model learns from."""
        return self.parent.network(self.parent.load(), learns=False)

    def learner(self, stage: int, student: Network, teacher: Network) -> LearningNetwork:
        """The model of a stage as what learns in it; by default what its parent predicts."""
        return HealedNetwork(student, teacher)

    def span(self, stage: int, steps: int) -> tuple[int, int]:
        """The steps of a stage, from the first to the one behind its last, of so many in all."""
        return stage_steps(stage, self.stages, steps)

    def blocks(self, stage: int, student: Network, teacher: Network, setting: StageSetting) -> OpenBlocks:
        """What is learnt in a stage; by default the texts of the healing."""
        return setting.data.open_blocks

    def parts(self, tried: Tried) -> Iterator[Part]:
        """What a run does in all stages beside its steps, in parts of which a little is tried; none where that takes
        no time to speak of. Whoever tries them does so one behind the other."""
        return iter(())

    def write(self, network: Network, fresh: Path) -> None:
        """Write the model that has recovered to a path where nothing is; by default as its parent is written."""
        self.parent.write(network, fresh)


def stage_steps(stage: int, stages: int, steps: int) -> tuple[int, int]:
    """The steps of a stage, from the first to the one behind its last: the last stage has half of all, others share."""
    earlier = steps // 2 if stages > 1 else 0
    bounds = [*(earlier * number // max(1, stages - 1) for number in range(stages)), steps]
    return bounds[stage], bounds[stage + 1]
