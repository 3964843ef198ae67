"""What all backends notice: weights of other bits, and what was not asked for."""

from __future__ import annotations

import pytest
import torch

from tuili.errors import TuiliError
from tuili.train.dist.backend import confirm, sum_of_bits
from tuili.train.dist.group import SingleProcess


def test_values_that_have_changed_places_are_noticed() -> None:
    """In a tensor, between its runs, and between tensors; a number without dimensions and counts have bits, too."""
    tensors = [torch.arange(12.0).view(3, 4).T, torch.tensor(2.5), torch.tensor([3, -4]), torch.arange(2.0**20 + 2)]
    sums = {sum_of_bits(tensors)}
    assert sums == {sum_of_bits([tensor.clone() for tensor in tensors])}
    for one, other in [(0, 1), (5, 2**20), (2**20, 2**20 + 1)]:
        swapped = tensors[3].clone()
        swapped[[one, other]] = swapped[[other, one]]
        sums.add(sum_of_bits([*tensors[:3], swapped]))
    sums.add(sum_of_bits([*tensors[1:], tensors[0]]))
    assert len(sums) == 5


def test_what_was_not_asked_for_is_told() -> None:
    confirm(SingleProcess(), {"processes": (1, 1)})
    with pytest.raises(TuiliError, match=r"^process 0 has \['cpu'\] as devices, and \['cuda'\] was asked for$"):
        confirm(SingleProcess(), {"processes": (1, 1), "devices": (["cpu"], ["cuda"])})
