"""Hostile files of every format that is read: what makes those of a family, and the faults they may be refused for.

A family has files enough to try what it draws; those that cost seconds or gigabytes to read are few.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.hostile import packed, pages, tables
from tuili.data import pipeline

Fault = pipeline.ReadFault

_KILLED = frozenset({Fault.TOO_MUCH_TIME, Fault.TOO_MUCH_MEMORY, Fault.CRASHED})
"""What a worker may not survive, whatever it reads."""
_PACKED = (".jsonl.gz", ".jsonl.zst")


class Family(NamedTuple):
    """Files of a kind."""

    name: str
    suffixes: tuple[str, ...]
    make: Callable[[Path, Random], None]
    faults: frozenset[Fault]
    share: int
    """How many of a thousand files are of it."""


class HostileFile(NamedTuple):
    """A file that must be refused."""

    name: str
    family: Family


def families(giant: int) -> tuple[Family, ...]:
    """All families. giant: bytes of the largest files, before and behind compression."""

    def family(name: str, suffixes: str, make: Callable[[Path, Random], None], share: int, *faults: Fault) -> Family:
        return Family(name, tuple(suffixes.split()), make, frozenset(faults), share)

    wrong, damaged, no_json = Fault.WRONG_ENCODING, Fault.DAMAGED, Fault.NOT_JSON
    too_long, empty, expands = Fault.TOO_LONG, Fault.EMPTY, Fault.EXPANDS_TOO_MUCH
    bomb, bomb_in_a_text = partial(packed.bomb, size=giant), partial(packed.bomb_in_a_text, size=giant)
    small_bomb = partial(packed.bomb, size=2**27)
    archives, page, table = " ".join(_PACKED), ".html .htm", ".parquet"
    return (
        family("bombs", archives, bomb, 6, expands, too_long),
        family("bombs in a text", archives, bomb_in_a_text, 6, expands, too_long),
        family("smaller bombs", archives, small_bomb, 24, expands, too_long, no_json),
        family("archives in archives", archives, packed.packed_twice, 40, no_json, wrong),
        family("archives that are cut", archives, packed.cut_archive, 50, damaged),
        family("archives of another checksum", archives, packed.damaged_archive, 50, damaged),
        family("no archives", archives, packed.no_archive, 30, damaged),
        family("windows of gigabytes", ".jsonl.zst", packed.zstd_window, 50, damaged),
        family("giant lines", ".jsonl .ndjson", partial(packed.giant_line, size=giant), 6, too_long),
        family("giant files", ".txt .html .pdf", partial(packed.giant_file, size=giant), 18, too_long),
        family("texts in another encoding", ".txt .md", packed.other_encoding, 80, wrong),
        family("records in another encoding", ".jsonl", packed.lines_in_other_encoding, 50, wrong, no_json),
        family("noise", ".txt .jsonl .ndjson", packed.noise, 50, wrong, no_json),
        family("nothing that shows", ".txt .rst", packed.blank, 40, empty),
        family("texts that are too long", ".txt", packed.long_text, 10, too_long),
        family("blank lines", ".jsonl", packed.blank_lines, 10, too_long),
        family("deep pages", page, pages.deep_page, 60, damaged),
        family("deep pages of other elements", page, pages.deep_page_of_others, 40, damaged, empty),
        family("pages without text", page, pages.page_without_text, 30, empty, damaged),
        family("lies of rows", table, tables.lies_of_rows, 50, damaged, too_long),
        family("lies of groups", table, tables.lies_of_groups, 40, too_long, damaged),
        family("lies of columns", table, tables.lies_of_columns, 40, damaged, too_long),
        family("lies of pages", table, tables.lies_of_pages, 40, damaged, too_long),
        family("bombs of rows", table, tables.bomb, 4, expands),
        family("cut tables", table, tables.cut, 30, damaged, too_long),
        family("no tables", table, tables.no_table, 30, damaged),
        family("tables without a text", table, tables.another_column, 30, Fault.NO_TEXT, empty, wrong),
        family("loops", ".pdf", pages.pdf_with_loop, 40, damaged, empty, too_long),
        family("bombs of contents", ".pdf", pages.pdf_bomb, 6, damaged, empty, too_long),
        family("no PDF", ".pdf", pages.no_pdf, 20, damaged),
    )


_PLACES = 20
"""Names that are no files, of a thousand."""


def make_files(folder: Path, count: int, seed: int, giant: int) -> list[HostileFile]:
    """Make about so many hostile files, at least one of each family, in folders by their format."""
    made = list[HostileFile]()
    for family in families(giant):
        rng = Random(f"{seed}/{family.name}")
        for number in range(max(1, round(family.share * count / 1000))):
            suffix = family.suffixes[number % len(family.suffixes)]
            name = f"{family.name.replace(' ', '-')}/{number:03}{suffix}"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            family.make(folder / name, rng)
            made.append(HostileFile(name, family))
    return made + _no_files(folder, max(4, round(_PLACES * count / 1000)))


def may_be(fault: str, family: Family) -> bool:
    """Whether a file of a family may be refused for a fault."""
    return fault in family.faults | _KILLED


def _no_files(folder: Path, count: int) -> list[HostileFile]:
    """Pipes, links to nowhere and in circles, and names that tell no format."""
    place, made = folder / "no-files", list[HostileFile]()
    place.mkdir(parents=True, exist_ok=True)
    family = Family(
        "no files", (), lambda path, rng: None, frozenset({Fault.UNREADABLE, Fault.UNKNOWN_FORMAT}), _PLACES
    )
    for number in range(count):
        path = place / f"{number:03}.jsonl"
        match number % 4:
            case 0:
                os.mkfifo(path)
            case 1:
                path.symlink_to("nowhere")
            case 2:
                path.symlink_to(path.name)
            case _:
                path = path.with_suffix(f".\x1b]0;{number}")
                path.write_bytes(b"\x7fELF")
        made.append(HostileFile(f"no-files/{path.name}", family))
    return made
