"""`tuili data build`, `filter`, `dedup` and `decontaminate`: make a clean corpus from documents.

The work is left to `tuili.data.pipeline`, and inspecting documents to `surveying`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.cli.options import parse_folder
from tuili.errors import InputError

if TYPE_CHECKING:
    from tuili.data import pipeline

WorkersOption = Annotated[
    int | None, typer.Option(min=0, max=1024, help="Processes that read and filter; by default one for each core.")
]
KindOption = Annotated[
    str | None, typer.Option(help="The kind of text: web, prose, paper, patent, reference, problem or code.")
]
Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of files, with documents.")]
OutOption = Annotated[str, typer.Option("--out", metavar="FOLDER", help="The folder to write.")]


def build(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a shipped recipe's name.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe.")
    ] = None,
    inputs: Annotated[
        list[Path] | None, typer.Option("--input", metavar="PATH", help="A file or a folder to be read as well.")
    ] = None,
    kind: KindOption = None,
    out: OutOption = "corpus",
    workers: WorkersOption = None,
) -> None:
    """Build a corpus from documents by a recipe, for example: tuili data build documents --input pages --out corpus

    Every document that is dropped is listed with the block and the reason, everything that could not be read with its
    place. Ctrl-C keeps what is done; the same command goes on from it. docs/data-engine.md explains more.
    """
    folder = parse_folder("--out", out)
    from tuili.config import load_recipe
    from tuili.data import pipeline

    settings = load_recipe(recipe, overrides or [], pipeline.BuildRecipe).build
    given = tuple(pipeline.Input(path=path, kind=kind) for path in inputs or [])
    if kind and not given:
        raise InputError("--kind says what the inputs of --input are: name one, or set build.inputs in the recipe")
    run_build(settings.model_copy(update={"inputs": settings.inputs + given}), folder, workers)


def filter_documents(
    paths: Paths,
    quality: Annotated[bool, typer.Option("--quality", help="Drop what a classifier takes for junk, too.")] = False,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A classifier from tuili data teach-quality, for --quality."),
    ] = None,
    kind: KindOption = None,
    out: OutOption = "filtered",
    workers: WorkersOption = None,
) -> None:
    """Filter documents by the basic filter, for example: tuili data filter pages --kind web --quality"""
    if weights and not quality:
        raise InputError("--weights is the classifier of --quality: name both")
    judged: list[dict[str, Any]] = [{"block": "quality", "weights": weights}] if quality else []
    _build_with([{"block": "basic"}, *judged], paths, kind, out, workers)


def dedup(
    paths: Paths,
    similarity: Annotated[
        float | None,
        typer.Option(min=0.4, max=1, help="How alike documents are that count as one, from 0.4 to 1; by default 0.5."),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Drop only documents that are the same.")] = False,
    kind: KindOption = None,
    out: OutOption = "unique",
    workers: WorkersOption = None,
) -> None:
    """Drop documents that stood before, or nearly so, for example: tuili data dedup pages papers --out unique

    The first in the order of the inputs is kept; the list of drops names it for each that is dropped.
    """
    if exact and similarity is not None:
        raise InputError("--similarity is that of near-duplicates, which --exact keeps: leave one of them out")
    alike = {} if similarity is None else {"similarity": similarity}
    _build_with([{"block": "dedup", "near": not exact} | alike], paths, kind, out, workers)


def decontaminate(
    paths: Paths,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", metavar="FILE", help="A file of questions that a model is measured on: JSONL, Parquet or text."
        ),
    ] = None,
    own: Annotated[bool, typer.Option(help="Look for the forms that Tuili's own tests hold out, too.")] = True,
    kind: KindOption = None,
    out: OutOption = "decontaminated",
    workers: WorkersOption = None,
) -> None:
    """Drop documents with questions of evaluation sets, for example:
    tuili data decontaminate pages --against test.jsonl

    A document is dropped that has 13 words in a row, numbers aside, in common with a question; the list of drops names
    it.
    """
    if not (own or against):
        raise InputError("there is nothing to look for: name a file of questions by --against, or leave out --no-own")
    block = {"block": "decontaminate", "against": against or [], "own": own}
    _build_with([block], paths, kind, out, workers)


def _build_with(
    blocks: list[dict[str, Any]], paths: list[Path], kind: str | None, out: str, workers: int | None
) -> None:
    """Run a build with only these blocks."""
    folder = parse_folder("--out", out)
    from tuili.data import pipeline

    settings = pipeline.BuildSettings.model_validate({"blocks": blocks, "inputs": inputs_of(paths, kind)})
    run_build(settings, folder, workers)


def run_build(settings: pipeline.BuildSettings, folder: Path, workers: int | None) -> pipeline.Built:
    """Start or resume a build, show its progress, and report what became of the documents."""
    from tuili.data import pipeline
    from tuili.native import Unavailable, load

    if isinstance(library := load(), Unavailable):
        print(f"documents are read without the native library, which takes longer: {library}", file=sys.stderr)
    try:
        with build_progress() as tell:
            built = pipeline.build(settings, folder, workers=worker_count(workers), tell=tell)
    except KeyboardInterrupt:
        print("interrupted: what is done is kept, and the same command goes on from it")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    counts = built.manifest["documents"]
    parts = f"{counts['kept']:,} documents kept, {counts['dropped']:,} dropped, {counts['refused']:,} parts refused"
    print(f"{built.folder}: {parts}; {built.folder / 'report.html'} says why")
    for block, notes in built.manifest.get("notes", {}).items():
        print(*(f"{block}: {note}" for note in notes), sep="\n")
    return built


def inputs_of(paths: list[Path], kind: str | None) -> list[dict[str, Any]]:
    """The inputs of a build. Those with the same name are numbered; for a corpus of records, the questions are read.

    Raises `InputError` for a kind of text that is not shipped, because there is no recipe file that could define it.
    """
    from tuili.data import pipeline

    if kind is not None and kind not in (known := pipeline.shipped_thresholds()):
        raise InputError(f"--kind {kind!r} is no kind of text: use one of {', '.join(known)}")
    names = Counter(map(own_name, paths))
    numbers = Counter[str]()
    inputs = list[dict[str, Any]]()
    for path in paths:
        own = own_name(path)
        numbers[own] += 1
        name = f"{own}-{numbers[own]}" if own and names[own] > 1 else None
        inputs.append({"path": path, "kind": kind, "name": name, "questions": pipeline.holds_records(path)})
    return inputs


def own_name(path: Path) -> str:
    """The name of a file or folder, even if it is given as `.` or `..`."""
    return path.resolve().name if path.name in ("", "..") else path.name


def refusals_told(tally: pipeline.Tally) -> Iterator[str]:
    """What readers have refused, a line for each fault."""
    for reader, faults in sorted(tally.refused.items()):
        for fault, count in sorted(faults.items()):
            yield f"{count:,} refused by {reader}: {fault}"


def worker_count(chosen: int | None) -> int:
    """The number of workers: the chosen one, or one for each usable core."""
    from tuili.machine import usable_cores

    return usable_cores() if chosen is None else chosen


@contextmanager
def build_progress() -> Iterator[Callable[[pipeline.Progress], None]]:
    """A bar on stderr: the share of bytes read, documents per second, what became of them, and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        first = list[int]()

        def tell(progress: pipeline.Progress) -> None:
            done = progress.kept + progress.dropped
            first.append(done) if not first else None
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{(done - first[0]) / elapsed:,.0f} documents/s, " if elapsed and done else ""
            counts = f"{rate}{progress.kept:,} kept, {progress.dropped:,} dropped, {progress.refused:,} refused"
            bar.update(task, completed=progress.bytes_read, total=progress.bytes_total, description=counts)

        yield tell
