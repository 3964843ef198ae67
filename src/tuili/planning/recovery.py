"""The cost of a recovery: tokens by a measured curve, arithmetic by the active parameters, and time at a speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuili.errors import InputError
from tuili.planning.curve import HealingCurve, find_curve, strength_of
from tuili.planning.sizes import told_size
from tuili.store import Parameters


@dataclass(frozen=True)
class RecoverySettings:
    """The user's settings for a recovery. curve: a run's folder or a record, in place of the benchmark's. divergence:
    at which it ends, in nats per token. tokens: in place of a curve. tokens_per_second: the speed of the machines."""

    curve: Path | None = None
    divergence: float | None = None
    tokens: float | None = None
    tokens_per_second: float | None = None

    def __post_init__(self) -> None:
        for option in ("divergence", "tokens", "tokens_per_second"):
            value = getattr(self, option)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"--{option.replace('_', '-')} is {value:g}: give a number above 0")
        if self.tokens is not None and (self.curve is not None or self.divergence is not None):
            raise InputError("--tokens stands in place of a curve: leave --curve and --divergence out")


@dataclass(frozen=True)
class Recovery:
    """tokens: None if they are unknown. told: where they come from, or why they are unknown, for readers.

    extrapolated: whether they rest on more than what was measured. divergence: at its end, in nats per token. flop:
    floating-point operations of student, teacher, and the writer of what is read. seconds: None without a speed.
    """

    tokens: float | None
    told: str
    extrapolated: bool = False
    divergence: float | None = None
    flop: float | None = None
    seconds: float | None = None


def plan_recovery(
    verb: str, settings: RecoverySettings, before: Parameters, after: Parameters, recipe: Mapping[str, Any],
    written: float = 0.0,
) -> Recovery:  # fmt: skip
    """The recovery of a model with `after` parameters, made by a recipe from a parent with `before`.

    written: floating-point operations per token for writing what is read. Raises `InputError` for a file that holds no
    curve.
    """
    flop = 6 * after.active + 2 * before.active + written  # student: forward and backward; teacher: only forward
    if settings.tokens is not None:
        return _recovery(settings.tokens, "as given", settings, flop)
    curve = find_curve(verb, settings.curve)
    if isinstance(curve, str):
        if settings.divergence is not None:
            raise InputError(f"--divergence {settings.divergence:g} needs a curve: {curve}")
        if settings.tokens_per_second is not None:
            speed = f"--tokens-per-second {settings.tokens_per_second:g}"
            raise InputError(f"{speed} needs to know how many tokens: give --tokens, or a curve: {curve}")
        return Recovery(None, curve)
    return _by(curve, settings, before, flop, strength_of(verb, recipe, before.total, after.total))


def _by(
    curve: HealingCurve, settings: RecoverySettings, before: Parameters, flop: float, strength: Mapping[str, Any]
) -> Recovery:
    divergence = curve.target if settings.divergence is None else settings.divergence
    measured, beyond = curve.tokens_to(divergence)
    factor = before.total / curve.parameters
    told = f"{curve.source}, {told_size(curve.parameters)} parameters: {measured:,.0f} tokens to {divergence:.4g} nats"
    told += f" a token{', beyond the curve by its power law' if beyond else ''}"
    if curve.kept:
        shares = ", ".join(f"{share:.1%} at level {level}" for level, share in curve.kept.items())
        told += f"; it ends with, of its parent's right answers, {shares}"
    if factor != 1:
        told += f"; times {factor:,.3g}, as many tokens a parameter"
    if other := strength != curve.strength:
        told += f"; measured with {_told(curve.strength)}, and taken to hold for {_told(strength)}"
    return _recovery(measured * factor, told, settings, flop, beyond or factor != 1 or other, divergence)


def _told(strength: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in strength.items()
    )


def _recovery(
    tokens: float, told: str, settings: RecoverySettings, flop: float,
    extrapolated: bool = False, divergence: float | None = None,
) -> Recovery:  # fmt: skip
    """flop: per token."""
    speed = settings.tokens_per_second
    return Recovery(tokens, told, extrapolated, divergence, tokens * flop, None if speed is None else tokens / speed)
