"""Measurements side by side: the same findings as one after the other, and clear ends when one fails."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import save_tiny
from tuili.errors import InputError, TuiliError
from tuili.eval import parallel
from tuili.eval.parallel import measure, share_cores
from tuili.model import LoadedModel, load_model

Told = Callable[[int, int], None]
SLEEP = 300


def logit(token: int, loaded: LoadedModel, told: Told) -> tuple[int, float]:
    told(1, 2)
    output = loaded.model(input_ids=torch.tensor([[token, 7]]))
    told(2, 2)
    return os.getpid(), output.logits.sum().item()


def refuse(loaded: LoadedModel, told: Told) -> None:
    raise InputError("no such thing")


def die(loaded: LoadedModel, told: Told) -> None:
    os._exit(9)


def stall(place: Path, loaded: LoadedModel, told: Told) -> None:
    place.write_text(str(os.getpid()))
    time.sleep(SLEEP)


def refuse_later(place: Path, loaded: LoadedModel, told: Told) -> None:
    wait_for(lambda: place.exists() and bool(place.read_text()))
    refuse(loaded, told)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(process: int) -> bool:
    return not Path(f"/proc/{process}").exists() or "State:\tZ" in Path(f"/proc/{process}/status").read_text()


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


def test_nobody_waits_for_the_others_when_one_fails(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "usable_cores", lambda: 2)
    place, start = tmp_path / "process", time.monotonic()
    with pytest.raises(InputError, match="no such thing"):
        measure(loaded, {"long": partial(stall, place), "bad": partial(refuse_later, place)}, lambda *_: None)
    wait_for(lambda: gone(int(place.read_text())), 10)
    assert time.monotonic() - start < SLEEP / 2


def measure_for_ever(folder: Path, places: list[Path]) -> None:
    parallel.usable_cores = lambda: 2
    measurements = {place.name: partial(stall, place) for place in places}
    measure(load_model(str(folder)), measurements, lambda *_: None)


def test_they_end_when_the_process_that_began_them_is_killed(loaded: LoadedModel, tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    first = get_context("spawn").Process(target=measure_for_ever, args=(loaded.path, places))
    first.start()
    try:
        wait_for(lambda: all(place.exists() and bool(place.read_text()) for place in places))
    finally:
        first.kill()
        first.join()
    for place in places:
        wait_for(lambda: gone(int(place.read_text())), 10)  # noqa: B023  # waited for within the loop


def test_a_folder_with_the_name_of_a_shipped_model_is_the_one_measured(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nano").symlink_to(loaded.path)
    monkeypatch.chdir(tmp_path)
    own = load_model("./nano")
    (_, value), *_ = found(own, 2, monkeypatch)[0].values()
    assert value == pytest.approx(logit(3, own, lambda *_: None)[1], rel=1e-6)


def test_cores_are_shared_by_processes_of_one_thread(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "usable_cores", lambda: 2)
    assert share_cores(loaded, 5) == (2, 1)
    assert share_cores(loaded, 1) == (1, torch.get_num_threads())
