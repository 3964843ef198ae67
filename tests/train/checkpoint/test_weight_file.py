"""What is written without a copy is what the library of safetensors reads."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load

from tuili.train.checkpoint.weight_file import KINDS, weight_file

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
SHAPES = st.lists(st.integers(0, 5), max_size=3)


@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(list(KINDS)), SHAPES), max_size=6), st.integers(0, 2**32))
def test_the_library_reads_what_is_written(described: dict[str, tuple[torch.dtype, list[int]]], seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    tensors = {
        name: torch.randint(0, 100, shape, generator=random).to(kind) for name, (kind, shape) in described.items()
    }
    read = load(b"".join(weight_file(tensors)))
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def test_the_numbers_are_not_copied() -> None:
    tensor = torch.zeros(1000)
    runs = list(weight_file({"a": tensor}))
    tensor += 1
    assert torch.equal(load(b"".join(runs))["a"], tensor)


def test_numbers_in_another_order_in_memory_are_written_in_theirs() -> None:
    tensor = torch.arange(6.0).view(2, 3).T
    assert torch.equal(load(b"".join(weight_file({"a": tensor})))["a"], tensor)


def test_a_type_that_no_checkpoint_holds_is_an_error() -> None:
    with pytest.raises(KeyError):
        list(weight_file({"a": torch.zeros(1, dtype=torch.complex64)}))
