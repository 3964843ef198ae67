"""The image, built by the steps of the Dockerfile, and at work. `make image` runs this as root; it takes minutes."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.container import Container, Image, container
from tests.deploy.manifests import ROOT
from tuili.store import SHIPPED_MODELS

pytestmark = pytest.mark.image
QUESTION = {"model": "nano", "messages": [{"role": "user", "content": "What is 48 + 27 * 3?"}]}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image for a CPU. It takes gigabytes, and is deleted in the end."""
    folder = tmp_path_factory.mktemp("image") / "cpu"
    try:
        built = subprocess.run(
            [ROOT / "scripts" / "image", folder, "cpu"],
            env=os.environ | {"PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
        yield Image.of(folder)
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


@pytest.fixture(scope="module")
def at_work(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The image at work with its defaults, ready."""
    with container(image, tmp_path_factory.mktemp("log") / "log") as running:
        running.until_ready()
        yield running


def test_it_is_what_the_dockerfile_says(image: Image) -> None:
    assert image.config["User"] == "10001:10001"
    assert image.config["Entrypoint"] == ["tuili", "serve"]
    assert "MODEL_VARIANT=nano" in image.config["Env"]


def test_nobody_inside_may_change_the_program(image: Image) -> None:
    """This holds even where the root is mounted writable."""
    for path in image.root.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or stat.S_ISCHR(mode):
            continue
        assert path.stat().st_uid != 10001, path
        assert not mode & stat.S_IWOTH or mode & stat.S_ISVTX, path


def test_nothing_of_the_building_is_left(image: Image) -> None:
    assert not (image.root / "sources").exists()
    assert not [path for path in (image.root / "etc").glob("pip*") if path.stat().st_size]
    assert not list((image.root / "tmp").iterdir())


def test_it_has_the_native_library_and_no_compiler(image: Image) -> None:
    (library,) = image.root.glob("venv/lib/python3*/site-packages/tuili/native/prebuilt/tuili.so")
    assert library.is_file()
    assert not [name for name in ("c++", "g++", "gcc", "cc") if (image.root / "usr" / "bin" / name).exists()]


def test_it_computes_with_that_library(at_work: Container) -> None:
    done = at_work.run(["python", "-c", "from tuili.native import load; print(load())"])
    assert done.stdout.endswith(", of the package\n"), done.stdout + done.stderr


def test_it_answers(at_work: Container) -> None:
    status, body = at_work.ask("/v1/chat/completions", QUESTION)
    assert status == 200, body
    (choice,) = json.loads(body)["choices"]
    assert choice["message"]["content"] == "129"
    assert choice["receipt"]["outcome"] == "answered"


def test_its_probes_and_metrics_answer(at_work: Container) -> None:
    assert [at_work.ask(path)[0] for path in ("/health", "/ready", "/metrics", "/", "/nothing")] == [200] * 4 + [404]
    assert 'tuili_ready{model="nano"} 1.0' in at_work.ask("/metrics")[1]


def test_it_may_write_to_tmp_only(at_work: Container) -> None:
    assert at_work.run(["touch", "/tmp/found"]).returncode == 0
    for place in ("/models/found", "/venv/found", "/found"):
        assert "Read-only file system" in at_work.run(["touch", place]).stderr
    assert at_work.run(["id", "-u"]).stdout == "10001\n"


def test_without_a_network_it_logs_no_warning(at_work: Container) -> None:
    """It runs without a network."""
    lines = [json.loads(line) for line in at_work.log.read_text().splitlines()]
    assert {line["level"] for line in lines} == {"info"}, lines


def test_model_and_port_are_chosen_by_variables(image: Image, tmp_path: Path) -> None:
    mine = {"MODEL_VARIANT": "mine", "TUILI_PORT": "8001"}
    with container(image, tmp_path / "log", model=SHIPPED_MODELS / "nano", **mine) as running:
        running.until_ready()
        status, body = running.ask("/v1/chat/completions", QUESTION | {"model": "mine"})
        assert (status, json.loads(body)["model"]) == (200, "mine")


def test_one_that_hangs_is_unhealthy(at_work: Container) -> None:
    os.kill(at_work.process_id, signal.SIGSTOP)
    assert not at_work.healthy()
    os.kill(at_work.process_id, signal.SIGCONT)
    assert at_work.healthy()


def test_it_ends_when_it_is_told_to(at_work: Container) -> None:
    """It is process 1 of its namespace, which only a signal that it handles can end. This is the last test."""
    assert at_work.stop() == 0, at_work.log.read_text()
