"""Whether promises hold: many calibrations on random samples of a pool of problems, each compared with the whole pool.

A pool of problems that neither training nor the confidence has seen is answered once, with all attempts. It is the
population: each of many splits draws a calibration sample from it, with replacement, and certifies a threshold. The
promise is broken where the error among all of the pool's answers above the threshold exceeds the tolerance. Beside it
stand the empirical threshold, whose error on the sample is just within the tolerance, and the oracle's threshold,
chosen with knowledge of the pool. Answers are kept in an ignored folder; a benchmark that was stopped goes on when it
is called again.

Dimensions: S settings (thresholds), N problems.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import ROOT, Figure
from benchmarks.harness.texts import own_domains
from tuili.engine import FEATURES, FITTED_FEATURES
from tuili.eval import (
    ACCENT_COLOUR,
    LEVEL_COLOURS,
    MUTED_COLOUR,
    PLOT_STYLE,
    AttemptHistory,
    AttemptSnapshot,
    CertifiedSetting,
    LabelledPrompt,
    LossTable,
    candidate_thresholds,
    certify,
    collect_histories,
    empirical_setting,
    fit_confidence,
    replay,
    starting_setting,
)
from tuili.files import write_durably
from tuili.model import LoadedModel, load_model
from tuili.steps import CHECKER_VERSION
from tuili.store import familiarity_hash, model_hash, verifier_hash
from tuili.tasks import Language, Split, unseen_problems

BLOCK_PROBLEMS = 960
"""Answered before their histories are written to a file."""
PICTURE = ROOT / "docs" / "img" / "guarantee.svg"


def measure(
    model: str = "nano",
    levels: tuple[int, ...] = (1, 2, 3),
    per_cell: int = 80,
    fitted_per_cell: int = 20,
    max_steps: tuple[int, ...] = (1, 4),
    max_tokens: int = 400,
    tolerances: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1),
    delta: float = 0.05,
    sample: int = 1000,
    splits: int = 1000,
    seed: int = 11,
    runs: str = str(ROOT / "runs" / "guarantee"),
) -> Measured:
    """Shares of splits that break a promise and of requests answered, for each limit on attempts and each tolerance."""
    loaded, domains = load_model(model), own_domains(model)
    most = max(max_steps)
    fitting = answered(
        loaded, cases(domains, levels, fitted_per_cell, seed, Split.VALIDATION), most, max_tokens, Path(runs)
    )
    pool = answered(loaded, cases(domains, levels, per_cell, seed, Split.TEST), most, max_tokens, Path(runs))
    figures: dict[str, list[float]] = {}
    for names, suffix in ((FEATURES, ""), (FITTED_FEATURES[0], "_first_features")):
        learnt, tested = (with_features(histories, len(names)) for histories in (fitting, pool))
        for steps in max_steps:
            found = recalibrated(learnt, tested, tolerances, steps, max_tokens, delta, sample, splits)
            for tolerance, by_name in found.items():
                figures |= {f"steps{steps}_error{tolerance:g}{suffix}_{name}": by_name[name] for name in by_name}
    draw(figures, max_steps, tolerances, delta, PICTURE)
    return {
        "model": model,
        "model_hash": model_hash(loaded.path),
        "verifier": verifier_hash(loaded.path),
        "problems": {"domains": len(domains), "levels": list(levels), "pool": len(pool), "fitted": len(fitting)},
        "accuracy": {
            f"after {steps}": fmean(history.snapshots[min(steps, len(history.snapshots)) - 1].right for history in pool)
            for steps in max_steps
        },
        "sample": sample,
        "splits": splits,
        "delta": delta,
        "max_tokens": max_tokens,
        "first_features": list(FITTED_FEATURES[0]),
        "goal": f"broken <= {delta} in every row; at 0.05 coverage_of_oracle >= 0.9",
    }, {key: Figure("share", values) for key, values in figures.items()}


def cases(
    domains: Sequence[str], levels: Sequence[int], per_cell: int, seed: int, split: Split
) -> list[LabelledPrompt]:
    """Problems of some domains, in the languages in turn and in random order."""
    problems = unseen_problems(domains, levels, per_cell, seed, split, language=tuple(Language))
    random.Random(seed).shuffle(problems)
    return [LabelledPrompt.of(problem) for problem in problems]


def answered(
    loaded: LoadedModel, problems: Sequence[LabelledPrompt], max_steps: int, max_tokens: int, folder: Path
) -> list[AttemptHistory]:
    """The history of each problem. Histories of earlier calls are read from their files."""
    folder.mkdir(parents=True, exist_ok=True)
    hashes = model_hash(loaded.path), verifier_hash(loaded.path), familiarity_hash(loaded.path)
    setting = f"{hashes}{CHECKER_VERSION}{FEATURES}{max_steps}/{max_tokens}"
    histories: list[AttemptHistory] = []
    for start in range(0, len(problems), BLOCK_PROBLEMS):
        block = problems[start : start + BLOCK_PROBLEMS]
        key = hashlib.sha256(f"{setting}{[asdict(case) for case in block]}".encode()).hexdigest()[:16]
        file = folder / f"{key}.json"
        if not file.exists():
            answers = collect_histories(loaded, block, max_steps, max_tokens, lambda *_: None)
            write_durably(file, json.dumps([as_kept(history) for history in answers]).encode())
            print(f"{start + len(block)} of {len(problems)} problems answered", flush=True)
        histories += map(from_kept, json.loads(file.read_text()))
    return histories


def as_kept(history: AttemptHistory) -> dict[str, Any]:
    """A history as a file keeps it. The file's keys are older than the names of the fields."""
    moments = [asdict(snapshot) for snapshot in history.snapshots]
    return {"prompt": history.prompt_tokens, "moments": moments, "rejected": history.rejected}


