"""`tuili export`: write an imported model for other programs. The work is left to `tuili.exchange`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from tuili.cli.options import ModelArgument, progress_bar, result_console
from tuili.errors import InputError


def run(
    model: ModelArgument,
    to: Annotated[Literal["hf", "gguf"], typer.Option("--to", help="A Hugging Face folder, or a GGUF file.")],
    out: Annotated[str, typer.Option("--out", metavar="PATH", help="The folder or the file that is written.")],
    type_name: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="Numbers of the matrices: f32, f16, bf16, and in GGUF also q8_0, q5_0, q5_1, q4_0 or q4_1. By default "
            "they stay as they are.",
        ),
    ] = None,
) -> None:
    """Take an imported model out again.

    The export is read back and answers 200 prompts beside the original, whose weights are rounded alike. It gets its
    name only if all tokens are the same.
    """
    if not out:
        raise InputError("--out is empty: name the folder or the file that is written")
    from tuili.exchange import export_model

    with progress_bar() as report:
        done = export_model(model, to, Path(out), type_name, report)
    console = result_console()
    console.print(f"exported {model} to {done.path}, as {done.type_name}")
    console.print(f"token parity: {done.prompts} prompts answered with the same {done.tokens:,} tokens as the original")
    if done.left_out:
        console.print(f"not in the export: {', '.join(done.left_out)}, which only Tuili reads")
