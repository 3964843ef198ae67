"""Problems of quantities: what a form finds of scene, facts, question and story."""

from __future__ import annotations

from tuili.tasks.building.situations import Quantity, numbered, part, situation, told
from tuili.tasks.content import Clause, Clauses, Content

GIVEN = (
    Quantity("leg_time", "t1", "2 h", {"number": 1}),
    Quantity("leg_time", "t2", "3 h", {"number": 2}),
    Quantity("speed", "v", "40 km/h"),
)


def journey(**options: dict[str, str]) -> Content:
    wanted = Quantity("distance", "d", of={"unit": "km"})
    return situation("course", "legs", GIVEN, wanted, ["d = 200 km"], "200", words={"thing": "car"}, **options)  # type: ignore[arg-type]


def test_each_fact_names_its_quantity_and_its_value() -> None:
    facts = journey().slots["facts"]
    assert isinstance(facts, Clauses)
    assert not facts.ordered
    assert [item.formal for item in facts.items] == ["t1 = 2 h", "t2 = 3 h", "v = 40 km/h"]
    quantities = [item.slots["quantity"] for item in facts.items]
    assert quantities[1] == Clause("leg_time", "t2", {"thing": "car", "number": 2})


def test_the_question_and_the_things_have_the_words_of_the_scene() -> None:
    content = journey()
    assert content.slots["scene"] == Clause("legs", "", {"thing": "car"})
    assert content.slots["wanted"] == Clause("distance", "d", {"thing": "car", "unit": "km"})
    assert content.names == ("car",)


def test_a_story_has_the_values_by_their_kinds_and_what_is_told() -> None:
    plain = journey().slots["story"]
    told = journey(told={"leg_time": "5 h"}).slots["story"]
    assert isinstance(plain, Clause)
    assert isinstance(told, Clause)
    assert plain.kind == "legs_distance"
    assert plain.slots == {"thing": "car", "leg_time": "3 h", "speed": "40 km/h", "unit": "km"}
    assert told.slots["leg_time"] == "5 h"


def test_a_story_has_the_list_of_its_parts_in_their_order() -> None:
    legs = [part("leg", time="2 h"), part("leg", time="3 h")]
    story = situation("course", "legs", GIVEN, Quantity("distance", "d"), [], "200 km", parts=legs).slots["story"]
    assert isinstance(story, Clause)
    assert story.slots["parts"] == Clauses(tuple(legs), ordered=True)


def test_facts_whose_order_matters_keep_it() -> None:
    content = situation("course", "legs", GIVEN, Quantity("distance", "d"), [], "200 km", ordered=True)
    facts = content.slots["facts"]
    assert isinstance(facts, Clauses)
    assert facts.ordered


def test_parts_are_numbered_from_one_on_and_told_by_their_values() -> None:
    resistors = numbered("resistor", "R", ["4 ohm", "6 ohm"])
    assert [(one.symbol, one.value, one.of) for one in resistors] == [
        ("R1", "4 ohm", {"number": 1}),
        ("R2", "6 ohm", {"number": 2}),
    ]
    assert told(resistors) == [part("value", value="4 ohm"), part("value", value="6 ohm")]
