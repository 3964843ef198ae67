"""`tuili serve` sends what it writes at once, and completes the answers that it has begun before it ends on SIGTERM."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2
from openai import OpenAI

from tests.waiting import GUARD_SECONDS, eventually
from tuili.serve.server import listen

ASKED: Any = [{"role": "user", "content": "What is 48 + 27 * 3?"}]
CHOICES = 8
"""So many that their writing takes a while."""


def test_what_has_begun_is_answered_before_the_end(tmp_path: Path) -> None:
    command, log = [sys.executable, "-m", "tuili", "serve", "nano", "--port", "0"], tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stderr=file, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        listens = eventually(lambda: re.search(r"running on (http://[\d.:]+)", log.read_text()), "it does not listen")
        url = listens[1]
        eventually(lambda: httpx2.get(f"{url}/ready").status_code == 200, "the model is not loaded")
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        stream = client.chat.completions.create(model="nano", messages=ASKED, stream=True, extra_body={"depth": 12})
        next(iter(stream))
        whole: list[str | None] = []

        def ask() -> None:
            completion = client.chat.completions.create(
                model="nano", messages=ASKED, n=CHOICES, extra_body={"depth": 12}
            )
            whole.extend(choice.message.content for choice in completion.choices)

        thread = threading.Thread(target=ask)
        thread.start()
        eventually(lambda: whole or in_flight(url) >= CHOICES, "the second request does not arrive")
        process.send_signal(signal.SIGTERM)
        rest = list(stream)
        thread.join()
        assert "".join(chunk.choices[0].delta.content or "" for chunk in rest if chunk.choices) == "129"
        assert whole == ["129"] * CHOICES
        assert process.wait(GUARD_SECONDS) == 0
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert sum(line.get("path") == "/v1/chat/completions" for line in lines) == 2
    finally:
        process.kill()
        process.wait()


def in_flight(url: str) -> float:
    """How many answers are being worked on."""
    (number,) = re.findall(r'^tuili_requests_in_flight{model="nano"} (\S+)$', httpx2.get(f"{url}/metrics").text, re.M)
    return float(number)


def test_what_is_written_is_sent_at_once() -> None:
    async def sends_at_once() -> bool:
        connected: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = writer.get_extra_info("socket")
            connected.set_result(bool(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        (listener,) = listen("127.0.0.1", 0)
        async with await asyncio.start_server(note, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.close()
            return await connected

    assert asyncio.run(sends_at_once()), "small chunks of a stream must not wait for acknowledgements"
