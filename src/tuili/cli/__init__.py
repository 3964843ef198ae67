"""The command line: one thin module per verb, imported only if the command line names that verb.

How to write a verb. `tuili VERB ...` imports the module `tuili.cli.VERB` (`import_` for `import`) and that of no other
verb. `tuili --help` imports none of them, to stay fast. The module defines one of two things:

* `run`: a function with typed parameters, turned into a command by typer::

      def run(
          prompt: Annotated[str, typer.Argument(help="The question, in one string.")],
          model: Annotated[str, typer.Option(help="Model folder, hub name or shipped name.")] = "nano",
      ) -> None:
          \"\"\"Answer a question.\"\"\"  # the long help of the verb
          from tuili.engine import Request, load_engine  # heavy imports go inside the function
          from tuili.model import load_model

          (answer,) = load_engine(load_model(model), slots=1).answer([Request(prompt)])
          print(answer.answer)

* `app`: a `typer.Typer()` with sub-verbs, if the verb has several (`tuili data tokenizer`).

At the top level, a verb's module imports only `typer`, the standard library, `tuili.cli` and `tuili.errors`. Everything
else is imported inside functions; other Tuili packages are imported by their public names. Add a new verb to `VERBS` in
`app.py`, with the line that `tuili --help` shows for it.

How a verb ends. It returns None for success, or raises `typer.Exit(code)`. A user's mistake is raised as an
`InputError`: `app.py` prints `tuili: error: ...` on stderr and exits with 2, as for a wrong option. Any other
`TuiliError` is printed as one line, with exit code 1. `ask` exits with 3 if there is no answer. Ctrl-C gives exit code
130. A verb that loads a model first calls `check_model` or `find_model`, so that a wrong name is reported before torch
is imported. Results are printed on `result_console`, which truncates nothing if stdout is not a terminal. An unexpected
exception keeps its traceback. Results go to stdout, progress and notes to stderr, so that `--json` output can be piped.
"""
