"""An imported model of random weights, and word problems as the project's data has them."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from benchmarks.imported.prompts import ASKED, PROBLEMS, WORKED
from benchmarks.imported.taught.data import DEV
from tests.store.dense_folders import save_dense
from tuili.store import ImportedModel, open_model


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens that a teaching learns are those of few problems; what is smaller is compared on few documents."""
    monkeypatch.setattr("tuili.compress.parent.MEASURED_DOCUMENTS", 20)
    monkeypatch.setattr("tuili.posttrain.teaching.data.SAMPLED_PROBLEMS", 200)


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> ImportedModel:
    model = open_model(save_dense(tmp_path_factory.mktemp("imported") / "tiny", tie_word_embeddings=True))
    assert isinstance(model, ImportedModel)
    return model


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Questions of three lengths, and worked answers."""
    asked = [{"question": f"What is {chr(0x3B1 + number)}?{' Why?' * (number % 3)}"} for number in range(9)]
    worked = [
        {"question": f"Is {number} a number?", "answer": f"It is <<{number}={number}>>{number}.\n#### {number}"}
        for number in range(1000, 2000)
    ]
    for name, lines in ((ASKED, asked), (WORKED, worked)):
        file = tmp_path / name
        file.parent.mkdir()
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return tmp_path


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A small folder of questions with their answers, in the forms of the real one."""
    folder = tmp_path / "data"
    for name in (ASKED, WORKED):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    buying, finding = (
        "Ann has {} apples and buys {} more. How many has she?",
        "Tom keeps {} pens and finds {}. How many?",
    )
    adding = [(buying if a < 7 else finding, a, a + 2) for a in range(3, 13)]  # the former are held back, too
    equations = [{"question": q.format(a, b), "equation": f"+ {a} {b}", "answer": f"{a + b}"} for q, a, b in adding]
    others = [line | {"question": f"Once more: {line['question']}"} for line in equations]
    for name, lines in ((PROBLEMS, equations), (DEV, equations[:2] + others[:2]), (ASKED, others[:3])):
        (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    things = ["cards", "books", "cups", "hats", "pens", "keys", "maps", "jars", "nuts", "figs"]
    pairs = [*combinations(things, 2)][:20]
    told = [(f"Bob sold {n + 2} {a} and {n + 3} {b}. How many things?", n + 2, n + 3) for n, (a, b) in enumerate(pairs)]
    words = [{"question": q, "answer": f"He sold <<{a}+{b}={a + b}>>{a + b}.\n#### {a + b}"} for q, a, b in told]
    (folder / WORKED).write_text("".join(f"{json.dumps(line)}\n" for line in words))
    return folder
