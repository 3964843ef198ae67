"""The machine: the cores available for work, and the facts that figures depend on, without host names or paths."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from threading import get_native_id
from typing import Any

PROC = Path("/proc")
"""The folder in which Linux describes the processor and the memory."""
CPU_QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")
"""In a container with cgroups v2, it contains `QUOTA PERIOD`, both in microseconds; `max` means no quota."""
THREADS_VARIABLE = "OMP_NUM_THREADS"
"""The variable from which torch also takes its number of threads."""
REPORTED_INSTRUCTIONS = {"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8"}


def machine() -> dict[str, Any]:
    """The facts that figures depend on: processor, instruction sets, cores, memory (GiB), threads, accelerator.

    Memory is None if the system does not report it. Threads and accelerator are None if torch is not imported.
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
    """Whether the processor can multiply bf16 matrices in hardware; otherwise bf16 is slower than fp32."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_proc("cpuinfo").get("flags", "").split())


def usable_cores() -> int:
    """The number of cores available for work: those that this process may run on, or fewer if its container has a CPU
    quota or `OMP_NUM_THREADS` asks for fewer threads.
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
"""The niceness of a thread that gives way: it gets a thirtieth of a core that others also want."""


def give_way() -> None:
    """Let this thread, until it ends, run mostly when others leave a core idle. This works only on Linux, where each
    thread has its own priority."""
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it
            os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _proc(name: str) -> dict[str, str]:
    """The `key: value` lines of a file in `PROC`, the first for each key; empty if there is no such file."""
    file = PROC / name
    lines = file.read_text().splitlines() if file.is_file() else []
    pairs = (line.partition(":") for line in lines[::-1])
    return {key.strip(): value.strip() for key, _, value in pairs}
