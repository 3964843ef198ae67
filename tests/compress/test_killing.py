"""A verb that is interrupted or killed, at whatever point, ends with the bytes of one that was left alone."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.compress.killing import Point, check_points, run_verb
from tuili.store import model_hash, read_lineage

pytestmark = pytest.mark.kills

FACTORISE = "tuili.compress.factorising.factorise"
QUANTIZE, LAYERS = "tuili.compress.quantizing.quantize", "tuili.compress.distilling.imported"
CHAINS, WRITING = "tuili.compress.distilling.chains", "tuili.compress.distilling.writing"
LEARNING, MEASURING = "tuili.posttrain.learning", "tuili.compress.measuring"
OWN, EXITS, IMPORTED = "tuili.compress.own", "tuili.compress.exits", "tuili.compress.imported"
STEP = Point(LEARNING, "optimizer_tensors", 1)
"""A step is done, and is not saved."""
HALF_A_CHECKPOINT = Point("tuili.train.checkpoint.writing", "write_durably", 2)
UNKEPT_RANKS = Point("tuili.compress.decisions", "write_durably", 1)
ANSWERED = Point(MEASURING, "right_answers", 2)
"""The parent has answered."""
WRITTEN = Point("tuili.store.folder", "flush_all", 1)
"""The model is written, and not in its place."""
KILLED_BEHIND = {False: (Point(EXITS, "choose_threshold", 1), ANSWERED, WRITTEN), True: (ANSWERED, WRITTEN)}
"""Behind the recovery of a model of Tuili's own, and of an imported one."""
INTERRUPTED_BEHIND = {
    False: (Point(EXITS, "read_exits", 1), Point(OWN, "closeness", 1), Point(MEASURING, "right_answers", 1)),
    True: (Point("tuili.compress.parent", "closeness", 1), Point(MEASURING, "right_answers", 1)),
}


class Verb(NamedTuple):
    """A verb with what it is given, and where it is killed and interrupted up to the end of its recovery, a session
    after the other. parent: the fixture of its model. imported: whether that is imported."""

    name: str
    given: tuple[str, ...]
    killed: tuple[Point, ...]
    interrupted: tuple[Point, ...]
    parent: str = "own"
    imported: bool = False


def short(section: str, steps: int, checkpoint: int) -> tuple[str, ...]:
    """Of a recovery."""
    healing = {"rows": 1, "precision": "fp32", "steps": steps, "checkpoint.interval": checkpoint}
    return tuple(f"{section}.healing.{key}={value}" for key, value in healing.items())


PRUNED = ("prune.multiple=4", "prune.samples=4", *short("prune", 5, 1), "--rounds", "2")
FACTORS = (
    "factorise.multiple=2", "factorise.samples=4", "factorise.probes=2", *short("factorise", 4, 1), "--keep", "0.8",
    "--bases", "separate",
)  # fmt: skip
NUMBERS = ("--steps", "4", "quantize.healing.rows=1", "quantize.healing.checkpoint.interval=1")


def rounds(module: str) -> tuple[Point, ...]:
    """Of a pruning, whose weights a module of the package changes."""
    half_changed = Point(f"tuili.compress.pruning.{module}", "reconstruct_layers", 2)
    return (
        half_changed,  # in the first round, and nothing is saved
        STEP,
        HALF_A_CHECKPOINT,
        half_changed,  # in the second one
        Point(LEARNING, "optimizer_tensors", 3),  # the last step is not saved
    )


