"""The targets for a compressed model relative to its parent: how much smaller, how much faster, and the loss of right
answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tuili.errors import InputError

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")


@dataclass(frozen=True)
class Found:
    """A model that was made and measured. name: its chain. steps: the total of all its recoveries. model: its folder,
    inside the search's folder.

    size: MB of its weights. latency: processor milliseconds per token; spread: the interquartile range of its
    measurements; reading: the time per prompt token, relative to the parent. right: the share of right answers on the
    problems of the search; levels: the same for each level, by name.
    """

    name: str
    steps: int
    size: float
    latency: float
    right: float
    levels: Mapping[str, float]
    model: str
    spread: float = 0.0
    reading: float = 1.0

    @property
    def told_steps(self) -> str:
        """Its steps for readers; the links of a chain share them equally."""
        links = self.name.count("+") + 1
        return f"{self.steps} steps" + (f", {max(1, self.steps // links)} in each link" if links > 1 else "")


@dataclass(frozen=True)
class Targets:
    """size, latency: the largest share of the parent's that may be left; None for no target. loss: the share of the
    parent's right answers that may be lost."""

    size: float | None = None
    latency: float | None = None
    loss: float = 0.01

    @classmethod
    def parse(cls, size: str | None, latency: str | None, loss: str) -> Targets:
        """Parse options such as -60%, -50%, 1%. Raises `InputError` for anything else, and if no target is given."""
        if size is None and latency is None:
            raise InputError("give --size, as in --size -60%, or --latency, as in --latency -50%")
        return cls(_left("--size", size), _left("--latency", latency), _share("--loss", loss, loss, "as in 1%"))

    def missed(self, found: Found, parent: Found) -> dict[str, float]:
        """The targets that a model does not meet, each with its distance as a share of the parent's.

        A latency target is missed only if the latency exceeds it by more than its spread.
        """
        over = {"loss": 1 - self.loss - found.right / parent.right} if parent.right else {}
        if self.size is not None:
            over["size"] = found.size / parent.size - self.size
        if self.latency is not None:
            over["latency"] = found.latency / parent.latency - self.latency
            over["latency"] *= over["latency"] > found.spread / parent.latency
        return {name: by for name, by in over.items() if by > 1e-9}

    def distance(self, found: Found, parent: Found) -> float:
        """The total distance of a model from all targets; 0 if it meets them."""
        return sum(self.missed(found, parent).values())

    def lines(self, found: Found, parent: Found) -> list[str]:
        """Each target with its result, for readers."""
        missed = self.missed(found, parent)

        def line(name: str, was: str, now: str, change: float, asked: str) -> str:
            return f"{name}: {was} -> {now} ({change:+.1%}), asked {asked}: {'not met' if name in missed else 'met'}"

        told = []
        for name, unit, share in (("size", "MB", self.size), ("latency", "CPU-ms a token", self.latency)):
            was, now = getattr(parent, name), getattr(found, name)
            if share is not None:
                asked = f"{100 * (share - 1):+.4g}%"
                spread = f" ± {found.spread:.2g}" if name == "latency" else ""
                told.append(line(name, f"{was:.4g}", f"{now:.4g}{spread} {unit}", now / was - 1, asked))
        if not parent.right:
            return [*told, "loss: the parent has no right answer, so that none can be lost: no target"]
        change, asked = found.right / parent.right - 1, f"at most {100 * self.loss:.4g}% less"
        return [*told, line("loss", f"{parent.right:.1%}", f"{found.right:.1%} right", change, asked)]


def _left(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    if not text.startswith("-"):
        raise InputError(f"{option} {text[:40]!r}: give how much less than the parent's it should be, as in -60%")
    return 1 - _share(option, text, text[1:], "as in -60%")


def _share(option: str, text: str, number: str, example: str) -> float:
    found = _PERCENT.fullmatch(number)
    share = float(found[1]) / 100 if found else -1.0
    if not 0 <= share < 1 or (option != "--loss" and not share):
        raise InputError(f"{option} {text[:40]!r}: give percent of the parent's, below 100, {example}")
    return share
