"""Runs what an image holds, from its unpacked files, as `docker run --read-only --tmpfs /tmp --network none` would."""

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

PATIENCE = 120
"""Seconds; the machine may be busy."""

SHUT_IN = r"""
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
"""Run in namespaces of its own, so that no mount is seen or left outside, and nothing but itself is reached."""
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
        """What `scripts/image` has left in a folder."""
        return cls(folder / "root", json.loads((folder / "image.json").read_text())["Docker"]["config"])

    def nobody(self, command: list[str], variables: dict[str, str]) -> list[str]:
        """A command as the image's user, with its environment and without any right. It comes from the image."""
        user, group = self.config["User"].split(":")
        own = dict(word.split("=", 1) for word in self.config["Env"]) | variables
        privileges = [f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
        return ["setpriv", *privileges, "env", "-i", *(f"{name}={value}" for name, value in own.items()), *command]


@dataclass(frozen=True)
class Container:
    """An image at work, with some variables. `number` is that of its first process, as it is seen from outside."""

    image: Image
    variables: dict[str, str]
    outer: subprocess.Popen[bytes]
    number: int
    log: Path

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """A command beside what is at work."""
        inside = [f"--target={self.number}", "--mount", "--pid", "--net", "--root", "--wd"]
        command = ["nsenter", *inside, *self.image.nobody(command, self.variables)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def healthy(self) -> bool:
        """Whether the image's own check is content."""
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
        """Wait for its health, and then for its model."""
        until = time.monotonic() + PATIENCE
        while not self.healthy() or self.ask("/ready")[0] != 200:
            assert self.outer.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.2)

    def stop(self) -> int:
        """What it ends with when it is told to, by the image's signal."""
        subprocess.run(["kill", f"-{self.image.config['StopSignal']}", str(self.number)], check=True)
        return self.outer.wait(PATIENCE)


@contextmanager
def container(
    image: Image, log: Path, *arguments: str, model: Path | None = None, **variables: str
) -> Iterator[Container]:
    """The image's program, until the end; `model`: a folder that is mounted as /models/mine."""
    own = {"ROOT": str(image.root), "PYTHON": sys.executable, "LOOPBACK": LOOPBACK, "MODEL": str(model or "")}
    program = [*image.config["Entrypoint"], *arguments]
    inner = ["unshare", f"--root={image.root}", f"--wd={image.config['WorkingDir']}"]
    outer = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
    command = [*outer, "sh", "-c", SHUT_IN, "sh", *inner, *image.nobody(program, variables)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | own
        )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        begun = time.monotonic()
        while not (numbers := children.read_text().split()):
            assert process.poll() is None and time.monotonic() < begun + PATIENCE, log.read_text()
            time.sleep(0.01)
        yield Container(image, variables, process, int(numbers[0]), log)
    finally:
        # The first process inside outlives the outer one, for what is to end it with that is lost as it takes a user.
        numbers = children.read_text().split() if process.poll() is None else []
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)
        process.kill()
        process.wait()
