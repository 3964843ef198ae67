"""Export of an imported model to a Hugging Face folder or a GGUF file, kept only if it gives the same answers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuili.errors import InputError
from tuili.exchange.gguf_writing import GGUF_TYPES, rounded, tensor_kinds, write_gguf
from tuili.exchange.importing import (
    DTYPES,
    carried_files,
    check_other_folder,
    folder_weights,
    import_model,
    read_config,
    write_model,
)
from tuili.exchange.numbers import Array, from_float32, to_float32
from tuili.exchange.parity import PROMPTS, check_parity
from tuili.exchange.weight_files import Report
from tuili.files import SCRATCH_PREFIX, check_file_place, check_folder_place, whole_file
from tuili.store import ImportedModel, dense_tensor_shapes, open_model, replaced_folder

HF_TYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}


@dataclass(frozen=True)
class Exported:
    """An export. kind: hf or gguf. type_name: the type of its matrices. prompts, tokens: the number of answers that
    were compared, and of their tokens; all were equal. left_out: parts specific to Tuili that the export lacks.
    """

    path: Path
    kind: str
    type_name: str
    prompts: int
    tokens: int
    left_out: tuple[str, ...]


def export_model(
    name: str,
    to: Literal["hf", "gguf"],
    out: Path,
    type_name: str | None = None,
    report: Report = lambda what, done, total: None,
    prompts: int = PROMPTS,
) -> Exported:
    """Export a model; nothing is written unless the export, read back, answers `prompts` prompts with the same tokens.

    Args:
        name: an imported model's folder, or a hub name.
        out: a folder for hf, a file for gguf. Anything already there is replaced.
        type_name: the type of the matrices, one of `GGUF_TYPES`; for hf f32, f16 or bf16. By default it is unchanged.
        report: called with the name of the current task, the number of finished parts, and their total.
    Raises `InputError` for a model or a type that cannot be exported, `ParityError` if an answer differs.
    """
    model = open_model(name)
    if not isinstance(model, ImportedModel):
        raise InputError(
            f"{name} is a model of Tuili's own kind, which no other reader of GGUF or of Hugging Face's own classes "
            f"knows: its folder, {model.path}, is in Hugging Face layout as it is"
        )
    if model.shape.ranks:
        raise InputError(
            f"{name} has factors, of which neither GGUF nor Hugging Face's own classes know: export the model that it "
            f"was made of, or take its folder, {model.path}, to where Tuili is"
        )
    if model.shape.quantization is not None:
        raise InputError(
            f"{name} is in whole numbers, of which neither GGUF nor Hugging Face's own classes know: export the model "
            f"that it was made of, or take its folder, {model.path}, to where Tuili is"
        )
    known = tuple(HF_TYPES) if to == "hf" else GGUF_TYPES
    if type_name is not None and type_name not in known:
        raise InputError(f"--type {type_name[:40]!r}: for {to} use one of {', '.join(known)}")
    chosen = type_name or _stored_type(model)
    if to == "hf":
        tokens = _export_folder(model, out, type_name, report, prompts)
    else:
        tokens = _export_gguf(model, out, chosen, report, prompts)
    left_out = tuple(sorted(file.name for file in (model.path / "tuili").glob("*") if file.name != "lineage.json"))
    return Exported(out, to, chosen, prompts, tokens, left_out)


def _stored_type(model: ImportedModel) -> str:
    """The type that stores the matrices of a folder without change."""
    with folder_weights(model.path, model.shape) as weights:
        kinds = {weight.kind for weight in weights if len(weight.shape) > 1}
    return kinds.pop().lower() if len(kinds) == 1 else "f32"


def _export_folder(model: ImportedModel, out: Path, type_name: str | None, report: Report, prompts: int) -> int:
    kind = None if type_name is None else DTYPES[HF_TYPES[type_name]]

    def rounding(name: str, array: Array) -> Array:
        return array if kind is None else to_float32(from_float32(name, array, kind))

    check_folder_place(out)
    check_other_folder(model.path, out)
    with replaced_folder(out) as fresh:
        fresh.mkdir()
        with folder_weights(model.path, model.shape) as weights:
            write_model(fresh, read_config(model.path), carried_files(model), weights, kind, report)
        return check_parity(model, fresh, rounding, report, prompts)


def _export_gguf(model: ImportedModel, out: Path, type_name: str, report: Report, prompts: int) -> int:
    if out.suffix != ".gguf":
        raise InputError(f"{out} must end in .gguf: name the file that is to be written")
    kinds: Mapping[str, str] = tensor_kinds(model, type_name, dense_tensor_shapes(model.shape))
    check_file_place(out)
    with whole_file(out) as part, tempfile.TemporaryDirectory(dir=part.parent, prefix=SCRATCH_PREFIX) as scratch:
        write_gguf(part, model, type_name, kinds, report)
        read_back = import_model(str(part), Path(scratch, "model")).path
        return check_parity(model, read_back, lambda name, array: rounded(name, array, kinds[name]), report, prompts)
