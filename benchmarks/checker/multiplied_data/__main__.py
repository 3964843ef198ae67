"""Multiplies MAWPS and GSM8K tenfold, and recomputes a sample of what comes of it by a program of its own.

Held back are MAWPS-dev, ASDiv-A, and the questions of GSM8K that the taught models are tested on.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

from benchmarks.checker.multiplied_data.recomputed import Worked, fault, masked, may_be_several
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import ROOT, Figure
from benchmarks.imported.taught.data import HELD_BACK as HELD_BACK_QUESTIONS
from benchmarks.imported.taught.data import drawn
from tuili.data import MultiplyReport, Record, Refusal, masked_question, multiply_all, read_questions

DATA = ROOT.parent / "shared" / "data"
MULTIPLIED = {"mawps": "mwp/mawps-train.jsonl", "gsm8k": "gsm8k/train.jsonl"}
HELD_BACK = ("mwp/mawps-dev.jsonl", "mwp/asdiv-a.jsonl")


def measure(
    times: int = 10, sample: int = 500, seed: int = 0, held: int = HELD_BACK_QUESTIONS, data: str = str(DATA)
) -> Measured:
    """Shares of records that can be multiplied, wrong ones of a sample of each file, and questions held back.

    sample: how many made records of each file are recomputed. held: questions of GSM8K that are held back.
    """
    tested = _tested(Path(data) / MULTIPLIED["gsm8k"], held)
    held_back = [record.input for name in HELD_BACK for record in _records(Path(data) / name)] + sorted(tested)
    figures = dict[str, Figure]()
    refused = dict[str, dict[str, int]]()
    for name, file in MULTIPLIED.items():
        originals = {record.id: record for record in _records(Path(data) / file) if record.input not in tested}
        report, began = MultiplyReport(), time.process_time()
        known = {masked_question(text) for text in held_back}
        made = list(multiply_all(originals.values(), times, seed, report, known))
        seconds = time.process_time() - began
        refused[name] = {str(refusal): number for refusal, number in report.refused.most_common()}
        chosen = random.Random(seed).sample(made, sample)
        pairs = [(_worked(originals[one.id.rpartition("/")[0]]), _worked(one)) for one in chosen]
        faults = [found for pair in pairs if (found := fault(*pair))]
        for found in faults[:10]:
            print(found)
        own_known = {masked(text) for text in held_back}
        could = report.multiplied + report.refused[Refusal.HELD_BACK]
        measured = {
            "records": ("records", report.read),
            "with_checked_steps": ("records", sum(bool(record.steps) for record in originals.values())),
            "can_be_multiplied": ("share", could / report.read),
            "held_back": ("records", report.refused[Refusal.HELD_BACK]),
            "multiplied": ("records", report.multiplied),
            "short": ("records", report.short),
            "written": ("records", report.written),
            "core_seconds": ("s", seconds),
            "recomputed": ("records", len(pairs)),
            "wrong": ("records", len(faults)),
            "of_several_origins": ("records", sum(may_be_several(*pair) for pair in pairs)),
            "like_one_held_back": ("records", sum(masked(one.input) in own_known for one in made)),
        }
        figures |= {f"{name}_{key}": Figure(unit, [value]) for key, (unit, value) in measured.items()}
    goal = "wrong and like_one_held_back 0"
    return {"times": times, "sample": sample, "seed": seed, "held": held, "refused": refused, "goal": goal}, figures


def _tested(file: Path, count: int) -> set[str]:
    lines = [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    return {json.loads(line)["question"].strip() for line in drawn(lines, count)}


def _worked(record: Record) -> Worked:
    return record.input, record.steps, record.output


def _records(file: Path) -> list[Record]:
    return [question.record for question in read_questions(file)]


if __name__ == "__main__":
    run("multiplied_data", measure)
