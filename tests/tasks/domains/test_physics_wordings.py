"""Mechanics, electricity and heat in all wordings: a twin that answers from what a form shows, by its own laws."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from fractions import Fraction as F

import pytest

from tests.tasks.each_form import in_each_form
from tests.tasks.twin import shown
from tests.tasks.wordings.reading_back import ReadClause, ReadSlot, read_back
from tuili.tasks import Language, Problem


class Shown:
    """The values that a prompt shows: of each kind one, or one for each part."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, F]] = defaultdict(dict)

    def add(self, kind: str, of: str, value: str) -> None:
        number = re.match(r"\d+", value)
        assert number, value
        self._values[kind][of] = F(number[0])

    def __getattr__(self, kind: str) -> F:
        (value,) = self._values[kind].values()
        return value

    def all(self, kind: str) -> list[F]:
        return [self._values[kind][of] for of in sorted(self._values[kind])]

    def zipped(self, *kinds: str) -> list[tuple[F, ...]]:
        return list(zip(*map(self.all, kinds), strict=True))


def beside(resistances: list[F]) -> F:
    """Resistances side by side: conductances add up."""
    return 1 / sum((1 / resistance for resistance in resistances), F(0))


def mixture_heat(q: Shown) -> F:
    """The heat that brings each portion to the target adds up to that of the mixture."""
    portions = q.zipped("portion_mass", "portion_temperature")
    return sum((m * q.heat_capacity * (q.target_temperature - t) for m, t in portions), F(0))


def whole_series(q: Shown) -> F:
    return q.series_resistor + beside(q.all("first_pair_resistor")) + beside(q.all("second_pair_resistor"))


def weighted(pairs: list[tuple[F, ...]]) -> F:
    """The mean of values with their weights, which come first."""
    return sum((w * v for w, v in pairs), F(0)) / sum((w for w, _ in pairs), F(0))


MS = F(1000, 3600)
"""Metres a second in a kilometre an hour."""

