"""Laws that follow from others: the given equations, the law to derive, and the meaning of each letter.

`derivations` derives the laws.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Law:
    """A law `left = right` that follows from the `given` equations, each with one letter on its left side.

    All sides are expanded polynomials. `meanings` names the quantity of each letter: `v speed, a acceleration`.
    """

    law: str
    given: tuple[str, ...]
    meanings: str

    @property
    def quantities(self) -> dict[str, str]:
        """The quantity of each letter."""
        pairs = (entry.partition(" ") for entry in self.meanings.split(", "))
        return {letter: quantity for letter, _, quantity in pairs}


SERIES = "U voltage, I current, V first voltage, W second voltage, R first resistance, S second resistance"
HEATING = "Q heat, P power, t time, c heat capacity, m mass, D rise in temperature"

# fmt: off
LAWS_BY_LEVEL: dict[int, tuple[Law, ...]] = {
    3: (
        Law("v^2 = 2 * a * s", ("v = a * t", "s = a * t^2 / 2"), "v speed, a acceleration, t time, s distance"),
        Law("P = R * I^2", ("P = U * I", "U = R * I"), "P power, U voltage, I current, R resistance"),
        Law("P * R = U^2", ("P = U * I", "U = R * I"), "P power, U voltage, I current, R resistance"),
        Law("p^2 = 2 * m * E", ("p = m * v", "E = m * v^2 / 2"), "p momentum, m mass, v speed, E energy"),
        Law("F^2 = 2 * k * E", ("F = k * x", "E = F * x / 2"), "F force, k spring constant, x extension, E energy"),
        Law("Q^2 = 2 * C * E", ("Q = C * U", "E = Q * U / 2"), "Q charge, C capacitance, U voltage, E energy"),
        Law("W = p * V", ("F = p * A", "W = F * s", "V = A * s"),
            "F force, p pressure, A area, W work, s distance, V volume"),
        Law("F * a = m * g * b", ("M = F * a", "M = G * b", "G = m * g"),
            "M torque, F force, a first arm, G weight, b second arm, m mass, g gravitational acceleration"),
        Law("P * t = F * v * t", ("W = P * t", "W = F * s", "s = v * t"),
            "W work, P power, t time, F force, s distance, v speed"),
    ),
    4: (
        Law("p = F * t", ("F = m * a", "v = a * t", "p = m * v"),
            "F force, m mass, a acceleration, v speed, t time, p momentum"),
        Law("Q = R * I^2 * t", ("Q = P * t", "P = U * I", "U = R * I"),
            "Q heat, P power, t time, U voltage, I current, R resistance"),
        Law("E = m * g * h", ("E = m * v^2 / 2", "v = g * t", "h = g * t^2 / 2"),
            "E energy, m mass, v speed, g gravitational acceleration, t time, h height"),
        Law("F * r = m * v^2", ("F = m * a", "a = w^2 * r", "v = w * r"),
            "F force, m mass, a acceleration, w angular speed, r radius, v speed"),
        Law("U * I * t = c * m * D", ("Q = P * t", "P = U * I", "Q = c * m * D"),
            f"{HEATING}, U voltage, I current"),
        Law("P = R * I^2 + S * I^2", ("P = U * I", "U = V + W", "V = R * I", "W = S * I"),
            f"P power, {SERIES}"),
        Law("F = d * A * h * g", ("F = m * g", "m = d * V", "V = A * h"),
            "F force, m mass, g gravitational acceleration, d density, V volume, A area, h height"),
        Law("v^2 = 2 * g * h", ("h = v * t - g * t^2 / 2", "v = g * t"),
            "v speed, g gravitational acceleration, t time, h height"),
    ),
    5: (
        Law("E = F * s", ("E = m * v^2 / 2", "F = m * a", "v = a * t", "s = a * t^2 / 2"),
            "E energy, m mass, v speed, F force, a acceleration, t time, s distance"),
        Law("v^2 - u^2 = 2 * a * s", ("v = u + a * t", "s = u * t + a * t^2 / 2"),
            "v speed, u initial speed, a acceleration, t time, s distance"),
        Law("E - D = F * s", ("E = m * v^2 / 2", "D = m * u^2 / 2", "F = m * a", "v = u + a * t",
            "s = u * t + a * t^2 / 2"), "E energy, D initial energy, m mass, v speed, u initial speed, "
            "F force, a acceleration, t time, s distance"),
        Law("c * m * D = R * I^2 * t + S * I^2 * t", ("Q = P * t", "P = U * I", "U = V + W", "V = R * I", "W = S * I",
            "Q = c * m * D"), f"{HEATING}, {SERIES}"),
        Law("U * I * t = d * A * b * g * h", ("W = P * t", "P = U * I", "W = m * g * h", "m = d * V", "V = A * b"),
            "W work, P power, t time, U voltage, I current, m mass, g gravitational acceleration, h height, d density, "
            "V volume, A area, b length"),
        Law("m * v^2 = k * x^2", ("E = m * v^2 / 2", "E = F * x / 2", "F = k * x"),
            "E energy, m mass, v speed, F force, x extension, k spring constant"),
    ),
}
# fmt: on
