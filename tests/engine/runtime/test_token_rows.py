"""Texts are divided into units as they are written, and every token has its row in the integer table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tuili.engine.runtime.step import RECENT
from tuili.engine.runtime.token_rows import TableWriter, TokenRow
from tuili.store import ModelShape

SEPARATORS, LARGEST, WIDTH = (5, 6), 4, 3
SHAPE = ModelShape(separator_token_ids=SEPARATORS, max_unit=LARGEST, convolution_width=WIDTH)


def divided(ids: list[int]) -> list[int]:
    """The definition: the unit of each id."""
    units, size = list[int](), 0
    for place in range(len(ids)):
        ends = place <= 1 or size == LARGEST or ids[place - 1] in SEPARATORS
        size = 1 if ends else size + 1
        units.append(place if place < 2 else units[-1] + ends)
    return units


@dataclass
class Rows:
    """A batch of which only the table is used."""

    table: NDArray[np.int32]
    going = best = np.zeros(0, np.int32)
    top_prob = np.zeros(0, np.float32)
    hidden = None


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.data())
def test_rows_of_the_table_say_where_a_token_stands(ids: list[int], data: st.DataObject) -> None:
    batch, row = Rows(np.full((1, RECENT + WIDTH), 77, np.int32)), TokenRow(SHAPE)
    writer, units = TableWriter(batch, SHAPE), divided(ids)
    if data.draw(st.booleans()):  # a longer text, cut back
        for token in [*ids, 5, 7, 7]:
            row.append(token)
        kept = data.draw(st.integers(1, len(ids)))
        assert row.cut(kept) == units[:kept].count(units[kept - 1])
        again = TokenRow(SHAPE)
        assert again.fill(list(row.ids), list(row.units)) == units[:kept].count(units[kept - 1])
        row = again
    for place in range(len(row.ids), len(ids)):
        assert writer.append(0, 9, row, ids[place]) == units[place]
        recent = [-1, -1, *ids[: place + 1]][-WIDTH:]
        held = units[:place].count(units[place])
        assert batch.table[0].tolist() == [9, place, units[place], held, *recent]
    assert (row.ids, row.units, row.unit_count) == (ids, units, units[-1] + 1)


def test_an_empty_text_has_no_units() -> None:
    assert TokenRow(SHAPE).unit_count == 0
