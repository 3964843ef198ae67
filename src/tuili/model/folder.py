"""Model folders: find one by name, refuse it when it is unsafe or damaged, load it, and write one atomically.

A folder is in Hugging Face layout with safetensors only; nothing in it is ever unpickled or run. What the
network computes is left to `modeling`, and the record of how a folder came about to `lineage`.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME
from transformers.utils import logging as hf_logging

from tuili.errors import InputError, ModelFolderError
from tuili.files import flush, flush_all
from tuili.model import TuiliConfig, TuiliForCausalLM
from tuili.model.size import count_parameters
from tuili.model.tokenizer import transformers_tokenizer
from tuili.store import Tokenizer
from tuili.store.lineage import LineageEntry, model_hash, write_lineage

SHIPPED = Path(__file__).parents[1] / "models"
PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
_PICKLE_OR_ZIP = re.compile(rb"\x80[\x00-\x05]|PK\x03\x04")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{,95}/[A-Za-z0-9][\w.-]{,95}")
_MAX_HEADER = 100_000_000
_MOST_PER_BYTE = 8  # parameters, were each of them a bit
_TENSOR_FAULTS = {
    "missing": "the weight file is incomplete",
    "unexpected": "the weights belong to another configuration",
    "mismatched": "its shape is not the one that config.json asks for",
}


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode with its tokenizer and the folder that both came from."""

    model: TuiliForCausalLM
    tokenizer: Tokenizer
    path: Path


