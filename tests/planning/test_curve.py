"""Healing tokens by a measured curve, and by nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuili.compress import DistilConfig, PruneConfig
from tuili.compress.distilling.recipe import DistilHealing
from tuili.compress.recipe import HealingConfig
from tuili.errors import InputError
from tuili.planning import HealingCurve, RecoverySettings, find_curve
from tuili.planning import curve as curves
from tuili.planning.recovery import plan_recovery
from tuili.store import LineageEntry, Parameters, write_lineage

CURVE = HealingCurve("a run", 100, ((10.0, 1.0), (100.0, 0.1), (1000.0, 0.01)), {})
CUT = PruneConfig(share=0.3, rounds=1).model_dump(mode="json")
SMALL, LARGE = Parameters(100, 50, 10), Parameters(1000, 500, 100)


def test_tokens_are_read_between_points_and_beyond_by_the_power_law() -> None:
    assert CURVE.tokens_to(0.1) == (pytest.approx(100), False)
    assert CURVE.tokens_to(10**-1.5) == (pytest.approx(10**2.5), False)
    assert CURVE.tokens_to(5.0) == (10.0, False)
    assert CURVE.tokens_to(0.001) == (pytest.approx(10_000), True)
    flat = HealingCurve("a run", 100, ((10.0, 1.0), (100.0, 0.5), (1000.0, 0.5)), {})
    with pytest.raises(InputError, match=r"--divergence 0\.1: a run ends at 0\.5 and falls no further"):
        flat.tokens_to(0.1)


def record(folder: Path, curves_of: dict[str, object], rounds: int = 1) -> Path:
    config = {"model": "nano", "curves": curves_of, "parameters": {"total": 100, "active": 50}, "steps": 1000}
    config["ways"] = {"reconstruction": ["prune.share=0.3", f"prune.rounds={rounds}"]}
    (folder / "pruned.json").write_text(json.dumps({"benchmark": "pruned", "config": config}))
    return folder / "pruned.json"


def test_the_record_is_read_over_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "RECORDS", tmp_path)
    missing = find_curve("prune", None)
    assert isinstance(missing, str)
    assert "benchmarks/results/pruned.json is missing; make bench NAMES=pruned makes it" in missing
    runs = {f"reconstruction_{seed}": [[10, first], [20, last]] for seed, first, last in ((1, 4.0, 1.0), (2, 1.0, 4.0))}
    runs["magnitude_1"] = [[5, 9]]
    record(tmp_path, runs)
    found = find_curve("prune", None)
    assert isinstance(found, HealingCurve)
    assert found.points == ((10.0, pytest.approx(2.0)), (20.0, pytest.approx(2.0)))
    for verb, name in (("distil", "distilled"), ("quantize", "quantised"), ("factorise", "factorised")):
        missing = find_curve(verb, None)
        assert isinstance(missing, str)
        assert f"benchmarks/results/{name}.json is missing" in missing


def test_the_records_of_students_and_whole_numbers_tell_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "RECORDS", tmp_path)
    config = {"model": "nano", "parameters": {"total": 100, "active": 50}}
    points = [[10, 4.0], [20, 1.0]]
    student = {"steps": {"masked": 1000}, "ways": {"masked": []}, "parameters_student": {"total": 20, "active": 9}}
    student["curves"] = {"masked_1": points, "texts_1": [[1, 9], [2, 9]]}
    numbers = {"steps": 500, "ways": {"int8": ["quantize.numbers=int8"]}, "curves": {"int8_1": points}}
    for name, own in (("distilled", student), ("quantised", numbers)):
        figures = {f"{way}_level_1_kept": {"median": 0.9} for way in ("masked", "texts", "int8_ptq", "int8_qat")}
        (tmp_path / f"{name}.json").write_text(
            json.dumps({"benchmark": name, "config": config | own, "figures": figures})
        )
    found = {verb: find_curve(verb, None) for verb in ("distil", "quantize")}
    for curve in found.values():
        assert isinstance(curve, HealingCurve)
        assert curve.points == ((10.0, 4.0), (20.0, 1.0))
        assert curve.kept == {"1": 0.9}
    assert found["distil"].strength == {"parameters": "20%"}  # type: ignore[union-attr]
    assert found["quantize"].strength == {"numbers": "int8"}  # type: ignore[union-attr]


def test_a_larger_network_takes_as_many_tokens_a_parameter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "RECORDS", tmp_path)
    file = record(tmp_path, {"reconstruction_1": [[10, 1.0], [100, 0.1]]})
    same = plan_recovery("prune", RecoverySettings(curve=file, divergence=0.1), SMALL, SMALL, CUT)
    assert (same.tokens, same.extrapolated) == (pytest.approx(100), False)
    larger = plan_recovery("prune", RecoverySettings(file, 0.1, tokens_per_second=10), LARGE, SMALL, CUT)
    assert (larger.tokens, larger.extrapolated) == (pytest.approx(1000), True)
    assert larger.flop == pytest.approx(1000 * (6 * 50 + 2 * 500))
    assert larger.seconds == pytest.approx(100)
    assert "times 10, as many tokens a parameter" in larger.told
    unknown = plan_recovery("distil", RecoverySettings(), SMALL, SMALL, {})
    assert (unknown.tokens, unknown.flop) == (None, None)
    with pytest.raises(InputError, match="--tokens-per-second 10 needs to know how many tokens: give --tokens, or a"):
        plan_recovery("distil", RecoverySettings(tokens_per_second=10), SMALL, SMALL, {})
    given = plan_recovery("distil", RecoverySettings(tokens=7.0), SMALL, SMALL, {})
    assert (given.tokens, given.extrapolated) == (7.0, False)


FIGURES = {"parameters_before": 100.0, "parameters": 70.0}


def pruned(folder: Path, rounds: int, steps: int) -> None:
    config = PruneConfig(share=0.3, rounds=rounds, healing=HealingConfig(steps=steps)).model_dump(mode="json")
    write_lineage(folder / "model", (LineageEntry("prune", {"prune": config}, FIGURES),))


def test_only_the_last_round_counts_with_the_tokens_of_all(tmp_path: Path) -> None:
    """Rounds begin low while little is cut: what they came to before the last change is not where the model came to."""
    (tmp_path / "model").mkdir()
    pruned(tmp_path, rounds=3, steps=1000)
    ends = {250: 0.01, 500: 0.02, 1000: 0.05}
    lines = []
    for step in range(10, 1001, 10):
        first, last = max((0, *(end for end in ends if end < step))), min(end for end in ends if end >= step)
        loss = ends[last] * (10 - 9 * (step - first) / (last - first))
        lines.append(json.dumps({"step": step, "tokens": 100 * step, "loss": loss}))
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")
    found = find_curve("prune", tmp_path)
    assert isinstance(found, HealingCurve)
    assert found.points[0][0] == 51_000
    assert found.points[-1] == (100_000, pytest.approx(0.05, rel=0.2))
    assert found.tokens_to(found.target)[0] > 95_000
    curve = [[json.loads(line)["tokens"], json.loads(line)["loss"]] for line in lines]
    of_record = find_curve("prune", record(tmp_path, {"reconstruction_1": curve}, rounds=3))
    assert isinstance(of_record, HealingCurve)
    assert 51_000 <= of_record.points[0][0] <= 53_000
    assert of_record.tokens_to(of_record.target)[0] == pytest.approx(found.tokens_to(found.target)[0], rel=0.01)


def test_noise_is_smoothed_and_does_not_lower_the_curve(tmp_path: Path) -> None:
    curve = [[10 * step, 0.1 * (1.5 if step % 2 else 1 / 1.5)] for step in range(1, 201)]
    found = find_curve("prune", record(tmp_path, {"reconstruction_1": curve}))
    assert isinstance(found, HealingCurve)
    assert all(0.09 < value < 0.11 for _, value in found.points[20:-20])


def test_another_strength_is_an_extrapolation_and_is_told(tmp_path: Path) -> None:
    file = record(tmp_path, {"reconstruction_1": [[10, 1.0], [100, 0.1]]})
    stronger = PruneConfig(share=0.8).model_dump(mode="json")
    found = plan_recovery("prune", RecoverySettings(file, 0.1), SMALL, SMALL, stronger)
    assert found.extrapolated
    cut = "share {}, by reconstruction, multiple 16"
    assert f"measured with {cut.format(0.3)}, and taken to hold for {cut.format(0.8)}" in found.told


def test_a_student_of_another_size_is_an_extrapolation(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    lines = [{"step": step, "tokens": 10 * step, "loss": 1 / step} for step in range(1, 9)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = DistilConfig(healing=DistilHealing(steps=8)).model_dump(mode="json")
    write_lineage(tmp_path / "model", (LineageEntry("distil", {"distil": recipe}, FIGURES),))
    for total, other in ((70, False), (30, True)):
        after = Parameters(total, 20, 10)
        assert plan_recovery("distil", RecoverySettings(tmp_path), SMALL, after, {}).extrapolated is other


def test_a_run_of_the_same_verb_gives_a_curve(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    lines = [{"step": step, "tokens": 10 * step, "loss": 1 / step} for step in (1, 2, 4)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    pruned(tmp_path, rounds=1, steps=4)
    found = find_curve("prune", tmp_path)
    assert isinstance(found, HealingCurve)
    assert (found.parameters, len(found.points)) == (100, 3)
    with pytest.raises(InputError, match="its model is made by prune: give the folder of a finished run of factorise"):
        find_curve("factorise", tmp_path)


@pytest.mark.parametrize("recipe", [{}, {"prune": {}}, {"prune": 1}, {"prune": {"healing": {}}}])
def test_a_lineage_of_another_version_gives_no_curve(tmp_path: Path, recipe: dict[str, object]) -> None:
    (tmp_path / "model").mkdir()
    write_lineage(tmp_path / "model", (LineageEntry("prune", recipe, FIGURES),))
    with pytest.raises(InputError, match=r"its lineage has not what this version of Tuili writes"):
        find_curve("prune", tmp_path)


def test_of_a_student_that_writes_what_it_learnt_before_counts(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    lines = [{"step": step, "tokens": 10 * step, "loss": 1 / step} for step in range(1, 9)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def learnt(**changes: object) -> None:
        config = DistilConfig(healing=DistilHealing(steps=8)).model_dump(mode="json") | changes | {"start_hash": "0"}
        write_lineage(tmp_path / "model", (LineageEntry("distil", {"distil": config}, FIGURES),))

    learnt()
    found = find_curve("distil", tmp_path)
    assert isinstance(found, HealingCurve)
    assert found.points[-1][0] == 60  # a quarter is on what it writes
    learnt(by="data")
    with pytest.raises(InputError, match="its student learnt by data, which is no divergence"):
        find_curve("distil", tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "holds no curve: it is of no benchmark, not of pruned"),
        ("[", "holds no curve: "),
        ('{"benchmark": "exact"}', "holds no curve: it is of exact, not of pruned"),
        ('{"benchmark": "pruned", "config": {"curves": {}}}', "it has no curve of reconstruction"),
    ],
)
def test_a_file_without_a_curve_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "record.json"
    file.write_text(text)
    with pytest.raises(InputError, match=reason):
        find_curve("prune", file)
