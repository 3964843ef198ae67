"""The Dockerfile and the compose files, as they are written. `test_image_built.py` builds the image."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import DEPLOY, ROOT, environment, needs_kubectl, overlay
from tests.waiting import GUARD_SECONDS

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
HADOLINT = Path(sys.executable).with_name("hadolint")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
COMPOSE_GPU = yaml.safe_load((DEPLOY / "compose.gpu.yaml").read_text())


def hadolint(text: str) -> str:
    done = subprocess.run([HADOLINT, "--no-color", "-"], input=text, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    return done.stdout


def variables(stage: str) -> dict[str, str]:
    """The environment variables that a stage of the Dockerfile sets."""
    (body,) = re.findall(rf"^FROM \S+ AS {stage}\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.DOTALL | re.MULTILINE)
    lines = " ".join(re.findall(r"^ENV ((?:.*\\\n)*.*)", body, re.MULTILINE)).replace("\\\n", " ")
    return dict(word.split("=", 1) for word in lines.split())


def default(value: str) -> str:
    """What `${NAME:-default}` stands for."""
    match = re.fullmatch(r"\$\{\w+:-(.*)\}", value)
    assert match
    return match[1]


def healthy(status: int | None) -> bool:
    """Whether the image's health check passes for a server that answers with `status`; None for no server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    (shown,) = re.findall(r"^HEALTHCHECK .*\\\n\s*CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    program, *arguments = json.loads(shown)
    assert program == "python"
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        port = str(server.server_port)
        if status is None:
            server.server_close()
        else:
            threading.Thread(target=server.handle_request, daemon=True).start()
        environment = os.environ | {"TUILI_PORT": port, "http_proxy": "http://127.0.0.1:9"}
        done = subprocess.run(
            [sys.executable, "-S", *arguments], env=environment, capture_output=True, timeout=GUARD_SECONDS, check=False
        )
    return done.returncode == 0


def test_hadolint_finds_nothing() -> None:
    assert hadolint(DOCKERFILE) == ""


def test_hadolint_finds_what_is_wrong() -> None:
    assert "DL3008" in hadolint(DOCKERFILE.replace("'g++=4:*'", "g++"))


def test_both_targets_are_there_and_run_as_nobody() -> None:
    stages = re.findall(r"^FROM (\S+) AS (\S+)", DOCKERFILE, re.MULTILINE)
    assert {("runtime", "cpu"), ("runtime", "gpu")} <= set(stages)
    (user,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert all(int(number) >= 10000 for number in user)


def test_everything_that_is_written_goes_to_the_folder_that_may_be() -> None:
    environment = variables("runtime")
    places = {name: value for name, value in environment.items() if re.search("HOME|DIR$", name)}
    assert {"HOME", "TMPDIR", "HF_HOME", "XDG_CACHE_HOME"} <= set(places)
    assert {value.split("/")[1] for value in places.values()} == {"tmp"}


def test_only_what_the_image_needs_is_sent_to_be_built() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{name}" for line in copied for name in line.split()} == {line for line in ignored if line[0] == "!"}
    assert "*" in ignored
    assert all((ROOT / name).exists() for line in copied for name in line.split())


@pytest.mark.parametrize(("status", "verdict"), [(200, True), (503, False), (404, False), (None, False)])
def test_the_health_check_tells_a_healthy_server(status: int | None, verdict: bool) -> None:
    assert healthy(status) == verdict


@needs_kubectl
@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_image_composition_and_cluster_have_the_same_defaults(target: str) -> None:
    image = variables("runtime") | variables(target)
    cluster = environment(overlay(target))
    composed = COMPOSE["services"]["tuili"] | (COMPOSE_GPU["services"]["tuili"] if target == "gpu" else {})
    defaults = {name: default(value) for name, value in composed["environment"].items()}
    fixed = ("MODEL_VARIANT", "BATCH_SIZE", *(["TUILI_DEVICE"] if target == "gpu" else []))
    assert {name: value for name, value in defaults.items() if value != "auto"} == {
        name: cluster[name] for name in fixed
    }
    assert {name: image[name] for name in fixed[1:]} == {name: defaults[name] for name in fixed[1:]}
    assert image["MODEL_VARIANT"] == "nano"  # the one that is in the image
    assert {name: image[name] for name in ("TUILI_HOST", "TUILI_PORT")}.items() <= cluster.items()


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_a_composed_service_is_shut_in_and_reached_from_this_machine_only(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert not re.search("password|secret|token", str(service.get("environment", {})), re.IGNORECASE)


def test_every_file_that_is_mounted_is_there() -> None:
    mounts = [line.split(":")[0] for service in COMPOSE["services"].values() for line in service["volumes"]]
    files = [name for name in mounts if name.startswith("./")]
    assert len(files) == 5
    assert all((DEPLOY / name).is_file() for name in files)
    assert {name for name in mounts if name.isalpha()} <= set(COMPOSE["volumes"])


def test_images_have_a_version() -> None:
    images = [service["image"] for service in COMPOSE["services"].values()]
    assert all(re.fullmatch(r"[\w/]+:(?!latest)[\w.]+", image) for image in images)


def test_the_page_names_every_file_and_every_build_argument() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    files = {path.relative_to(ROOT).as_posix() for path in DEPLOY.rglob("*") if path.is_file()}
    assert {name for name in files if "__pycache__" not in name and f"(../{name})" not in page} == set()
    assert {
        name for name in re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE) if f"| `{name}` |" not in page
    } == set()
