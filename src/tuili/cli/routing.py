"""`tuili data route`: assign documents to domains, and make records from the problems in them.

The work is left to `tuili.data.pipeline`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from tuili.cli.documents import KindOption, Paths, WorkersOption, inputs_of, run_build
from tuili.cli.options import parse_folder


def route(
    paths: Paths,
    records: Annotated[
        bool, typer.Option("--records", help="Write the records alone, as tuili train reads them.")
    ] = False,
    extract: Annotated[bool, typer.Option(help="Look for problems inside texts, too.")] = True,
    no_domain: Annotated[
        bool,
        typer.Option("--keep-no-domain/--drop-no-domain", help="Whether what belongs to no domain is kept."),
    ] = True,
    not_derived: Annotated[
        bool,
        typer.Option(
            "--keep-not-derived/--drop-not-derived",
            help="Whether problems are kept whose steps all hold, while none gives the answer.",
        ),
    ] = False,
    least_read: Annotated[
        float,
        typer.Option(min=0, max=1, help="The least share of a problem's calculations in words that must be read."),
    ] = 0.0,
    text: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="The field of rows with the question; by default each row's keys tell it."),
    ] = None,
    kind: KindOption = None,
    out: Annotated[str, typer.Option("--out", metavar="FOLDER", help="The folder to write.")] = "routed",
    workers: WorkersOption = None,
) -> None:
    """Route documents to the domains, and extract records from the problems in them, for example:
    tuili data route gsm8k.jsonl pages --records --out extracted

    A problem is dropped where the checker refutes one of its steps; the list of drops tells the step and what is right.
    """
    folder = parse_folder("--out", out)
    from tuili.data import pipeline

    fields = {"questions": True} if text is None else {"text": text}
    inputs = [one | fields for one in inputs_of(paths, kind)]
    block = {
        "block": "route",
        "extract": extract,
        "no_domain": "keep" if no_domain else "drop",
        "not_derived": "keep" if not_derived else "drop",
        "least_read": least_read,
    }
    output = {"format": "jsonl", "form": "records"} if records else {}
    settings = pipeline.BuildSettings.model_validate({"blocks": [block], "inputs": inputs, "output": output})
    manifest = run_build(settings, folder, workers).manifest
    for domain, count in sorted(manifest.get("domains", {}).items(), key=lambda one: (-one[1], one[0])):
        print(f"{count:,} kept of {domain}")
    checked = manifest.get("checked", {})
    if checked.get("records"):
        share = checked["mean_share_decided"]
        print(f"{checked['steps']:,} steps in {checked['records']:,} records, {share:.1%} of a record's steps decided")
    if "mean_share_read" in checked:
        print(f"{checked['mean_share_read']:.1%} of a problem's calculations in words read as steps")
    if unchecked := manifest.get("records_without_steps"):
        print(f"{unchecked:,} kept without steps: nothing of them is checked")
    for block, reasons in manifest["dropped"].items():
        for reason, count in reasons.items():
            print(f"{count:,} dropped by {block}: {reason}")
