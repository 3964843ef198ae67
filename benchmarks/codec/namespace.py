"""Commands in a network of their own, and the bytes that they send there: one command over the loopback interface, or
two in two networks over a link between them, which can be throttled, as on two machines.

A network namespace of Linux has no other traffic, so its counter shows what processes really send: with headers,
acknowledgements and everything they say besides gradients. Each packet is counted once.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

ENTER = ("unshare", "--map-root-user", "--net", "sh", "-c")
COUNTED = 'ip link set lo up && "$@" >&2 && cat /proc/net/dev'
ADDRESS = "10.99.0.1"
"""The address of the first of two networks, at which the second one reaches it."""
LINKED = """
set -e
ip link set lo up
unshare --net sleep 86400 & other=$!
trap "kill $other" EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
ip link add first type veth peer name second
ip link set second netns $other
there="nsenter --target $other --net"
ip address add {address}/30 dev first
$there ip address add {other}/30 dev second
$there ip link set lo up
for end in first second; do
  [ $end = first ] && enter= || enter=$there
  $enter ip link set $end up
  $enter tc qdisc add dev $end root tbf rate {megabits}mbit burst {burst} latency 1s
done
SIDE=1 $there "$@" >&2 & second=$!
SIDE=0 "$@" >&2 || { kill $second; exit 1; }
wait $second
cat /proc/net/dev
$there cat /proc/net/dev
"""
BURST_BYTES = 16 << 10
"""How much a link lets through at once after a pause: far less than one exchange of gradients in few bits."""
ENDING_SECONDS = 30
"""How long an interrupted command may take to end after SIGTERM, before SIGKILL."""
SENT_COLUMN = 8
"""After the name of an interface come eight figures of what it has received, then the bytes that it has sent."""


class NoNamespace(Exception):
    """Says why no network namespace can be made here."""


@cache
def refusal() -> str | None:
    """Why no network namespace can be made here, if none can."""
    try:
        bytes_sent_by(["true"])
    except NoNamespace as error:
        return str(error)
    return None


def why_failed(error: subprocess.CalledProcessError) -> str:
    """The last line of a command that failed in `bytes_sent_by`, or how it ended if it said nothing."""
    if line := _last_line(error.stderr):
        return line
    killed = error.returncode < 0
    return f"killed by {signal.Signals(-error.returncode).name}" if killed else f"exit code {error.returncode}"


def bytes_sent_by(command: Sequence[str]) -> int:
    """The bytes that a command, and what it starts, sends over the loopback interface.

    Its output is discarded. Raises `NoNamespace`, and `subprocess.CalledProcessError` if the command fails.
    """
    return _sent(COUNTED, command, "lo")


def bytes_sent_by_two(command: Sequence[str], megabits: int) -> int:
    """The bytes that two runs of a command send, in two networks, over a link of `megabits` a second in each direction.

    Each finds in the variable SIDE which one it is, 0 or 1; the address of the first one is `ADDRESS`, and their ends
    of the link are the interfaces `first` and `second`. Raises what `bytes_sent_by` raises.
    """
    other = f"{ADDRESS[:-1]}2"
    given = {"address": ADDRESS, "other": other, "megabits": str(megabits), "burst": str(BURST_BYTES)}
    script = re.sub(r"\{(\w+)\}", lambda name: given[name[1]], LINKED)
    return _sent(script, command, "(?:first|second)")


def _sent(script: str, command: Sequence[str], interfaces: str) -> int:
    _try((*ENTER, script))
    counted = _in_a_group([*ENTER, script, "sh", *command])
    found = re.findall(rf"^\s*{interfaces}:(.*)$", counted, re.MULTILINE)
    return sum(int(columns.split()[SENT_COLUMN]) for columns in found)


@cache
def _try(enter: tuple[str, ...]) -> None:
    """Raise `NoNamespace` if none can be made. Success is remembered."""
    try:
        tried = subprocess.run([*enter, "sh", "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoNamespace(f"no network namespace: {error.filename} is missing") from error
    if tried.returncode:
        raise NoNamespace(f"no network namespace: {_last_line(tried.stderr) or 'refused'}")


def _in_a_group(command: Sequence[str]) -> str:
    """Return what a command writes. However this function ends, it also ends the command's process group: by SIGTERM,
    so that a launcher ends the processes of its run, then by SIGKILL."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip
    try:
        output, errors = process.communicate()
    finally:
        until = time.monotonic() + ENDING_SECONDS
        with suppress(ProcessLookupError):  # no process of the group is left
            os.killpg(process.pid, signal.SIGTERM)
            while time.monotonic() < until:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output, errors)
    return output


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
