"""Which tensors of a folder are whole numbers, and what is refused."""

from __future__ import annotations

import json

import pytest

from tuili.errors import ModelFolderError
from tuili.store import ModelShape, Quantization, read_shape, tensor_shapes


def test_matrices_are_whole_numbers_and_what_decides_is_not():
    shapes = tensor_shapes(ModelShape(quantization=Quantization()))
    kinds = Quantization().stored_kinds(shapes)
    stored = Quantization().stored_shapes(shapes)
    assert stored.keys() - shapes.keys() == {name for name in kinds if name not in shapes}
    plain = shapes.keys() - kinds.keys()
    ends = "attention_norm balance_bias convolution gate_proj k_norm mlp_norm moe_norm norm q_norm router shared_norm"
    assert {name.removesuffix(".weight").rpartition(".")[2] for name in plain} == {*ends.split()}
    experts = "model.reasoning.0.moe.experts.down_proj"
    assert stored[experts] == shapes[experts] == (16, 192, 80)
    assert stored[f"{experts}_scale"] == (16, 192, 1)
    assert kinds[experts] == "I8" and kinds[f"{experts}_scale"] == "F32"


def test_of_4_bits_two_stand_in_a_byte_where_groups_divide_the_inputs():
    trained, shapes = Quantization("w4a8"), tensor_shapes(ModelShape())
    stored, kinds = trained.stored_shapes(shapes), trained.stored_kinds(shapes)
    experts = "model.reasoning.0.moe.experts"
    assert stored[f"{experts}.gate_up_proj"] == (16, 160, 96) and kinds[f"{experts}.gate_up_proj"] == "U8"
    assert stored[f"{experts}.gate_up_proj_scale"] == (16, 160, 6) and kinds[f"{experts}.gate_up_proj_scale"] == "F16"
    assert stored[f"{experts}.down_proj"] == (16, 192, 80) and kinds[f"{experts}.down_proj"] == "I8"
    assert kinds["model.embed_tokens.weight"] == "I8"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"numbers": "int3"}, r"quantization.numbers: Input should be 'int8' or 'w4a8'"),
        ({"numbers": "int8", "cache": "bf16"}, r"quantization.cache"),
        ({"numbers": "int8", "bits": 8}, r"quantization.bits"),
    ],
)
def test_other_numbers_are_refused(made, tmp_path, said, reason):
    config = json.loads((made / "config.json").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config | {"quantization": said}))
    with pytest.raises(ModelFolderError, match=reason):
        read_shape(tmp_path)
    with pytest.raises(ValueError, match="quantization"):
        Quantization("int3")  # type: ignore[arg-type]
