"""The steps of a response that is being written are those that `split_response` finds in all its whole lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuili.engine.text.step_reader import StepReader
from tuili.steps import END_THINK, THINK, split_response

PARTS = [
    "1 = 1",
    "\n",
    "\r",
    "\r\n",
    "<think>",
    "</think>",
    "<|end|>",
    "<think",
    ">",
    "</",
    "think>",
    "\u2028",
    " ",
    "😀",
]
parts = st.lists(st.sampled_from(PARTS), max_size=14)


def steps_so_far(text: str, ends: bool) -> list[str]:
    """The slow twin: it splits the whole text anew."""
    body = text.partition("<|end|>")[0].partition(THINK)[2]
    whole = ends or END_THINK in body
    return list(split_response(text if whole else text[: text.rfind("\n") + 1]).steps)


@given(parts, st.sampled_from([(), ("2 = 2",), ("2 = 2", "3 = 4")]))
def test_steps_come_as_soon_as_their_lines_are_whole(written: list[str], before: tuple[str, ...]) -> None:
    reader = StepReader(thinking=bool(before))
    text = "".join(f"{line}\n" for line in (THINK, *before)) if before else ""
    found = list(before)
    for place, part in enumerate(written):
        ends, text = place == len(written) - 1, text + part
        found += reader.add(part, ends)
        if ends or "\n" in part or END_THINK in part:
            assert found == steps_so_far(text, ends)


def test_a_mark_that_is_spelled_in_pieces_closes_the_block_with_its_line() -> None:
    reader = StepReader()
    assert reader.add("<think>\n1 = 1", False) == []
    assert reader.add("</thi", False) == []
    assert reader.add("nk>2", False) == []
    assert reader.add("\n", False) == ["1 = 1"]
    assert reader.add("3 = 3\n", True) == []