LAWS: Mapping[str, tuple[str, Callable[[Shown], F]]] = {
    "bill_dollars": ("", lambda q: q.days * q.price / 100 * sum(p * t for p, t in q.zipped("power", "daily_time"))),
    "braking_braking_force": ("N", lambda q: q.mass * (q.initial_speed * MS) ** 2 / (2 * q.braking_distance)),
    "branches_total_current": ("A", lambda q: sum((p / q.total_voltage for p in q.all("device_power")), F(0))),
    "catching_up_common_speed": (
        "m/s",
        lambda q: weighted([(q.mass, q.speed_before), (q.other_mass, q.other_speed_before)]),
    ),
    "crane_power": ("W", lambda q: q.other_mass * q.gravity * (q.height / q.time)),
    "crash_common_speed": ("m/s", lambda q: weighted([(q.mass, q.speed_before), (q.other_mass, F(0))])),
    "crash_lost_energy": (
        "J",
        lambda q: q.mass * q.other_mass / (q.mass + q.other_mass) * q.speed_before**2 / 2,
    ),
    "driving_metres": ("", lambda q: q.speed * MS * q.time),
    "energy_cents": ("", lambda q: q.power * q.running_time * q.price),
    "energy_energy_in": ("", lambda q: q.power * q.running_time),
    "energy_power": ("W|kW", lambda q: q.energy / q.running_time),
    "energy_running_time": ("h|s", lambda q: q.energy / q.power),
    "engine_mean_power": ("W", lambda q: (q.mass * q.final_speed / q.time + q.friction) * q.final_speed / 2),
    "falling_final_energy": ("J", lambda q: q.mass / 2 * (q.gravity * q.falling_time) ** 2),
    "friction_final_speed": ("m/s", lambda q: (q.pull - q.friction) * q.time / q.mass),
    "heating_heat": (
        "kJ",
        lambda q: q.mass * q.heat_capacity * (q.final_temperature - q.initial_temperature),
    ),
    "kettle_final_temperature": (
        "K",
        lambda q: (
            q.initial_temperature
            + q.heater_voltage**2 / q.heater_resistance * q.heating_time / (q.mass * q.heat_capacity * 1000)
        ),
    ),
    "kettle_heating_time": (
        "s",
        lambda q: q.mass * q.heat_capacity * (q.final_temperature - q.initial_temperature) / q.heater_power,
    ),
    "ladder_total_power": ("W", lambda q: q.total_voltage**2 / whole_series(q)),
    "legs_mean_speed": ("km/h", lambda q: weighted(q.zipped("leg_time", "leg_speed"))),
    "lifting_work": ("J", lambda q: q.mass * q.gravity * q.height),
    "machine_power": ("W", lambda q: q.work / q.time),
    "machine_time": ("s", lambda q: q.work / q.power),
    "machine_work": ("J", lambda q: q.time * q.power),
    "meeting_distance": ("km", lambda q: q.gap * q.speed / (q.speed + q.other_speed)),
    "mixed_parallel_voltage": (
        "V",
        lambda q: q.total_voltage / (q.series_resistor / beside(q.all("parallel_resistor")) + 1),
    ),
    "mixed_total_power": (
        "W",
        lambda q: q.total_voltage**2 / (q.series_resistor + beside(q.all("parallel_resistor"))),
    ),
    "mixing_mixture_heat": ("kJ", mixture_heat),
    "mixing_mixed_temperature": ("K", lambda q: weighted(q.zipped("portion_mass", "portion_temperature"))),
    "momentum_mass": ("kg", lambda q: q.momentum / q.speed),
    "momentum_momentum": ("kg*m/s", lambda q: q.speed * q.mass),
    "momentum_speed": ("m/s", lambda q: q.momentum / q.mass),
    "motion_distance": ("m|km", lambda q: q.time * q.speed),
    "motion_speed": ("m/s|km/h", lambda q: q.distance / q.time),
    "motion_time": ("s|h", lambda q: q.distance / q.speed),
    "moving_kinetic_energy": ("J", lambda q: q.mass * q.speed**2 / 2),
    "ohm_current": ("A", lambda q: q.voltage / q.resistance),
    "ohm_power": ("W", lambda q: q.current**2 * q.resistance),
    "ohm_resistance": ("ohm", lambda q: q.voltage / q.current),
    "ohm_voltage": ("V", lambda q: q.current * q.resistance),
    "parallel_total_current": (
        "A",
        lambda q: q.total_voltage / q.resistance + q.total_voltage / q.other_resistance,
    ),
    "parallel_total_resistance": ("ohm", lambda q: beside([q.resistance, q.other_resistance])),
    "power_current": ("A", lambda q: q.power / q.voltage),
    "power_power": ("W", lambda q: q.current * q.voltage),
    "power_voltage": ("V", lambda q: q.power / q.current),
    "pull_acceleration": ("m/s^2", lambda q: q.force / q.mass),
    "pull_force": ("N", lambda q: q.acceleration * q.mass),
    "pull_mass": ("kg", lambda q: q.force / q.acceleration),
    "push_distance": ("m", lambda q: q.work / q.pushing_force),
    "push_pushing_force": ("N", lambda q: q.work / q.distance),
    "push_work": ("J", lambda q: q.distance * q.pushing_force),
    "series_first_voltage": (
        "V",
        lambda q: q.total_voltage * q.all("resistor")[0] / sum(q.all("resistor")),
    ),
    "series_total_current": ("A", lambda q: q.total_voltage / sum(q.all("resistor"))),
    "series_total_resistance": ("ohm", lambda q: sum(q.all("resistor"), F(0))),
    "speeding_up_acceleration": ("m/s^2", lambda q: (q.final_speed - q.initial_speed) / q.time),
    "speeding_up_distance": (
        "m",
        lambda q: (q.initial_speed + (q.initial_speed + q.acceleration * q.time)) / 2 * q.time,
    ),
    "speeding_up_final_speed": ("m/s", lambda q: q.initial_speed + q.acceleration * q.time),
    "stages_whole_distance": (
        "m",
        lambda q: (
            q.kept_speed**2 / (2 * q.acceleration) + q.kept_speed * q.kept_time + q.kept_speed**2 / (2 * q.deceleration)
        ),
    ),
}
"""The unit and the value of what is wanted, by the scene and the wanted kind."""

