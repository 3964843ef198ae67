"""A student writes chains and learns from them, and goes on to the same bytes."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.compress.distilling.test_distil import config_of, distilled
from tests.compress.test_run import interrupted_at
from tuili.compress import CompressionResult, Distilling, TokenStates, open_parent
from tuili.compress.distilling import chains
from tuili.compress.distilling.rounds import packed
from tuili.compress.distilling.writing import Round, Written, questions, write_chains
from tuili.compress.healing import reverse_kl
from tuili.compress.watch import Watch
from tuili.data import Document
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM, load_model
from tuili.store import model_hash
from tuili.train import read_log

GIVEN: dict[str, Any] = {"on_policy": 0.67}
"""Two steps on two rounds of the teacher's, and four on two of the student's own."""


def test_the_reverse_divergence_is_that_of_its_slow_twin() -> None:
    torch.manual_seed(1)
    numbers = [torch.randn(7, 5), torch.randn(11, 5), torch.randn(7, 5), torch.randn(11, 5)]
    teacher = TokenStates(numbers[0], numbers[1], torch.arange(7))
    student, twin = (TokenStates(*(one.clone().requires_grad_() for one in numbers[2:]), torch.arange(7)) for _ in "ab")
    divergence, *_ = reverse_kl(teacher, student)
    divergence.backward()
    own = (twin.hidden_NM @ twin.head_VM.T).softmax(-1)
    aim = (teacher.hidden_NM @ teacher.head_VM.T).softmax(-1)
    slow = torch.zeros(())
    for place in range(7):
        for token in range(11):
            slow = slow + own[place, token] * torch.log(own[place, token] / aim[place, token]) / 7
    slow.backward()
    torch.testing.assert_close(divergence, slow)
    torch.testing.assert_close(student.hidden_NM.grad, twin.hidden_NM.grad)
    torch.testing.assert_close(student.head_VM.grad, twin.head_VM.grad)


@pytest.fixture
def writer(own: Path) -> Any:
    config = config_of(**GIVEN)
    parent = open_parent(own, config.healing)
    stream = parent.data(None, print).stream
    assert stream is not None
    model, tokenizer = parent.load(), load_model(own).tokenizer
    assert isinstance(model, TuiliForCausalLM)

    def write(number: int = 0, masks: bool = True, stop: bool = False) -> Any:
        wanted = Round(number, 5, 0, 1.0, masks)
        return write_chains(model, (own, tokenizer), stream, wanted, lambda: stop, Watch(print))

    write.stream = stream  # type: ignore[attr-defined]
    return write


def test_the_same_weights_write_the_same_chains(writer: Any) -> None:
    first, again, other = writer(), writer(), writer(1)
    assert first == again
    assert len(first) == 5
    assert [one.document.tokens for one in first] != [one.document.tokens for one in other]
    assert all(one.document.response_length > 0 and len(one.document) <= 320 for one in first)
    assert writer(stop=True) is None


def test_questions_are_those_of_training_and_others_in_each_round(writer: Any) -> None:
    asked = {number: questions(writer.stream, number) for number in (0, 1)}
    first, second = ([next(records) for _ in range(6)] for records in asked.values())
    assert {record.domain for record in first} <= {"arithmetic", "calendar"}
    assert not any(record.is_held_out for record in (*first, *second))
    assert {record.id for record in first}.isdisjoint(record.id for record in second)


Recorded = tuple[CompressionResult, list[Round], list[int]]
"""What came of a distillation, its rounds, and the groups of who wrote in each."""


def recorded(own: Path, out: Path, **given: Any) -> Recorded:
    """A distillation without interruption."""
    rounds, groups = list[Round](), list[int]()

    def recording(model: TuiliForCausalLM, *given: Any) -> Any:
        rounds.append(given[2])
        groups.append(model.config.num_groups)
        return write_chains(model, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains, "write_chains", recording)
        return distilled(own, out, **given), rounds, groups


@pytest.fixture(scope="module")
def whole(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(own, tmp_path_factory.mktemp("whole") / "run", **GIVEN)


@pytest.mark.parametrize("changes", [{}, {"mask": False}, {"source": "texts"}])
def test_a_student_learns_its_teachers_chains_and_then_its_own(
    changes: dict[str, Any], own: Path, whole: Recorded, tmp_path: Path
) -> None:
    """Rounds have numbers of their own throughout, so questions and seeds do not come again. The teacher's chains are
    cut behind the first refuted step in any case."""
    result, rounds, groups = recorded(own, tmp_path / "run", **GIVEN, **changes) if changes else whole
    assert result.model is not None
    masks, of_teacher = changes.get("mask", True), 0 if "source" in changes else 2
    assert rounds == [
        *(Round(number, 5, 2 * 320, 1.0, masks=True) for number in range(of_teacher)),
        *(Round(number, 5, 2 * 2 * 320, 1.0, masks) for number in range(of_teacher, of_teacher + 2)),
    ]
    assert groups == [3] * of_teacher + [2, 2]
    assert read_log(result.model.parent)[-1]["loss"] > 0
    kept = sorted(file.name for file in (result.model.parent / "written").iterdir())
    assert kept == [f"{number}.json" for number in range(of_teacher + 2)]


def test_the_forward_divergence_is_learnt_on_what_its_teacher_has_written(
    own: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also of chains without an end, and of those that are cut behind a refuted step: of each token there is all that
    the teacher predicts. The first step's loss is computed anew, from the chains that are kept."""
    result = distilled(own, tmp_path / "run", steps=1, on_policy=0, writing={"rounds": 1, "chains": 2})
    assert result.model is not None
    config = config_of(1, on_policy=0, writing={"rounds": 1, "chains": 2})
    compression = Distilling(open_parent(own, config.healing), config)
    kept = json.loads((tmp_path / "run" / "written" / "0.json").read_text())
    assert len(kept) == 2
    blocks = packed([Document(tuple(tokens), prompt, expert) for tokens, prompt, expert in kept], 2, 320, 0)
    data = compression.parent.data(None, print)
    model = compression.change(0, compression.parent.load(), data.samples, Watch(print))
    student = compression.parent.network(model, learns=True)
    found = compression.learner(0, student, compression.teacher()).learn(blocks[0], 0)
    assert read_log(tmp_path / "run")[0]["loss"] == pytest.approx(found["loss"], rel=1e-5)


