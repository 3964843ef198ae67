"""The data of the taught models: what they learn from, multiplied, and what is kept from them.

500 questions of GSM8K are held back before anything is multiplied; MAWPS has a part of its own for that, and nothing is
learnt from ASDiv-A.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.runs import tuili
from benchmarks.imported.prompts import ASKED, DATA, PROBLEMS, WORKED
from tuili.files import whole_file

DEV = "mwp/mawps-dev.jsonl"
HELD_BACK = 500
TIMES = 10


@dataclass(frozen=True)
class TaughtData:
    """Files by what they are. multiplied: of each of the two files that are learnt from."""

    mawps: Path
    gsm8k: Path
    multiplied: Mapping[str, Path]
    tests: Mapping[str, Path]

    @property
    def seen(self) -> tuple[Path, ...]:
        """What is learnt from. What is made of it by multiplying is no question of a test, numbers aside."""
        return (self.mawps, self.gsm8k)


def taught_data(folder: Path, data: Path = DATA, held_back: int = HELD_BACK, times: int = TIMES) -> TaughtData:
    """The files in a folder, made unless they are there. Raises `InputError` where the sources are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    learnt, held = folder / "gsm8k-learnt.jsonl", folder / "gsm8k-held-back.jsonl"
    if not (learnt.is_file() and held.is_file()):
        lines = [line for line in (data / WORKED).read_text(encoding="utf-8").split("\n") if line.strip()]
        kept = set(drawn(lines, held_back))
        for file, wanted in ((held, True), (learnt, False)):
            with whole_file(file) as part:
                part.write_text("".join(f"{line}\n" for line in lines if (line in kept) is wanted), encoding="utf-8")
    multiplied, tests = {}, {"mawps_dev": data / DEV, "asdiv_a": data / ASKED, "gsm8k": held}
    kept_back = [word for file in tests.values() for word in ("--held-back", str(file))]
    for name, source in (("mawps", data / PROBLEMS), ("gsm8k", learnt)):
        multiplied[name] = folder / f"{name}-x{times}.jsonl"
        if not multiplied[name].is_file():
            tuili("data", "multiply", str(source), "--times", str(times), "--out", str(multiplied[name]), *kept_back)
    return TaughtData(data / PROBLEMS, learnt, multiplied, tests)


def drawn(lines: Sequence[str], count: int) -> list[str]:
    """So many of these questions by chance, the same ones on every machine."""
    return sorted(lines, key=lambda line: hashlib.sha256(json.loads(line)["question"].encode()).hexdigest())[:count]
