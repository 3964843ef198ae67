"""Headers of GGUF files that are damaged anywhere: each is read or refused in one line, and never by another error."""

from __future__ import annotations

import random
from pathlib import Path

import gguf
import pytest

from tests.exchange.gguf_files import opened, save_gguf
from tuili.errors import InputError
from tuili.exchange.gguf_file import GgufFile
from tuili.exchange.gguf_header import read_header

JUNK = (b"\xff" * 8, b"\0" * 8, (1 << 31).to_bytes(8, "little"), (1 << 62).to_bytes(8, "little"))


def test_a_header_says_what_the_library_reads(tmp_path: Path) -> None:
    file = save_gguf(tmp_path, "q8_0")
    header, reader = read_header(file), gguf.GGUFReader(file)
    fields = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    assert header.metadata == fields
    assert header.tensors.keys() == {tensor.name for tensor in reader.tensors}
    for tensor in reader.tensors:
        place = header.tensors[tensor.name]
        assert (place.kind, place.shape) == (tensor.tensor_type.name, tuple(reversed(tensor.shape.tolist())))
        assert (place.begin, place.end - place.begin) == (tensor.data_offset, tensor.n_bytes)


@pytest.mark.parametrize("seed", range(3))
def test_damage_anywhere_is_refused_in_one_line(seed: int, tmp_path: Path) -> None:
    file = save_gguf(tmp_path, "q8_0", num_hidden_layers=1)
    data, model = file.read_bytes(), opened(tmp_path / "model")
    end, rng, refused = (
        min(place.begin for place in read_header(file).tensors.values()),
        random.Random(seed),
        list[str](),
    )
    for _ in range(200):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 3))):
            place, junk = rng.randrange(end), rng.choice((*JUNK, rng.randbytes(8)))
            length = rng.choice((1, 4, 8))
            changed[place : place + length] = junk[:length]
        file.write_bytes(changed[: rng.choice((len(data), len(data), rng.randrange(len(data))))])
        try:
            with GgufFile(file).weights(model.shape):
                pass
        except InputError as error:
            refused.append(str(error))
    assert 100 < len(refused) < 200
    assert not any("\n" in line for line in refused)
