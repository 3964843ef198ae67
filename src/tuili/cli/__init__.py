"""The command line: one thin module per verb, imported only when its verb is asked for.

How a verb is written. `tuili VERB ...` imports `tuili.cli.VERB` and nothing of the other verbs, so that
`tuili --help` stays fast. The module offers one of two things:

* `run`: a function with typed parameters, turned into a command by typer::

      def run(
          model: Annotated[str, typer.Argument(help="Model folder, hub name or shipped name.")] = "nano",
          as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
      ) -> None:
          \"\"\"Answer a question.\"\"\"              # the long help of the verb
          from tuili.engine import ask            # heavy imports stand inside the function

* `app`: a `typer.Typer()` with sub-verbs, where a verb has several (`tuili data tokenizer`).

At its top a verb's module imports only `typer`, the standard library and `tuili.errors`; torch, transformers,
rich, pydantic and the packages of ours that need them are imported inside the function. A new verb is added
to `VERBS` in `app.py`, with the one line that `tuili --help` shows.

How a verb ends. It returns None for success, or raises `typer.Exit(code)`. A mistake of the user is raised as
an `InputError`: `app.py` prints `tuili: error: ...` on stderr and exits with 2, as for a wrong option. Any
other `TuiliError` is one line and exit code 1; Ctrl-C is exit code 130; an unexpected exception keeps its
traceback. Results go to stdout, progress and notes to stderr, so that `--json` output can be piped.
"""
