"""nano over the native step and over torch, both in fp32: the same answers and receipts, whatever is asked for. The
native step writes a text alike to the bit, whatever is written beside it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.engine.runtime.steps import KINDS, Kind, scheduler_of
from tests.engine.runtime.texts import Texts
from tests.native.calling import library
from tuili.engine.answer import Answer, Receipt
from tuili.engine.engine import Engine
from tuili.engine.promises.promises import Promises
from tuili.engine.request import Budget, Request, Sampling
from tuili.engine.runtime.native.step import NativeStep
from tuili.engine.runtime.runner import Observation
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.source import arrays_of
from tuili.engine.runtime.torch.step import TorchStep
from tuili.engine.sequence import Sequence, SequenceLimits
from tuili.model import LoadedModel, load_model, read_verifier
from tuili.native import NativeModel, Sizes
from tuili.tasks import domain_names, unseen_problems

LONG = "Anna has 3 apples. She buys 4 more apples and gives 2 apples to Ben. How many apples does Anna have?"
SAMPLED = Sampling(temperature=0.8, top_p=0.9, seed=11)


@pytest.fixture(scope="module")
def nano() -> LoadedModel:
    return load_model("nano")


def asked() -> list[Request]:
    """A request of every kind."""
    texts = [problem.prompt for problem in unseen_problems(domain_names(), (1, 2), 1, seed=7)][1::3]
    budgets = [
        Budget(),
        Budget(max_tokens=9),
        Budget(max_layer_steps=160),
        Budget(max_steps=3, max_tokens=200),
        Budget(max_steps=2, max_layer_steps=900),
    ]
    requests = [Request(text, budgets[number % len(budgets)]) for number, text in enumerate(texts)]
    requests += [Request(text, Budget(max_layer_steps=700), depth="exact") for text in texts[:2]]
    requests += [
        Request(text, Budget(max_tokens=40), depth=depth) for text, depth in zip(texts, (3, 6, 12), strict=False)
    ]
    requests += [Request(text, Budget(max_tokens=40), SAMPLED) for text in texts[:2]]
    requests += [Request(texts[0], Budget(max_tokens=30), Sampling(logit_bias=((30, 4.0), (31, -100.0)), logprobs=2))]
    requests += [Request(texts[1], Budget(max_tokens=30), Sampling(logprobs=3, prompt_logprobs=2), writes=False)]
    requests += [Request(f"{LONG} {more}", Budget(max_tokens=30)) for more in ("How many has Ben?", "Count them.")]
    return requests


def plain(answer: Answer) -> tuple[str, list[str], Receipt]:
    """What must be equal. A confidence is compared for itself."""
    fixed = {"milliseconds": {}, "confidence": None, "runtime": ""}
    return answer.answer, [step.text for step in answer.steps], replace(answer.receipt, **fixed)


def test_answers_and_receipts_are_those_of_torch(nano: LoadedModel) -> None:
    told, seen = list[list[Answer]](), list[Observation]()
    for kind in KINDS:
        scheduler = scheduler_of(kind, nano.model, nano.tokenizer, slots=4, verifier=read_verifier(nano.path))
        engine = Engine(scheduler, nano.tokenizer, Promises(None))
        told.append(engine.answer(asked()))
        engine.check()
        assert scheduler.stats.cached_tokens > 0, "a prompt was reused"
        observation = engine.observe()
        assert observation is not None
        assert engine.observe() is None
        seen.append(observation)
    for mine, other in zip(*told, strict=True):
        assert plain(mine) == plain(other)
        assert mine.receipt.confidence == pytest.approx(other.receipt.confidence, abs=1e-3)
        for here, there in ((mine.logprobs, other.logprobs), (mine.prompt_logprobs, other.prompt_logprobs)):
            assert (here is None) == (there is None)
            for one, two in zip(here or (), there or (), strict=True):
                assert one.data == two.data
                assert one.logprob == pytest.approx(two.logprob, abs=1e-3)
                assert [data for data, _ in one.top] == [data for data, _ in two.top]
    assert len({answer.answer for answer in told[0]}) > 5
    assert seen[0].expert_tokens == seen[1].expert_tokens
    assert seen[0].active_heads == pytest.approx(seen[1].active_heads, abs=1e-3)


def test_int8_of_both_steps_is_the_same_up_to_rounding(nano: LoadedModel) -> None:
    """Both round weights and inputs in the same way; what differs by an ulp may be rounded to another whole number."""
    native = NativeModel(library(), Sizes.of(nano.model.config.shape), arrays_of(nano.model), "int8")
    steps = {
        "int8": NativeStep(native, nano.model.config.shape, 1),
        "twin": TorchStep(LeanModel(nano.model, int8=True), 1),
        "fp32": TorchStep(LeanModel(nano.model), 1),
    }
    ids = nano.tokenizer.encode_prompt(LONG)
    logits = {name: np.stack(Texts(step).read(0, ids)) for name, step in steps.items()}
    size = np.linalg.norm(logits["fp32"])
    near, far = (float(np.linalg.norm(logits["int8"] - logits[name]) / size) for name in ("twin", "fp32"))
    assert near < 0.005
    assert near < far / 3


def sequences(nano: LoadedModel) -> list[Sequence]:
    texts = [problem.prompt for problem in unseen_problems(domain_names(), (1,), 1, seed=9)][:9]
    made = []
    for number, text in enumerate(texts):
        sampling = replace_seed(number) if number % 3 == 2 else Sampling(logprobs=1)
        depth = ("auto", 12, "auto")[number % 3]
        made.append(Sequence(nano.tokenizer.encode_prompt(text), SequenceLimits(25), sampling, depth, 0.97))  # type: ignore[arg-type]
    return made


def replace_seed(seed: int) -> Sampling:
    return SAMPLED.model_copy(update={"seed": seed, "logprobs": 1})


def test_a_text_is_the_same_to_the_bit_alone_and_beside_others(nano: LoadedModel) -> None:
    alone, together = sequences(nano), sequences(nano)
    for sequence in alone:
        finish(nano, [sequence], "native", slots=1, chunk=7)
    finish(nano, together, "native", slots=5, chunk=256)
    for one, other in zip(alone, together, strict=True):
        assert (one.tokens, one.depths, one.top_probs) == (other.tokens, other.depths, other.top_probs)
        assert one.logprobs == other.logprobs


def finish(nano: LoadedModel, waiting: list[Sequence], kind: Kind, **settings: int) -> None:
    scheduler = scheduler_of(kind, nano.model, nano.tokenizer, **settings)
    for sequence in waiting:
        scheduler.submit(sequence)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
