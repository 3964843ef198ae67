"""What comes out of a verb is a model like any other: for transformers, for both runners, and for a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.compress.distilling.test_distil import distilled
from tests.compress.running import factorised, pruned, quantised, shallower
from tests.serve.conftest import Running, running
from tuili.engine import Budget, Numbers, Request, load_decoder, load_engine
from tuili.posttrain import ExitsRecipe, train_exits
from tuili.serve.models import engine_factory
from tuili.store import ImportedModel, model_hash, open_model, read_lineage

ASKED = ("What is 12 + 30?", "12 * 3 = ?")
PROMPT = [[1, 20, 30, 40, 50]]


KINDS = [
    "own", "imported", "whole numbers", "factors", "factors in whole numbers", "imported factors", "imported student",
    "imported factors in whole numbers", "imported factors in w4a8", "student", "w4a8", "imported in whole numbers",
    "imported w4a8", "shared factors in w4a8",
]  # fmt: skip


@pytest.fixture(scope="module")
def factors(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = factorised(own, tmp_path_factory.mktemp("factors") / "run", steps=2)
    assert result.model is not None
    return result.model


@pytest.fixture(scope="module")
def imported_factors(dense: Path, questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = factorised(dense, tmp_path_factory.mktemp("imported-factors") / "run", questions, steps=2)
    assert result.model is not None
    return result.model


@pytest.fixture(scope="module", params=KINDS)
def output(
    request: pytest.FixtureRequest, own: Path, dense: Path, wide: Path, half: Path, factors: Path,
    imported_factors: Path, questions: Path, tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A pruned model of either kind, with fewer neurons and heads, and with fewer experts; a student; others in whole
    numbers, with factors, and both."""
    out = tmp_path_factory.mktemp("run") / "run"
    if request.param == "own":
        result = pruned(own, out, steps=2, key_value_heads=1, experts=3)
    elif request.param == "student":
        result = distilled(own, out, steps=2, on_policy=0, source="texts")
    elif request.param == "w4a8":
        result = quantised(wide, out, healing={"steps": 2}, numbers="w4a8")
    elif request.param == "shared factors in w4a8":
        shared = factorised(wide, out.with_name("shared"), steps=2, bases="shared", keep=0.9)
        assert shared.model is not None
        result = quantised(shared.model, out, healing={"steps": 2}, numbers="w4a8", cache="int8")
    elif request.param == "imported w4a8":
        result = quantised(half, out, questions, healing={"steps": 2}, numbers="w4a8", cache="int8")
    elif request.param == "imported in whole numbers":
        result = quantised(half, out, questions, healing={"steps": 2})
    elif request.param == "whole numbers":
        result = quantised(own, out, healing={"steps": 2}, cache="int8")
    elif request.param == "factors":
        return factors
    elif request.param == "imported factors":
        return imported_factors
    elif request.param == "factors in whole numbers":
        result = quantised(factors, out, healing={"steps": 2})
    elif request.param.startswith("imported factors"):
        numbers = "w4a8" if request.param.endswith("w4a8") else "int8"
        result = quantised(imported_factors, out, questions, healing={"steps": 2}, numbers=numbers)
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


