"""Prose that is being written has the parts that it has when it is whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuili.engine.text.prose import ProseReader, split_prose

PARTS = [
    "The sum",
    "\n",
    "\r\n",
    "<think>",
    "</think>",
    "<think",
    ">",
    "</",
    "think>",
    " ",
    "1 = 1",
    "<",
    "🙂",
    "\u2028",
]


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=12), st.booleans())
def test_pieces_make_up_the_parts_of_the_whole(pieces: list[str], inside: bool) -> None:
    reader, thought, answer, steps = ProseReader(inside), "", "", list[str]()
    for place, piece in enumerate(pieces):
        steps += reader.add(piece, place == len(pieces) - 1)
        thought, answer = thought + reader.thought, answer + reader.answer
    whole = split_prose("".join(pieces), inside)
    assert (thought, answer) == (whole.thinking, whole.answer)
    assert steps == [line.strip() for line in whole.thinking.splitlines() if line.strip()]


def test_parts() -> None:
    assert split_prose(" Paris is it.\n", inside=False) == ("", " Paris is it.\n", 0)
    assert split_prose("\n<think>\nWell.\n</think>\n\nParis.", inside=False) == ("\nWell.\n", "Paris.", 25)
    assert split_prose("Well.\n</think>Paris.", inside=True) == ("Well.\n", "Paris.", 14)
    assert split_prose("<think>Well", inside=False) == ("Well", "", 11)
    assert split_prose("A <think>tag</think>", inside=False).answer == "A <think>tag</think>"


def test_an_answer_is_told_at_once() -> None:
    reader = ProseReader()
    assert (reader.add("Pa", False), reader.answer) == ([], "Pa")
    assert (reader.add("ris", False), reader.answer) == ([], "ris")
    reader = ProseReader()
    assert [(reader.add(piece, False), reader.answer)[1] for piece in (" ", "<", "b>", "x")] == ["", "", " <b>", "x"]
