"""Which network a size or a name stands for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.store.dense_folders import save_dense
from tuili.errors import InputError
from tuili.model import preset
from tuili.planning import parse_size, planned_model, sized, told_size
from tuili.planning.sizes import NAMED
from tuili.store import DenseShape, count_parameters


@pytest.mark.parametrize(
    ("text", "size"),
    [("70B", 70e9), ("1.2T", 1.2e12), ("7b", 7e9), ("350M", 350e6), ("9000K", 9e6), ("70", None), ("70 B", None),
     ("B", None), ("-7B", None), ("1e3B", None), ("nano", None)],
)  # fmt: skip
def test_a_size_is_a_number_with_a_unit(text: str, size: float | None) -> None:
    assert parse_size(text) == size


def test_sizes_are_told_as_they_are_given() -> None:
    assert [told_size(size) for size in (70e9, 1.2e12, 380e9, 999.9e6, 9e6, 999)] == [
        "70B", "1.2T", "380B", "1B", "9M", "0.999K",
    ]  # fmt: skip


def test_the_named_sizes_are_what_they_say() -> None:
    assert planned_model("70B").shape == preset("r1-70b").shape
    assert planned_model("7B").shape == preset("r1-7b").shape
    assert planned_model("r1-7b").shape == preset("r1-7b").shape
    shape = planned_model("1.2T").config
    assert shape is not None
    assert (shape.num_hidden_layers, shape.hidden_size, shape.num_experts) == (64, 8192, 64)
    for size in NAMED:
        assert count_parameters(sized(size)[1].shape).total == pytest.approx(size, rel=0.01)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.floats(6.0, 13.3))
@example(6.1)
def test_any_size_is_met_within_three_percent(exponent: float) -> None:
    size = round(10**exponent)
    _, config = sized(size)
    assert count_parameters(config.shape).total == pytest.approx(size, rel=0.03)
    assert config.num_attention_heads % config.num_key_value_heads == 0


@pytest.mark.parametrize("size", [0.0, 1e5, 1e14])
def test_a_size_out_of_all_bounds_is_refused(size: float) -> None:
    with pytest.raises(InputError, match="sizes go from 1M to 20T"):
        sized(size)


def test_a_configuration_alone_will_do(tmp_path: Path) -> None:
    config = preset("nano", hidden_size=64, ranks={"shared_key_value.k_proj": 8})
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    for name in (tmp_path, tmp_path / "config.json"):
        assert planned_model(str(name)).shape == config.shape
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match=r"other\.json: a file must be a config\.json, or a recipe"):
        planned_model(str(tmp_path / "other.json"))


def test_recipes_and_imported_folders_are_read(tmp_path: Path) -> None:
    assert planned_model("recipes/nano.yaml").shape.vocab_size == 3072
    dense = planned_model(str(save_dense(tmp_path / "dense")))
    assert isinstance(dense.shape, DenseShape)
    assert dense.config is None


def test_a_name_that_is_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"^--from '70': give a size such as 70B or 1\.2T"):
        planned_model("70")
