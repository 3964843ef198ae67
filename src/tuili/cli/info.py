"""`tuili info`: what a model folder contains and where it comes from; or what this machine computes with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuili.cli.options import JsonFlag, find_model, imported_folder, result_console
from tuili.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from tuili.store import ModelSettings

SHOWN_FIELDS = ("hidden_size", "vocab_size", "max_position_embeddings", "layered", "exit_threshold", "conversation")
"""Fields of the configuration that are shown as they are; `--json` gives all fields."""


def run(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Model folder, hub name or shipped name; nano by default."),
    ] = None,
    of_machine: Annotated[
        bool, typer.Option("--machine", help="Show instead the processor, and the library that runs models on it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show a model's configuration, size, lineage and measured figures."""
    import json

    if of_machine and model is not None:
        raise InputError(f"--machine is about no model: leave {model} out")
    name = "nano" if model is None else model
    imported = None if of_machine else imported_folder(name)
    if imported is not None:
        from tuili.cli.imported import describe_imported, show_imported

        facts = describe_imported(imported)
    else:
        facts = describe_machine() if of_machine else describe(*find_model(name))
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    elif of_machine:
        _show_machine(result_console(), facts)
    elif imported is not None:
        from tuili.cli.lineage import show_lineage

        show_imported(result_console(), name, facts, (_grid(), _grid()))
        show_lineage(result_console(), facts["lineage"], _grid())
    else:
        _show(result_console(), name, facts)


def describe_machine() -> dict[str, Any]:
    """The machine, its native library or the reason why it has none, and how models are run on it by default."""
    from tuili.engine import default_choice
    from tuili.machine import machine, usable_cores
    from tuili.native import Unavailable, load

    library, choice = load(), default_choice()
    if isinstance(library, Unavailable):
        native: dict[str, Any] = {"unavailable": library.reason}
    else:
        native = {
            "file": str(library.path),
            "origin": library.origin,
            "instruction_set": library.instruction_set,
            "instruction_sets": list(library.instruction_sets),
        }
    facts = {name: fact for name, fact in machine().items() if name not in ("threads", "accelerator")}  # from torch
    return facts | {
        "usable_cores": usable_cores(),
        "native": native,
        "runner": choice.runner,
        "numbers": choice.numbers,
        "cache": choice.cache,
    }


def describe(path: Path, settings: ModelSettings) -> dict[str, Any]:
    """Everything that `tuili info` reports, as one JSON document."""
    import json
    from dataclasses import asdict

    from tuili.cli.lineage import describe_recorded
    from tuili.cli.promised import promises, verifier_figures
    from tuili.eval import read_figures
    from tuili.store import count_parameters, weight_bytes

    figures = read_figures(path)
    return {
        **describe_recorded(path),
        "bytes": weight_bytes(path),
        "parameters": asdict(count_parameters(settings)),
        "exit_layers": list(settings.exit_layers),
        "config": asdict(settings) | json.loads((path / "config.json").read_bytes()),
        "verifier": verifier_figures(path),
        **promises(path, settings.exit_threshold),
        "figures": {key: figures[key] for key in ("mean", "mean_depth", "date")} if figures else None,
    }


def _show_machine(console: Console, facts: dict[str, Any]) -> None:
    table, native = _grid(), facts["native"]
    table.add_row("processor", f"{facts['cpu']}, {facts['usable_cores']} of {facts['cores']} cores usable")
    table.add_row("memory", f"{facts['memory_gib']} GiB")
    if "unavailable" in native:
        table.add_row("native library", f"none: {native['unavailable']}")
    else:
        table.add_row("native library", native["origin"])
        table.add_row("file", native["file"])
        table.add_row(
            "instruction set", f"{native['instruction_set']} (can run {', '.join(native['instruction_sets'])})"
        )
    table.add_row("models run by", f"the {facts['runner']} runner, numbers {facts['numbers']}, cache {facts['cache']}")
    console.print(table)


def _grid() -> Table:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    return table


def _show(console: Console, name: str, facts: dict[str, Any]) -> None:
    from tuili.cli.lineage import add_recorded, show_lineage, whole_numbers
    from tuili.cli.promised import show_promises

    config, parameters = facts["config"], facts["parameters"]
    table = _grid()
    table.add_row("model", name)
    add_recorded(table, facts)
    table.add_row("weights", f"{facts['bytes'] / 1e6:.1f} MB")
    table.add_row("parameters", f"{parameters['total']:,}")
    table.add_row("active", f"{parameters['active_trunk']:,} (trunk only) to {parameters['active']:,} (full depth)")
    layers = f"{config['trunk_layers']} of the trunk, {config['num_groups']} groups of {config['group_layers']}"
    table.add_row("layers", f"{layers}; exits after {', '.join(map(str, facts['exit_layers']))}")
    table.add_row("experts", f"{config['num_experts']}, {config['num_experts_per_tok']} for each token")
    for key in SHOWN_FIELDS:
        table.add_row(key.replace("_", " "), str(config[key]))
    if learnt := config.get("quantization"):
        table.add_row("trained for", whole_numbers(learnt))
    if ranks := config.get("ranks"):
        shared = sum(isinstance(rank, list) for rank in ranks.values())
        table.add_row("factors", f"in place of {len(ranks)} matrices, {shared} of them with bases that experts share")
    if config.get("domains"):
        table.add_row("domains", ", ".join(config["domains"]))
    console.print(table)

    show_lineage(console, facts["lineage"], _grid())
    show_promises(console, facts, _grid())
    if facts["figures"]:
        figures = facts["figures"]
        table = _grid()
        for level, value in figures["mean"].items():
            table.add_row(f"level {level}", f"{value:.3f} right, mean over domains")
        table.add_row("depth", f"{figures['mean_depth']:.2f} layers a token")
        console.print(f"\nmeasured {figures['date'][:10]}")
        console.print(table)
