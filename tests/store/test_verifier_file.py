"""The verifier's file is read as it was written, byte for byte what torch would write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import from_numpy

from benchmarks.harness.tiny import save_tiny
from tuili.errors import InputError, ModelFolderError
from tuili.store import (
    VERIFIER_FILE,
    VerifierCalibration,
    VerifierConfig,
    VerifierFile,
    read_verifier_file,
    verifier_hash,
    write_verifier_file,
)
from tuili.store.safetensors import read_metadata
from tuili.store.verifier_file import verifier_tensor_shapes

LINE = ((-1.0, 0.25), (1.0, 0.75))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "model")


def a_verifier() -> VerifierFile:
    config, draw = VerifierConfig(16, channels=8, heads=2), np.random.default_rng(0)
    tensors = {
        name: draw.normal(size=shape).astype(np.float16).astype(np.float32)
        for name, shape in verifier_tensor_shapes(config).items()
    }
    return VerifierFile(config, VerifierCalibration(LINE, LINE), {"steps": 3.0}, tensors)


def test_it_is_read_as_it_was_written(folder: Path) -> None:
    assert read_verifier_file(folder) is None
    assert verifier_hash(folder) is None
    written = a_verifier()
    write_verifier_file(folder, written)
    stored = read_verifier_file(folder)
    assert stored is not None
    assert (stored.config, stored.calibration, stored.figures) == (
        written.config,
        written.calibration,
        written.figures,
    )
    assert stored.tensors.keys() == written.tensors.keys()
    assert all(np.array_equal(stored.tensors[name], array) for name, array in written.tensors.items())
    assert verifier_hash(folder) is not None


def test_its_bytes_are_those_that_torch_writes(folder: Path, tmp_path: Path) -> None:
    write_verifier_file(folder, a_verifier())
    file = folder / VERIFIER_FILE
    tensors = {name: from_numpy(array) for name, array in load_file(file).items()}
    save_file(tensors, tmp_path / "torch", read_metadata(file))
    assert (tmp_path / "torch").read_bytes() == file.read_bytes()


def test_one_of_another_model_is_refused(folder: Path) -> None:
    write_verifier_file(folder, a_verifier())
    config = folder / "config.json"
    config.write_text(config.read_text() + "\n")
    (folder / "tuili" / "lineage.json").unlink()
    with pytest.raises(ModelFolderError, match="was trained on another model"):
        read_verifier_file(folder)


def without_one(verifier: VerifierFile) -> VerifierFile:
    return replace(verifier, tensors={name: each for name, each in verifier.tensors.items() if name != "norm.weight"})


def with_another(verifier: VerifierFile) -> VerifierFile:
    return replace(verifier, tensors={**verifier.tensors, "more": np.ones(3, np.float32)})


def too_narrow(verifier: VerifierFile) -> VerifierFile:
    return replace(verifier, tensors={**verifier.tensors, "states.weight": np.ones((8, 16), np.float32)})


def not_finite(verifier: VerifierFile) -> VerifierFile:
    return replace(verifier, tensors={**verifier.tensors, "output.bias": np.array([np.nan], np.float32)})


def for_wider_states(verifier: VerifierFile) -> VerifierFile:
    return replace(verifier, config=replace(verifier.config, state_size=24))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_one, "norm.weight is missing"),
        (with_another, "more belongs to no verifier"),
        (too_narrow, r"states.weight is \[8, 16\], it must be \[8, 32\]"),
        (not_finite, "output.bias has a number that is not finite"),
        (for_wider_states, "it reads states of 24 numbers, and the model has 16"),
    ],
)
def test_tensors_that_are_not_those_of_its_sizes_are_refused(
    folder: Path, change: Callable[[VerifierFile], VerifierFile], message: str
) -> None:
    write_verifier_file(folder, change(a_verifier()))
    with pytest.raises(ModelFolderError, match=f"is no verifier: {message}; train one with recipes/verifier.yaml"):
        read_verifier_file(folder)


@pytest.mark.parametrize("curve", [((0.0, 0.5),), ((1.0, 0.5), (1.0, 0.6))])
def test_what_is_no_curve_is_refused(curve: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(InputError, match="rising logits"):
        VerifierCalibration(curve, LINE)


def test_heads_must_be_whole() -> None:
    with pytest.raises(InputError, match="channels 20: use a multiple of twice the 4 heads"):
        VerifierConfig(state_size=16, channels=20)
