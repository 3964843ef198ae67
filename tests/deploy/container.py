"""Runs an image from its unpacked files, as `docker run --read-only --tmpfs /tmp --network none` would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 120
"""How long something may take: the machine may be busy."""

ISOLATE = r"""
set -e
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
if [ -n "$MODEL" ]; then
    mount -t tmpfs tmpfs "$ROOT/models"
    mkdir "$ROOT/models/mine"
    mount --bind "$MODEL" "$ROOT/models/mine"
    mount -o remount,bind,ro "$ROOT/models/mine"
    mount -o remount,bind,ro "$ROOT/models"
fi
mount -o remount,bind,ro "$ROOT"
"$PYTHON" -c "$LOOPBACK"
exec "$@"
"""
"""A script that runs in new namespaces: its mounts do not exist outside, and it reaches no network but its own."""
LOOPBACK = """
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any:
    fcntl.ioctl(any, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
"""
ASK = """
import os, sys, urllib.error, urllib.request as web
_, path, body = sys.argv
port = os.environ["TUILI_PORT"]
headers = {"Content-Type": "application/json"}
asked = web.Request(f"http://127.0.0.1:{port}{path}", body.encode() or None, headers)
try:
    answer = web.urlopen(asked, timeout=60)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode(), sep="\\n")
"""


@dataclass(frozen=True)
class Image:
    """The files of an image, and its configuration as Docker has it."""

    root: Path
    config: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> Image:
        """The image that `scripts/image` has written to a folder."""
        return cls(folder / "root", json.loads((folder / "image.json").read_text())["Docker"]["config"])

    def as_user(self, command: list[str], variables: dict[str, str]) -> list[str]:
        """A command of the image, run by the image's user without any privilege, with the image's environment."""
        user, group = self.config["User"].split(":")
        environment = dict(word.split("=", 1) for word in self.config["Env"]) | variables
        privileges = [f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
        return [
            "setpriv",
            *privileges,
            "env",
            "-i",
            *(f"{name}={value}" for name, value in environment.items()),
            *command,
        ]


@dataclass(frozen=True)
class Container:
    """An image at work with these environment variables. process_id: that of its first process, seen from outside."""

    image: Image
    variables: dict[str, str]
    outer: subprocess.Popen[bytes]
    process_id: int
    log: Path

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command inside, beside the program."""
        inside = [f"--target={self.process_id}", "--mount", "--pid", "--net", "--root", "--wd"]
        command = ["nsenter", *inside, *self.image.as_user(command, self.variables)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)

    def healthy(self) -> bool:
        """Whether the image's health check passes."""
        form, *command = self.image.config["Healthcheck"]["Test"]
        assert form == "CMD"
        return self.run(command).returncode == 0

    def ask(self, path: str, body: Any = None) -> tuple[int, str]:
        """Status and body of an answer over HTTP."""
        done = self.run(["python", "-c", ASK, path, json.dumps(body) if body is not None else ""])
        assert done.returncode == 0, done.stderr + self.log.read_text()
        status, _, text = done.stdout.partition("\n")
        return int(status), text

    def until_ready(self) -> None:
        """Wait until it is healthy and its model is ready."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.healthy() or self.ask("/ready")[0] != 200:
            assert self.outer.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.2)

    def stop(self) -> int:
        """End it by the image's signal. Returns its exit status."""
        subprocess.run(["kill", f"-{self.image.config['StopSignal']}", str(self.process_id)], check=True)
        return self.outer.wait(PATIENCE_SECONDS)


@contextmanager
def container(
    image: Image, log: Path, *arguments: str, model: Path | None = None, **variables: str
) -> Iterator[Container]:
    """The image's program at work. model: a folder that is mounted as /models/mine."""
    environment = {"ROOT": str(image.root), "PYTHON": sys.executable, "LOOPBACK": LOOPBACK, "MODEL": str(model or "")}
    program = [*image.config["Entrypoint"], *arguments]
    inner = ["unshare", f"--root={image.root}", f"--wd={image.config['WorkingDir']}"]
    outer = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
    command = [*outer, "sh", "-c", ISOLATE, "sh", *inner, *image.as_user(program, variables)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | environment
        )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        begun = time.monotonic()
        while not (numbers := children.read_text().split()):
            assert process.poll() is None and time.monotonic() < begun + PATIENCE_SECONDS, log.read_text()
            time.sleep(0.01)
        yield Container(image, variables, process, int(numbers[0]), log)
    finally:
        # Changing the user clears the signal by which the first process inside would end with the outer one.
        numbers = children.read_text().split() if process.poll() is None else []
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)
        process.kill()
        process.wait()
