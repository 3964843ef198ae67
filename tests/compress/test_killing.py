"""A verb that is interrupted or killed, at whatever point, ends with the bytes of one that was left alone."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.compress.killing import Point, check_points, run_verb
from tuili.store import model_hash

pytestmark = pytest.mark.kills

PRUNE, FACTORISE = "tuili.compress.pruning.prune", "tuili.compress.factorising.factorise"
CHAINS, WRITING = "tuili.compress.distilling.chains", "tuili.compress.distilling.writing"
LEARNING, MEASURING, OWN = "tuili.posttrain.learning", "tuili.compress.measuring", "tuili.compress.own"
HALF_A_CHECKPOINT = Point("tuili.train.checkpoint", "write_durably", 2)
WRITTEN = Point("tuili.store.folder", "flush_all", 1)
"""The model is written, and not in its place."""
UNKEPT_RANKS = Point("tuili.compress.decisions", "write_durably", 1)
KILLED_BEHIND = (
    Point(OWN, "choose_threshold", 1),
    Point(MEASURING, "right_answers", 2),  # the parent has answered
    WRITTEN,
)
"""Behind the recovery of a model of Tuili's own."""
INTERRUPTED_BEHIND = (Point(OWN, "read_exits", 1), Point(MEASURING, "right_answers", 1))


class Verb(NamedTuple):
    """A verb with what it is given, and where it is killed and interrupted, a session after the other."""

    name: str
    given: tuple[str, ...]
    killed: tuple[Point, ...]
    interrupted: tuple[Point, ...]
    imported: bool = False


def short(section: str, steps: int, checkpoint: int) -> tuple[str, ...]:
    """Of a recovery."""
    healing = {"rows": 1, "precision": "fp32", "steps": steps, "checkpoint.interval": checkpoint}
    return tuple(f"{section}.healing.{key}={value}" for key, value in healing.items())


FACTORS = ("factorise.multiple=2", "factorise.samples=4", "factorise.probes=2", *short("factorise", 4, 1))
VERBS: Mapping[str, Verb] = {
    "prune": Verb(
        "prune",
        (
            "prune.multiple=4", "prune.samples=4", *short("prune", 5, 1), "prune.healing.kernels=torch",
            "--rounds", "2", "--experts", "3", "--problems", "3",
        ),
        killed=(
            Point(PRUNE, "choose", 1),  # scores of the first round are taken, and nothing is saved
            Point(LEARNING, "adam_tensors", 1),  # a step is done, and is not saved
            HALF_A_CHECKPOINT,
            Point(PRUNE, "choose", 1),  # the second round begins
            Point(LEARNING, "adam_tensors", 3),  # the last step is not saved
            *KILLED_BEHIND,
        ),
        interrupted=(
            Point(PRUNE, "choose", 1),
            Point(PRUNE, "choose", 1),  # of the second round: the session goes on behind the first step
            Point(LEARNING, "adam_tensors", 1),
            *INTERRUPTED_BEHIND,
        ),
    ),
    "factorise": Verb(
        "factorise",
        (*FACTORS, "factorise.healing.kernels=torch", "--keep", "0.8", "--bases", "separate", "--problems", "3"),
        killed=(
            Point(FACTORISE, "damped", 1),  # moments are taken
            Point(FACTORISE, "divergences", 1),
            UNKEPT_RANKS,
            HALF_A_CHECKPOINT,
            Point(LEARNING, "adam_tensors", 2),
            *KILLED_BEHIND,
        ),
        interrupted=(
            Point(FACTORISE, "damped", 1),
            Point(FACTORISE, "divergences", 1),
            Point(LEARNING, "adam_tensors", 2),
            *INTERRUPTED_BEHIND,
        ),
    ),
    "factorise, imported": Verb(
        "factorise",
        (*FACTORS, "--keep", "0.8", "--bases", "separate"),
        killed=(
            Point("tuili.compress.factorising.imported", "InputMoments", 3),
            Point(FACTORISE, "divergences", 1),
            UNKEPT_RANKS,
            Point(LEARNING, "adam_tensors", 2),
            Point("tuili.compress.imported", "save_file", 1),
            WRITTEN,
        ),
        interrupted=(Point(FACTORISE, "divergences", 1), Point(LEARNING, "adam_tensors", 2)),
        imported=True,
    ),
    "distil, imported": Verb(
        "distil",
        (*short("distil", 4, 1), "--to", "num_hidden_layers=2"),
        killed=(Point(LEARNING, "adam_tensors", 2), HALF_A_CHECKPOINT, WRITTEN),
        interrupted=(Point(LEARNING, "adam_tensors", 2),),
        imported=True,
    ),
    "distil": Verb(
        "distil",
        (
            "distil.samples=4", *short("distil", 5, 2), "distil.healing.kernels=torch", "distil.writing.rounds=2",
            "distil.writing.chains=3", "--on-policy", "0.6", "--to", "num_groups=2", "--problems", "3",
        ),
        killed=(
            Point(LEARNING, "adam_tensors", 1),  # steps on texts are done, and not saved
            Point(CHAINS, "write_chains", 1),  # the first round begins
            Point(WRITING, "refuted_end", 2),  # chains are written, and not kept
            Point(LEARNING, "adam_tensors", 1),  # they are kept, and what was learnt from them is not
            Point(CHAINS, "write_chains", 1),  # the second round begins
            WRITTEN,
        ),
        interrupted=(
            Point(CHAINS, "write_chains", 1),
            Point(WRITING, "load_scheduler", 1),
            Point(LEARNING, "adam_tensors", 1),
            Point(OWN, "read_exits", 1),
        ),
    ),
}  # fmt: skip


class Whole(NamedTuple):
    """A verb with its whole command line but for `--out`, and the hash of the model of a run that was left alone."""

    verb: Verb
    line: tuple[str, ...]
    hash: str


@pytest.fixture(scope="module", params=VERBS)
def whole(
    request: pytest.FixtureRequest, own: Path, dense: Path, questions: Path, tmp_path_factory: pytest.TempPathFactory
) -> Whole:
    verb = VERBS[request.param]
    model, data = (dense, ("--data", str(questions))) if verb.imported else (own, ())
    line = ("compress", verb.name, str(model), *verb.given, *data)
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run_verb([*line, "--out", str(out)]) == 0
    return Whole(verb, line, model_hash(out / "model"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_at_many_points_ends_with_the_same_bytes(
    number: signal.Signals, whole: Whole, tmp_path: Path
) -> None:
    points = whole.verb.killed if number is signal.SIGKILL else whole.verb.interrupted
    check_points(whole.line, tmp_path / "run", number, points, whole.hash)
