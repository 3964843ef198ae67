from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuili.model.units import PAD_COUNT_TO_UNITS, Units, has_hole, membership, segment

MAX_UNIT = 4


def slow_units(ends: list[bool], starts: list[bool], real: list[bool]) -> list[int]:
    """The definition, token by token: what `segment` must equal."""
    units, unit, length = [], -1, 0
    for end, start, is_real in zip(ends, starts, real, strict=True):
        if not is_real:
            units.append(-1)
            continue
        if start or length == 0:
            unit, length = unit + 1, 0
        length += 1
        units.append(unit)
        if end or start or length == MAX_UNIT:
            length = 0
    return units


rows = st.lists(st.tuples(st.booleans(), st.integers(0, 9).map(lambda n: n == 0)), min_size=1, max_size=40)


@given(rows, st.integers(0, 5), st.integers(0, 40))
@settings(deadline=None)
def test_equals_the_definition_in_one_call_or_two(row: list[tuple[bool, bool]], padding: int, cut: int) -> None:
    ends = [False] * padding + [end for end, _ in row]
    starts = [False] * padding + [True] + [start for _, start in row[1:]]
    real = [False] * padding + [True] * len(row)
    expected = slow_units(ends, starts, real)
    tensors = [torch.tensor([values]) for values in (ends, starts, real)]
    whole = segment(*tensors, MAX_UNIT, None)
    assert whole.unit_BS[0].tolist() == expected
    assert max(expected) < whole.count <= max(expected) + PAD_COUNT_TO_UNITS
    assert whole.begun_B.tolist() == [max(expected) + 1]

    cut = max(1, min(cut, len(ends) - 1))
    if cut < len(ends):
        past = segment(*(t[:, :cut] for t in tensors), MAX_UNIT, None)
        both = segment(*(t[:, cut:] for t in tensors), MAX_UNIT, past)
        assert both.unit_BS[0].tolist() == expected
        assert both.begun_B.tolist() == whole.begun_B.tolist()
        assert both.open_B.tolist() == whole.open_B.tolist()


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 5), st.integers(1, 40))
def test_without_the_last_tokens_is_as_if_they_had_not_come(ends: list[bool], padding: int, dropped: int) -> None:
    length = padding + len(ends)
    dropped = min(dropped, length)
    end = torch.tensor([[False] * padding + ends])
    real = torch.arange(length)[None] >= padding
    start = torch.arange(length)[None] == padding
    whole = segment(end, start, real, MAX_UNIT, None).without_last(dropped)
    if dropped == length:
        assert (whole.unit_BS.shape, whole.begun_B.tolist(), whole.open_B.tolist()) == ((1, 0), [0], [0])
        return
    kept = segment(*(t[:, : length - dropped] for t in (end, start, real)), MAX_UNIT, None)
    assert whole.unit_BS.tolist() == kept.unit_BS.tolist()
    assert whole.begun_B.tolist() == kept.begun_B.tolist()
    assert whole.open_B.tolist() == kept.open_B.tolist()


def test_dropping_padding_changes_no_unit() -> None:
    units = Units(torch.tensor([[0, 1, 1, -1, -1], [0, 1, 2, -1, -1]]), torch.tensor([2, 3]), torch.tensor([2, 0]))
    shorter = units.without_last(1)
    assert shorter.begun_B.tolist() == [2, 3]
    assert shorter.open_B.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("documents", "hole"),
    [([0, 0, 0], False), ([-1, -1, 0], False), ([0, 0, -1], False), ([-1, 0, -1], False), ([0, -1, 0], True)],
)
def test_a_hole_is_padding_between_real_tokens(documents: list[int], hole: bool) -> None:
    assert has_hole(torch.tensor([[0, 0, 0], documents])) is hole


def test_starts_point_at_each_units_first_token() -> None:
    units = Units(torch.tensor([[-1, 0, 1, 1, 2], [0, 1, 1, 1, 1]]), torch.tensor([3, 2]), torch.tensor([1, 0]))
    assert units.starts_BU(3).tolist() == [[1, 2, 4, 5], [0, 1, 5, 5]]


def test_membership_leaves_padding_out() -> None:
    member_BUT = membership(torch.tensor([[-1, 0, 1, 1]]), 2, torch.float32)
    assert member_BUT.tolist() == [[[0, 1, 0, 0], [0, 0, 1, 1]]]


def test_select_may_repeat_rows() -> None:
    units = Units(torch.tensor([[0], [1]]), torch.tensor([1, 2]), torch.tensor([0, 1]))
    assert units.select(torch.tensor([1, 1])).begun_B.tolist() == [2, 2]
