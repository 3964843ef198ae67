"""Distillation as a `Compression`: the parent is the teacher, and what is made of it is a student of another size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tuili.compress.compression import Compression
from tuili.compress.distillation.losses import TextStudent
from tuili.compress.distillation.recipe import DistilConfig
from tuili.compress.distillation.student import new_student, student_config, take_over
from tuili.compress.network import Network
from tuili.compress.own import OwnParent
from tuili.compress.parent import Parent, Samples, Tell, open_parent
from tuili.errors import InputError
from tuili.model import TuiliConfig, TuiliForCausalLM, check_folder
from tuili.posttrain import LearningNetwork
from tuili.store import Parameters, Tokenizer, count_parameters


class Distilling(Compression):
    """One teacher of Tuili's own kind with one student."""

    step = "distil"

    def __init__(self, parent: Parent, config: DistilConfig) -> None:
        super().__init__(parent)
        if not isinstance(parent, OwnParent):
            raise InputError(f"{parent.path} is imported, and only Tuili's own models teach: prune it, or factorise it")
        self._config, self._own = config, parent
        self._start = None if config.to.start is None else _opened_start(parent, config)
        self._student = self._configuration()
        of_teacher, of_student = count_parameters(parent.shape).total, self.parameters.total
        if of_student > of_teacher:
            raise InputError(
                f"the student has {of_student:,} parameters and would be larger than its teacher {parent.path} with "
                f"{of_teacher:,}: give another --to"
            )

    @property
    def recipe(self) -> Mapping[str, Any]:
        """See `Compression`."""
        recipe = self._config.model_dump(mode="json")
        return recipe if self._start is None else recipe | {"start_hash": self._start.hash}

    @property
    def parameters(self) -> Parameters:
        """See `Compression`."""
        return count_parameters(self._student.shape)

    @property
    def changes(self) -> Mapping[str, str]:
        """See `Compression`."""
        was, now = check_folder(self.parent.path).to_dict(), self._student.to_dict()
        left_out = {"layer_types", "domains", "exit_threshold", "conversation"}
        told = {
            name: f"{was.get(name)} -> {value}"
            for name, value in now.items()
            if value != was.get(name) and name not in left_out and isinstance(value, int | float)
        }
        return told | {"learns": {"logits": "what its teacher predicts", "data": "texts alone"}[self._config.by]}

    def blank(self, stage: int) -> nn.Module:
        """See `Compression`."""
        return new_student(self._student, self._config.healing.seed)

    def change(self, stage: int, model: nn.Module, samples: Samples, tell: Tell) -> nn.Module:
        """See `Compression`: the student with the weights that it begins with."""
        student = new_student(self._student, self._config.healing.seed)
        if self._start is not None:
            student.load_state_dict(self._start.load().state_dict())
            return student
        if self._config.layers == "teacher":
            assert isinstance(model, TuiliForCausalLM)
            taken = take_over(student, model, samples, self._config.samples)
            tell(f"{taken:,} of {self.parameters.total:,} parameters begin as the teacher's")
        return student

    def teacher(self) -> Network:
        """See `Compression`: the teacher at full depth, for all exits of the student."""
        return self._own.full_depth()

    def learner(self, stage: int, student: Network, teacher: Network) -> LearningNetwork:
        """See `Compression`."""
        return TextStudent(student) if self._config.by == "data" else super().learner(stage, student, teacher)

    def _configuration(self) -> TuiliConfig:
        config, teacher = self._config, check_folder(self.parent.path)
        if self._start is not None:
            student = check_folder(self._start.path)
            student.conversation = teacher.conversation
            return student
        if config.to.preset is None and not config.to.overrides:
            raise InputError("distil.to names no size: give --to, as in --to num_groups=1,moe_intermediate_size=48")
        return student_config(teacher, config.to)


def _opened_start(teacher: OwnParent, config: DistilConfig) -> OwnParent:
    """The model that a student begins as. Raises `InputError` where it is none for this teacher."""
    assert config.to.start is not None
    start = open_parent(config.to.start, config.healing)
    if not isinstance(start, OwnParent):
        raise InputError(f"{start.path} is imported, and its teacher {teacher.path} is not: give one of Tuili's own")
    if not _same(start.stored.tokenizer, teacher.stored.tokenizer):
        raise InputError(f"{start.path} has another tokenizer than its teacher {teacher.path}: give one with the same")
    return start


def _same(one: Tokenizer, other: Tokenizer) -> bool:
    return one.end_id == other.end_id and one.backend.to_str() == other.backend.to_str()
