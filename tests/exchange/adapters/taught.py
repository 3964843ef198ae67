"""A tiny base out of a wheel, an adapter for it as a teaching writes it, and the model that the teaching made."""

from __future__ import annotations

import shutil
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from torch import nn

import tuili.exchange.importing
import tuili.store.fetched
from tests.exchange.gguf_files import opened, save_gguf
from tuili.exchange import import_model
from tuili.exchange.smollm2 import WheelSource
from tuili.native.build import cache_folder
from tuili.posttrain.changed_model import copy_changed
from tuili.posttrain.low_rank import LowRankTerm
from tuili.posttrain.teaching.adapter import write_adapter
from tuili.store import (
    LineageEntry,
    ThinkingSettings,
    dense_tensor_shapes,
    model_hash,
    open_tensors,
    read_lineage,
    write_lineage,
    write_thinking_file,
)

WHEEL = "a-1.whl"
RANK = 4


def terms_of(base: Path, layers: tuple[int, ...] = (1,)) -> dict[str, LowRankTerm]:
    """Random terms for the linear layers of some layers of a model, by the names of the weights."""
    model, generator, terms = opened(base), torch.Generator().manual_seed(1), {}
    with open_tensors(base, model.shape) as tensors:
        for name, shape in dense_tensor_shapes(model.shape).items():
            if len(shape) == 2 and name.startswith(tuple(f"model.layers.{layer}." for layer in layers)):
                linear = nn.Linear(shape[1], shape[0], bias=False)
                linear.weight.data = torch.from_numpy(tensors[name].astype("f4"))
                terms[name] = LowRankTerm(linear, RANK, generator)
                terms[name].b_OR.data = 0.2 * torch.randn(shape[0], RANK, generator=generator)
    return terms


def save_run(base: Path, run: Path) -> Path:
    """The folder of a run that taught a base: `adapter` and `model`."""
    terms = terms_of(base)
    write_adapter(run / "adapter", terms, str(base))
    copy_changed(base, run / "model", {name: term.rounded_delta() for name, term in terms.items()})
    teach = {
        "model": str(base), "rank": RANK, "steps": 9, "results": "masked",
        "data": {
            "files": {str(run / "mawps-train.jsonl"): 1.0, "../data/gsm8k-x10.jsonl": 2.0}, "domains": ["arithmetic"],
        },
    }  # fmt: skip
    hashes = {"parent": model_hash(base), "hash": model_hash(run / "model")}
    entry = LineageEntry("teach", {"teach": teach}, {"loss": 0.5}, {"teach": 1}, 9000, 0.25, **hashes)
    for folder in (run / "model", run / "adapter"):
        write_thinking_file(folder, ThinkingSettings("steps", (3, 300)))
    write_lineage(run / "model", (*read_lineage(base), entry))
    return run


def save_wheel(file: Path, wheel: Path) -> WheelSource:
    """A wheel with a file, and what is known of it."""
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, "package/model.gguf")
    digest = sha256(file.read_bytes()).hexdigest()
    return WheelSource("a==1", wheel.name, "package/model.gguf", digest, "a toy", "Tiny", "someone/tiny", "MIT")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `base`, the wheel that it is imported from, and `run`."""
    folder = tmp_path_factory.mktemp("taught")
    file = save_gguf(folder, "q8_0", tie_word_embeddings=True)
    save_run(import_model(str(file), folder / "base").path, folder / "run")
    return folder


@pytest.fixture
def known(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package, and a cache that has the wheel of `smollm2` alone. Returns the cache."""
    cache = tmp_path / "cache" / "tuili"
    (cache / "wheels").mkdir(parents=True)
    source = save_wheel(made / "model.gguf", cache / "wheels" / WHEEL)
    monkeypatch.setenv("TUILI_NATIVE_CACHE", str(cache_folder()))  # the library is not compiled again
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(tuili.exchange.importing.NAMED_SOURCES, "smollm2", source)
    monkeypatch.setattr(tuili.store.fetched, "SHIPPED_ADAPTERS", tmp_path / "package" / "adapters")
    (tmp_path / "package").mkdir()
    return cache


def copied(folder: Path, place: Path) -> Path:
    shutil.copytree(folder, place)
    return place
