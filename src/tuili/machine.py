"""The machine: the cores that work may use, and the facts that figures depend on. No host name and no path is told."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from threading import get_native_id
from typing import Any

PROC = Path("/proc")
"""Where Linux describes the processor and the memory."""
CPU_QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")
"""Where a container with cgroups v2 finds `QUOTA PERIOD`, both in microseconds; `max` stands for no quota."""
THREADS_VARIABLE = "OMP_NUM_THREADS"
"""The variable that torch, too, takes its number of threads from."""
REPORTED_INSTRUCTIONS = {"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8"}


def machine() -> dict[str, Any]:
    """The facts that figures depend on: processor, instruction sets, cores, memory (GiB), threads, accelerator.

    Memory is None where the system does not tell it. Threads and accelerator are None where torch is not imported.
    """
    cpu, memory = _proc("cpuinfo"), _proc("meminfo")
    torch = sys.modules.get("torch")
    return {
        "cpu": cpu.get("model name", platform.machine()),
        "instructions": sorted(REPORTED_INSTRUCTIONS.intersection(cpu.get("flags", "").split())),
        "cores": _cores(),
        "threads": torch.get_num_threads() if torch else None,
        "memory_gib": round(int(memory["MemTotal"].split()[0]) / 2**20, 1) if memory else None,
        "accelerator": torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None,
    }


def multiplies_bf16() -> bool:
    """Whether the processor can multiply bf16 matrices by itself; otherwise bf16 is slower than fp32."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_proc("cpuinfo").get("flags", "").split())


def usable_cores() -> int:
    """The number of cores that work may use: those that this process may run on, or fewer where its container has a
    quota of processor time, or where `OMP_NUM_THREADS` asks for fewer threads.
    """
    most = _cores()
    try:
        quota, period = CPU_QUOTA_FILE.read_text().split()
        most = min(most, int(quota) // int(period))
    except (OSError, ValueError):  # there is no quota
        pass
    wanted = os.environ.get(THREADS_VARIABLE, "").partition(",")[0].strip()  # a list has a number for each level
    if wanted.isdecimal():
        most = min(most, int(wanted))
    return max(1, most)


NICENESS = 15
"""Of a thread that gives way: of a core that others want, too, it has a thirtieth."""


def give_way() -> None:
    """Let this thread take moments in which others leave a core to it, until it ends, as far as that can be: on Linux,
    where each thread has a priority of its own."""
    if sys.platform == "linux":
        with suppress(OSError):  # a container may not let it
            os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _proc(name: str) -> dict[str, str]:
    """The `key: value` lines of a file in `PROC`, the first of each key; nothing where there is no such file."""
    file = PROC / name
    lines = file.read_text().splitlines() if file.is_file() else []
    pairs = (line.partition(":") for line in lines[::-1])
    return {key.strip(): value.strip() for key, _, value in pairs}
