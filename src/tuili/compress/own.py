"""Models of Tuili's own kind: their healing data, and the choice of their exit threshold at the end.

`own_network` defines how they are read at each of their exits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import cast

from torch import nn

from tuili.compress.closeness import closeness
from tuili.compress.exits import choose_exits
from tuili.compress.network import Network
from tuili.compress.own_network import OwnNetwork
from tuili.compress.parent import HealingData, Parent, Samples
from tuili.compress.recipe import HealingConfig
from tuili.compress.watch import Tell, Watch
from tuili.errors import InputError
from tuili.model import TuiliConfig, TuiliForCausalLM, check_folder, load_model, write_model_files
from tuili.posttrain import OpenBlocks
from tuili.store import StoredModel
from tuili.tasks import SEEDS_PER_SPLIT, Language, Problem, trained_domains, unseen_problems
from tuili.train import (
    CurriculumConfig,
    DataConfig,
    ExecutionPlan,
    RecordedTraining,
    StreamConfig,
    TrainConfig,
    build_curriculum,
    build_sources,
    prepared_blocks,
    recorded_training,
)

DOMAIN_PRIOR = 0.01
"""Weight of the loss that guides tokens to the expert of their domain, as at the end of a training."""
THRESHOLD_DOCUMENTS = 400
"""The documents on which the exit threshold is chosen."""
MEASURED_LEVELS = (1, 2, 3)
"""The levels of the problems on which accuracy is measured."""


class OwnParent(Parent):
    """A model of Tuili's own kind. It is healed with the data that its last training read at its end."""

    finishes = "choice of exits and closeness"

    def __init__(self, stored: StoredModel, healing: HealingConfig) -> None:
        self.stored: StoredModel = stored
        self._healing = healing

    @property
    def configuration(self) -> TuiliConfig:
        """Its transformers configuration."""
        return check_folder(self.path)

    @cached_property
    def _recorded(self) -> RecordedTraining | None:
        return recorded_training(self.path)

    @cached_property
    def _plan(self) -> ExecutionPlan:
        settings = self._healing.model_dump(include={"precision", "kernels"})
        return ExecutionPlan.resolve(TrainConfig(replicas=1, compile="off", **settings))

    def shares(self, exits: int) -> Sequence[float]:
        """The share of learnt tokens that leave at each exit, as at the end of its training. For a network with another
        number of exits, the trunk's exit and the last one keep their shares; those between share the rest evenly."""
        recorded = () if self._recorded is None else self._recorded.exits
        if len(recorded) < 2 or exits < 2:
            return [1 / exits] * exits
        if len(recorded) == exits:
            return recorded
        first, last, between = recorded[0], recorded[-1], exits - 2
        if not between:
            return [first, 1 - first]
        return [first, *[(1 - first - last) / between] * between, last]

    @property
    def length(self) -> int:
        """The tokens of a row of its healing data."""
        trained = TrainConfig().length if self._recorded is None else self._recorded.length
        return self.row_length(self._healing, trained)

    def data(self, file: Path | None, tell: Tell) -> HealingData:
        """See `Parent`."""
        recorded, healing, shape = self._recorded, self._healing, self.stored.shape
        if file is not None:
            data, curriculum = DataConfig(domains=(), files={file: 1.0}), CurriculumConfig(kind="uniform")
        elif recorded is not None:
            data, curriculum = recorded.data, recorded.curriculum
            if missing := [path for path in data.files if not path.is_file()]:
                raise InputError(f"{self.path} was trained on {missing[0]}, which is not there: give --data FILE")
        else:
            raise InputError(f"{self.path}: its lineage names nothing that it was trained on: give --data FILE")
        seed = healing.seed + (0 if recorded is None else recorded.seed)
        stream = StreamConfig(
            data=data, curriculum=curriculum, experts=shape.domains or (), seed=seed % SEEDS_PER_SPLIT,
            steps=max(1, healing.steps), accumulation=1, rows=healing.rows, length=self.length, part="learnt",
        )  # fmt: skip
        others, held = (
            stream.model_copy(update={"seed": (seed + more) % SEEDS_PER_SPLIT, "steps": 1, "part": part})
            for more, part in ((1, "learnt"), (2, "held"))
        )
        names = (*data.domain_names, *map(str, data.files))
        of_run, of_others, of_held = (self._blocks(blocks) for blocks in (stream, others, held))
        return HealingData(names, self.length, of_run, of_others, of_held, tuple(data.files), stream)

    def unseen(self, count: int) -> Sequence[Problem]:
        """See `Parent`: of the domains and languages of its last training, the same number of each level."""
        data = None if self._recorded is None else self._recorded.data
        named = self.stored.shape.domains
        domains = data.domain_names if data is not None else trained_domains(named) if named else ()
        languages = (Language.EN,) if data is None else tuple(data.languages)
        if not domains:
            return ()
        return unseen_problems(
            domains, MEASURED_LEVELS, -(-count // (len(domains) * len(MEASURED_LEVELS))), 0, language=languages
        )

    def load(self) -> TuiliForCausalLM:
        """See `Parent`."""
        return load_model(self.path).model

    def network(self, model: nn.Module, learns: bool) -> Network:
        """See `Parent`."""
        assert isinstance(model, TuiliForCausalLM)
        shares = self.shares(len(model.config.exit_layers))
        same = model.config.domains and tuple(model.config.domains) == tuple(self.stored.shape.domains or ())
        prior = DOMAIN_PRIOR if same else 0.0  # experts may no longer belong to domains, or be in another order
        return OwnNetwork(model, self._plan, shares, self._healing.seed, learns, prior)

    def full_depth(self, model: TuiliForCausalLM) -> Network:
        """A network that reads a model only at full depth, such as a teacher, whatever exits its student has."""
        shares = [0.0] * model.config.num_groups + [1.0]
        return OwnNetwork(model, self._plan, shares, self._healing.seed, learns=False)

    def write(self, network: Network, fresh: Path) -> None:
        """See `Parent`: routers stay in fp32, as always when a model is loaded."""
        model = network.model
        assert isinstance(model, TuiliForCausalLM)
        for name, tensor in chain(model.named_parameters(), model.named_buffers()):
            if "router" not in name and tensor.is_floating_point():
                tensor.data = tensor.data.to(self.dtype)
        write_model_files(fresh, model, self.stored.tokenizer)

    def finish(self, teacher: Network, student: Network, samples: Samples, watch: Watch) -> Mapping[str, float]:
        """See `Parent`: chooses exits, and then compares both models at full depth."""
        parent, model = cast(TuiliForCausalLM, teacher.model), cast(TuiliForCausalLM, student.model)
        blocks = [block.to(self._plan.device) for block in samples(THRESHOLD_DOCUMENTS)]
        figures = choose_exits(parent, model, blocks, watch)
        read = watch.counted(blocks, "closeness", "blocks")
        return figures | closeness(self.full_depth(parent), self.full_depth(model), read)

    def _blocks(self, stream: StreamConfig) -> OpenBlocks:
        """Raises `RecordError` for a bad file immediately."""
        sources = build_sources(stream.data, stream.seed, stream.part)
        return partial(prepared_blocks, stream, build_curriculum(stream), sources, self.stored.tokenizer, self.path)
