"""What `tuili eval` does after its options are read: measure, then show and write the report.

The measuring is left to `tuili.eval`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuili.cli.options import imported_folder, load_for, progress_bar, result_console
from tuili.errors import InputError

if TYPE_CHECKING:
    from tuili.eval import EvalSettings, FileSettings


def measure_unseen(
    model: str, settings: EvalSettings, json_file: Path | None, html_file: Path | None, card: bool
) -> None:
    """Measure a model on problems that no training sees, and show and write the report."""
    from tuili.cli.show import show_cells, show_conversations
    from tuili.eval import EVAL_FILE, evaluate, write_card
    from tuili.train import RUN_FILE, read_log

    loaded = load_for(model, settings.runner, settings.device or "cpu", settings.numbers)
    in_folder = (loaded.path / EVAL_FILE, loaded.path / "README.md") if card else ()
    _check_places([path for path in (json_file, html_file, *in_folder) if path])
    run_folder = loaded.path.parent
    log = read_log(run_folder) if (run_folder / RUN_FILE).is_file() else []
    with progress_bar() as progress:
        report = {"model": model, **evaluate(loaded, settings, progress)}
    console = result_console()
    show_cells(console, report)
    if settings.conversations:
        show_conversations(console, report["conversations"])
    _write(report, json_file, html_file, loaded.model.config.exit_layers, log)
    if card:
        write_card(loaded.path, report)


def measure_file(model: str, settings: FileSettings, json_file: Path | None, html_file: Path | None) -> None:
    """Measure a model on a file of questions, and show and write the report."""
    from tuili.cli.show import show_cells, show_scores
    from tuili.eval import evaluate_file

    _check_places([path for path in (json_file, html_file) if path])
    with progress_bar() as progress:
        measured, exits = evaluate_file(model, settings, progress)
    report = {"model": model, **measured}
    console = result_console()
    show_cells(console, report)
    show_scores(console, report)
    _write(report, json_file, html_file, exits)


def refuse_imported(model: str) -> None:
    """Raise `InputError` for an imported model, which does not know the domains."""
    if imported_folder(model) is not None:
        raise InputError(
            f"{model} is an imported model, and is measured on a file: give --data FILE; tuili data generate FILE "
            "--split test writes one of problems that no training sees"
        )


def _check_places(places: Sequence[Path]) -> None:
    """Raise `InputError` if one of these files cannot be written, or would be written twice."""
    from tuili.files import check_file_place, is_special

    for number, path in enumerate(places):
        check_file_place(path)
        if not is_special(path) and realpath(path) in map(realpath, places[:number]):
            raise InputError(f"{path} would be written twice: give --json and --html places of their own")


def _write(
    report: Mapping[str, Any],
    json_file: Path | None,
    html_file: Path | None,
    exits: Sequence[int],
    log: Sequence[Mapping[str, float]] = (),
) -> None:
    """Write the report to each given file."""
    if json_file:
        from tuili.eval import write_json

        write_json(json_file, report)
    if html_file:
        from tuili.eval import write_html  # which imports the plotting code

        write_html(html_file, report, f"Evaluation of {report['model']}", exits, log)
