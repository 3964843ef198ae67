"""Asking and serving with the native runner: neither torch nor transformers is imported, and little memory is taken."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

from tests.native.calling import library
from tests.waiting import GUARD_SECONDS

MOST_MEGABYTES = 250
"""Of a process that has asked and served."""
RUN = """
import json, os, signal, sys, threading, time, urllib.request
from tuili.cli.app import main

port, done = sys.argv[1], {}

def send(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return reply.read().decode()

def use():
    try:
        while "ready" not in done:
            try:
                done["ready"] = send("/ready")
            except OSError:
                time.sleep(0.02)
        question = {"model": "nano", "messages": [{"role": "user", "content": "What is 7 + 8?"}], "stream": True}
        done["stream"] = send("/v1/chat/completions", question)
        done["scrape"] = send("/metrics")
    finally:
        os.kill(os.getpid(), signal.SIGTERM)

assert main(["ask", "What is 48 + 27 - 3?", "--runner", "native"]) == 0
threading.Thread(target=use).start()
assert main(["serve", "nano", "--port", port, "--runner", "native"]) == 0
heavy = sorted({"torch", "transformers"} & sys.modules.keys())
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps(done | {"heavy": heavy, "kilobytes": int(status["VmHWM"].split()[0])}))
"""


def test_neither_torch_nor_transformers_is_imported_by_asking_streaming_and_scraping() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    ended = subprocess.run(
        [sys.executable, "-c", RUN, port], capture_output=True, text=True, check=False, timeout=2 * GUARD_SECONDS
    )
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout.splitlines()[-1])
    assert done["heavy"] == []
    assert done["stream"].rstrip().endswith("data: [DONE]")
    assert "tuili_requests_total" in done["scrape"]
    assert done["kilobytes"] < MOST_MEGABYTES * 1000
    loaded = [json.loads(line) for line in ended.stderr.splitlines() if "runs by" in line]
    assert [line["message"] for line in loaded] == [
        f"model nano runs by native, int8, cache bf16; native library: {library()}"
    ]
