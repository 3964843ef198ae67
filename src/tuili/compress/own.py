"""Models of Tuili's own kind: what they are healed with, and how they are read at each of their exits.

Dimensions: N learnt tokens.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from tuili.compress.exits import agreement_loss, read_exits
from tuili.compress.network import Network, TokenStates
from tuili.compress.parent import HealingData, Parent, Samples, Tell
from tuili.compress.recipe import HealingConfig
from tuili.data import Block
from tuili.errors import InputError
from tuili.model import TuiliConfig, TuiliForCausalLM, check_folder, load_model, set_kernels, write_model_files
from tuili.posttrain import OpenBlocks, choose_threshold
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
    router_losses,
    walk_exits,
)

ROUTER_Z, DOMAIN_PRIOR = 1e-4, 0.01
"""Weights of the routers' losses, as at the end of a training."""
THRESHOLD_DOCUMENTS = 400
"""On which the threshold of the exits is chosen."""
THRESHOLD_TRIES = 8
MEASURED_LEVELS = (1, 2, 3)
"""Of the problems that accuracy is measured on."""


class OwnNetwork:
    """A model with exits. Tokens leave at each in these shares; a model that learns does so at all exits."""

    def __init__(
        self, model: TuiliForCausalLM, plan: ExecutionPlan, shares: Sequence[float], seed: int, learns: bool
    ) -> None:
        self.model, self._plan, self._seed, self._learns = model, plan, seed, learns
        self._beyond = [sum(shares[exit + 1 :]) for exit in range(len(shares) - 1)]
        self._domain_prior = DOMAIN_PRIOR if model.config.domains else 0.0  # experts may be no domain's any more
        nn.Module.to(model, plan.device)  # the library's own `to` has another type
        set_kernels(model, fused=False, native=plan.kernels == "native")
        model.train().requires_grad_(learns)  # a model that teaches too, because kernels are those of training
        for router in model.routers():
            router.exploration = 0.0  # tokens that explore would hide what the parent does
        self.parameters: Mapping[str, nn.Parameter] = dict(model.named_parameters()) if learns else {}
        """What learns, by name."""

    def read(self, block: Block, step: int) -> TokenStates:
        """See `Network`."""
        seed = random.Random(f"exits/{self._seed}/{step}").getrandbits(32)
        generator = torch.Generator(self._plan.device).manual_seed(seed)
        with self._plan.autocast():
            walk = walk_exits(self.model, block.to(self._plan.device), self._beyond, generator)
            order_N = walk.place_N.argsort()  # models with other exits, too, have the same tokens in it
            hidden_NM = self.model.model.norm(walk.hidden_NM[order_N])
            penalty: Tensor | float = 0.0
            if self._learns:
                z_loss, domain_loss = router_losses(walk)
                penalty = ROUTER_Z * z_loss + self._domain_prior * domain_loss
        head = self.model.lm_head
        rounded = None if head.rounding is None else head
        return TokenStates(hidden_NM, cast(Tensor, head.weight), walk.target_N[order_N], penalty, rounded)

    def take_gradients(self) -> None:
        """See `Network`: a parameter that no token has used has a gradient of zero."""
        for parameter in self.parameters.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def follow(self, scale: float) -> None:
        """See `Network`."""
        self.model.after_step(scale)

    def tensors(self) -> Mapping[str, Tensor]:
        """See `Network`."""
        return self.model.state_dict()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Network`."""
        self.model.load_state_dict(dict(tensors))


class OwnParent(Parent):
    """A model of Tuili's own kind. It is healed with what its last training read at its end."""

    def __init__(self, stored: StoredModel, healing: HealingConfig) -> None:
        self.stored: StoredModel = stored
        self._healing = healing

    @property
    def configuration(self) -> TuiliConfig:
        """Its shape with what transformers needs besides."""
        return check_folder(self.path)

    @cached_property
    def _recorded(self) -> RecordedTraining | None:
        return recorded_training(self.path)

    @cached_property
    def _plan(self) -> ExecutionPlan:
        settings = self._healing.model_dump(include={"precision", "kernels"})
        return ExecutionPlan.resolve(TrainConfig(replicas=1, compile="off", **settings))

    def _shares(self, exits: int) -> Sequence[float]:
        recorded = () if self._recorded is None else self._recorded.exits
        return recorded if len(recorded) == exits else [1 / exits] * exits

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
        trained = TrainConfig().length if recorded is None else recorded.length
        length = min(healing.length or trained, shape.max_position_embeddings)
        stream = StreamConfig(
            data=data, curriculum=curriculum, experts=shape.domains or (), seed=seed % SEEDS_PER_SPLIT,
            steps=max(1, healing.steps), accumulation=1, rows=healing.rows, length=length,
        )  # fmt: skip
        others = stream.model_copy(update={"seed": (seed + 1) % SEEDS_PER_SPLIT, "steps": 1})
        names = (*data.domain_names, *map(str, data.files))
        return HealingData(names, length, self._blocks(stream), self._blocks(others), tuple(data.files), stream)

    def unseen(self, count: int) -> Sequence[Problem]:
        """See `Parent`: of the domains and languages that it was trained on at last, evenly of each level."""
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
        shares = self._shares(len(model.config.exit_layers))
        return OwnNetwork(model, self._plan, shares, self._healing.seed, learns)

    def full_depth(self) -> Network:
        """The model as one that teaches at full depth alone, whatever exits its student has."""
        model = self.load()
        shares = [0.0] * model.config.num_groups + [1.0]
        return OwnNetwork(model, self._plan, shares, self._healing.seed, learns=False)

    def write(self, network: Network, fresh: Path) -> None:
        """See `Parent`: routers stay in fp32, as they do wherever a model is loaded."""
        model = network.model
        assert isinstance(model, TuiliForCausalLM)
        for name, tensor in chain(model.named_parameters(), model.named_buffers()):
            if "router" not in name and tensor.is_floating_point():
                tensor.data = tensor.data.to(self.dtype)
        write_model_files(fresh, model, self.stored.tokenizer)

    def finish(self, teacher: Network, student: Network, samples: Samples, tell: Tell) -> Mapping[str, float]:
        """Choose the threshold at which tokens leave: the lowest that keeps the student as close to its own full depth
        as the parent is to its own."""
        parent, model = cast(TuiliForCausalLM, teacher.model), cast(TuiliForCausalLM, student.model)
        blocks = [block.to(self._plan.device) for block in samples(THRESHOLD_DOCUMENTS)]
        tolerated = agreement_loss(read_exits(parent, blocks), parent.config.exit_threshold)
        exits = read_exits(model, blocks)
        threshold, _ = choose_threshold(exits.leaving_at, exits.full_depth, tolerated, THRESHOLD_TRIES)
        tell(f"tokens leave at a probability of {threshold:.3f}; the parent's left at {parent.config.exit_threshold:g}")
        model.config.exit_threshold = threshold
        return {"exit_threshold": threshold}

    def _blocks(self, stream: StreamConfig) -> OpenBlocks:
        """Raises `RecordError` for a bad file at once."""
        sources = build_sources(stream.data, stream.seed)
        return partial(prepared_blocks, stream, build_curriculum(stream), sources, self.stored.tokenizer, self.path)
