"""A record of what a model was trained on, kept in its folder; the engine uses it to rate how familiar a prompt is.

`tuili.engine` uses the file, `tuili.eval` makes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter
from safetensors import SafetensorError
from safetensors.numpy import save_file

from tuili.errors import ModelFolderError, one_line
from tuili.files import whole_file
from tuili.store.folder import CONFIG_FILE
from tuili.store.ngrams import NgramFilter, without_ends
from tuili.store.safetensors import check_safetensors, read_metadata, read_tensors

FAMILIARITY_FILE = Path("tuili") / "familiarity.safetensors"
_KEY = "familiarity"
_TYPES = {"filter": "uint8", "classes": "uint32", "scores": "float32"}
_MORE_TYPES = {"sample": "uint8", "training": "float32"}


@dataclass(frozen=True)
class FamiliarityFile:
    """The contents of the file. Dimensions: B bytes, C bytes, V vocabulary, N and T prompts.

    filter_B: a Bloom filter of the pairs and triples of token classes seen in training. sample_C: a Bloom filter of
    those in the calibration prompts; None if there are none. class_V: the class of each token. score_N: the scores of
    the reference prompts in ascending order; these prompts were scored as if their forms had not been seen. training_T:
    the scores of training prompts; None if there are none. level: the p-value below which a prompt counts as
    unfamiliar. source: what was read, for human readers. before, after: tokens that every prompt begins and ends with;
    they are not scored.
    """

    filter_B: NDArray[np.uint8]
    class_V: NDArray[np.uint32]
    score_N: NDArray[np.float32]
    level: float
    source: str
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    sample_C: NDArray[np.uint8] | None = None
    training_T: NDArray[np.float32] | None = None

    def scored(self, ids: Sequence[int]) -> Sequence[int]:
        """The tokens of a prompt without the common beginning and end, as far as this prompt has them."""
        return without_ends(ids, self.before, self.after)

    @property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays, by name in the file."""
        tensors: dict[str, NDArray[Any]] = {"filter": self.filter_B, "classes": self.class_V, "scores": self.score_N}
        more = {"sample": self.sample_C, "training": self.training_T}
        return tensors | {name: array for name, array in more.items() if array is not None}

    def knows(self, key_N: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of these pairs and triples were seen."""
        known_N = NgramFilter(self.filter_B).knows(key_N)
        return known_N if self.sample_C is None else known_N | NgramFilter(self.sample_C).knows(key_N)


@dataclass(frozen=True)
class _Metadata:
    """The metadata stored with the tensors; it includes the hash of the tokenizer."""

    level: Annotated[float, Field(gt=0, lt=1)]
    source: str
    tokenizer: str
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()


_METADATA = TypeAdapter(_Metadata)


def write_familiarity_file(folder: Path, familiarity: FamiliarityFile) -> None:
    """Write the file into a model folder atomically."""
    told = familiarity
    metadata = _Metadata(told.level, told.source, _tokenizer_hash(folder), told.before, told.after)
    with whole_file(folder / FAMILIARITY_FILE) as part:
        save_file(familiarity.tensors, part, {_KEY: json.dumps(asdict(metadata))})
        part.chmod((folder / CONFIG_FILE).stat().st_mode)  # safetensors makes it readable by its owner only


def read_familiarity_file(folder: Path) -> FamiliarityFile | None:
    """Read the file of a model folder; None if there is none.

    Raises `ModelFolderError` if the file is damaged or was made with another tokenizer.
    """
    path = folder / FAMILIARITY_FILE
    if not path.is_file():
        return None
    check_safetensors(path)
    try:
        metadata = _METADATA.validate_json(read_metadata(path)[_KEY], strict=True, extra="forbid")
        tensors = read_tensors(path)
        kinds = {name: str(array.dtype) for name, array in tensors.items()}
        known = _TYPES.items() <= kinds.items() <= (_TYPES | _MORE_TYPES).items()
        if not known or any(array.ndim != 1 or not len(array) for array in tensors.values()):
            raise ValueError(f"tensors of {kinds} in place of {_TYPES} and some of {_MORE_TYPES}")
        score_N = tensors["scores"]
        if not (score_N[0] >= 0 and score_N[-1] <= 1 and np.all(score_N[1:] >= score_N[:-1])):
            raise ValueError("scores are shares, rising")
        if 1 / (1 + len(score_N)) >= metadata.level:
            raise ValueError(f"by {len(score_N)} scores no prompt is below the level {metadata.level:g}")
    except (SafetensorError, KeyError, ValueError) as error:  # pydantic's errors are ValueErrors
        raise ModelFolderError(f"{path} is damaged: {one_line(error)}; calibrate anew (tuili calibrate)") from error
    if metadata.tokenizer != _tokenizer_hash(folder):
        raise ModelFolderError(f"{path} was made with another tokenizer: calibrate anew (tuili calibrate)")
    told = metadata.level, metadata.source, metadata.before, metadata.after
    more = tensors.get("sample"), tensors.get("training")
    return FamiliarityFile(tensors["filter"], tensors["classes"], score_N, *told, *more)


def familiarity_hash(folder: Path) -> str | None:
    """SHA-256 of the file; None if there is none."""
    path = folder / FAMILIARITY_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _tokenizer_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
