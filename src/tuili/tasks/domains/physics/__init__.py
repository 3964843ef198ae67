"""Physics: mechanics and electricity with units, from single formulas at level 1 to sequences of events at level 5.

The two halves are equally frequent. From level 3 on, a quarter of the problems ask for a law that follows from others.
The modules of this package draw the problems.
"""

from __future__ import annotations

import random

from tuili.tasks.building.situations import Situation
from tuili.tasks.content import Content
from tuili.tasks.domains.physics.circuits import (
    ELECTRIC_FORMULAS,
    branches,
    in_parallel,
    ladder,
    lost_power,
    mixed_circuit,
    series,
    series_current,
)
from tuili.tasks.domains.physics.derivations import derivation
from tuili.tasks.domains.physics.energy import braking, collision, crash, falling, kinetic
from tuili.tasks.domains.physics.forces import FORCE_FORMULAS, crane, engine, friction, lifting
from tuili.tasks.domains.physics.heat import (
    cost,
    electric_heating,
    heating,
    kettle,
    mixing,
    monthly_bill,
    three_mixed,
)
from tuili.tasks.domains.physics.motion import (
    MOTION_FORMULAS,
    conversion,
    distance_when_speeding_up,
    legs,
    meeting,
    speeding_up,
    stages,
)
from tuili.tasks.registry import domain

MECHANICS_BY_LEVEL: dict[int, tuple[Situation, ...]] = {
    1: tuple(formula.draw for formula in (*MOTION_FORMULAS, *FORCE_FORMULAS)),
    2: (speeding_up, kinetic, conversion, lifting),
    3: (lambda rng: legs(rng, 2), distance_when_speeding_up, collision, friction, crane, meeting),
    4: (braking, falling, engine, lambda rng: legs(rng, 3)),
    5: (engine, stages, crash, lambda rng: legs(rng, 4)),
}

ELECTRICITY_BY_LEVEL: dict[int, tuple[Situation, ...]] = {
    1: (*(formula.draw for formula in ELECTRIC_FORMULAS), series),
    2: (series_current, cost, lost_power, heating),
    3: (in_parallel, mixing, kettle, branches, lambda rng: monthly_bill(rng, 2)),
    4: (mixed_circuit, electric_heating, lambda rng: monthly_bill(rng, 3)),
    5: (ladder, three_mixed, lambda rng: monthly_bill(rng, 4)),
}

FIRST_LEVEL_OF_DERIVATIONS = 3
SHARE_OF_DERIVATIONS = 0.25


@domain("physics", phase=3)
class Physics:
    """One formula at level 1, two at 2, three at 3, whole circuits and journeys above; laws from level 3 on."""

    def sample(self, rng: random.Random, level: int) -> Content:
        if level >= FIRST_LEVEL_OF_DERIVATIONS and rng.random() < SHARE_OF_DERIVATIONS:
            return derivation(rng, level)
        half = rng.choice((MECHANICS_BY_LEVEL, ELECTRICITY_BY_LEVEL))
        return rng.choice(half[level])(rng)