def shipped_names() -> tuple[str, ...]:
    """The names of the models inside the package."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob("*/config.json")))


def resolve(name: str | Path) -> Path:
    """The folder that a name means: a shipped model (`nano`), a folder, or a repository of the Hugging Face
    hub.

    A shipped name wins over a folder of the same name (write `./nano` for the folder). Only safetensors and
    JSON files and the chat template are fetched from the hub. Raises `ModelFolderError` when it is none of
    the three.
    """
    text, path = str(name), Path(name)
    if text in shipped_names():
        return SHIPPED / text
    if os.path.lexists(text):  # false for a name that is empty or too long
        if path.is_dir():
            return path
        raise ModelFolderError(f"{path} is a file: give the model folder that holds config.json and *.safetensors")
    if _HUB_NAME.fullmatch(text) and not path.parent.is_dir():
        return _download(text)
    shipped = ", ".join(shipped_names()) or "none in this installation"
    raise ModelFolderError(
        f"model {text!r} not found: give a folder, a hub name (owner/name) or a shipped name ({shipped})"
    )


def load_model(name: str | Path, dtype: torch.dtype = torch.float32, config: TuiliConfig | None = None) -> LoadedModel:
    """Load a model and its tokenizer, ready for inference; with a configuration, in place of the folder's own.

    Raises `ModelFolderError`, in one line, when the folder is missing, unsafe, damaged or of another model
    type, and when its tensors are not exactly those that its configuration asks for.
    """
    path = resolve(name)
    own = check_folder(path)
    if config is not None:
        _check_size(path, config)
    with _quiet():
        try:
            loaded: Any = TuiliForCausalLM.from_pretrained(
                path,
                config=config or own,
                dtype=dtype,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
            model, info = loaded
        except Exception as error:  # a folder from anywhere can fail in any way that the libraries know
            raise ModelFolderError(f"{path} cannot be loaded: {_one_line(error)}") from error
    for kind, remedy in _TENSOR_FAULTS.items():
        keys = sorted(str(key[0] if isinstance(key, tuple) else key) for key in info[f"{kind}_keys"])
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise ModelFolderError(f"{path}: {kind} tensor {keys[0]}{more}: {remedy}")
    try:
        tokenizer = Tokenizer.load(path)
    except InputError as error:
        raise ModelFolderError(str(error)) from error
    if tokenizer.size > model.config.vocab_size:
        raise ModelFolderError(
            f"{path}: the tokenizer has {tokenizer.size} entries and the model {model.config.vocab_size}: "
            "they do not belong together"
        )
    return LoadedModel(model.eval(), tokenizer, path)


def save_model(folder: Path, model: TuiliForCausalLM, tokenizer: Tokenizer, lineage: Sequence[LineageEntry]) -> str:
    """Write a model folder in one move and return its hash, which is also noted in the last lineage entry.

    A model folder already there is replaced as a whole; a folder that holds anything else is refused with
    `ModelFolderError`. An error or a signal leaves the old folder or the new one, never a mixture. A kill between
    the two moves leaves the old one beside its place, as `.NAME.old`, and the next call puts it back first; what a
    kill leaves in `.NAME.scratch`, the next call removes.
    """
    if folder.exists() and not (folder / "config.json").is_file() and (folder.is_file() or any(folder.iterdir())):
        raise ModelFolderError(f"{folder} exists and is not a model folder: choose another name or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _scratch_folder(folder) as scratch:
        fresh, stale = scratch / "new", folder.with_name(f".{folder.name}.old")
        if stale.exists():  # left by a kill
            stale.rename(scratch / "older" if folder.exists() else folder)
        with _quiet():
            model.save_pretrained(fresh)
            transformers_tokenizer(tokenizer).save_pretrained(fresh)
        for weights in fresh.glob("*.safetensors"):  # safetensors lets their owner alone read them
            weights.chmod(stat.S_IMODE((fresh / "config.json").stat().st_mode))
        digest = model_hash(fresh)
        *parents, last = lineage
        write_lineage(fresh, (*parents, replace(last, hash=digest)))
        flush_all(fresh)
        try:
            if folder.exists():
                folder.rename(stale)
            fresh.rename(folder)
            flush(folder.parent)
        except BaseException:
            if stale.exists() and not folder.exists():
                stale.rename(folder)
            raise
        if stale.exists():
            stale.rename(scratch / "old")
    return digest


def check_folder(path: Path) -> TuiliConfig:
    """Refuse, by `ModelFolderError`, a folder that is not a sound, safe and readable model folder; give its
    configuration.

    Loads no tensor.
    """
    try:
        return _check_files(path)
    except OSError as error:
        remedy = "; check its permissions" if isinstance(error, PermissionError) else ""
        reason = f"{error.strerror or error}{remedy}"
        raise ModelFolderError(f"{error.filename or path} cannot be read: {reason}") from error


def _check_files(path: Path) -> TuiliConfig:
    config = path / "config.json"
    if not config.is_file():
        raise ModelFolderError(f"{path} has no config.json: give the folder that `tuili train` wrote the model to")
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in PICKLE_SUFFIXES:
            raise ModelFolderError(f"{file} may hold a pickle, which can run code: keep only safetensors weights")
    fields = _read_object(config)
    if (model_type := fields.get("model_type")) != TuiliConfig.model_type:
        raise ModelFolderError(f"{config}: model_type is {model_type!r}, it must be {TuiliConfig.model_type!r}")
    # Of the fields that it does not write itself, transformers obeys some: to fetch kernels, to read other files.
    if unknown := sorted(fields.keys() - TuiliConfig().to_dict().keys()):
        raise ModelFolderError(f"{config}: {unknown[0]!r} is not a field of a Tuili configuration: remove it")
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise ModelFolderError(f"{path} has no weights: a model folder holds at least one *.safetensors file")
    for file in weights:
        check_safetensors(file)
    _check_index(path / SAFE_WEIGHTS_INDEX_NAME, [file.name for file in weights])
    if not (path / "tokenizer.json").is_file():
        raise ModelFolderError(f"{path} has no tokenizer.json: save the tokenizer beside the weights")
    (path / "tokenizer.json").open().close()
    try:
        own = TuiliConfig.from_pretrained(path, local_files_only=True)
    except Exception as error:  # see `load_model`
        reason = _one_line(error.__cause__ or error)
        raise ModelFolderError(f"{config} is not a usable configuration: {reason}") from error
    _check_size(path, own)
    return own


def _check_index(index: Path, weights: Sequence[str]) -> None:
    """Refuse an index, if there is one, that names anything but weight files beside it: what it names is opened."""
    if not index.is_file():
        return
    named = _read_object(index).get("weight_map")
    if not isinstance(named, dict):
        raise ModelFolderError(f"{index} has no weight_map: it must say in which file each tensor is")
    for file in named.values():
        if file not in weights:
            raise ModelFolderError(f"{index} names {file!r}: use one of the folder's own {', '.join(weights)}")


def _check_size(path: Path, config: TuiliConfig) -> None:
    """Refuse a configuration that asks for more parameters than the folder's weights can hold, before memory is taken.

    Raises `ModelFolderError` also when no network can be built from it.
    """
    try:
        wanted = count_parameters(config).total
    except Exception as error:  # see `load_model`
        raise ModelFolderError(f"{path}: no network can have its configuration: {_one_line(error)}") from error
    stored = sum(file.stat().st_size for file in path.glob("*.safetensors"))
    if wanted > _MOST_PER_BYTE * stored:
        raise ModelFolderError(
            f"{path}: the configuration asks for {wanted:,} parameters, the weights have {stored:,} bytes"
        )


def check_safetensors(path: Path) -> None:
    """Refuse a weight file whose size or header cannot be right, without reading its tensors.

    The layout is that of https://huggingface.co/docs/safetensors: eight bytes of header length, a JSON header
    with the offsets of every tensor, then the tensors without a gap.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        if _PICKLE_OR_ZIP.match(prefix):
            raise ModelFolderError(f"{path} is a pickle or zip behind a safetensors name: it is not opened")
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length > _MAX_HEADER or 8 + length > size:
            raise ModelFolderError(f"{path} is damaged: {size} bytes do not hold a safetensors header")
        header = file.read(length)
    try:
        tensors = json.loads(header)
        ends = (tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__")
        described = 8 + length + max(ends, default=0)
    except (ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:
        raise ModelFolderError(f"{path} is damaged: its safetensors header is not readable") from error
    if described != size:
        kind = "truncated" if size < described else "damaged"
        raise ModelFolderError(f"{path} is {kind}: its header describes {described} bytes, the file has {size}")


@contextmanager
def _scratch_folder(path: Path) -> Iterator[Path]:
    """An empty folder on the disk of `path`, for making what is then moved there; it is gone when the block ends.

    What a kill has left of one is removed by the next call for the same path. Raises `ModelFolderError` while another
    process is at work on that path.
    """
    scratch = path.with_name(f".{path.name}.scratch")
    content = scratch / "content"
    scratch.mkdir(exist_ok=True)
    with (scratch / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelFolderError(f"{path} is being written by another process: wait until it ends") from None
        try:
            shutil.rmtree(content, ignore_errors=True)
            content.mkdir()
            yield content
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["*.safetensors", "*.json", "chat_template.jinja"]))
    except Exception as error:  # whatever its HTTP client raises: names, networks, permissions and disks fail here
        raise ModelFolderError(
            f"model {name!r} is no folder here and could not be fetched from the hub: {_one_line(error)}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library's reports and progress bars: what matters is raised as an error."""
    library: Any = hf_logging  # without types
    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bars:
            library.enable_progress_bar()


def _read_object(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(f"{path} is not a JSON object: {_one_line(error)}") from error
    if not isinstance(document, dict):
        raise ModelFolderError(f"{path} is not a JSON object")
    return document


def _one_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
