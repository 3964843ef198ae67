"""The questions of the comparison: those of GSM8K whose steps check, so that equations and prose answer the same ones.

MAWPS has equations and no prose. So prose is compared on GSM8K alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.imported.prompts import DATA
from benchmarks.imported.taught.data import TaughtData, drawn, taught_data
from tuili.data import ImportOutcome, read_questions
from tuili.files import whole_file


def example_data(folder: Path, asked: int, data: Path = DATA) -> TaughtData:
    """The data of the taught models with less of it: what both ways of answering have, and `asked` of ASDiv-A."""
    whole = taught_data(folder, data)
    checked, sample = folder / "gsm8k-checked.jsonl", folder / f"asdiv-a-{asked}.jsonl"
    if not checked.is_file():
        kept = {one.line for one in read_questions(whole.gsm8k) if one.outcome is ImportOutcome.CHECKED}
        _write(checked, [line for number, line in enumerate(_lines(whole.gsm8k), start=1) if number in kept])
    if not sample.is_file():
        _write(sample, drawn(_lines(whole.tests["asdiv_a"]), asked))
    return replace(whole, gsm8k=checked, tests={**whole.tests, "asdiv_a": sample})


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").removesuffix("\n").split("\n")  # a text may have other separators of lines


def _write(file: Path, lines: list[str]) -> None:
    with whole_file(file) as part:
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