def from_kept(kept: dict[str, Any]) -> AttemptHistory:
    """The history that a file keeps."""
    moments = [
        AttemptSnapshot(m["tokens"], None if m["features"] is None else tuple(m["features"]), m["right"])
        for m in kept["moments"]
    ]
    return AttemptHistory(kept["prompt"], tuple(moments), kept["rejected"])


def with_features(histories: Sequence[AttemptHistory], count: int) -> list[AttemptHistory]:
    """The histories with the first features alone."""
    return [
        replace(
            history,
            snapshots=tuple(
                replace(one, features=None if one.features is None else one.features[:count])
                for one in history.snapshots
            ),
        )
        for history in histories
    ]


def recalibrated(
    learnt: Sequence[AttemptHistory],
    tested: Sequence[AttemptHistory],
    tolerances: Sequence[float],
    max_steps: int,
    max_tokens: int,
    delta: float,
    sample: int,
    splits: int,
) -> dict[float, dict[str, list[float]]]:
    """For each tolerance the means over calibrations on `sample` of the problems that are tested. The others fit the
    confidence and choose where testing begins.
    """
    confidence = fit_confidence(learnt)
    threshold_S = candidate_thresholds(learnt, confidence)
    seen, whole = (replay(part, confidence, threshold_S, max_steps, max_tokens) for part in (learnt, tested))
    found = {}
    for tolerance in tolerances:
        start = starting_setting(seen, tolerance, delta, sample)
        by_split = [one_split(whole, tolerance, delta, start, sample, number) for number in range(splits)]
        found[tolerance] = means(by_split, best_in_hindsight(whole, tolerance))
    return found


