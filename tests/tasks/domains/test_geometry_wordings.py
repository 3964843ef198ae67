"""Geometry in all wordings: a twin that answers from what a form shows, by other formulas where there are any."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from math import hypot, prod, sqrt

import pytest

from tests.tasks.domains.test_geometry import heron, turned
from tests.tasks.each_form import in_each_form
from tests.tasks.twin import integers, shown
from tests.tasks.wordings.reading_back import ReadClause, ReadSlot, read_back
from tuili.tasks import Language, Problem


class Shown:
    """The values that a prompt shows: of each kind one, or one for each part, and the unit of a length."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, str]] = defaultdict(dict)

    def add(self, kind: str, of: str, value: str) -> None:
        self._values[kind][of] = value

    def __contains__(self, kind: str) -> bool:
        return kind in self._values

    def __getattr__(self, kind: str) -> float:
        (value,) = self.all(kind)
        return value

    def all(self, kind: str) -> list[float]:
        return [float(integers(text)[0]) for _, text in sorted(self._values[kind].items())]

    @property
    def corners(self) -> list[tuple[int, int]]:
        points = [integers(text) for _, text in sorted(self._values["corner"].items())]
        return [(x, y) for x, y in points]

    @property
    def unit(self) -> str:
        """The unit of length of the first value."""
        return next(iter(next(iter(self._values.values())).values())).partition(" ")[2].partition("^")[0]


def missing_angle(known: list[float]) -> float:
    """Exterior angles make one full turn."""
    return 180 - (360 - sum(180 - angle for angle in known))


def sides_of(q: Shown) -> float:
    return q.area / q.width if "area" in q else q.perimeter / 2 - q.width


def boxes(q: Shown) -> float:
    sizes = zip(q.all("box_length"), q.all("box_width"), q.all("box_height"), strict=True)
    return sum(prod(size) for size in sizes)


def longest(q: Shown) -> float:
    return hypot(q.leg, q.other_leg)


def walked(q: Shown) -> float:
    return q.north + q.east + q.south + hypot(q.north - q.south, q.east)


LAWS: Mapping[str, tuple[str, Callable[[Shown], float]]] = {
    "box_surface": ("^2", lambda q: 2 * (q.length * q.width + q.width * q.height + q.height * q.length)),
    "box_volume": ("^3", lambda q: q.length * q.width * q.height),
    "corners_area": ("", lambda q: turned(q.corners)),
    "cut_area_left": (
        "^2",
        lambda q: q.length * (q.width - q.cut_width) + (q.length - q.cut_length) * q.cut_width,
    ),
    "frame_path_area": ("^2", lambda q: 2 * q.path_width * (q.length + q.width) + 4 * q.path_width**2),
    "house_paint_cost": (
        "dollars",
        lambda q: q.width * (q.rectangle_height + q.triangle_height / 2) * q.paint_price,
    ),
    "isosceles_area": ("^2", lambda q: heron(q.equal_side, q.equal_side, q.third_side)),
    "ladder_reach": ("^1", lambda q: sqrt(q.ladder_length**2 - q.foot_distance**2)),
    "outline_length": ("^1", sides_of),
    "path_start_distance": ("^1", lambda q: hypot(q.east, q.north)),
    "polygon_last_angle": ("deg", lambda q: missing_angle(q.all("angle"))),
    "prism_volume": ("^3", lambda q: heron(q.leg, q.other_leg, longest(q)) * q.prism_length),
    "rhombus_perimeter": ("^1", lambda q: 4 * hypot(*(diagonal / 2 for diagonal in q.all("diagonal_of")))),
    "right_triangle_hypotenuse": ("^1", longest),
    "right_triangle_other_leg": ("^1", lambda q: sqrt(q.hypotenuse**2 - q.leg**2)),
    "right_triangle_perimeter": ("^1", lambda q: q.leg + q.other_leg + longest(q)),
    "tank_filling_time": ("min", lambda q: boxes(q) / q.inflow),
    "tiles_tiles": ("", lambda q: q.length * q.width * 10_000 / q.tile_side**2),
    "trapezoid_area": ("^2", lambda q: sum(side * q.height / 2 for side in q.all("parallel_side"))),
    "triangle_area": ("^2", lambda q: q.height * q.base / 2),
    "triangle_perimeter": ("^1", lambda q: sum(q.all("side"))),
    "triangle_third_angle": ("deg", lambda q: missing_angle(q.all("angle"))),
    "walk_whole_way": ("^1", walked),
    "surface_area": ("^2", lambda q: q.width * q.length),
    "surface_length": ("^1", sides_of),
    "surface_perimeter": ("^1", lambda q: q.length + q.width + q.length + q.width),
    "rectangle_area": ("^2", lambda q: q.width * q.length),
    "rectangle_diagonal": ("^1", lambda q: hypot(q.length, q.width)),
    "rectangle_length": ("^1", lambda q: sqrt(q.diagonal**2 - q.width**2)),
    "rectangle_perimeter": ("^1", lambda q: q.length + q.width + q.length + q.width),
}
"""What is wanted, by the scene and the wanted kind: its unit, or the power of the unit of length, and its value."""

