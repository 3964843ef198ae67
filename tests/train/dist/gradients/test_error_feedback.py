"""What gradients have lost goes on from a checkpoint where it belongs; elsewhere it is forgotten, and that is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest
import torch

from tuili.train.dist.config import BackendName
from tuili.train.dist.gradients.baselines import PowerSgd
from tuili.train.dist.gradients.codec import PackedAverage, PackedSettings
from tuili.train.dist.gradients.error_feedback import ERRORS, OTHERS, GradientForm, collect_errors, load_errors
from tuili.train.dist.group import SingleProcess

KEEP, ROTATE = PackedSettings(keep=0.8), PackedSettings(rotate=True)
START = 2
"""Of PowerSGD's matrices."""


@dataclass
class First(SingleProcess):
    """Process 0 of some; what it finds, all have found."""

    world_size: int = 1  # type: ignore[misc]
    rank: int = 0  # type: ignore[misc]


@dataclass
class Channel:
    """As much of a group of torch as tells where this process is in it."""

    world_size: int

    def rank(self) -> int:
        return 0

    def size(self) -> int:
        return self.world_size


def packed(settings: PackedSettings, islands: int = 2) -> PackedAverage:
    return PackedAverage(cast(Any, Channel(islands)), cast(Any, None), settings)


def after_rounds(settings: PackedSettings) -> PackedAverage:
    average, number = packed(settings), 3 if settings.keep else 0
    average.load({
        "w:place": torch.tensor([0, 2]),
        "w:errors": torch.ones(number),
        "w:mean_errors": torch.ones(number),
        "w:rounds": torch.tensor(7),
    })  # fmt: skip
    return average


def gone_on(
    form: GradientForm | None, saved: GradientForm, backend: BackendName = "ddp", processes: int = 2
) -> list[str]:
    """What is told of a run whose checkpoint two processes of DDP have written."""
    told = list[str]()
    parts = [collect_errors(First(2, rank), "ddp", saved).get(ERRORS, {}) for rank in range(2)]
    load_errors(First(processes), backend, form, {ERRORS: parts[0] | parts[1]}, told.append)
    return told


def test_what_was_loaded_has_not_travelled_here() -> None:
    """So that a run that goes on notices, too, where gradients do not go the way that was asked for."""
    form = PowerSgd(cast(Any, None), 1, START, torch.device("cpu"))
    form.load({"steps": torch.tensor(START + 1), "rank": torch.tensor(1)})
    assert after_rounds(KEEP).names == form.names == set()
    form.of_torch.iter += 1
    assert form.names == {"powersgd"}


@pytest.mark.parametrize("settings", [KEEP, ROTATE, PackedSettings(2, rotate=True, keep=0.5)])
def test_it_goes_on_where_it_was_lost(settings: PackedSettings) -> None:
    """The rounds, too, from which the signs of the next rotation follow."""
    form, saved = packed(settings), after_rounds(settings)
    assert gone_on(form, saved) == []
    assert form.state().keys() == saved.state().keys()
    assert all(torch.equal(form.state()[name], value) for name, value in saved.state().items())


@pytest.mark.parametrize(
    ("form", "options", "reason"),
    [
        (packed(KEEP), {"processes": 3}, "it was lost by other processes"),
        (packed(KEEP, islands=3), {}, "it was lost by other processes"),
        (packed(KEEP), {"backend": "fsdp2"}, "it was lost by ddp packed gradients"),
        (packed(PackedSettings()), {}, "it is not kept any more"),
        (packed(ROTATE), {}, "it is not kept any more"),
        (None, {}, "it is not kept any more"),
    ],
    ids=["more processes", "more islands", "another backend", "not kept", "rounds are kept", "fp32"],
)
def test_elsewhere_it_is_forgotten(form: PackedAverage | None, options: dict[str, Any], reason: str) -> None:
    assert gone_on(form, after_rounds(KEEP), **options) == [f"what gradients had lost is forgotten: {reason}"]
    assert form is None or not any(value.any() for name, value in form.state().items() if name.endswith("errors"))


def test_what_another_process_cannot_go_on_from_is_told_by_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where islands are others, and process 0 stands where it stood before."""
    monkeypatch.setattr(First, "all_gather", lambda self, value: [value, OTHERS])
    told = "what gradients had lost is forgotten: it was lost by other processes"
    assert gone_on(packed(KEEP), after_rounds(KEEP)) == [told]


def test_where_nothing_was_lost_nothing_is_told() -> None:
    assert gone_on(None, after_rounds(ROTATE)) == []
    assert gone_on(packed(KEEP), after_rounds(ROTATE)) == []
    assert collect_errors(First(), "ddp", after_rounds(PackedSettings())) == {}


def test_powersgd_goes_on_from_its_matrices() -> None:
    saved, form, wider = (PowerSgd(cast(Any, None), rank, START, torch.device("cpu")) for rank in (1, 1, 2))
    saved.of_torch.iter = START + 1
    for number, values in enumerate((saved.of_torch.error_dict, saved.of_torch.p_memory_dict)):
        values[0] = torch.full((4,), number + 1.0)
    assert gone_on(form, saved) == []
    assert form.of_torch.iter == START + 1
    assert form.of_torch.p_memory_dict[0].tolist() == [2.0] * 4
    assert gone_on(wider, saved) == []  # its matrices have another shape
    assert wider.of_torch.error_dict[0].tolist() == [1.0] * 4
    assert not wider.of_torch.p_memory_dict
    assert gone_on(packed(KEEP), saved) == [
        "what gradients had lost is forgotten: it was lost by ddp powersgd gradients"
    ]
    assert set(collect_errors(First(), "ddp", saved)) == {ERRORS}
