"""The worked example is run, command by command, with few problems and a tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.handbook import gained
from benchmarks.handbook.folder import write
from benchmarks.harness.tiny import save_tiny
from benchmarks.table.handbook_rows import GAINED, HANDBOOK
from tests.benchmarks.table.filling import filled
from tuili.cli.app import main
from tuili.cli.ask import EXIT_NO_ANSWER
from tuili.config import load_recipe
from tuili.data.pipeline import BuildRecipe, build


@pytest.mark.trials
def test_every_command_of_the_page_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: tuple[str, ...]
) -> None:
    for package in ("resiliparse", "pypdfium2"):
        pytest.importorskip(package)
    called = list[str]()

    def here(*arguments: str) -> None:
        called.append(" ".join(arguments[:2]))
        assert main(list(arguments)) in ((0, EXIT_NO_ANSWER) if arguments[0] == "ask" else (0,)), arguments

    monkeypatch.setattr(gained, "tuili", here)
    model = save_tiny(tmp_path / "tiny")  # asked before; what is trained begins anew
    overrides = (*small, "model.start=null", "train.steps=1", "train.length=224", "data.domains=[arithmetic]")
    config, figures = gained.measure(30, 4, str(model), overrides, str(tmp_path / "run"))
    assert len(called) == len(config["commands"]) - 1 == 16
    assert figures["records"].median + figures["refuted"].median == 30
    assert figures["contaminated"].median == 4
    assert figures["held_problems"].median == figures["others_problems"].median == 4
    assert {"train_minutes", "eval_minutes"} <= figures.keys()


def test_the_counts_of_the_page_are_those_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("resiliparse", "pypdfium2"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    write(Path("handbook"))
    assert len(Path("handbook-held.jsonl").read_text().splitlines()) == 100
    Path(gained.RECIPE).write_text(gained.recipe())
    manifest = build(load_recipe(gained.RECIPE, [], BuildRecipe).build, Path("records")).manifest
    kept, refused = manifest["documents"]["kept"], manifest["documents"]["refused"]
    refuted, doubled = manifest["dropped"]["route"]["refuted"], manifest["dropped"]["dedup"]["duplicate"]
    assert (kept + refuted, manifest["dropped"]["decontaminate"]["contaminated"]) == (300, 5)
    told = f"of the 300 problems {kept} become records, and {refuted} are refuted"
    assert told in gained.PAGE.read_text()
    assert f"{doubled} documents are duplicates, and {refused} parts cannot be read" in gained.PAGE.read_text()


def test_rows_are_read_from_what_the_benchmark_writes() -> None:
    names = [
        f"{key}_{when}{end}"
        for key in ("held", "others", "held_repaired", "others_repaired")
        for when in ("before", "after")
        for end in ("", "_low95", "_high95")
    ]
    figures = {name: {"unit": "share", "n": 1, "median": 0.5, "min": 0.5, "max": 0.5} for name in names}
    figures |= {f"{key}_problems": {"median": 100.0} for key in ("held", "others")}
    told = filled(HANDBOOK, {"figures": figures})
    assert told["in other wordings"][:4] == ["100", "`repair`", "0.50 (0.50 to 0.50)", "0.50 (0.50 to 0.50)"]
    assert len(filled(GAINED, {"figures": figures})) == 8
