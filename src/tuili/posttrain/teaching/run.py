"""Teaching an imported model, in a run folder: from a recipe to a model folder, and to an adapter.

`data` chooses what is learnt, and `network` defines how. The log and checkpoints are those of other trainings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from tuili.data import IGNORE_INDEX, Block, BlockStream, StreamState, prefetch
from tuili.errors import InputError
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.learning import LearningSession
from tuili.posttrain.teaching.data import (
    QuestionSource,
    TaughtSource,
    build_sources,
    open_stream,
    row_length,
    written_tokens,
)
from tuili.posttrain.teaching.examples import ExampleEncoder
from tuili.posttrain.teaching.folder import TeachingFolder
from tuili.posttrain.teaching.network import TaughtNetwork
from tuili.posttrain.teaching.recipe import TeachingConfig
from tuili.posttrain.teaching.result import write_result
from tuili.store import ImportedModel, learnt_numbers, open_model, open_tensors, read_lineage
from tuili.train import PreparedBlocks, find_device, noticing_full_gpu


@dataclass(frozen=True)
class TeachingResult:
    """How far a teaching came. model: None if it was interrupted; adapter: None also if all weights learn. figures: the
    last line of its log."""

    step: int
    tokens: int
    seconds: float
    figures: Mapping[str, Any]
    model: Path | None = None
    adapter: Path | None = None


@noticing_full_gpu("use teach.device=cpu, fewer teach.rows or a shorter teach.length")
def teach(config: TeachingConfig, out: Path, *, resume: bool, console: Console | None = None) -> TeachingResult:
    """Teach a model in the folder `out`; with `resume`, continue from its newest checkpoint.

    Raises `InputError` for a model of Tuili's own kind, which other recipes train, for data that nothing can be learnt
    from, for settings that do not suit the model, if a GPU has too little memory, and if the folder holds a run that
    began with other settings or is not to be resumed; `TuiliError` if loss or gradient are no longer finite.
    """
    console = console or Console(stderr=True)

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    stored = open_model(config.model)
    if not isinstance(stored, ImportedModel):
        raise InputError(f"{stored.path} is of Tuili's own kind: train it by a recipe such as recipes/adapt.yaml")
    if stored.shape.quantization is not None:
        raise InputError(
            f"{stored.path} is in whole numbers, which is the last step of all: teach the model that it was made of"
        )
    if not config.qat and (learnt := learnt_numbers(read_lineage(stored.path))) is not None:
        raise InputError(
            f"{stored.path} was taught in {learnt}, which would be undone: add teach.qat=true, or teach the model that "
            "it was made of"
        )
    if stored.shape.ranks and config.way == "lora":
        raise InputError(f"teach.way = lora: {stored.path} has factors, which get no terms: use full")
    tell("reading what is to be learnt")
    sources = build_sources(config.data, config.seed, config.response == "prose", tell)  # before a folder is made
    device = find_device(config.device, "teach.device")
    folder = TeachingFolder(out, config, stored, device.type)
    with folder.locked():
        changes = folder.changes(resume)
        teaching = _Teaching(config, stored, sources, folder, device, tell, console)
        if changes is None:
            folder.begin()
        elif changes:
            tell(f"changed since the run began: {', '.join(changes)}; the weights may differ")
        return teaching.run()


class _Teaching:
    """One session of a run, and the network that it trains."""

    def __init__(
        self, config: TeachingConfig, stored: ImportedModel, sources: Sequence[TaughtSource], folder: TeachingFolder,
        device: torch.device, tell: Callable[[str], None], console: Console,
    ) -> None:  # fmt: skip
        self._config, self._stored, self._sources, self._folder = config, stored, sources, folder
        self._tell, self._console, self._prose = tell, console, config.response == "prose"
        self._encode = ExampleEncoder(stored.tokenizer, config.results == "masked", self._prose)
        prefix, depth = self._encode.prefix, stored.shape.num_hidden_layers
        first = depth // 2 if config.first_layer is None else config.first_layer
        if first >= depth:
            raise InputError(f"teach.first_layer = {first}: the model has {depth} layers, from 0 on")
        self._length = row_length(config, len(prefix), stored.shape.max_position_embeddings)
        self._vocabulary = written_tokens(sources, self._encode, self._length, tell)
        if device.type != "cpu":
            tell(f"learns on {torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type}")
        backbone = Backbone.load(stored.path, self._numbers(), device)
        rank = config.rank if config.way == "lora" else None
        self._network = TaughtNetwork(backbone, first, rank, prefix, self._vocabulary, config.seed, config.qat)
        self._validation = [*self._validation_blocks()]

    def _numbers(self) -> torch.dtype:
        """The numeric type for computing; with `qat` the folder's, so that the weights rounded are those written."""
        if not self._config.qat:
            return torch.bfloat16
        path = self._stored.path
        with open_tensors(path, self._stored.shape) as tensors:
            kinds = {tensors.kind(name) for name in tensors}
        if len(kinds) > 1 or kinds <= {"F16", "F64"}:
            raise InputError(
                f"teach.qat: the tensors of {path} are {' and '.join(sorted(kinds))}: import it with --dtype bfloat16 "
                "or float32, so that it can be stored as it was rounded"
            )
        return torch.bfloat16 if kinds == {"BF16"} else torch.float32

    def run(self) -> TeachingResult:
        """Train, and write the resulting model."""
        config = self._config
        with LearningSession(config, config.steps, self._folder.path, self._console, self._tell) as session:
            finished = session.learn(self, self._open_blocks, 0, config.steps, self._measure)
            state, seconds, last = session.state, session.seconds, session.last
        if not finished:
            return TeachingResult(state.step, state.tokens, seconds, last)
        figures = {name: last[name] for name in ("loss", "accuracy") if name in last} | self._validate()
        model, adapter = write_result(
            self._stored, self._folder, self._network, config, self._vocabulary, figures, state.tokens, seconds / 3600
        )
        return TeachingResult(state.step, state.tokens, seconds, last, model, adapter)

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """See `LearningNetwork`."""
        return self._network.parameters

    def learn(self, block: Block, step: int) -> dict[str, float]:
        """See `LearningNetwork`."""
        generator = torch.Generator().manual_seed(self._config.seed * 1_000_003 + step)
        loss, right = self._network.loss(block, self._config.extra_tokens, generator)
        self._network.backward(loss)
        return {"loss": loss.item(), "accuracy": right.item()}

    def follow(self, scale: float) -> None:
        """See `LearningNetwork`."""
        self._network.follow()

    def tensors(self) -> Mapping[str, torch.Tensor]:
        """See `LearningNetwork`."""
        return {name: parameter.detach() for name, parameter in self._network.parameters.items()}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """See `LearningNetwork`: the session has already set `parameters`."""
        self._network.follow()

    def _open_blocks(self, state: StreamState) -> AbstractContextManager[PreparedBlocks]:
        return prefetch(self._blocks(self._sources, state))

    def _measure(self, step: int) -> Mapping[str, float]:
        return self._validate() if step % self._config.validation_interval == 0 else {}

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """The loss on the validation files, and the share of their tokens that is likeliest; empty without files."""
        sums, count = torch.zeros(2), 0
        for number, block in enumerate(self._validation):
            learnt = int((block.targets_BT != IGNORE_INDEX).sum())
            generator = torch.Generator().manual_seed(number)
            sums += learnt * torch.stack(self._network.loss(block, self._config.extra_tokens, generator)).cpu()
            count += learnt
        if not count:
            return {}
        return {"validation_loss": sums[0].item() / count, "validation_accuracy": sums[1].item() / count}

    def _validation_blocks(self) -> Iterator[Block]:
        config = self._config
        if files := dict.fromkeys(config.data.validation):
            questions = (QuestionSource(path, config.seed, self._tell, self._prose) for path in files)
            sources = [TaughtSource(source, 1.0, config.seed) for source in questions]
            yield from islice(self._blocks(sources, StreamState()), -(-config.validation_rows // config.rows))

    def _blocks(self, sources: Sequence[TaughtSource], state: StreamState) -> BlockStream:
        rows, pad_id = self._config.rows, self._stored.tokenizer.end_id
        return open_stream(sources, self._encode, rows, self._length, pad_id, state)
