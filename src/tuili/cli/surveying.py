"""`tuili data stats` and `sample`: inspect documents, in files or in a built corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuili.cli.documents import Paths, WorkersOption, build_progress, inputs_of, own_name, refusals_told, worker_count
from tuili.errors import InputError


def stats(
    paths: Paths,
    workers: WorkersOption = None,
) -> None:
    """Measure documents, or those of a built corpus: how many, how long, in which language, and what filters look at.

    Of a built corpus it also tells what was dropped and why. Quantiles are read from a histogram, and at most 16% too
    low, or 0.02 for values below 1.
    """
    from tuili.cli.options import result_console
    from tuili.data import pipeline

    console = result_console()
    for path in paths:
        if pipeline.is_corpus(path):
            _show_manifest(console, path)
    settings = pipeline.BuildSettings.model_validate(
        {"blocks": [{"block": "measure"}], "inputs": inputs_of(paths, None)}
    )
    tally = pipeline.Tally()
    languages = dict[str, int]()
    with build_progress() as tell:
        for settled in pipeline.survey(settings, workers=worker_count(workers), tell=tell):
            tally.add(settled, 0)
            if isinstance(settled, pipeline.Kept):
                language = _fields(settled)["metadata"]["detected_language"]
                languages[language] = languages.get(language, 0) + 1
    shown = ", ".join(f"{count:,} {name}" for name, count in sorted(languages.items(), key=lambda one: -one[1]))
    console.print(f"{tally.documents_kept:,} documents, {tally.kept_characters:,} characters: {shown or 'none'}")
    for line in refusals_told(tally):
        console.print(line)
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
    from itertools import count as numbers_from

    from tuili.data import pipeline, showing

    if reason is not None:
        for folder in paths:
            pipeline.read_manifest(folder)
        dropped = [
            one | {"path": one["path"] / "dropped", "name": one["name"] or own_name(one["path"]), "text": "place"}
            for one in inputs_of(paths, None)
        ]
        inputs = [one for one in dropped if any(one["path"].glob("part-*"))]
    else:
        inputs = inputs_of(paths, None)
    drawn = list[tuple[int, str, int, dict[str, Any]]]()
    numbers = numbers_from()
    for settled in pipeline.survey(
        pipeline.BuildSettings.model_validate({"inputs": inputs}), workers=worker_count(workers)
    ):
        if not isinstance(settled, pipeline.Kept):
            continue
        fields = _fields(settled)
        told = fields.get("metadata", {})
        if reason is not None and reason != f"{told.get('block')}/{told.get('reason')}":
            continue
        order = int.from_bytes(hashlib.blake2b(f"{seed}/{settled.trace.id}".encode(), digest_size=8).digest(), "big")
        entry = (-order, settled.trace.id, next(numbers), fields)
        if len(drawn) < count:
            heapq.heappush(drawn, entry)
        elif entry[:2] > drawn[0][:2]:
            heapq.heapreplace(drawn, entry)
    if not drawn:
        what = f"was dropped for {reason}" if reason else "could be read"
        raise InputError(f"no document {what}: tuili data stats tells what there is")
    for _, identity, _, fields in sorted(drawn, key=lambda entry: -entry[0]):
        if reason is None:
            lines = (
                showing.visible(line, right_to_left=True) for line in fields["text"].expandtabs().rstrip().split("\n")
            )
            print(showing.visible(f"--- {identity} ({fields['kind']})"), *lines, "", sep="\n")
        else:
            measured = ", ".join(f"{name} {value}" for name, value in fields["metadata"].get("measured", {}).items())
            print(showing.visible(f"{fields['text']}: {measured or fields['metadata'].get('message', reason)}"))
            excerpt = fields["metadata"].get("excerpt", "").expandtabs().rstrip()
            for line in excerpt.splitlines():
                print(f"    {showing.visible(line, right_to_left=True)}")


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

    from tuili.data import pipeline

    table = Table(box=None, pad_edge=False)
    for heading in ("measure", "mean", "5%", "median", "95%"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "measure" else "right")
    measures = {"characters": tally.lengths, **dict(sorted(tally.measures.items()))}
    for name, ends in measures.items():
        if "kept" in ends:
            kept = ends["kept"]
            values = (kept.total / kept.count, *(kept.quantile(share) for share in (0.05, 0.5, 0.95)))
            table.add_row(name.replace("_", " "), *map(pipeline.told_number, values))
    console.print(table)
