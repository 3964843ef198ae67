"""A search of two candidates on a tiny model, interrupted and resumed, and what it refuses."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from tests.compress.full_disk import FULL, check_nothing_half_written, full_for
from tests.compress.test_run import interrupted_at
from tuili.compress import AutoRun, AutoSettings, Interrupted, Targets
from tuili.compress.auto.latency import TurnSettings
from tuili.compress.auto.pace import Pace
from tuili.compress.auto.space import Candidate
from tuili.errors import InputError
from tuili.store import model_hash, open_model, read_lineage, weight_bytes

CHANGES = [
    f"{verb}.{change}"
    for verb in ("prune", "factorise", "distil", "quantize")
    for change in ("healing.rows=1", "healing.kernels=torch", "healing.precision=fp32")
] + ["prune.multiple=4", "prune.samples=4", "distil.samples=4", "factorise.multiple=4", "factorise.samples=4"]
FITTING = [change for change in CHANGES if not change.startswith("factorise.")]
"""Those of the ways that a tiny model of Tuili's own kind takes."""
GENTLE = Targets(0.99, None, 0.5)
SLOW = "quantize"
SHORT = TurnSettings(prompts=1, prompt=8, new=4, rounds=1, seconds=0)


@pytest.fixture(autouse=True)
def short_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.compress.auto.making.TURNS", SHORT)


def stopped_clock() -> float:
    return 0.0


def search(
    model: Path, targets: Targets = GENTLE, minutes: float = 0.3, clock: Callable[[], float] = stopped_clock,
    **changes: Any,
) -> AutoRun:  # fmt: skip
    """One of two candidates, with steps that follow from a second for each step and each model."""
    given: dict[str, Any] = {"problems": 3, "first": 2, "most": 2, "changes": FITTING} | changes
    settings = AutoSettings(targets, minutes, **given)
    console = Console(quiet=True)
    return AutoRun(model, settings, console, clock=clock, pace=lambda *given: Pace(1.0, 1.0))


def test_a_plan_keeps_within_the_time(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = search(own).plan()
    assert plan.seconds <= 18
    links = max(len(one.chain) for one in plan.tried)
    assert 3 <= plan.disk / weight_bytes(own) <= 3 * links
    assert [rung.count for rung in plan.planned] == [2, 1]
    assert plan.lines[-1] == f"time: about {plan.seconds / 60:.1f} minutes, by a trial"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=r"--minutes 0\.05: one candidate with 2 steps takes about 0\.1: give more"):
        search(own, minutes=0.05).plan()


