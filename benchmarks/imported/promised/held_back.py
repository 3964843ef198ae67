"""Questions that were held back and stand in no training with other numbers, as a file for `tuili calibrate`.

python -m benchmarks.imported.promised.held_back runs/held-back.jsonl
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.imported.prompts import DATA
from benchmarks.imported.source import FOLDER
from benchmarks.imported.taught.data import TaughtData, taught_data
from tuili.data import masked_question, read_questions
from tuili.files import whole_file

FILES = ("mawps_dev", "gsm8k")
"""Those whose questions are like those that were taught."""


def write(data: TaughtData, out: Path) -> int:
    """Write the questions with their answers. Returns how many there are."""
    seen = {masked_question(one.record.input) for file in data.seen for one in read_questions(file)}
    asked = [one.record for name in FILES for one in read_questions(data.tests[name])]
    new = [record for record in asked if masked_question(record.input) not in seen]
    with whole_file(out) as part:
        lines = (json.dumps({"input": record.input, "output": record.output}) for record in new)
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(new)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("name the file to write, and nothing else")
    print(write(taught_data(FOLDER / "taught_data", DATA), Path(sys.argv[1])))