OWN_ROUNDS, IMPORTED_ROUNDS = rounds("own"), rounds("imported")
VERBS: Mapping[str, Verb] = {
    "prune": Verb(
        "prune", (*PRUNED, "prune.healing.kernels=torch", "--experts", "3"), OWN_ROUNDS, (*OWN_ROUNDS[::3], STEP)
    ),
    "prune, imported": Verb("prune", PRUNED, IMPORTED_ROUNDS, (*IMPORTED_ROUNDS[::3], STEP), "dense", imported=True),
    "factorise": Verb(
        "factorise",
        (*FACTORS, "factorise.healing.kernels=torch"),
        killed=(
            Point(FACTORISE, "damped", 1),  # moments are taken
            Point(FACTORISE, "divergences", 1),
            UNKEPT_RANKS,
            HALF_A_CHECKPOINT,
            Point(LEARNING, "optimizer_tensors", 2),
        ),
        interrupted=(
            Point(FACTORISE, "damped", 1), Point(FACTORISE, "divergences", 1), Point(LEARNING, "optimizer_tensors", 2),
        ),
    ),
    "factorise, imported": Verb(
        "factorise",
        FACTORS,
        killed=(
            Point("tuili.compress.dense", "InputMoments", 3),
            Point(FACTORISE, "divergences", 1),
            UNKEPT_RANKS,
            Point(LEARNING, "optimizer_tensors", 2),
            Point(IMPORTED, "save_file", 1),
        ),
        interrupted=(
            Point("tuili.compress.dense", "InputMoments", 3),
            Point(FACTORISE, "divergences", 1),
            Point(LEARNING, "optimizer_tensors", 2),
        ),
        parent="dense",
        imported=True,
    ),
    "distil": Verb(
        "distil",
        (
            "distil.samples=4", *short("distil", 5, 2), "distil.healing.kernels=torch", "distil.writing.rounds=2",
            "distil.writing.chains=3", "--on-policy", "0.6", "--to", "num_groups=2",
        ),
        killed=(
            Point(WRITING, "refuted_end", 2),  # the teacher has written chains that are not kept
            STEP,  # its chains are kept, and what was learnt from them is not
            Point(CHAINS, "write_chains", 1),  # the student's first round begins
            Point(WRITING, "refuted_end", 2),
            STEP,
            Point(CHAINS, "write_chains", 1),  # the second round begins
        ),
        interrupted=(
            Point(CHAINS, "write_chains", 1),  # of the teacher
            Point(WRITING, "load_scheduler", 1),
            STEP,
            Point(CHAINS, "write_chains", 1),  # of the student
        ),
    ),
    "distil, imported": Verb(
        "distil",
        (*short("distil", 4, 1), "--to", "num_hidden_layers=2"),
        killed=(
            Point(LAYERS, "even_layers", 1),  # nothing has begun
            Point(LEARNING, "optimizer_tensors", 2),
            HALF_A_CHECKPOINT,
            Point(IMPORTED, "save_file", 1),
        ),
        interrupted=(Point(LAYERS, "with_layers", 1), STEP, STEP),  # in the end behind the last one
        parent="dense",
        imported=True,
    ),
    "qat": Verb(
        "qat",
        (*NUMBERS, "--numbers", "w4a8", "--cache", "int8", "quantize.healing.kernels=torch", "quantize.samples=4"),
        killed=(Point(QUANTIZE, "compensated", 2), STEP, HALF_A_CHECKPOINT, Point(LEARNING, "optimizer_tensors", 3)),
        interrupted=(Point(QUANTIZE, "compensated", 2), STEP, Point(LEARNING, "optimizer_tensors", 2)),
        parent="wide",
    ),
    "qat, imported": Verb(
        "qat",
        NUMBERS,
        killed=(STEP, HALF_A_CHECKPOINT, Point(LEARNING, "optimizer_tensors", 3)),
        interrupted=(Point(QUANTIZE, "round_backbone", 1), STEP, STEP),
        parent="half",
        imported=True,
    ),
}  # fmt: skip


class Whole(NamedTuple):
    """A verb with its whole command line but for `--out`, and the hash of the model of a run that was left alone."""

    verb: Verb
    line: tuple[str, ...]
    hash: str


@pytest.fixture(scope="module", params=VERBS)
def whole(request: pytest.FixtureRequest, questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    verb, folder = VERBS[request.param], tmp_path_factory.mktemp("whole")
    data: tuple[str, ...] = ()
    if verb.imported:
        test = folder / "test.jsonl"
        test.write_text('{"question": "Add 1 and 2.", "equation": "+ 1 2", "answer": "3"}\n')
        data = ("--data", str(questions), "--test", str(test))
    line = ("compress", verb.name, str(request.getfixturevalue(verb.parent)), *verb.given, "--problems", "3", *data)
    assert run_verb([*line, "--out", str(folder / "run")]) == 0
    return Whole(verb, line, model_hash(folder / "run" / "model"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_at_many_points_ends_with_the_same_bytes(
    number: signal.Signals, whole: Whole, tmp_path: Path
) -> None:
    verb, kills = whole.verb, number is signal.SIGKILL
    behind = (KILLED_BEHIND if kills else INTERRUPTED_BEHIND)[verb.imported]
    points = (*(verb.killed if kills else verb.interrupted), *behind)
    assert len(points) >= 5
    check_points(partial(_verb, whole.line, tmp_path / "run"), tmp_path / "run", number, points, whole.hash)
    assert {"right", "right_before", "agreement"} <= {*read_lineage(tmp_path / "run" / "model")[-1].figures}


def _verb(line: tuple[str, ...], out: Path, resume: bool, *ends: Any) -> int:
    return run_verb([*line, "--out", str(out), *(["--resume"] if resume else [])], *ends)
