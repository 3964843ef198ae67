"""Models in folders: load one with its tokenizer, refuse one that is no sound network, and save one atomically.

A folder is in Hugging Face layout. `tuili.store` finds and replaces folders, and decides which files are safe to open;
`modeling` defines what the network computes.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tuili.errors import ModelFolderError, one_line
from tuili.model.config import TuiliConfig
from tuili.model.modeling import TuiliForCausalLM
from tuili.model.size import count_parameters
from tuili.model.tokenizer import transformers_tokenizer
from tuili.silence import quiet_transformers
from tuili.store import (
    TENSOR_FAULTS,
    LineageEntry,
    Tokenizer,
    check_files,
    check_recorded,
    check_size,
    load_tokenizer,
    model_hash,
    refuse_faults,
    replaced_folder,
    resolve_model,
    write_lineage,
)


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode, with its tokenizer and the folder that both came from."""

    model: TuiliForCausalLM
    tokenizer: Tokenizer
    path: Path


def load_model(name: str | Path, dtype: torch.dtype = torch.float32, config: TuiliConfig | None = None) -> LoadedModel:
    """Load a model and its tokenizer, ready for inference. `config` replaces the folder's configuration.

    Raises `ModelFolderError`, in one line, if the folder is missing, unsafe, damaged or of another model type, if its
    tensors are not exactly those that its configuration requires, or if its files are not those that its lineage
    records.
    """
    path = resolve_model(name)
    stored = check_folder(path)
    if config is not None:
        _check_parameters(path, config)
    with quiet_transformers():
        try:
            loaded: Any = TuiliForCausalLM.from_pretrained(
                path,
                config=config or stored,
                dtype=dtype,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
            model, info = loaded
        except Exception as error:  # an untrusted folder can make the libraries raise any exception
            raise ModelFolderError(f"{path} cannot be loaded: {one_line(error)}") from error
    faults = {
        kind: [str(key[0] if isinstance(key, tuple) else key) for key in info[f"{kind}_keys"]] for kind in TENSOR_FAULTS
    }
    refuse_faults(path, faults)
    tokenizer = load_tokenizer(path, model.config.vocab_size)
    check_recorded(path)  # last, because the other errors say more
    return LoadedModel(model.eval(), tokenizer, path)


def save_model(folder: Path, model: TuiliForCausalLM, tokenizer: Tokenizer, lineage: Sequence[LineageEntry]) -> str:
    """Write a model folder atomically and return its hash, which the last lineage entry also records.

    `tuili.store.replaced_folder` says how an existing folder is replaced.
    """
    with replaced_folder(folder) as fresh:
        write_model_files(fresh, model, tokenizer)
        digest = model_hash(fresh)
        *parents, last = lineage
        write_lineage(fresh, (*parents, replace(last, hash=digest)))
    return digest


def write_model_files(fresh: Path, model: TuiliForCausalLM, tokenizer: Tokenizer) -> None:
    """Write weights, configuration and tokenizer to a path that does not exist yet."""
    with quiet_transformers():
        model.save_pretrained(fresh)
        transformers_tokenizer(tokenizer).save_pretrained(fresh)
    for weights in fresh.glob("*.safetensors"):  # safetensors makes them readable by their owner only
        weights.chmod(stat.S_IMODE((fresh / "config.json").stat().st_mode))


def check_folder(path: Path) -> TuiliConfig:
    """The configuration of a sound, safe and readable model folder. No tensor is read.

    Raises `ModelFolderError` for any other folder.
    """
    # transformers obeys some fields that Tuili never writes: to fetch kernels, or to read other files.
    check_files(path, known_fields=TuiliConfig().to_dict().keys())
    try:
        config = TuiliConfig.from_pretrained(path, local_files_only=True)
    except Exception as error:  # see `load_model`
        reason = one_line(error.__cause__ or error)
        raise ModelFolderError(f"{path / 'config.json'} is not a usable configuration: {reason}") from error
    _check_parameters(path, config)
    return config


def _check_parameters(path: Path, config: TuiliConfig) -> None:
    """Refuse a configuration that asks for more parameters than the folder's weights can hold.

    Also raises `ModelFolderError` if no network can be built from the configuration.
    """
    try:
        parameters = count_parameters(config).total
    except Exception as error:  # see `load_model`
        raise ModelFolderError(f"{path}: no network can have its configuration: {one_line(error)}") from error
    check_size(path, parameters)