@pytest.mark.integration
def test_lm_eval_scores_as_transformers_does(output: Path) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    harness: Any = HFLM(pretrained=str(output), device="cpu", dtype="float32", batch_size=2, trust_remote_code=False)
    pairs = [("What is 12 + 30?", " 42"), ("12 * 3 = ?", " It is 36.")]
    scored = harness.loglikelihood([Instance("loglikelihood", {}, pair, n) for n, pair in enumerate(pairs)], True)
    model = AutoModelForCausalLM.from_pretrained(output, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(output)
    for (prompt, response), (score, _) in zip(pairs, scored, strict=True):
        context, target = (tokenizer.encode(text, add_special_tokens=False) for text in (prompt, response))
        with torch.inference_mode():
            chances = model(torch.tensor([context + target])).logits[0].log_softmax(-1)
        alone = sum(float(chances[len(context) + place - 1, token]) for place, token in enumerate(target))
        assert score == pytest.approx(alone, rel=1e-3)


@pytest.mark.parametrize("numbers", ["fp32", "auto"])
def test_both_runners_write_the_same(output: Path, numbers: Numbers) -> None:
    """In full numbers, and in the whole ones that it has learnt, where sums that are rounded otherwise may decide how
    deep a token goes."""
    shape = open_model(output).shape
    if numbers == "auto" and shape.quantization is None:  # each runner rounds as it likes
        return
    full = max(shape.exit_layers)
    for layers in ("auto", full)[numbers == "auto" or shape.exit_layers == (full,) :]:
        native, torch_ = (
            load_decoder(output, layers, runner=runner, numbers=numbers, max_new_tokens=12).generate(ASKED)
            for runner in ("native", "torch")
        )
        for asked, one, other in zip(ASKED, native, torch_, strict=True):
            pairs = zip(one.tokens, other.tokens, strict=False)
            alike = len([*takewhile(lambda pair: pair[0] == pair[1], pairs)])
            assert one.depths[:alike] == other.depths[:alike]
            if one.tokens != other.tokens:
                assert is_tied(output, asked, one.tokens[:alike], [one.tokens[alike], other.tokens[alike]])


def test_exits_are_trained_on_what_was_imported(output: Path, tmp_path: Path) -> None:
    """Tuili's own models keep theirs; others get them anew, and leave them at depths of their own."""
    stored = open_model(output)
    depths = sorted({1, 2, stored.shape.num_hidden_layers})
    if not isinstance(stored, ImportedModel):
        return
    small = {
        "at": depths, "rank": 4, "channels": 4, "tokens": 300, "validation_tokens": 40, "test_tokens": 40,
        "texts": 2, "adapter": {"steps": 4, "rows": 32}, "confidence": {"steps": 4, "rows": 32},
        "threshold": {"tries": 2, "loss": 100.0},
    }  # fmt: skip
    config = ExitsRecipe.model_validate_json(json.dumps({"exits": small})).exits
    texts = [{"question": f"{one}{other}: What is 1 + 2?", "answer": "3"} for one in "abcdefgh" for other in "abcdefg"]
    (tmp_path / "sums.jsonl").write_text("\n".join(map(json.dumps, texts)))
    run = partial(train_exits, resume=False, tell=lambda *_: None, announce=lambda _: None)
    model = run(str(output), config, [tmp_path / "sums.jsonl"], tmp_path / "run").model
    assert model_hash(model) == model_hash(output)
    assert [entry.step for entry in read_lineage(model)] == [*(entry.step for entry in read_lineage(output)), "exits"]
    for asked, expected in (("auto", depths), *((depth, [depth]) for depth in depths)):
        written = load_decoder(model, asked, numbers="fp32", max_new_tokens=12).generate(ASKED)
        assert {depth for one in written for depth in one.depths} <= {*expected}


def is_tied(output: Path, asked: str, written: list[int], tokens: list[int]) -> bool:
    """Whether an imported model has as good as one logit for two tokens: where sums end between two whole numbers, each
    runner may round another way."""
    stored = open_model(output)
    if not isinstance(stored, ImportedModel):
        return False
    ids = [*stored.tokenizer.encode_chat([{"role": "user", "content": asked}]), *written]
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(output, dtype=torch.float32)(torch.tensor([ids])).logits[0, -1]
    one, other = logits[tokens].tolist()
    return abs(one - other) < 0.05 * float(logits.std())


@pytest.fixture
def server(output: Path) -> Iterator[Running]:
    yield from running(folders=(str(output),), make_engine=engine_factory(slots=2, waiting=4))


@pytest.mark.usefixtures("cold")
def test_a_server_says_what_the_engine_says(output: Path, server: Running) -> None:
    (alone,) = load_engine(output, slots=1).answer([Request(ASKED[0], Budget(max_tokens=8))])
    answer = server.client().chat.completions.create(
        model=output.parent.name, messages=[{"role": "user", "content": ASKED[0]}], max_tokens=8
    )
    assert (answer.choices[0].message.content or "") == alone.answer
    assert answer.usage is not None
    assert answer.usage.completion_tokens == alone.receipt.tokens["generated"]
