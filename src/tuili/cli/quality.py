"""`tuili data teach-quality`: teach a quality classifier from the user's own labelled documents.

The work is left to `tuili.data.pipeline`; the filter that uses the classifier is called in `documents`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tuili.cli.documents import WorkersOption, build_progress, inputs_of, refusals_told, worker_count

HELD_BACK = 10
"""One in this many documents is not learnt from, but used to measure the classifier."""


def teach_quality(
    good: Annotated[list[Path], typer.Option("--good", metavar="PATH", help="Files or folders of good documents.")],
    junk: Annotated[list[Path], typer.Option("--junk", metavar="PATH", help="Files or folders of junk.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")] = Path(
        "quality.safetensors"
    ),
    workers: WorkersOption = None,
) -> None:
    """Teach a classifier of quality, for example: tuili data teach-quality --good papers --junk spam.jsonl

    A tenth of the documents is held back, and tells how well the others are told apart. The file is what
    tuili data filter --weights takes.
    """
    from tuili.files import check_file_place

    check_file_place(out)
    from tuili.data import pipeline

    count = worker_count(workers)
    documents = [pipeline.Labelled(text, True, source) for text, source in _read(good, count)]
    documents += [pipeline.Labelled(text, False, source) for text, source in _read(junk, count)]
    held, learnt = list[pipeline.Labelled](), list[pipeline.Labelled]()
    for document in documents:
        (held if _number(document.text) % HELD_BACK == 0 else learnt).append(document)
    classifier = pipeline.teach(learnt, tell=print)
    pipeline.write_classifier(classifier, out)
    found = pipeline.judge(classifier, held)
    shares = f"{found.good_lost:.1%} of the good would be dropped, {found.junk_left:.1%} of the junk kept"
    print(f"of {len(held):,} documents held back {shares}, at a threshold of 0.5: F1 {found.f1_good:.3f}")
    print(f"{out}: {out.stat().st_size:,} bytes")


def _read(paths: list[Path], workers: int) -> Iterator[tuple[str, str]]:
    """Texts and their sources: the `source` of their metadata if it is a string, else an empty string.

    Prints what was refused.
    """
    import json

    from tuili.data import pipeline

    settings, tally = pipeline.BuildSettings.model_validate({"inputs": inputs_of(paths, None)}), pipeline.Tally()
    with build_progress() as tell:
        for settled in pipeline.survey(settings, workers=workers, tell=tell):
            tally.add(settled, 0)
            if isinstance(settled, pipeline.Kept):
                fields = json.loads(settled.line)
                source = fields.get("metadata", {}).get("source")
                yield fields["text"], source if isinstance(source, str) else ""
    print(*refusals_told(tally), sep="\n", end="\n" if tally.refused else "")


def _number(text: str) -> int:
    """A number that depends on the text alone, so that the same documents are held back every time."""
    import hashlib

    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