def test_a_student_learns_the_chains_that_its_teacher_ends(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, refuted, rounds = [False, True, True], [False, False, True], list[Round]()

    def written(model: TuiliForCausalLM, *given: Any) -> list[Written]:
        assert len(model.model.reasoning) == 3, "the teacher writes"
        rounds.append(given[2])
        ends = enumerate(zip(refuted, ended, strict=True))
        return [Written(Document((5, 6, 7 + place), 1), wrong, end) for place, (wrong, end) in ends]

    monkeypatch.setattr(chains, "write_chains", written)
    result = distilled(own, tmp_path / "run", by="sequence")
    assert result.model is not None
    assert json.loads((tmp_path / "run" / "written" / "0.json").read_text()) == [[[5, 6, 8], 1, -1]]
    assert rounds == [Round(number, 5, 3 * 2 * 320, 0.0, masks=False) for number in (0, 1)]  # the likeliest tokens
    ended[1] = False
    with pytest.raises(InputError, match=r"round 1: nothing was written that can be learnt: begin another run, with"):
        distilled(own, tmp_path / "other", by="sequence")
    assert not (tmp_path / "other" / "written").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"by": "data", "source": "teacher"}, "source = teacher, and by = data learns the others"),
        ({"by": "sequence", "source": "texts"}, "source = texts, and by = sequence learns the others"),
        ({"on_policy": 1.0, "source": "texts"}, "source is of the steps before the student writes, and on_policy = 1"),
        ({"on_policy": 0, "source": "texts", "mask": False}, "mask = false is of what the student writes, and it"),
        ({"on_policy": 0, "mask": False}, "mask = false is of what the student writes, and it writes nothing"),
    ],
)
def test_a_source_that_has_no_effect_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        config_of(**changes)
    config_of(by="data", source="texts")
    config_of(by="sequence", source="teacher")


def test_on_policy_is_refused_where_there_is_no_teacher() -> None:
    with pytest.raises(ValueError, match="on_policy is by the teacher's probabilities"):
        config_of(by="data", on_policy=0.5)
    assert config_of(by="data").written_steps == 0
    assert config_of(steps=100).written_steps == 25


def test_an_interrupted_student_writes_the_same(
    own: Path, whole: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the beginning of a round, its teacher's too, in the middle of one, and while chains are written."""
    for number, step in enumerate((1, 3)):
        with monkeypatch.context() as patch:
            interrupted_at(step, patch)
            part = distilled(own, tmp_path / "part", resume=number > 0, **GIVEN)
        assert (part.step, part.model) == (step, None)

    def interrupting(*given: Any, **more: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return write_chains(*given, **more)

    (tmp_path / "part" / "written" / "3.json").unlink(missing_ok=True)
    with monkeypatch.context() as patch:
        patch.setattr(chains, "write_chains", interrupting)
        part = distilled(own, tmp_path / "part", resume=True, **GIVEN)
    assert (part.step, part.model) == (4, None)
    assert not (tmp_path / "part" / "written" / "3.json").exists()
    again = distilled(own, tmp_path / "part", resume=True, **GIVEN)
    assert whole[0].model is not None
    assert again.model is not None
    assert model_hash(again.model) == model_hash(whole[0].model)


def test_a_plan_tells_what_is_written(own: Path) -> None:
    config = config_of(**GIVEN)
    parent = open_parent(own, config.healing)
    told = Distilling(parent, config).changes
    learnt = "2 rounds of 5 chains, learnt up to the first refuted step in the"
    assert told["its teacher writes"].startswith(f"{learnt} first 2 steps")
    assert told["the student writes"].startswith(f"{learnt} last 4 steps")
    assert "its teacher writes" not in Distilling(parent, config_of(**GIVEN, source="texts")).changes
    many = config_of(by="sequence", writing={"rounds": 50})
    assert Distilling(parent, many).changes["its teacher writes"].startswith("6 rounds of as many chains")
    once = config_of(by="sequence", writing={"rounds": 1})
    assert Distilling(parent, once).changes["its teacher writes"].startswith("1 round of as many chains as are learnt")
