"""Exits are read as they were written; what is damaged, incomplete or another model's is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tuili.errors import InputError, ModelFolderError
from tuili.store import (
    EXIT_TENSORS_FILE,
    EXITS_FILE,
    ExitsFile,
    ExitsSettings,
    exit_tensor_shapes,
    exits_hash,
    read_exits_file,
    read_exits_settings,
    write_exits_file,
)

LAYERS, HIDDEN, VOCABULARY = 4, 8, 50
SETTINGS = ExitsSettings(layers=(2, 3, 4), threshold=0.75, rank=3, channels=5, figures={"layers": 2.5})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}\n")
    save_file({"weight": np.ones(3, np.float32)}, tmp_path / "model.safetensors")
    return tmp_path


def some_exits() -> ExitsFile:
    rng = np.random.default_rng(1)
    shapes = exit_tensor_shapes(SETTINGS, HIDDEN)
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return ExitsFile(SETTINGS, tensors, np.array([1, 7, 49], np.int32))


def read(folder: Path) -> ExitsFile | None:
    return read_exits_file(folder, LAYERS, HIDDEN, VOCABULARY)


def test_they_are_read_as_they_were_written(folder: Path) -> None:
    assert read(folder) is None
    assert read_exits_settings(folder, LAYERS) is None
    assert exits_hash(folder) is None
    written = some_exits()
    write_exits_file(folder, written)
    stored = read(folder)
    assert stored is not None
    settings = read_exits_settings(folder, LAYERS)
    assert settings is not None
    for name in ("layers", "threshold", "rank", "channels", "way", "figures"):
        assert getattr(settings, name) == getattr(stored.settings, name) == getattr(SETTINGS, name)
    assert stored.tensors.keys() == written.tensors.keys()
    assert all(np.array_equal(stored.tensors[name], array) for name, array in written.tensors.items())
    assert stored.common_tokens_X is not None
    assert stored.common_tokens_X.tolist() == [1, 7, 49]
    assert exits_hash(folder) is not None


def test_what_was_read_is_written_again_to_the_byte(folder: Path) -> None:
    write_exits_file(folder, some_exits())
    before = [(folder / name).read_bytes() for name in (EXITS_FILE, EXIT_TENSORS_FILE)]
    stored = read(folder)
    assert stored is not None
    write_exits_file(folder, stored)
    assert [(folder / name).read_bytes() for name in (EXITS_FILE, EXIT_TENSORS_FILE)] == before


def test_all_tokens_as_common_ones_are_none(folder: Path) -> None:
    write_exits_file(folder, replace(some_exits(), common_tokens_X=None))
    stored = read(folder)
    assert stored is not None
    assert stored.common_tokens_X is None


def test_exits_of_another_model_are_refused(folder: Path) -> None:
    write_exits_file(folder, some_exits())
    save_file({"weight": np.zeros(3, np.float32)}, folder / "model.safetensors")
    with pytest.raises(ModelFolderError, match="trained on another model"):
        read(folder)


def test_another_full_depth_is_refused(folder: Path) -> None:
    write_exits_file(folder, some_exits())
    with pytest.raises(ModelFolderError, match="must be the model's full depth, 6"):
        read_exits_settings(folder, 6)


def test_exits_without_their_tensors_are_refused(folder: Path) -> None:
    write_exits_file(folder, some_exits())
    (folder / EXIT_TENSORS_FILE).unlink()
    with pytest.raises(ModelFolderError, match="stands without"):
        read(folder)


def test_a_changed_byte_is_noticed(folder: Path) -> None:
    write_exits_file(folder, some_exits())
    path = folder / EXIT_TENSORS_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFolderError, match="damaged or was changed"):
        read(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"threshold": 0.0}, "threshold: Input should be greater than 0"),
        ({"threshold": "0.5"}, "threshold: Input should be a valid number"),
        ({"layers": [3, 2, 4]}, "depths of exits rise"),
        ({"layers": [4]}, "layers"),
        ({"way": "wild"}, "way: Input should be 'frozen' or 'joint'"),
        ({"extra": 1}, "extra: Unexpected keyword argument"),
    ],
)
def test_settings_that_cannot_be_are_refused(folder: Path, change: dict[str, Any], told: str) -> None:
    write_exits_file(folder, some_exits())
    path = folder / EXITS_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelFolderError, match=told) as caught:
        read(folder)
    assert "\n" not in str(caught.value)


Tensors = dict[str, np.ndarray[Any, Any]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensors: tensors.pop("2.up.weight"), "2.up.weight is missing"),
        (lambda tensors: tensors.update({"4.up.weight": np.ones(2, np.float32)}), "4.up.weight belongs to no exit"),
        (lambda tensors: tensors.update({"3.down.weight": np.ones((8, 3), np.float32)}), "it must be float32"),
        (lambda tensors: tensors.update({"3.down.weight": np.ones((3, 8), np.float16)}), "it must be float32"),
        (lambda tensors: tensors["3.confidence.2.bias"].fill(np.nan), "not finite"),
        (lambda tensors: tensors.update(common_token_ids=np.array([3, 2], np.int32)), "must rise"),
        (lambda tensors: tensors.update(common_token_ids=np.array([2, 50], np.int32)), "must rise, below the 50"),
        (lambda tensors: tensors.update(common_token_ids=np.array([1, 2], np.int64)), "list of int32"),
        (lambda tensors: tensors.update(common_token_ids=np.array([1], np.int32)), "two or more"),
    ],
)
def test_tensors_that_cannot_be_are_refused(folder: Path, change: Callable[[Tensors], Any], told: str) -> None:
    write_exits_file(folder, some_exits())
    path = folder / EXIT_TENSORS_FILE
    tensors = load_file(path)
    change(tensors)
    common_X = tensors.pop("common_token_ids")
    # What is written here anew has right hashes, so that the tensors themselves are looked at.
    write_exits_file(folder, ExitsFile(SETTINGS, {}, None))
    save_file({**tensors, "common_token_ids": common_X}, path)
    known = json.loads((folder / EXITS_FILE).read_text()) | {"tensors": sha256(path.read_bytes()).hexdigest()}
    (folder / EXITS_FILE).write_text(json.dumps(known))
    with pytest.raises(ModelFolderError, match=told) as caught:
        read(folder)
    assert "\n" not in str(caught.value)


def test_depths_that_do_not_rise_cannot_be_written() -> None:
    with pytest.raises(InputError, match="rise"):
        replace(SETTINGS, layers=(3, 2, 4))
