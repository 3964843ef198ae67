"""`tuili data build`, `filter`, `stats` and `sample`: documents to a clean corpus. The work is left to
`tuili.data.pipeline`.
"""

from __future__ import annotations

import os
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
    _build(settings.model_copy(update={"inputs": settings.inputs + given}), folder, workers)


def filter_documents(
    paths: Paths,
    kind: KindOption = None,
    out: OutOption = "filtered",
    workers: WorkersOption = None,
) -> None:
    """Filter documents by the basic filter alone, for example: tuili data filter pages --kind web --out filtered"""
    folder = parse_folder("--out", out)
    from tuili.data import pipeline

    settings = pipeline.BuildSettings.model_validate({"blocks": [{"block": "basic"}], "inputs": _inputs(paths, kind)})
    _build(settings, folder, workers)


def stats(
    paths: Paths,
    kind: KindOption = None,
    workers: WorkersOption = None,
) -> None:
    """Measure documents, or those of a built corpus: how many, how long, in which language, and what filters look at.

    Of a built corpus it also tells what was dropped and why.
    """
    from tuili.cli.options import result_console
    from tuili.data import pipeline

    console = result_console()
    for path in paths:
        if (path / "manifest.json").is_file():
            _show_manifest(console, path)
    settings = pipeline.BuildSettings.model_validate({"blocks": [{"block": "measure"}], "inputs": _inputs(paths, kind)})
    tally = pipeline.Tally()
    languages = dict[str, int]()
    with _progress() as tell:
        for settled in pipeline.survey(settings, workers=_workers(workers), tell=tell):
            tally.add(settled, 0)
            if isinstance(settled, pipeline.Kept):
                language = _fields(settled)["metadata"]["language"]
                languages[language] = languages.get(language, 0) + 1
    shown = ", ".join(f"{count:,} {name}" for name, count in sorted(languages.items(), key=lambda one: -one[1]))
    console.print(f"{tally.documents_kept:,} documents, {tally.kept_characters:,} characters: {shown or 'none'}")
    for reader, faults in sorted(tally.refused.items()):
        for fault, count in sorted(faults.items()):
            console.print(f"{count:,} refused by {reader}: {fault}")
    _show_measures(console, tally)


def sample(
    paths: Paths,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 5,
    seed: Annotated[int, typer.Option(help="Another seed draws others.")] = 0,
    reason: Annotated[
        str | None, typer.Option(metavar="BLOCK/REASON", help="Of a built corpus: what was dropped for a reason.")
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Print some documents, drawn at random: of files, folders, or a built corpus."""
    import hashlib
    import heapq

    from tuili.data import pipeline

    if reason is not None:
        inputs = [{"path": path, "text": "place"} for folder in paths for path in _shards(folder / "dropped", folder)]
    else:
        inputs = _inputs(paths, None)
    drawn = list[tuple[int, str, dict[str, Any]]]()
    for settled in pipeline.survey(
        pipeline.BuildSettings.model_validate({"inputs": inputs}), workers=_workers(workers)
    ):
        if not isinstance(settled, pipeline.Kept):
            continue
        fields = _fields(settled)
        told = fields.get("metadata", {})
        if reason is not None and reason != f"{told.get('block')}/{told.get('reason')}":
            continue
        order = int.from_bytes(hashlib.blake2b(f"{seed}/{settled.trace.id}".encode(), digest_size=8).digest(), "big")
        entry = (-order, settled.trace.id, fields)
        if len(drawn) < count:
            heapq.heappush(drawn, entry)
        elif entry[:2] > drawn[0][:2]:
            heapq.heapreplace(drawn, entry)
    if not drawn:
        what = f"was dropped for {reason}" if reason else "could be read"
        raise InputError(f"no document {what}: tuili data stats tells what there is")
    for _, identity, fields in sorted(drawn, key=lambda entry: -entry[0]):
        if reason is None:
            print(f"--- {identity} ({fields['kind']})\n{fields['text'].rstrip()}\n")
        else:
            measured = ", ".join(f"{name} {value}" for name, value in fields["metadata"].get("measured", {}).items())
            print(f"{fields['text']}: {measured or fields['metadata'].get('message', reason)}")


def _build(settings: pipeline.BuildSettings, folder: Path, workers: int | None) -> None:

    from tuili.data import pipeline

    try:
        with _progress() as tell:
            built = pipeline.build(settings, folder, workers=_workers(workers), tell=tell)
    except KeyboardInterrupt:
        print("interrupted: what is done is kept, and the same command goes on from it")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    counts = built.manifest["documents"]
    parts = f"{counts['kept']:,} documents kept, {counts['dropped']:,} dropped, {counts['refused']:,} parts refused"
    print(f"{built.folder}: {parts}; {built.folder / 'report.html'} says why")


def _workers(chosen: int | None) -> int:
    return len(os.sched_getaffinity(0)) if chosen is None else chosen


def _inputs(paths: list[Path], kind: str | None) -> list[dict[str, Any]]:
    """Inputs of a recipe; a built corpus stands for its shards."""
    inputs = list[dict[str, Any]]()
    for path in paths:
        if (path / "manifest.json").is_file():
            inputs += [{"path": shard, "kind": kind} for shard in _shards(path, path)]
        else:
            inputs.append({"path": path, "kind": kind})
    return inputs


def _shards(folder: Path, corpus: Path) -> list[Path]:
    if not (corpus / "manifest.json").is_file():
        raise InputError(f"{corpus} holds no built corpus: build one by tuili data build")
    return [path for path in sorted(folder.glob("part-*")) if path.stat().st_size]


def _fields(settled: Any) -> dict[str, Any]:
    import json

    fields: dict[str, Any] = json.loads(settled.line)
    return fields


def _show_manifest(console: Any, folder: Path) -> None:
    from tuili.data import pipeline

    manifest = pipeline.read_manifest(folder)
    for end in ("dropped", "refused"):
        for block, reasons in manifest[end].items():
            for reason, count in reasons.items():
                console.print(f"{count:,} {end} by {block}: {reason}")


def _show_measures(console: Any, tally: Any) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("measure", "mean", "5%", "median", "95%"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "measure" else "right")
    measures = {"characters": tally.lengths, **dict(sorted(tally.measures.items()))}
    for name, ends in measures.items():
        if "kept" in ends:
            kept = ends["kept"]
            values = (kept.total / kept.count, *(kept.quantile(share) for share in (0.05, 0.5, 0.95)))
            table.add_row(name.replace("_", " "), *(f"{value:,.3g}" for value in values))
    console.print(table)


@contextmanager
def _progress() -> Iterator[Callable[[pipeline.Progress], None]]:
    """A bar on stderr: the share of bytes read, documents a second, what became of them, and the time left."""
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
