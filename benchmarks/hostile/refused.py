"""Malformed records and hostile files are built into a corpus: each must be refused with its place and its reason, what
is sound between them must be kept, and memory stays below a limit.
"""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import zstandard

from benchmarks.harness.building import MEMORY, BuildTold, build_apart
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.hostile.files import HostileFile, make_files, may_be
from benchmarks.hostile.records import BadRecord, bad_records, good_record

WORKER = {"memory": 2**29, "seconds": 10.0}
"""The limits of a worker."""
_LINES = 500
"""Malformed records of a file, each behind a sound one."""


class Refusal(NamedTuple):
    """A line of the list of what was refused or dropped."""

    reason: str
    message: str


class Found(NamedTuple):
    """What a build says."""

    told: BuildTold
    by_place: dict[str, list[Refusal]]


def measure(records: int = 10_000, files: int = 1_000, giant: int = 2**30, workers: int = 2, seed: int = 0) -> Measured:
    """What becomes of malformed records and hostile files. giant: bytes of the largest lines, files and bombs."""
    with TemporaryDirectory(prefix="hostile-") as place:
        folder = Path(place)
        lines = _write_records(folder / "records", records, seed)
        of_records = _build(folder / "records", workers)
        hostile = make_files(folder / "files", files, seed, giant)
        of_files = _build(folder / "files", workers)
    told_records, reasons = _records_told(lines, of_records)
    told_files, families = _files_told(hostile, of_files)
    figures = told_records | told_files
    for name, found in (("records", of_records), ("files", of_files)):
        for who, peak in (("leader", found.told.leader), ("worker", found.told.worker)):
            figures[f"{name}_{who}_peak"] = Figure("MiB", [peak / 2**20])
        figures[f"{name}_seconds"] = Figure("s", [found.told.seconds])
    config: dict[str, Any] = {
        "records": len(lines),
        "files": len(hostile),
        "giant": giant,
        "workers": workers,
        "seed": seed,
    }
    config |= {"leader_memory": MEMORY, "worker_limits": WORKER, "reasons": reasons, "families": families}
    return config, figures


def _write_records(folder: Path, count: int, seed: int) -> dict[str, BadRecord]:
    """Files of malformed records with sound ones between them. Returns the malformed ones by their places."""
    folder.mkdir()
    rng, lines = Random(seed), dict[str, BadRecord]()
    for number, record in enumerate(bad_records(count, seed)):
        name = f"{number // _LINES:03}.jsonl"
        with (folder / name).open("ab") as file:
            file.write(good_record(rng) + b"\n" + record.line + b"\n")
        lines[f"records/{name}:{number % _LINES * 2 + 2}"] = record
    return lines


def _build(folder: Path, workers: int) -> Found:
    """Build a corpus of a folder in a process of its own. Raises `RuntimeError` where that does not end well."""
    out = folder.with_name(f"{folder.name}-built")
    told = build_apart({"inputs": [{"path": str(folder)}], "limits": WORKER}, out, workers)
    by_place = defaultdict[str, list[Refusal]](list)
    for line in _dropped(out):
        by_place[line["place"]].append(Refusal(line["reason"], line.get("message", "")))
    return Found(told, dict(by_place))


def _dropped(out: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((out / "dropped").glob("part-*")):
        with path.open("rb") as raw:
            stream = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            yield from map(json.loads, io.TextIOWrapper(stream, encoding="utf-8"))


def _records_told(lines: dict[str, BadRecord], found: Found) -> tuple[dict[str, Figure], dict[str, int]]:
    """The figures of records, and how many of each family were refused for which reason."""
    counts, reasons = Counter[str](), Counter[str]()
    for place, record in lines.items():
        refusals = found.by_place.get(place, [])
        counts["refused"] += len(refusals) == 1 and _is_told(refusals[0])
        counts["as_expected"] += [one.reason for one in refusals] == [record.fault]
        reasons.update(f"{record.family}: {one.reason}" for one in refusals)
    others = sum(len(refusals) for place, refusals in found.by_place.items() if place not in lines)
    figures = {f"records_{name}": Figure("records", [counts[name]]) for name in ("refused", "as_expected")}
    figures["records_sound_lost"] = Figure("records", [len(lines) - found.told.documents["kept"]])
    figures["records_others_refused"] = Figure("records", [others])
    return figures, dict(sorted(reasons.items()))


def _files_told(hostile: list[HostileFile], found: Found) -> tuple[dict[str, Figure], dict[str, dict[str, int]]]:
    """The figures of files, and what became of the files of each family."""
    counts, families = Counter[str](), defaultdict[str, Counter[str]](Counter)
    of_file = defaultdict[str, list[Refusal]](list)
    for place, refusals in found.by_place.items():
        of_file[place.partition(":")[0].partition("#")[0]] += refusals
    for file in hostile:
        refusals = of_file.get(_place(file), [])
        counts["refused"] += bool(refusals) and all(map(_is_told, refusals))
        expected = bool(refusals) and all(may_be(one.reason, file.family) for one in refusals)
        counts["as_expected"] += expected
        families[file.family.name].update({one.reason for one in refusals} or {"not refused"})
    figures = {f"files_{name}": Figure("files", [counts[name]]) for name in ("refused", "as_expected")}
    figures["files_silent"] = Figure("files", [len(hostile) - sum(_place(file) in of_file for file in hostile)])
    return figures, {name: dict(sorted(reasons.items())) for name, reasons in families.items()}


def _place(file: HostileFile) -> str:
    """What the list of refusals calls a file, up to what stands behind a colon in it."""
    return f"files/{file.name}".partition(":")[0].partition("#")[0]


def _is_told(refusal: Refusal) -> bool:
    """Whether a refusal says, in a line, what is wrong."""
    return bool(refusal.reason and refusal.message.strip()) and "\n" not in refusal.message


if __name__ == "__main__":
    run("hostile", measure)