LISTED = {
    "corners_area": "corner",
    "polygon_last_angle": "angle",
    "rhombus_perimeter": "diagonal_of",
    "trapezoid_area": "parallel_side",
    "triangle_perimeter": "side",
    "triangle_third_angle": "angle",
}
"""The kind of the values that a story lists."""
TANK = {
    "length": ("box_length", "12"),
    "width": ("box_width", "1"),
    "height": ("box_height", "1"),
    "other_width": ("box_width", "2"),
    "other_height": ("box_height", "2"),
}
"""The kind and the boxes of the lengths of a tank."""


def text(slot: ReadSlot) -> str:
    assert isinstance(slot, str)
    return slot


def of_facts(read: Mapping[str, ReadSlot]) -> tuple[str, Shown]:
    scene, facts, wanted = read["scene"], read["facts"], read["wanted"]
    assert isinstance(scene, ReadClause)
    assert isinstance(wanted, ReadClause)
    assert isinstance(facts, list)
    values = Shown()
    for fact in facts:
        assert isinstance(fact, ReadClause)
        quantity = fact.slots["quantity"]
        assert isinstance(quantity, ReadClause)
        values.add(quantity.kind, text(quantity.slots.get("number", "")), text(fact.slots["value"]))
    return f"{named_scene(scene)}_{wanted.kind}", values


SHAPES = {
    "rectangle": "rectangle",
    "长方形": "rectangle",
    "rhombus": "rhombus",
    "菱形": "rhombus",
    "trapezoid": "trapezoid",
    "梯形": "trapezoid",
    "triangle": "triangle",
    "三角形": "triangle",
}


def named_scene(scene: ReadClause) -> str:
    """The scene, which several plain figures name in the same words."""
    thing = text(scene.slots.get("thing", ""))
    return SHAPES.get(thing, scene.kind) if scene.kind in SHAPES.values() else scene.kind


def of_story(story: ReadClause) -> tuple[str, Shown]:
    values = Shown()
    for name, slot in story.slots.items():
        if isinstance(slot, list):
            for number, entry in enumerate(slot):
                assert isinstance(entry, ReadClause)
                values.add(LISTED[story.kind], str(number), text(entry.slots["value"]))
        elif story.kind == "tank_filling_time" and name in TANK:
            kind, numbers = TANK[name]
            for box in numbers:
                values.add(kind, box, text(slot))
        elif re.match(r"\d+ ", text(slot)):
            values.add(name, "", text(slot))
    return story.kind, values


def answer(problem: Problem) -> tuple[str, str]:
    """What a twin answers: the number and the unit."""
    read = read_back(problem)
    story = read.get("story")
    kind, values = of_story(story) if isinstance(story, ReadClause) else of_facts(read)
    unit, law = LAWS[kind]
    power = {"^1": "", "^2": "^2", "^3": "^3"}.get(unit)
    return shown(law(values)), unit if power is None else values.unit + power


@pytest.mark.parametrize("language", list(Language))
def test_the_twin_solves_all_wordings(language: Language) -> None:
    for problem in in_each_form("geometry", 4, language):
        assert problem.answer == " ".join(part for part in answer(problem) if part), problem.prompt
