"""Distillation as a `Compression`: the parent is the teacher, and the result is a student of another size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import nn

from tuili.compress.compression import Compression, StageSetting
from tuili.compress.distilling.chains import chain_rounds, chains_part, rounds_of
from tuili.compress.distilling.imported import ImportedDistilling
from tuili.compress.distilling.losses import TextStudent
from tuili.compress.distilling.recipe import LEARNS, DistilConfig
from tuili.compress.distilling.student import narrowing_bytes, narrowing_parts, new_student, student_config, take_over
from tuili.compress.healing import HealedNetwork, forward_kl, reverse_kl
from tuili.compress.imported import ImportedParent
from tuili.compress.network import Network
from tuili.compress.own import OwnParent
from tuili.compress.parent import HealingData, Parent, Samples, open_parent
from tuili.compress.trial import Part, Tried
from tuili.compress.watch import Watch
from tuili.errors import InputError
from tuili.model import TuiliConfig, TuiliForCausalLM, check_folder
from tuili.posttrain import LearningNetwork, OpenBlocks
from tuili.store import ModelShape, Tokenizer, count_parameters


class Distilling(Compression):
    """One teacher of Tuili's own kind with one student."""

    step = "distil"

    def __init__(self, parent: Parent, config: DistilConfig) -> None:
        super().__init__(parent)
        if not isinstance(parent, OwnParent):
            raise InputError(f"{parent.path} is imported: `distillation` makes it a student of fewer layers")
        self._config, self._own = config, parent
        self.stages = 2 if config.written_steps else 1
        self._start = None if config.to.start is None else _opened_start(parent, config)
        self._student = self._configuration()
        context, sized_by = self._student.max_position_embeddings, "--to" if self._start is None else "--start"
        if context < parent.length:
            raise InputError(
                f"the student reads {context} tokens at most, and learns rows of {parent.length}: give another "
                f"{sized_by}, with a longer max_position_embeddings, or distil.healing.length={context}"
            )
        of_teacher, of_student = count_parameters(parent.shape).total, self.parameters.total
        if of_student > of_teacher:
            raise InputError(
                f"the student has {of_student:,} parameters and would be larger than its teacher {parent.path} with "
                f"{of_teacher:,}: give another {sized_by}"
            )

    @property
    def recipe(self) -> Mapping[str, Any]:
        """See `Compression`."""
        recipe = self._config.model_dump(mode="json")
        recipe |= {} if self._start is None else {"start_hash": self._start.hash}
        return recipe if self.begun_as is self.parent else recipe | {"teacher_hash": self.parent.hash}

    @property
    def begun_as(self) -> Parent | None:
        """See `Compression`: a student with new weights descends from its teacher if it learns from it."""
        config = self._config
        return None if config.by == "data" and config.layers == "new" else self._start or self.parent

    @property
    def read_from(self) -> Mapping[str, Path]:
        """See `Compression`."""
        start = {} if self._start is None else {"--start": self._start.path}
        return {**super().read_from, **start}

    @property
    def exit_shares(self) -> Sequence[float]:
        """The share of learnt tokens that leave at each exit of the student during learning."""
        return self._own.shares(len(self._student.exit_layers))

    def trained_with(self, data: HealingData) -> Mapping[str, Any]:
        """See `Compression`: its texts, which may differ from those of the model that it starts from."""
        assert data.stream is not None
        return {
            "data": data.stream.data.model_dump(mode="json"),
            "curriculum": data.stream.curriculum.model_dump(mode="json"),
            "objective": {"exits": [list(self.exit_shares)] * 2},
            "train": {"length": data.stream.length},
        }

    @property
    def shape(self) -> ModelShape:
        """See `Compression`."""
        return self._student.shape

    @property
    def changes(self) -> Mapping[str, str]:
        """See `Compression`."""
        was, now = self._own.configuration.to_dict(), self._student.to_dict()
        told = {
            name: f"{was.get(name)} -> {value}"
            for name, value in now.items()
            if value != was.get(name) and name != "exit_threshold" and isinstance(value, int | float)
        }
        return told | {"learns": LEARNS[self._config.by]} | dict(self._writes)

    @property
    def sample_bytes(self) -> int:
        """See `Compression`: not 0 for a student that takes over selected parts of its teacher."""
        if self._start is not None or self._config.layers == "new":
            return 0
        return narrowing_bytes(self._own.configuration, self._student)

    def blank(self, stage: int) -> nn.Module:
        """See `Compression`."""
        return new_student(self._student, self._config.healing.seed)

    def change(self, stage: int, model: nn.Module, samples: Samples, watch: Watch) -> nn.Module:
        """See `Compression`: the student with its initial weights."""
        if stage:
            return model
        student = new_student(self._student, self._config.healing.seed)
        if self._start is not None:
            student.load_state_dict(self._start.load().state_dict())
            return student
        if self._config.layers == "teacher":
            assert isinstance(model, TuiliForCausalLM)
            taken = take_over(student, model, samples, self._config.samples, watch)
            watch.tell(f"{taken:,} of {self.parameters.total:,} parameters begin as the teacher's")
        return student

    def teacher(self) -> Network:
        """See `Compression`: the teacher at full depth, for all exits of the student."""
        return self._own.full_depth(self._own.load())

    def learner(self, stage: int, student: Network, teacher: Network) -> LearningNetwork:
        """See `Compression`."""
        if self._config.by != "logits":
            return TextStudent(student)
        return HealedNetwork(student, teacher, reverse_kl if stage else forward_kl)

    def span(self, stage: int, steps: int) -> tuple[int, int]:
        """See `Compression`: first its teacher's chains or the given texts, then chains that the student writes."""
        written = steps - self._config.written_steps
        return (written, steps) if stage else (0, written)

    def blocks(self, stage: int, student: Network, teacher: Network, setting: StageSetting) -> OpenBlocks:
        """See `Compression`."""
        if not stage and not self._config.teacher_writes:
            return setting.data.open_blocks
        writer = cast(TuiliForCausalLM, (student if stage else teacher).model)
        return chain_rounds(self._config, stage > 0, writer, self._loaded_from, setting).open_blocks

    def parts(self, tried: Tried) -> Iterator[Part]:
        """See `Compression`."""
        config, stream = self._config, tried.data.stream
        assert stream is not None
        if self._start is None and config.layers == "teacher":
            yield from narrowing_parts(self._own.load(), self._student, config.samples, tried.block)
        steps = {False: config.healing.steps - config.written_steps, True: config.written_steps}
        for by_student in (False,) * config.teacher_writes + (True,):
            if steps[by_student]:
                writer = cast(TuiliForCausalLM, (tried.student if by_student else tried.teacher).model)
                yield chains_part(config, by_student, writer, self._loaded_from, stream, steps[by_student])

    @property
    def _loaded_from(self) -> tuple[Path, Tokenizer]:
        return self.parent.path, self._own.stored.tokenizer

    @property
    def _writes(self) -> Mapping[str, str]:
        config = self._config
        steps, last = config.healing.steps, config.written_steps
        masked, whole, by_logits = "up to the first refuted step", "whole", config.by == "logits"
        told = {}
        if config.teacher_writes and steps > last:
            first = f"the first {steps - last:,}" if last else "all"
            told["its teacher writes"] = (
                f"{rounds_of(steps - last, config)}, learnt {masked if by_logits else whole} in {first} steps"
            )
        if last:
            told["the student writes"] = (
                f"{rounds_of(last, config)}, learnt {masked if config.mask else whole} in the last {last:,} steps"
            )
        return told

    def _configuration(self) -> TuiliConfig:
        config, teacher = self._config, self._own.configuration
        if self._start is not None:
            student = check_folder(self._start.path)
            student.conversation = teacher.conversation
            return student
        if config.to.preset is None and not config.to.overrides:
            raise InputError("distil.to names no size: give --to, as in --to num_groups=1,moe_intermediate_size=48")
        return student_config(teacher, config.to)


def distillation(parent: Parent, config: DistilConfig) -> Compression:
    """The distillation for a teacher of either kind. Raises `InputError` for a student that it cannot have."""
    return ImportedDistilling(parent, config) if isinstance(parent, ImportedParent) else Distilling(parent, config)


def _opened_start(teacher: OwnParent, config: DistilConfig) -> OwnParent:
    """The model that a student starts from. Raises `InputError` if it does not suit this teacher."""
    assert config.to.start is not None
    start = open_parent(config.to.start, config.healing)
    if not isinstance(start, OwnParent):
        raise InputError(f"{start.path} is imported, and its teacher {teacher.path} is not: give one of Tuili's own")
    if not _same(start.stored.tokenizer, teacher.stored.tokenizer):
        raise InputError(f"{start.path} has another tokenizer than its teacher {teacher.path}: give one with the same")
    return start


def _same(one: Tokenizer, other: Tokenizer) -> bool:
    return one.end_id == other.end_id and one.backend.to_str() == other.backend.to_str()
