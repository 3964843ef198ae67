"""What a model gains from a folder of documents: runs every command of `docs/worked-example.md`, in its order.

What a command has made is not made again: an interrupted run goes on, with the same code alone.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping
from contextlib import chdir, suppress
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.handbook.folder import COUNT, HELD, write
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import ROOT, Figure, commit
from benchmarks.harness.runs import tuili
from tuili.errors import InputError

PAGE = ROOT / "docs" / "worked-example.md"
RECIPE = "handbook.yaml"
FOLDER = ROOT / "runs" / "benchmarks" / "handbook"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SETS = ("held", "others")
_MINUTES = "minutes.json"


def commands(page: Path = PAGE) -> list[list[str]]:
    """The commands of the page, as a shell splits them."""
    blocks = [text for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if not language]
    return [shlex.split(line, comments=True) for text in blocks for line in text.splitlines() if line.strip()]


def recipe(page: Path = PAGE) -> str:
    """The recipe that the page wants to be saved."""
    (text,) = (text for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if language == "yaml")
    return str(text)


def measure(
    count: int = COUNT,
    held: int = HELD,
    model: str = "nano",
    overrides: tuple[str, ...] = (),
    folder: str = str(FOLDER),
) -> Measured:
    """Right answers before and after. model: what is taught. overrides: changes to the recipe of the training."""
    place = _folder_of(Path(folder))
    (place / RECIPE).write_text(recipe(), encoding="utf-8")
    with chdir(place):
        for command in commands():
            begun = monotonic()
            name = _run(command, count, held, model, overrides)
            minutes = _minutes()  # those of all sessions
            minutes[name] = minutes.get(name, 0.0) + (monotonic() - begun) / 60
            Path(_MINUTES).write_text(json.dumps(minutes))
        figures = _figures(json.loads(Path("records/manifest.json").read_bytes()))
        figures |= {f"{name}_minutes": Figure("minutes", [spent]) for name, spent in _minutes().items()}
    config = {"count": count, "held": held, "model": Path(model).name, "overrides": overrides}
    return config | {"commands": [shlex.join(command) for command in commands()]}, figures


def _folder_of(folder: Path) -> Path:
    """A folder for the present code; one of code without a commit begins anew."""
    code = commit()
    named = code is not None and not code.endswith("+")
    place = folder / (str(code)[:12] if named else "uncommitted")
    if not named:
        shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    return place


def _run(command: list[str], count: int, held: int, model: str, overrides: tuple[str, ...]) -> str:
    """Run a command of the page, unless what it makes is there. Returns the verb."""
    match command:
        case ["python", "-m", "benchmarks.handbook.folder", folder]:
            if not Path(folder).exists():
                write(Path(folder), count, held)
            return "folder"
        case ["tuili", "data", verb, *_]:
            out = command[command.index("--out") + 1] if "--out" in command else ""
            if not (out and Path(out).exists()):
                tuili(*command[1:])
            return verb
        case ["tuili", "eval", asked, "--data", data, *how]:
            report = _report(data, "before" if asked == "nano" else "after", repaired=bool(how))
            if not report.exists():
                tuili("eval", model if asked == "nano" else asked, "--data", data, *how, "--json", str(report))
            return "eval"
        case ["tuili", "train", *_]:
            out = command[-1]
            if not Path(out, "model").exists():
                start = [f"model.start={model}"] if model != "nano" else []
                resumed = ["--resume"] if Path(out, "run.json").exists() else []
                tuili(*command[1:], *start, *overrides, *resumed)
            return "train"
        case ["tuili", "ask", *_]:
            with suppress(InputError):  # no answer is not a failure of the measurement
                tuili(*command[1:])
            return "ask"
    raise ValueError(f"{PAGE.name}: nobody knows how to measure {shlex.join(command)}")


def _minutes() -> dict[str, float]:
    """Of each verb, so far."""
    found: dict[str, float] = json.loads(Path(_MINUTES).read_bytes()) if Path(_MINUTES).is_file() else {}
    return found


def _report(data: str, when: str, *, repaired: bool) -> Path:
    return Path(f"{Path(data).stem}-{when}{'-repaired' if repaired else ''}.json")


def _figures(manifest: Mapping[str, Any]) -> dict[str, Figure]:
    """Of what was built, and of what was answered."""
    dropped, documents = manifest["dropped"], manifest["documents"]
    counts = {
        "records": documents["kept"],
        "refused": documents["refused"],
        "refuted": dropped["route"].get("refuted", 0),
        "contaminated": dropped["decontaminate"].get("contaminated", 0),
        "duplicates": sum(dropped.get("dedup", {}).values()),
    }
    figures = {name: Figure("documents", [value]) for name, value in counts.items()}
    for name in _SETS:
        for when, repaired in product(("before", "after"), (False, True)):
            report = json.loads(_report(f"handbook-{name}.jsonl", when, repaired=repaired).read_bytes())
            low, high = report["ci95"]
            key, values = (
                f"{name}{'_repaired' * repaired}_{when}",
                {"": report["accuracy"], "_low95": low, "_high95": high},
            )
            figures |= {f"{key}{end}": Figure("share", [value]) for end, value in values.items()}
        figures[f"{name}_problems"] = Figure("problems", [report["problems"]])
    return figures


if __name__ == "__main__":
    run("handbook", measure)
