"""`tuili import`: convert a third-party model to a folder that Tuili runs. The work is left to `tuili.exchange`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tuili.cli.options import parse_folder, progress_bar, result_console

if TYPE_CHECKING:
    from tuili.exchange import Dtype


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="smollm2, a hub name (owner/name), a model folder, a GGUF file; with --base the folder of an adapter.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FOLDER", help="Where the model is written.")],
    dtype: Annotated[
        Literal["keep", "float32", "float16", "bfloat16"],
        typer.Option(help="Numbers of the weights; keep changes none: what is quantised becomes float32."),
    ] = "keep",
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="MODEL", help="What the adapter, LoRA in PEFT's format, is added to."),
    ] = None,
) -> None:
    """Bring in a dense model of the Llama, Qwen2 or Qwen3 family, SmolLM2 among them.

    With --base an adapter, whose terms are added to the weights of a model that was imported.

    The folder is a standard one of Hugging Face. The lineage in it says where the model came from.
    """
    folder: Path = parse_folder("--out", out)
    from tuili.cli.imported import counted
    from tuili.exchange import NAMED_SOURCES, import_model
    from tuili.store import count_parameters, read_lineage

    if base is not None:
        _add(Path(source), base, folder, dtype)
        return
    with progress_bar() as report:
        model = import_model(source, folder, dtype, report)
    shape, recipe = model.shape, read_lineage(model.path)[-1].recipe
    size = f"{shape.family}, {shape.num_hidden_layers} layers, {count_parameters(shape).total:,} parameters"
    console = result_console()
    console.print(f"imported {source} into {folder}: {size}")
    if source in NAMED_SOURCES:
        console.print(f"of its weights: {NAMED_SOURCES[source].remark}")
    elif recipe["format"] == "gguf":
        console.print(counted(recipe["numbers"]))
    if model.tokenizer.template is None:
        console.print("it has no chat template: it goes on with texts, and was not taught to converse")


def _add(source: Path, base: str, folder: Path, dtype: Dtype) -> None:
    from tuili.exchange import import_adapter
    from tuili.store import read_lineage

    with progress_bar() as report:
        model = import_adapter(source, base, folder, dtype, report)
    rank = read_lineage(model.path)[-1].recipe["rank"]
    console = result_console()
    console.print(f"added {source}, of rank {rank}, to {base}: {folder}")
    if (source / "chat_template.jinja").is_file():
        console.print("its chat template is the adapter's")
