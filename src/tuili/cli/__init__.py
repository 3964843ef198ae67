"""The command line: one thin module per verb, imported only when its verb is asked for.

How a verb is written. `tuili VERB ...` imports the module `tuili.cli.VERB` (`import_` for `import`) and that of no
other verb. `tuili --help` imports none of them, so that it stays fast. The module offers one of two things:

* `run`: a function with typed parameters, turned into a command by typer::

      def run(
          prompt: Annotated[str, typer.Argument(help="The question, in one string.")],
          model: Annotated[str, typer.Option(help="Model folder, hub name or shipped name.")] = "nano",
      ) -> None:
          \"\"\"Answer a question.\"\"\"  # the long help of the verb
          from tuili.engine import Request, load_engine  # heavy imports stand inside the function
          from tuili.model import load_model

          (answer,) = load_engine(load_model(model), slots=1).answer([Request(prompt)])
          print(answer.answer)

* `app`: a `typer.Typer()` with sub-verbs, where a verb has several (`tuili data tokenizer`).

At its top a verb's module imports only `typer`, the standard library, `tuili.cli` and `tuili.errors`. Everything else
is imported inside the function, other packages of ours by their public names. A new verb is added to `VERBS` in
`app.py`, with the one line that `tuili --help` shows.

How a verb ends. It returns None for success, or raises `typer.Exit(code)`. A mistake of the user is raised as an
`InputError`: `app.py` prints `tuili: error: ...` on stderr and exits with 2, as for a wrong option. Any other
`TuiliError` is one line and exit code 1. `ask` exits with 3 where there is no answer. Ctrl-C is exit code 130. A verb
that loads a model calls `find_model` first, so that a wrong name is told before torch is imported; results are printed
on `result_console`, which cuts nothing where there is no terminal. An unexpected exception keeps its traceback. Results
go to stdout, progress and notes to stderr, so that `--json` output can be piped.
"""