def test_a_search_leaves_the_chosen_model_with_its_lineage(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "auto"
    with monkeypatch.context() as patch:
        interrupted_at(2, patch)
        with pytest.raises(Interrupted, match="step 2 of "):
            search(own).run(out, resume=False)
    with pytest.raises(InputError, match="already holds a run: add --resume"):
        search(own).run(out, resume=False)
    with pytest.raises(InputError, match=r"began with auto\.first"):
        search(own, first=3).run(out, resume=True)
    report = search(own).run(out, resume=True)
    assert len(report.found) == 3
    chosen = out / report.chosen.model
    assert model_hash(out / "model") == model_hash(chosen)
    lineage = read_lineage(out / "model")
    assert lineage[0].step == "train"
    assert len(lineage) == 1 + len(report.chosen.name.split("+"))
    assert report.compared.items() <= lineage[-1].figures.items()
    assert "right" not in read_lineage(chosen)[-1].figures
    assert open_model(out / "model").shape == open_model(chosen).shape
    assert report.checked.size < report.checked_parent.size
    assert report.met
    assert next(line for line in report.lines() if line.startswith("  size")).endswith("asked -1%: met")
    assert ElementTree.parse(out / "front.svg").getroot().tag.endswith("svg")
    written = json.loads((out / "report.json").read_text())
    assert written["met"]
    assert {(one["name"], one["steps"]) for one in written["front"]} <= {
        *((one.name, one.steps) for one in report.found),
        ("parent", 0),
    }
    made = {folder: folder.stat().st_mtime_ns for folder in (out / "candidates").rglob("model")}
    asked = [json.loads((out / half / "answers.json").read_text())["problems"] for half in ("searched", "checked")]
    assert asked[0] != asked[1]
    again = search(own).run(out, resume=True)
    assert again.found == report.found
    assert {folder: folder.stat().st_mtime_ns for folder in (out / "candidates").rglob("model")} == made


def test_slow_links_that_are_not_tried_take_no_time(own: Path) -> None:
    """There is time for the candidates in front of the first one with such a link."""
    possible = list[Candidate]()

    def pace(model: Path, tried: Sequence[Candidate], *given: object) -> Pace:
        possible.extend(tried)
        mean = sum(step.verb == SLOW for one in tried for step in one.chain) / len(tried)
        return Pace(0.1, 0.1 + 100 * mean, links={SLOW: 100.0})

    settings = AutoSettings(GENTLE, 0.3, problems=3, first=1, most=99, changes=FITTING)
    plan = AutoRun(own, settings, Console(quiet=True), clock=stopped_clock, pace=pace).plan()
    first = next(place for place, one in enumerate(possible) if SLOW in one.family)
    assert 1 <= len(plan.tried) <= first < len(possible)


def test_targets_that_no_chain_meets_are_refused(own: Path) -> None:
    with pytest.raises(InputError, match=r"--size -99%: no chain of compressions makes .* so small; the smallest, "):
        search(own, Targets(0.01))


def test_targets_that_are_missed_are_told_with_the_nearest(own: Path, tmp_path: Path) -> None:
    report = search(own, Targets(None, 1e-6), most=1, minutes=0.2).run(tmp_path / "auto", resume=False)
    assert not report.met
    assert "on 3 problems that the search did not choose on" in "".join(report.lines())
    assert not (tmp_path / "auto" / report.chosen.model).with_name("checkpoints").exists()
    assert list(report.lines())[-1].endswith("this one is the nearest, and misses latency")
    assert (tmp_path / "auto" / "model").is_dir()


def test_an_imported_model_is_searched_in_all_ways(
    dense: Path, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = tmp_path / "test.jsonl"
    lines = [
        {"question": f"Take {a} from {3 * a}.", "equation": f"- {3 * a} {a}", "answer": f"{2 * a}"} for a in range(8)
    ]
    test.write_text("".join(json.dumps(line) + "\n" for line in lines))
    changes = [*(change for change in CHANGES if "distil.samples" not in change), "factorise.probes=2"]
    given: dict[str, Any] = {"data": questions, "test": test, "changes": changes}
    every = {one.family for one in search(dense, Targets(0.9), minutes=99, most=99, **given).plan().tried}
    all_of_them = ("prune", "distil", "factorise", "quantize")
    assert {("prune",), ("distil",), ("factorise",), ("prune", "factorise"), all_of_them} <= every
    assert ("quantize",) in every
    two = {"distil-num_hidden_layers-3", "prune-0.3+factorise-0.8+qat-w4a8"}
    monkeypatch.setattr("tuili.compress.auto.run.spread", lambda found, *_: [one for one in found if one.name in two])
    report = search(dense, Targets(0.9), minutes=0.6, **given).run(tmp_path / "auto", resume=False)
    lineages = {tuple(one.step for one in read_lineage(tmp_path / "auto" / found.model)) for found in report.found}
    assert {lineage[-3:] for lineage in lineages} >= {("prune", "factorise", "quantize")}
    assert {lineage[-1] for lineage in lineages} == {"distil", "quantize"}
    chosen = read_lineage(tmp_path / "auto" / "model")[-1]
    assert chosen.figures["problems"] == report.compared["problems"] > 0


def refuse(run: Callable[[], object], reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        run()
    assert "\n" not in str(caught.value)


def test_what_cannot_be_searched_is_refused(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(lambda: AutoSettings(GENTLE, 0), "--minutes is 0: give more than 0")
    refuse(lambda: AutoSettings(GENTLE, 1, changes=["train.steps=1"]), r"train\.steps=1: begin with the way")
    refuse(lambda: AutoSettings(GENTLE, 1, changes=["prune.share=0.4"]), r"the search itself chooses prune\.share")
    refuse(lambda: AutoSettings(GENTLE, 1, changes=["qat.numbers=int8"]), r"qat\.numbers=int8: begin with the way")
    refuse(
        lambda: AutoSettings(GENTLE, 1, changes=["distil.healing.steps=0"]), r"itself chooses distil\.healing\.steps"
    )
    for change, key in (
        ("prune.healing={steps: 7}", r"prune\.healing\.steps"),
        ("distil.to.preset=nano", r"distil\.to"),
    ):
        refuse(lambda change=change: AutoSettings(GENTLE, 1, changes=[change]), f"itself chooses {key}")
    refuse(lambda: search(own, changes=["prune.shaer=1"]), r"prune\.shaer")
    (tmp_path / "foreign" / "model").mkdir(parents=True)
    refuse(lambda: search(own).run(tmp_path / "foreign", resume=False), r"has model and no run\.json")
    refuse(lambda: search(own).run(own, resume=False), "is in the folder of MODEL .*: choose another one")

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tuili.compress.auto.kept.write_durably", full)
    refuse(lambda: search(own).run(tmp_path / "full", resume=False), "No space left on device; make room there")


def test_a_disk_that_is_full_in_a_candidate_ends_the_search_and_room_lets_it_go_on(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "auto"
    for place in ("*/candidates/*/checkpoints/*", "*/.found.json.part"):
        with full_for(place):
            refuse(lambda: search(own, most=1).run(out, resume=(out / "run.json").exists()), FULL)
        check_nothing_half_written(out)
    search(own, most=1).run(out, resume=True)
    open_model(out / "model")
