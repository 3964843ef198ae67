"""Commands in a network of their own, and the bytes that they send there: one command over the loopback interface, or
two in two networks over a link between them, as of two machines, which can be throttled.

A network namespace of Linux has no other traffic, so that its counter tells what processes really send: with headers,
acknowledgements and all they say beside gradients. Each packet is counted once.
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
"""Of the first of two networks, in which the second one reaches it."""
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
"""That a link lets through at once behind a pause: far less than one exchange of gradients in few bits."""
ENDING_SECONDS = 30
"""For what is interrupted to end by SIGTERM, before SIGKILL."""
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


def bytes_sent_by(command: Sequence[str]) -> int:
    """The bytes that a command, and what it starts, sends over the loopback interface.

    What it shows goes nowhere. Raises `NoNamespace`, and `subprocess.CalledProcessError` where the command fails.
    """
    return _sent(COUNTED, command, "lo")


def bytes_sent_by_two(command: Sequence[str], megabits: int) -> int:
    """The bytes that a command sends that runs twice, in two networks, over a link that lets so many megabits a second
    through in each direction.

    Each finds in the variable SIDE which one it is, 0 or 1; the first one's address is `ADDRESS`, and their ends of the
    link are the interfaces `first` and `second`. Raises what `bytes_sent_by` raises.
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
    """Raise `NoNamespace` where there can be none. That there can be one is found out once."""
    try:
        tried = subprocess.run([*enter, "sh", "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoNamespace(f"no network namespace: {error.filename} is missing") from error
    if tried.returncode:
        raise NoNamespace(f"no network namespace: {_last_line(tried.stderr) or 'refused'}")


def _in_a_group(command: Sequence[str]) -> str:
    """What a command writes. However this ends, so does its group: by SIGTERM, so that a launcher ends the processes of
    its run, and behind that by SIGKILL."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip
    try:
        output, errors = process.communicate()
    finally:
        until = time.monotonic() + ENDING_SECONDS
        with suppress(ProcessLookupError):  # none of the group is left
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
