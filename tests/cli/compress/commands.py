"""Command lines of the verbs that take one step and measure nothing."""

from __future__ import annotations

from pathlib import Path

from tests.compress.auto.test_run import FITTING

SHORT = ["healing.rows=1", "healing.kernels=torch", "healing.precision=fp32", "healing.steps=1"]
VERBS = {
    "prune": ["prune.multiple=4", "prune.samples=4", "--rounds", "1"],
    "factorise": ["factorise.multiple=1", "factorise.samples=4", "factorise.probes=2", "--keep", "0.8"],
    "distil": ["distil.samples=4", "distil.on_policy=0", "distil.source=texts", "--to", "num_groups=1"],
    "qat": [],
}
"""The verbs with what makes each short."""
SECTIONS = {verb: "quantize" if verb == "qat" else verb for verb in VERBS}


def command(verb: str, model: Path, out: Path) -> list[str]:
    """The command line of a verb for a model of Tuili's own kind."""
    if verb == "auto":
        return ["compress", verb, str(model), *FITTING, "--size", "-10%", "--problems", "2", "--out", str(out)]
    return with_options(verb, model, out, VERBS[verb])


def with_options(verb: str, model: Path, out: Path, options: list[str]) -> list[str]:
    """The same with other options in place of those of `VERBS`."""
    healing = [f"{SECTIONS[verb]}.{change}" for change in SHORT]
    return ["compress", verb, str(model), *options, *healing, "--problems", "0", "--out", str(out)]