SYMBOLS = {
    "a": "acceleration",
    "c": "heat_capacity",
    "d": "distance",
    "E": "energy",
    "F": "force",
    "g": "gravity",
    "h": "height",
    "I": "current",
    "m": "mass",
    "P": "power",
    "R": "resistance",
    "t": "time",
    "u": "initial_speed",
    "U": "voltage",
    "v": "speed",
    "W": "work",
    "T1": "initial_temperature",
    "T2": "final_temperature",
}
OF_SCENE = {
    ("energy", "t"): "running_time",
    ("push", "F"): "pushing_force",
    ("speeding_up", "v"): "final_speed",
}
LISTED = {
    ("bill", "power"): "power",
    ("bill", "time"): "daily_time",
    ("branches", "value"): "device_power",
    ("legs", "time"): "leg_time",
    ("legs", "speed"): "leg_speed",
    ("mixed", "value"): "parallel_resistor",
    ("mixing", "time"): "portion_mass",  # a portion `at` a temperature reads as a leg `at` a speed
    ("mixing", "speed"): "portion_temperature",
    ("mixing", "mass"): "portion_mass",
    ("mixing", "temperature"): "portion_temperature",
    ("series", "value"): "resistor",
}
"""The kind that an entry of a story's list shows, by the scene and the slot."""
TOLD = {
    ("ladder_total_power", "one"): ("first_pair_resistor", "1"),
    ("ladder_total_power", "two"): ("first_pair_resistor", "2"),
    ("ladder_total_power", "three"): ("second_pair_resistor", "1"),
    ("ladder_total_power", "four"): ("second_pair_resistor", "2"),
    ("mixing_mixed_temperature", "mass"): ("portion_mass", "1"),
    ("mixing_mixed_temperature", "temperature"): ("portion_temperature", "1"),
    ("mixing_mixed_temperature", "other_mass"): ("portion_mass", "2"),
    ("mixing_mixed_temperature", "other_temperature"): ("portion_temperature", "2"),
}
"""The kind and the part that a slot of a story shows, where there are several parts of a kind."""


DAILY = ("power", "heater_power", "daily_time")
"""The kinds of which every device of a bill has one."""


def text(slot: ReadSlot) -> str:
    assert isinstance(slot, str)
    return slot


def kind_of(quantity: ReadClause, scene: ReadClause) -> str:
    """The kind of a quantity, of whichever thing it is: a heater may be the thing of a scene, or that of its words."""
    kind = quantity.kind.removeprefix("other_")
    return kind if scene.kind == "kettle" else kind.removeprefix("heater_")


def of_facts(read: Mapping[str, ReadSlot]) -> tuple[str, Shown]:
    scene, facts, wanted = read["scene"], read["facts"], read["wanted"]
    assert isinstance(scene, ReadClause)
    assert isinstance(wanted, ReadClause)
    assert isinstance(facts, list)
    values, other = Shown(), scene.slots.get("other")
    for fact in facts:
        if isinstance(fact, str):
            symbol, _, value = fact.partition(" = ")
            values.add(OF_SCENE.get((scene.kind, symbol), SYMBOLS[symbol]), "", value)
            continue
        quantity = fact.slots["quantity"]
        assert isinstance(quantity, ReadClause)
        thing = quantity.slots.get("other", quantity.slots.get("thing", "heater"))
        of = "other_" if other and thing == other else ""
        key = text(quantity.slots.get("number", thing if quantity.kind in DAILY else ""))
        values.add(of + kind_of(quantity, scene), key, text(fact.slots["value"]))
    return f"{scene.kind}_{kind_of(wanted, scene)}", values


def of_story(story: ReadClause) -> tuple[str, Shown]:
    values = Shown()
    scene = next(scene for scene in ("catching_up", "speeding_up", story.kind.split("_")[0]) if scene in story.kind)
    for name, slot in story.slots.items():
        if isinstance(slot, list):
            for number, entry in enumerate(slot):
                assert isinstance(entry, ReadClause)
                for inner, value in entry.slots.items():
                    if (scene, inner) in LISTED:
                        values.add(LISTED[scene, inner], str(number), text(value))
        elif (story.kind, name) in TOLD:
            values.add(*TOLD[story.kind, name], text(slot))
        elif re.match(r"\d", text(slot)):
            values.add(name, "", text(slot))
    return story.kind, values


def answer(problem: Problem) -> tuple[str, str]:
    """What a twin answers: the number, and the units of which the answer may have one."""
    read = read_back(problem)
    story = read.get("story")
    kind, values = of_story(story) if isinstance(story, ReadClause) else of_facts(read)
    units, law = LAWS[kind]
    return shown(law(values)), units


@pytest.mark.parametrize("language", list(Language))
def test_the_twin_solves_all_wordings(language: Language) -> None:
    for problem in in_each_form("physics", 4, language):
        if " = " in problem.answer:  # a law, which `test_derivations` shows
            continue
        number, units = answer(problem)
        given, _, unit = problem.answer.partition(" ")
        assert given == number, problem.prompt
        assert unit in units.split("|"), problem.prompt
