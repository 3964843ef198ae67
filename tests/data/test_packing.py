"""Packing: rows are filled as well as a search of all sums fills them, and every document can be read back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuili.data.packing import IGNORE_INDEX, Document, fill_row, pack


def best_sum(lengths: list[int], capacity: int) -> int:
    sums = {lengths[0]}
    for length in lengths[1:]:
        sums |= {total + length for total in sums if total + length <= capacity}
    return max(sums)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=14), st.integers(60, 150))
def test_a_row_is_filled_as_well_as_possible_and_takes_the_oldest(lengths: list[int], capacity: int) -> None:
    chosen = fill_row(lengths, capacity)
    assert chosen[0] == 0
    assert chosen == sorted(set(chosen))
    assert sum(lengths[index] for index in chosen) == best_sum(lengths, capacity)


def test_a_row_reaches_no_further_down_the_list_than_needed() -> None:
    assert fill_row([4, 3, 3, 3], 10) == [0, 1, 2]


def test_a_first_document_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="11 tokens does not fit a row of 10"):
        fill_row([11, 3], 10)


documents = st.builds(
    lambda prompt, response, expert: Document(tuple(range(7, 7 + prompt + response)), prompt, expert),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(-1, 15),
)


@settings(max_examples=60)
@given(st.lists(st.lists(documents, max_size=3), min_size=1, max_size=3))
def test_every_document_can_be_read_back_from_its_block(rows: list[list[Document]]) -> None:
    block = pack(rows, length=120, pad_id=0)
    for row, row_documents in enumerate(rows):
        for number, document in enumerate(row_documents):
            place_T = block.documents_BT[row] == number
            assert block.tokens_BT[row, place_T].tolist() == list(document.tokens)
            assert block.positions_BT[row, place_T].tolist() == list(range(len(document)))
            assert set(block.domains_BT[row, place_T].tolist()) == {document.expert}
            ahead = [*document.tokens[1:], IGNORE_INDEX]
            learnt = [IGNORE_INDEX if i + 1 < document.prompt_length else token for i, token in enumerate(ahead)]
            assert block.targets_BT[row, place_T].tolist() == learnt
        padding_T = block.documents_BT[row] == -1
        assert int(padding_T.sum()) == 120 - sum(map(len, row_documents))
        assert set(block.tokens_BT[row, padding_T].tolist()) <= {0}
        assert set(block.targets_BT[row, padding_T].tolist()) <= {IGNORE_INDEX}
        assert set(block.domains_BT[row, padding_T].tolist()) <= {-1}
    assert block.real_tokens == sum(len(document) for row in rows for document in row)
    assert {tensor.dtype for tensor in vars(block).values()} == {torch.int64}
