"""`tuili bench`: how fast this machine is with a model. The measuring is left to `tuili.bench`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuili.cli.options import (
    CacheOption,
    DeviceOption,
    JsonFlag,
    ModelArgument,
    NumbersOption,
    RunnerOption,
    ThreadsOption,
    check_model,
    parse_depth,
    parse_list,
    parse_numbers,
    progress_bar,
    result_console,
)

if TYPE_CHECKING:
    from rich.table import Table

TABLE_HEADINGS = ("batch", "prompt", "depth", "layers", "tokens/s", "/ CPU s", "first", "p50", "p99", "read/s")
TABLE_LEGEND = (
    "tokens written a second, and a second of processor time; ms to the first token, and from one to the next;\n"
    "prompt tokens read a second"
)

app = typer.Typer(no_args_is_help=False, help="Measure how fast this machine is with a model.")


@app.callback()
def bench() -> None:
    """Measure how fast this machine is with a model."""


@app.command()
def engine(
    model: ModelArgument = "nano",
    batch: Annotated[str, typer.Option(help="Prompts that are answered at once, separated by commas.")] = "1,16",
    prompt: Annotated[str, typer.Option(help="Tokens of a prompt, separated by commas.")] = "32,512",
    new: Annotated[int, typer.Option(help="Most tokens of a response.")] = 64,
    depth: Annotated[
        str | None,
        typer.Option(help="Depths, separated by commas, as in 12,auto,exact; the full depth and auto by default."),
    ] = None,
    runner: RunnerOption = "auto",
    device: DeviceOption = "cpu",
    numbers: NumbersOption = "auto",
    cache: CacheOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure how fast the engine reads and writes with a model, in a minute or so.

    Everything runs once to warm up and then three times in turns; the medians are shown.
    """
    batches, prompts = parse_numbers("--batch", batch), parse_numbers("--prompt", prompt)
    chosen = [] if depth is None else [parse_depth(name) for name in parse_list("--depth", depth)]
    check_model(model)
    import json

    from tuili.bench import SpeedSettings, measure_speed
    from tuili.store import open_model

    stored = open_model(model)
    depths = chosen or [stored.shape.exit_layers[-1], "auto"]
    settings = SpeedSettings(
        batches, prompts, depths, new, runner=runner, device=device, numbers=numbers, cache=cache, threads=threads
    )
    with progress_bar() as progress:
        report = {"model": model, **measure_speed(stored, settings, progress)}
    if as_json:
        print(json.dumps(report, indent=2))
        return
    console = result_console()
    console.print(_table(report))
    console.print(TABLE_LEGEND, style="dim", soft_wrap=True)
    machine = report["machine"]
    memory = f"{report['runtime']}; {report['peak_memory_bytes'] / 2**20:.0f} MiB of memory at most"
    console.print(
        f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores; {memory}", style="dim", soft_wrap=True
    )


@app.command()
def serve(
    url: Annotated[str, typer.Argument(help="Of a server of OpenAI's chat API.")] = "http://127.0.0.1:8000",
    model: Annotated[str, typer.Option(help="The model's name there.")] = "nano",
    clients: Annotated[int | None, typer.Option(help="Closed loop: so many ask one after the other; 8.")] = None,
    rate: Annotated[float | None, typer.Option(help="Open loop: questions a second, at random.")] = None,
    seconds: Annotated[float, typer.Option(help="How long to ask.")] = 20.0,
    max_tokens: Annotated[int, typer.Option(help="Most tokens of an answer.")] = 400,
    max_steps: Annotated[int | None, typer.Option(help="Most attempts.")] = None,
    max_attempts: Annotated[int | None, typer.Option(help="Another name of --max-steps.")] = None,
    deadline_ms: Annotated[float | None, typer.Option(help="Most milliseconds of an answer.")] = None,
    first_ms: Annotated[float, typer.Option(help="A good answer begins within so many milliseconds,")] = 500.0,
    whole_ms: Annotated[float, typer.Option(help="and ends within so many.")] = 2000.0,
    key: Annotated[str | None, typer.Option(envvar="OPENAI_API_KEY", help="API key.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure how a server bears load: throughput, percentiles, and answers that were good."""
    import asyncio
    import json

    from tuili.bench import LoadSettings, load_report, run_load
    from tuili.tasks import domain_names, unseen_problems

    budget = {"max_steps": max_steps, "max_attempts": max_attempts, "deadline_ms": deadline_ms}
    settings = LoadSettings(
        url,
        model,
        8 if clients is None and rate is None else clients,
        rate,
        seconds,
        {name: value for name, value in budget.items() if value is not None},
        max_tokens,
        key,
        first_ms,
        whole_ms,
    )
    questions = [problem.prompt for problem in unseen_problems(domain_names(), (1, 2), per_cell=8, seed=5)]
    with progress_bar() as progress:
        results = asyncio.run(run_load(settings, questions, progress))
    report = load_report(settings, results)
    if as_json:
        print(json.dumps(report, indent=2))
        return
    console = result_console()
    loop = f"{settings.clients} clients" if settings.rate is None else f"{settings.rate:g} questions a second"
    statuses = ", ".join(f"{number} of status {status}" for status, number in report["by_status"].items())
    console.print(f"{loop} for {seconds:g} s: {statuses}")
    console.print(
        f"{report['answers_per_second']:.1f} answers/s, {report['good_per_second']:.1f} good, "
        f"{report['tokens_per_second']:,.0f} tokens/s"
    )
    for name, label in (("first_ms", "first token"), ("whole_ms", "whole answer")):
        percentiles = ", ".join(f"{part} {value:,.0f}" for part, value in report[name].items())
        console.print(f"{label}: {percentiles} ms")


def _table(report: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in TABLE_HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for speed in report["speeds"]:
        table.add_row(
            f"{speed['batch']}",
            f"{speed['prompt']}",
            speed["depth"],
            f"{speed['mean_depth']:.1f}",
            f"{speed['tokens_per_second']:,.0f}",
            f"{speed['tokens_per_cpu_second']:,.0f}",
            f"{speed['first_token_ms']:,.1f}",
            f"{speed['token_ms_p50']:.2f}",
            f"{speed['token_ms_p99']:.2f}",
            f"{speed['prompt_tokens_per_second']:,.0f}",
        )
    return table
