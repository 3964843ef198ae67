"""The engine for asyncio: tasks get the blocking engine's answers, and leaving frees what was held."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import abc
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tuili.engine.answer import Answer
from tuili.engine.engine import Engine
from tuili.engine.events import Answered, Event
from tuili.engine.request import Budget, Request
from tuili.engine.runtime.load import load_engine
from tuili.engine.service import Closed, Service
from tuili.errors import PromptError, TuiliError
from tuili.model import LoadedModel
from tuili.store import Tokenizer

PROMPT = "What is 48 / 2 + 7?"


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    model, tokenizer = tiny_model()
    randomize_weights(model)
    return LoadedModel(model.eval(), tokenizer, Path())


async def answers(service: Service, count: int) -> list[Answer]:
    return await asyncio.gather(*(service.answer(Request(f"{PROMPT} {n}")) for n in range(count)))


def cost(answer: Answer) -> tuple[object, ...]:
    receipt = answer.receipt
    return receipt.stop, receipt.tokens, receipt.layer_steps, receipt.outcome


def test_the_service_gives_the_answers_of_the_blocking_engine(loaded: LoadedModel) -> None:
    async def main() -> list[Answer]:
        async with Service(load_engine(loaded, slots=3)) as service:
            return await answers(service, 9)

    blocking = load_engine(loaded, slots=3).answer([Request(f"{PROMPT} {n}") for n in range(9)])
    assert list(map(cost, asyncio.run(main()))) == list(map(cost, blocking))
    assert len(set(map(str, map(cost, blocking)))) > 1


def test_leaving_a_stream_or_a_task_frees_its_slot(loaded: LoadedModel) -> None:
    async def main() -> None:
        engine = load_engine(loaded, slots=1)
        async with Service(engine) as service:
            async for _ in service.stream(Request(PROMPT)):
                break
            task = asyncio.create_task(service.answer(Request(PROMPT)))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await answers(service, 2)
            with pytest.raises(PromptError, match="empty"):
                await service.answer(Request(""))
            task = asyncio.create_task(service.answer(Request(PROMPT, Budget(max_tokens=400))))
            await asyncio.sleep(0.01)
        engine.check()
        assert not engine.busy
        assert not service._live
        with pytest.raises(Closed):
            await service.answer(Request(PROMPT))
        task.cancel()

    asyncio.run(main())


def test_a_stream_has_the_events_of_the_blocking_engine_and_an_answer_alone_hears_no_others(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, told = load_engine(loaded), list[Event]()
    engine.admit(Request(PROMPT, Budget(max_steps=2)), told.append)
    while engine.busy:
        engine.step()

    async def main() -> None:
        request = Request(PROMPT, Budget(max_steps=2))
        async with Service(load_engine(loaded)) as service:
            events = [event async for event in service.stream(request)]
            batches = [batch async for batch in service.batches(request)]
            monkeypatch.setattr("tuili.engine.engine.EventBuilder", None)
            answer = await service.answer(request)
        assert events[:-1] == [event for batch in batches for event in batch][:-1] == told[:-1]
        assert all(batches)
        last = events[-1]
        assert isinstance(last, Answered)
        assert cost(answer) == cost(last.answer)

    asyncio.run(main())


def test_a_task_that_is_cancelled_before_its_request_is_admitted_leaves_nothing(loaded: LoadedModel) -> None:
    async def main() -> None:
        engine = load_engine(loaded)
        async with Service(engine) as service:
            request = engine.prepare(Request(PROMPT, Budget(max_tokens=400)))
            for _ in range(20):
                task = asyncio.create_task(service.answer(request))
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await service.drained()
            assert not service._streams
        assert not service._live
        assert not engine.busy

    asyncio.run(main())


def test_prompts_are_tokenised_outside_the_engines_thread_and_too_long_ones_not_at_all(
    loaded: LoadedModel,
) -> None:
    threads, lengths = set(), []

    class Watched(Tokenizer):
        def encode_prompt(self, prompt: str, earlier: abc.Sequence[tuple[str, str]] = ()) -> list[int]:
            threads.add(threading.current_thread().name)
            lengths.append(len(prompt))
            return super().encode_prompt(prompt, earlier)

    watched = replace(loaded, tokenizer=Watched(loaded.tokenizer.backend, loaded.tokenizer.end_id))

    async def main() -> None:
        async with Service(load_engine(watched)) as service:
            await service.answer(Request(PROMPT, Budget(max_tokens=5)))
            with pytest.raises(PromptError, match="1000000 bytes: the model's context takes at most 511 tokens"):
                await service.answer(Request("1" * 10**6))

    asyncio.run(main())
    assert lengths == [len(PROMPT)], "a prompt that cannot fit is refused by its bytes"
    assert not threads & {"engine", threading.main_thread().name}


def test_a_failure_of_the_engine_reaches_all_waiting_tasks(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Engine) -> None:
        raise RuntimeError("no memory")

    async def main() -> None:
        monkeypatch.setattr("threading.excepthook", lambda _: None)
        async with Service(load_engine(loaded)) as service:
            monkeypatch.setattr(Engine, "step", fail)
            results = await asyncio.gather(*(service.answer(Request(PROMPT)) for _ in range(2)), return_exceptions=True)
            assert any("no memory" in str(error) for error in results)
            assert all(isinstance(error, TuiliError) for error in results)

    asyncio.run(main())


def test_the_switch_interval_is_short_while_a_service_is_open_and_no_longer(loaded: LoadedModel) -> None:
    before = sys.getswitchinterval()

    async def main() -> None:
        async with Service(load_engine(loaded)):
            async with Service(load_engine(loaded)):
                assert sys.getswitchinterval() == pytest.approx(0.0005)
            assert sys.getswitchinterval() == pytest.approx(0.0005), "one is open still"
        assert sys.getswitchinterval() == before

    asyncio.run(main())
