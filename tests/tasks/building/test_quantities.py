"""Working with named quantities: known lines, and formulas that ask for each of their three quantities."""

from __future__ import annotations

import random
from dataclasses import replace

from tuili.steps import Status, check_chain
from tuili.tasks.building.quantities import DIVISORS, Formula, named_product, named_quotient, named_sum
from tuili.tasks.content import Clause, Content

SPEED = Formula(
    scene="motion",
    whole=("distance", "d", "m"),
    first=("speed", "v", "m/s"),
    second=("time", "t", "s"),
    things=("dog",),
)


def test_known_working() -> None:
    assert named_product("F", 3, "kg", 4, "m/s^2", "N") == ["F = 3 kg * 4 m/s^2 = 12 N"]
    assert named_product("F", 87, "kg", 5, "m/s^2", "N") == [
        "80 * 5 = 400",
        "7 * 5 = 35",
        "400 + 35 = 435",
        "F = 87 kg * 5 m/s^2 = 435 N",
    ]
    assert named_quotient("v", 27, "km", 3, "h", "km/h") == ["v = 27 km / 3 h = 9 km/h"]
    assert named_quotient("v", 120, "km", 3, "h", "km/h") == ["12 = 3 * 4 + 0", "v = 120 km / 3 h = 40 km/h"]
    assert named_quotient("I", 330, "V", 30, "ohm", "A") == [
        "330 / 10 = 33",
        "3 = 3 * 1 + 0",
        "3 = 3 * 1 + 0",
        "33 / 3 = 11",
        "I = 330 V / 30 ohm = 11 A",
    ]
    assert named_sum("F", 9, 4, "N", "-") == "F = 9 N - 4 N = 5 N"


def test_every_quotient_is_valid() -> None:
    for divisor in DIVISORS:
        for result in range(2, 60):
            steps = named_quotient("v", divisor * result, "m", divisor, "s", "m/s")
            assert all(verdict.status is Status.VALID for verdict in check_chain(steps))
            assert steps[-1].endswith(f"= {result} m/s")


def test_a_formula_asks_for_each_of_its_quantities() -> None:
    rng = random.Random(1)
    contents = [SPEED.draw(rng) for _ in range(60)]
    assert {content.answer.split()[1] for content in contents} == {"m", "m/s", "s"}
    for content in contents:
        is_long_quotient = asked(content).kind != "distance" and int(content.answer.split()[0]) > 9
        assert len(content.steps) == 1 + is_long_quotient
        assert content.steps[-1].endswith(f"= {content.answer}")


def test_a_question_that_names_the_unit_has_a_number_as_its_answer() -> None:
    rng = random.Random(1)
    named = replace(SPEED, bare={"distance": "metres"})
    contents = [named.draw(rng) for _ in range(60)]
    units = {wanted.kind: content.answer.partition(" ")[2] for content in contents if (wanted := asked(content))}
    assert units == {"metres": "", "speed": "m/s", "time": "s"}
    assert all(asked(content).slots.get("unit", "m") == "m" for content in contents)


def asked(content: Content) -> Clause:
    wanted = content.slots["wanted"]
    assert isinstance(wanted, Clause)
    return wanted
