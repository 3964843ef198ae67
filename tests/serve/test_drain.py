"""`tuili serve` completes the answers that it has begun before it ends on SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import openai
from openai import OpenAI

ASKED: Any = [{"role": "user", "content": "What is 48 + 27 * 3?"}]


def test_what_has_begun_is_answered_before_the_end() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tuili", "serve", "nano", "--port", str(port)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        client = OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)
        while time.perf_counter() - begun < 60:
            try:
                if list(client.models.list()):
                    break
            except openai.OpenAIError:
                pass
            time.sleep(0.05)
        stream = client.chat.completions.create(model="nano", messages=ASKED, stream=True, extra_body={"depth": 12})
        next(iter(stream))
        whole: list[str | None] = []

        def ask() -> None:
            completion = client.chat.completions.create(model="nano", messages=ASKED, extra_body={"depth": 12})
            whole.append(completion.choices[0].message.content)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        rest = list(stream)
        thread.join()
        assert "".join(chunk.choices[0].delta.content or "" for chunk in rest if chunk.choices) == "129"
        assert whole == ["129"]
        assert process.wait(30) == 0
        assert process.stderr is not None
        with process.stderr as log:
            lines = [json.loads(line) for line in log]
        assert sum(line.get("path") == "/v1/chat/completions" for line in lines) == 2
    finally:
        process.kill()
        process.wait()
