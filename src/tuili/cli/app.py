"""The `tuili` command: its list of verbs, and how errors become one line and an exit code.

Only the verb named on the command line is imported. What it does is left to `tuili.cli.VERB`; the rules for
such a module are in the docstring of `tuili.cli`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Annotated

import typer

from tuili import __version__
from tuili.errors import InputError, TuiliError

VERBS = {
    "data": "Make problems, clean documents, check data files.",
    "train": "Train a model by a recipe and dotted overrides.",
    "adapt": "Teach a model problems of your own, and measure it.",
    "eval": "Measure a model on unseen problems by domain and level.",
    "exits": "Train exits for an imported model.",
    "compress": "Make a model smaller, and let it recover.",
    "plan": "Plan a compression of a model of any size.",
    "calibrate": "Find out what error a model can promise to stay within.",
    "serve": "Serve models over an OpenAI-compatible API.",
    "ask": "Ask a model a question and see its steps checked.",
    "bench": "Measure how fast this machine is with a model.",
    "import": "Bring in a Llama, Qwen2 or Qwen3 model.",
    "fetch": "Get a model that is ready, by its name.",
    "export": "Write an imported model for other programs.",
    "info": "Show what a model folder holds and where it comes from.",
    "quickstart": "Train, evaluate and ask a small model, and write a report.",
}
"""Every verb and the line that `tuili --help` shows for it."""

EXIT_FAILURE, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (by default that of the process) and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    logging.getLogger("DeepSpeed").addFilter(_is_error)
    try:
        code = build_command(arguments)(arguments, prog_name="tuili", standalone_mode=False)
    except (InputError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        return _fail(f"error: {message}", EXIT_INPUT)
    except TuiliError as error:
        return _fail(f"error: {error}", EXIT_FAILURE)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    if code == EXIT_INTERRUPTED:  # typer itself turns a Ctrl-C inside a verb into this code
        return _fail("interrupted", EXIT_INTERRUPTED)
    return code or 0


def build_command(arguments: Sequence[str]) -> typer.Typer:
    """The whole command. Only the verb that `arguments` name is loaded; the others are just listed."""
    app = typer.Typer(
        help="Train a reasoning model from tasks whose every step is checked, and ask it.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def root(
        version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    ) -> None:
        if version:
            typer.echo(f"tuili {__version__}")
            raise typer.Exit

    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for verb, summary in VERBS.items():
        if verb != chosen:
            app.command(verb, help=summary)(_listed)
            continue
        module = import_module(f"tuili.cli.{verb}{'_' * iskeyword(verb)}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb, short_help=summary)
        else:
            app.command(verb, short_help=summary)(module.run)
    return app


def _is_error(record: logging.LogRecord) -> bool:
    """Drop DeepSpeed's warnings: transformers imports it if it is installed, and they would go to standard output."""
    return record.levelno >= logging.ERROR


def _listed() -> None:
    """Placeholder for a verb that this command line does not run."""


def _fail(message: str, code: int) -> int:
    # Names come from the command line: control characters and lone surrogates must not break the line.
    line = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in message)
    print(f"tuili: {line}", file=sys.stderr)
    return code
