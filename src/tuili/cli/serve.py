"""`tuili serve`: models behind an OpenAI-compatible API. The serving is left to `tuili.serve`."""

from __future__ import annotations

import gc
import re
from pathlib import Path
from typing import Annotated

import typer

from tuili.cli.options import CacheOption, DeviceOption, NumbersOption, RunnerOption, ThreadsOption, check_model
from tuili.errors import InputError

ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/\s]+")


def run(
    models: Annotated[
        list[str],
        typer.Argument(metavar="[MODEL]...", envvar="MODEL_VARIANT", help="Folders, hub names or shipped names."),
    ] = ["nano"],  # noqa: B006  # typer makes a new one each time
    host: Annotated[str, typer.Option(envvar="TUILI_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, envvar="TUILI_PORT", help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    slots: Annotated[
        int, typer.Option(min=1, max=1024, envvar="BATCH_SIZE", help="Responses that each model writes together.")
    ] = 16,
    waiting: Annotated[int, typer.Option(min=1, help="Requests that may wait for each model; more are refused.")] = 256,
    runner: RunnerOption = "auto",
    device: DeviceOption = "cpu",
    numbers: NumbersOption = "auto",
    cache: CacheOption = "auto",
    threads: ThreadsOption = None,
    keys_file: Annotated[
        Path | None,
        typer.Option(envvar="TUILI_KEYS_FILE", help="API keys, one JSON object a line; none are needed without."),
    ] = None,
    operators_file: Annotated[
        Path | None,
        typer.Option(envvar="TUILI_OPERATORS_FILE", help="Keys of operators; others need none because of them."),
    ] = None,
    new_key: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print a new key and its line for the file.")
    ] = None,
    operator: Annotated[bool, typer.Option("--operator", help="With --new-key: a key of an operator.")] = False,
    max_priority: Annotated[
        int, typer.Option(min=-100, max=100, help="Highest priority of requests whose key has no other limit.")
    ] = 0,
    state_dir: Annotated[
        Path | None,
        typer.Option(envvar="TUILI_STATE_DIR", help="Folder that keeps alarms. By default ~/.local/state/tuili."),
    ] = None,
    allow_origin: Annotated[
        list[str],
        typer.Option(metavar="ORIGIN", help="Web pages of this origin may send requests; * for any. May be repeated."),
    ] = [],  # noqa: B006  # typer makes a new one each time
    feedback: Annotated[Path | None, typer.Option(help="File that keeps what people thought of answers.")] = None,
    traces: Annotated[
        str | None,
        typer.Option(envvar="TUILI_TRACES", metavar="URL", help="OpenTelemetry collector that is sent traces."),
    ] = None,
    drain: Annotated[
        int,
        typer.Option(
            min=0, max=86_400, help="Seconds for what is being answered at SIGTERM; orchestrators should wait longer."
        ),
    ] = 55,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate, for HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
) -> None:
    """Serve models over HTTP until SIGTERM, which lets those that are being answered finish."""
    from tuili.serve import Keys, read_keys
    from tuili.serve import new_key as make_key

    if new_key is not None:
        key, line = make_key(new_key, operator)
        print(f"{key}\n{line}")
        return
    if wrong := [origin for origin in allow_origin if not ORIGIN.fullmatch(origin)]:
        raise InputError(f"--allow-origin {wrong[0]}: an origin is wanted, such as https://example.org, or *")
    for model in models:
        check_model(model)
    gc.disable()  # until models are loaded: there is nothing to collect, and looking would take a tenth of startup
    from tuili.serve import (
        AlarmFiles,
        ModelRegistry,
        Settings,
        Traces,
        default_state_folder,
        engine_factory,
        otlp_traces,
        serve,
    )

    alarm_files = AlarmFiles(state_dir or default_state_folder())
    if state_dir is not None:
        alarm_files.check()
    settings = Settings(
        Keys(
            () if keys_file is None else read_keys(keys_file),
            operators=() if operators_file is None else read_keys(operators_file),
            max_priority=max_priority,
        ),
        feedback=feedback,
        allowed_origins=tuple(allow_origin),
        traces=Traces() if traces is None else otlp_traces(traces),
    )
    make_engine = engine_factory(
        slots, waiting, runner=runner, device=device, numbers=numbers, cache=cache, threads=threads
    )
    registry = ModelRegistry(models, make_engine, alarm_files)
    serve(registry, settings, host, port, drain, tls_cert, tls_key)
