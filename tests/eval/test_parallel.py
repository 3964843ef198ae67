"""Measurements side by side: the same findings as one after the other, and clear ends when one fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from tests.tiny import save_tiny
from tuili.errors import InputError, TuiliError
from tuili.eval import parallel
from tuili.eval.parallel import measure
from tuili.model.folder import LoadedModel, load_model

Told = Callable[[int, int], None]


def logit(token: int, loaded: LoadedModel, told: Told) -> tuple[int, float]:
    told(1, 2)
    output = loaded.model(input_ids=torch.tensor([[token, 7]]))
    told(2, 2)
    return os.getpid(), output.logits.sum().item()


def refuse(loaded: LoadedModel, told: Told) -> None:
    raise InputError("no such thing")


def die(loaded: LoadedModel, told: Told) -> None:
    os._exit(9)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(str(save_tiny(tmp_path_factory.mktemp("parallel") / "model")))


def found(loaded: LoadedModel, cores: int, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[Any]]:
    monkeypatch.setattr(parallel, "usable_cores", lambda: cores)
    told: list[Any] = []
    measurements = {f"token {token}": partial(logit, token) for token in (3, 4, 5)}
    return measure(loaded, measurements, lambda *heard: told.append(heard)), told


def test_side_by_side_is_as_one_after_the_other(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    (alone, told_alone), (beside, told_beside) = (found(loaded, cores, monkeypatch) for cores in (1, 2))
    assert list(beside) == list(alone)
    for name, (process, value) in alone.items():
        assert process == os.getpid()
        assert beside[name][0] != process
        assert beside[name][1] == pytest.approx(value, rel=1e-6)
    assert sorted(told_beside) == sorted(told_alone)


@pytest.mark.parametrize(
    ("bad", "error", "message"), [(refuse, InputError, "no such thing"), (die, TuiliError, "killed")]
)
def test_a_measurement_that_fails_ends_all(
    bad: Any, error: type[TuiliError], message: str, loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "usable_cores", lambda: 2)
    with pytest.raises(error, match=message):
        measure(loaded, {"bad": bad, "good": partial(logit, 3)}, lambda *_: None)
