"""The lean clients see what a server does: first tokens, ends, refusals, broken answers, closed connections."""

from __future__ import annotations

import asyncio

from benchmarks.serving.peers.client import run_lean_load
from tuili.bench import LoadSettings, RequestResult

ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
TOKEN = b'data: {"choices":[{"delta":{"content":"4"}}]}\n\n'
LAST = b'data: {"choices":[],"usage":{"completion_tokens":7}}\n\ndata: [DONE]\n\n'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def loads(kind: str, clients: int = 2, seconds: float = 0.2) -> list[RequestResult]:
    """What clients see of a server that answers in one way."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
                if kind == "refuses":
                    await asyncio.sleep(0.02)
                    writer.write(b"HTTP/1.1 429 Too Many\r\nContent-Length: 4\r\n\r\nbusy")
                    continue
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: ")
                await asyncio.sleep(0.01)
                writer.write(b"chunked\r\n\r\n" + chunk(ROLE))
                await asyncio.sleep(0.02)
                writer.write(chunk(TOKEN)[:-1])
                await asyncio.sleep(0.02)
                if kind == "breaks":
                    break
                writer.write(b"\n" + chunk(LAST) + b"0\r\n")
                await asyncio.sleep(0.01)
                writer.write(b"\r\n")
                if kind == "closes":
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        settings = LoadSettings(f"http://127.0.0.1:{port}", "nano", clients=clients, seconds=seconds)
        return await run_lean_load(settings, ["1 + 3?", "2 + 2?"])


def test_answers_are_timed_and_counted():
    for kind in ("answers", "closes"):
        results = asyncio.run(loads(kind))
        assert len(results) >= 2
        for result in results:
            assert (result.status, result.tokens) == (200, 7)
            assert result.first_token is not None
            assert 0 < result.first_token < result.latency <= result.ended


def test_refusals_and_answers_that_break_off_are_no_answers():
    assert {result.status for result in asyncio.run(loads("refuses"))} == {429}
    broken = asyncio.run(loads("breaks"))
    assert {result.status for result in broken} == {0}


def test_where_nobody_listens_nothing_is_answered():
    settings = LoadSettings("http://127.0.0.1:9", "nano", clients=1, seconds=0.01)
    assert {result.status for result in asyncio.run(run_lean_load(settings, ["?"]))} == {0}
