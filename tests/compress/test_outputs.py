"""What comes out of a verb is a model like any other: for transformers, for both runners, and for a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.compress.running import factorised, pruned, quantised, shallower
from tests.serve.conftest import Running, running
from tuili.engine import Budget, Request, load_decoder, load_engine
from tuili.serve.models import engine_factory
from tuili.store import open_model

ASKED = ("What is 12 + 30?", "12 * 3 = ?")
PROMPT = [[1, 20, 30, 40, 50]]


KINDS = [
    "own", "imported", "whole numbers", "factors", "factors in whole numbers", "imported factors", "imported student",
    "imported factors in whole numbers",
]  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def output(
    request: pytest.FixtureRequest, own: Path, dense: Path, questions: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A pruned model of either kind, with fewer neurons and heads, and with fewer experts; others in whole numbers,
    with factors, and both."""
    out = tmp_path_factory.mktemp("run") / "run"
    if request.param == "own":
        result = pruned(own, out, steps=2, key_value_heads=1, experts=3)
    elif request.param == "whole numbers":
        result = quantised(own, out, healing={"steps": 2}, cache="int8")
    elif request.param.startswith("factors"):
        result = factorised(own, out, steps=2)
        if request.param != "factors":
            assert result.model is not None
            result = quantised(result.model, out.with_name("whole"), healing={"steps": 2})
    elif request.param.startswith("imported factors"):
        result = factorised(dense, out, questions, steps=2)
        if request.param != "imported factors":
            assert result.model is not None
            result = quantised(result.model, out.with_name("whole"), questions, healing={"steps": 2})
    elif request.param == "imported student":
        result = shallower(dense, out, questions, steps=2)
    else:
        result = pruned(dense, out, questions, steps=2, key_value_heads=1)
    assert result.model is not None
    return result.model


def test_transformers_writes_with_it(output: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(output).eval()
    ids = torch.tensor(PROMPT)
    with torch.inference_mode():
        written = model.generate(ids, max_new_tokens=6, do_sample=False, eos_token_id=None)
        logits = model(written[:, :-1]).logits[:, ids.shape[1] - 1 :]
    assert torch.equal(written[:, ids.shape[1] :], logits.argmax(-1))


def test_both_runners_write_the_same(output: Path) -> None:
    depth = open_model(output).shape
    full = max(getattr(depth, "exit_layers", (depth.num_hidden_layers,)))
    for layers in ("auto", full):
        native, torch_ = (
            load_decoder(output, layers, runner=runner, numbers="fp32", max_new_tokens=12).generate(ASKED)
            for runner in ("native", "torch")
        )
        assert [one.tokens for one in native] == [one.tokens for one in torch_]
        assert [one.depths for one in native] == [one.depths for one in torch_]


@pytest.fixture
def server(output: Path) -> Iterator[Running]:
    yield from running(folders=(str(output),), make_engine=engine_factory(slots=2, waiting=4, numbers="fp32"))


def test_a_server_says_what_the_engine_says(output: Path, server: Running) -> None:
    (alone,) = load_engine(output, numbers="fp32", slots=1).answer([Request(ASKED[0], Budget(max_tokens=8))])
    answer = server.client().chat.completions.create(
        model=output.parent.name, messages=[{"role": "user", "content": ASKED[0]}], max_tokens=8
    )
    assert (answer.choices[0].message.content or "") == alone.answer
    assert answer.usage is not None
    assert answer.usage.completion_tokens == alone.receipt.tokens["generated"]
