"""A command in a network of its own, and the bytes that it sends there: all that goes over the loopback interface.

A network namespace of Linux has no other traffic, so that its counter tells what processes really send: with headers,
acknowledgements and all they say beside gradients. Each packet is counted once. The interface can be throttled: then
all processes share so many bits a second, whoever sends them.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Sequence
from functools import cache

ENTER = ("unshare", "--map-root-user", "--net", "sh", "-c")
COUNTED = 'ip link set lo up && {throttle} "$@" >&2 && cat /proc/net/dev'
THROTTLE = "tc qdisc add dev lo root tbf rate {megabits}mbit burst 128kb latency 1s &&"
SENT_COLUMN = 8
"""Behind the name of an interface: eight figures of what it has received, then the bytes that it has sent."""


class NoNamespace(Exception):
    """No network namespace can be made here; says why."""


@cache
def refusal() -> str | None:
    """Why no network namespace can be made here, if none can."""
    try:
        bytes_sent_by(["true"])
    except NoNamespace as error:
        return str(error)
    return None


def why_failed(error: subprocess.CalledProcessError) -> str:
    """What a command that has failed in `bytes_sent_by` said last, or how it ended where it said nothing."""
    if line := _last_line(error.stderr):
        return line
    killed = error.returncode < 0
    return f"killed by {signal.Signals(-error.returncode).name}" if killed else f"exit code {error.returncode}"


def bytes_sent_by(command: Sequence[str], megabits: int | None = None) -> int:
    """The bytes that a command, and what it starts, sends over the loopback interface, through which so many megabits
    a second go at most.

    What it shows goes nowhere. Raises `NoNamespace`, and `subprocess.CalledProcessError` where the command fails.
    """
    counted = COUNTED.format(throttle="" if megabits is None else THROTTLE.format(megabits=megabits))
    try:
        tried = subprocess.run([*ENTER, counted, "sh", "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoNamespace(f"no network namespace: {error.filename} is missing") from error
    if tried.returncode:
        raise NoNamespace(f"no network namespace: {_last_line(tried.stderr) or 'refused'}")
    done = subprocess.run([*ENTER, counted, "sh", *command], capture_output=True, text=True, check=True)
    (columns,) = re.findall(r"^\s*lo:(.*)$", done.stdout, re.MULTILINE)
    return int(columns.split()[SENT_COLUMN])


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