def one_split(
    whole: LossTable, tolerance: float, delta: float, start: int, sample: int, number: int
) -> dict[str, float]:
    """The figures of one calibration sample; without `coverage` and `error` where it certifies no threshold."""
    drawn = part(whole, np.random.default_rng(number).integers(0, whole.answered_SN.shape[1], sample))
    certified = certify(drawn, tolerance, delta, start)
    figures: dict[str, float] = {"broken": 0.0, "infeasible": 1.0}
    if isinstance(certified, CertifiedSetting):
        figures = {
            "broken": float(error(whole, certified.setting) > tolerance),
            "infeasible": 0.0,
            "coverage": float(whole.answered_SN[certified.setting].mean()),
            "error": error(whole, certified.setting),
        }
    empirical = empirical_setting(drawn, tolerance)
    return figures | {"uncertified_broken": float(empirical is not None and error(whole, empirical) > tolerance)}


def part(losses: LossTable, chosen_N: NDArray[np.int64]) -> LossTable:
    """The losses of some of the problems."""
    return LossTable(losses.answered_SN[:, chosen_N], losses.wrong_SN[:, chosen_N])


def error(losses: LossTable, setting: int) -> float:
    """The share of a setting's answers that are wrong."""
    wrong, n = losses.error_counts()[setting]
    return wrong / n if n else 0.0


def best_in_hindsight(whole: LossTable, tolerance: float) -> float:
    """The largest share of the pool that a threshold answers with an error within the tolerance."""
    n = whole.answered_SN.shape[1]
    return max((answered / n for wrong, answered in whole.error_counts() if wrong <= tolerance * answered), default=0.0)


def means(splits: Sequence[dict[str, float]], oracle: float) -> dict[str, list[float]]:
    """Means over the splits, and the mean coverage of those that certify a threshold over the oracle's."""
    names = ("broken", "uncertified_broken", "infeasible")
    figures = {name: [fmean(split[name] for split in splits)] for name in names} | {"oracle_coverage": [oracle]}
    covered = [split for split in splits if "coverage" in split]
    if covered:
        figures["error"] = [fmean(split["error"] for split in covered)]
        figures["coverage"] = [fmean(split["coverage"] for split in covered)]
        if oracle:  # a split may certify what the pool refutes at every threshold
            figures["coverage_of_oracle"] = [fmean(split["coverage"] for split in covered) / oracle]
    return figures


def draw(
    figures: dict[str, list[float]],
    max_steps: Sequence[int],
    tolerances: Sequence[float],
    delta: float,
    path: Path,
) -> None:
    """Draw the shares of broken promises and of requests answered, by tolerance."""
    most = max(max_steps)

    def values(name: str) -> list[float]:
        return [figures.get(f"steps{most}_error{tolerance:g}_{name}", [0.0])[0] for tolerance in tolerances]

    with matplotlib.rc_context(PLOT_STYLE):
        picture = Picture(figsize=(7.6, 2.8))
        left, right = picture.subplots(1, 2)
        places = np.arange(len(tolerances))
        left.bar(places - 0.2, values("broken"), 0.38, color=LEVEL_COLOURS[2], label="certified")
        left.bar(places + 0.2, values("uncertified_broken"), 0.38, color=MUTED_COLOUR, label="empirical threshold")
        left.axhline(delta, color=ACCENT_COLOUR, linestyle="--", linewidth=1.2, label=f"δ = {delta:g}")
        left.set_title("splits in which the error exceeds ε", fontsize=9, loc="left")
        right.bar(places - 0.2, values("coverage"), 0.38, color=LEVEL_COLOURS[2], label="certified")
        right.bar(places + 0.2, values("oracle_coverage"), 0.38, color=MUTED_COLOUR, label="oracle threshold")
        right.set_title(f"requests answered, at most {most} attempts", fontsize=9, loc="left")
        for axes in (left, right):
            axes.set_xticks(places, [f"ε = {tolerance:g}" for tolerance in tolerances])
            axes.yaxis.set_major_formatter("{x:.0%}")
            axes.grid(axis="x", visible=False)
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, fontsize=8)
        picture.tight_layout()
        picture.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    run("guarantee", measure)
