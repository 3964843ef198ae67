"""Results that outlive an interruption: a benchmark of many cells goes on where it was stopped.

What a cell is and how it is measured is left to each benchmark.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.harness.record import ROOT, commit, measured_code

RUNS = ROOT / "runs" / "benchmarks"
Result = TypeVar("Result")


class Cells:
    """Results by key, one a line of `folder/NAME.jsonl`, of one setting and one state of the code.

    Results of another setting are dropped, and those of other code: of files that differ from those that a record
    depends on. A commit that changes none of them drops nothing. The commit is in the file for its reader. Several
    processes may share a file of one setting: each adds lines, and knows those that were there when it began.
    """

    def __init__(self, name: str, setting: Mapping[str, Any], folder: Path = RUNS) -> None:
        self._file = folder / f"{name}.jsonl"
        self._results: dict[str, Any] = {}
        fixed = json.loads(json.dumps({"code": measured_code(), "setting": dict(setting)}))
        text = self._file.read_text() if self._file.is_file() else ""
        header, *lines = text.splitlines() or ["{}"]
        valid = fixed.items() <= json.loads(header).items()
        if valid:
            for line in lines:
                if line.endswith("}"):  # a kill may have cut the last one
                    self._results.update(json.loads(line))
        if valid and text.endswith("\n"):
            return  # as it is: another process may be adding to it
        header = json.dumps({"commit": commit()} | fixed)
        folder.mkdir(parents=True, exist_ok=True)
        kept = [json.dumps({key: value}) for key, value in self._results.items()]
        self._file.write_text("".join(f"{line}\n" for line in (header, *kept)))

    def get(self, key: str, measure: Callable[[], Result]) -> Result:
        """The result of a cell as JSON gives it back. A cell whose result is not known is measured now."""
        if key not in self._results:
            line = json.dumps({key: measure()})
            with self._file.open("a") as file:
                file.write(f"{line}\n")
            self._results.update(json.loads(line))
        result: Result = self._results[key]
        return result
