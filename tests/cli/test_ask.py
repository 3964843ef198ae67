import io
import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from benchmarks.harness.tiny import save_tiny
from tests.eval.scripted import Oracle
from tuili.cli.app import main
from tuili.cli.ask import EXIT_NO_ANSWER, MAX_INPUT_BYTES
from tuili.cli.options import EffortOption, result_console
from tuili.cli.show import show_answer
from tuili.engine import (
    Answer,
    CheckedStep,
    Familiar,
    Proof,
    ProofVerdict,
    Receipt,
    Request,
    Trial,
    TrialVerdict,
    explain,
)
from tuili.serve import Effort
from tuili.steps import Context, check, trace_numbers
from tuili.tasks import Problem, Split, generate

pytestmark = pytest.mark.usefixtures("cold")

PROMPT = "What is 48 / 2 + 7?"
FLAWED = Problem(
    "arithmetic", 1, 2_000_000_000, 0, PROMPT, ("48 / 2 = 24", "24 + 7 = 32", "and so on"), "32", Context()
)
KNIGHTS = generate("knights", Split.TEST.seed(0), 0, 1, form="what-is")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny(tmp_path_factory.mktemp("ask") / "model"))


class Recital(Oracle):
    """An engine whose model knows some problems by heart."""

    def answer(self, requests: list[Request]) -> list[Answer]:
        generations = self.generate([request.prompt for request in requests])
        return [
            explain(request.prompt, generation, self.tokenizer, Context.from_prompt(request.prompt))
            for request, generation in zip(requests, generations, strict=True)
        ]


@pytest.fixture
def by_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.engine.load_engine", lambda *_, **__: Recital([FLAWED, KNIGHTS], depth=6))


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["ask", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tuili: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.usefixtures("by_heart")
def test_each_step_stands_on_its_line_with_its_mark_its_depth_and_the_right_value(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", PROMPT, "--model", model]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[:4] == [
        "  ✓ 48 / 2 = 24   6.0 layers",
        "  ✗ 24 + 7 = 32   6.0 layers  right: 31",
        "  · and so on     6.0 layers",
        "32",
    ]
    assert out.splitlines()[4].startswith("best effort: step 2 is wrong")
    receipt = out.splitlines()[5]
    assert "6.0 layers each · 1 of 3 steps valid · " in receipt
    assert len(out.splitlines()) == 6
    assert "\x1b" not in out


def test_what_was_read_stands_above_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "48+27−3=?"]) == 0
    assert capsys.readouterr().out.startswith("read as: 48 + 27 - 3 = ?\n  ")
    assert main(["ask", "48+27−3=?", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["receipt"]["read_as"] == "48 + 27 - 3 = ?"


def test_a_step_that_the_checker_put_right_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped model slips here in its first attempt."""
    question = ["ask", "What is 413 - 72 + 813 - 72?"]
    assert main(question) == 0
    assert "best effort: step 3 is wrong: 1154 - 72 is 1082" in capsys.readouterr().out
    for option in ("--max-steps", "--max-attempts"):
        assert main([*question, option, "4"]) == 0
        out = capsys.readouterr().out
        assert "  ✓ 1154 - 72 = 1082   put right by the checker\n1082\n2 attempts · " in out
    assert "--max-attempts = 2: --max-steps = 3 is the same limit" in refusal(
        capsys, question[1], "--max-steps=3", "--max-attempts=2"
    )


def test_the_calculator_marks_the_values_that_the_checker_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    question = "What is 12345 * 678?"
    assert main(["ask", question, "--calculator", "forced"]) == 0
    forced = capsys.readouterr().out.splitlines()
    assert forced[-2] == "8369910"
    assert all(line.endswith(" layers *") for line in forced[:-3])
    assert forced[-3] == "  * the checker wrote the value"
    assert main(["ask", question, "--calculator", "off"]) == 0
    assert "*" not in capsys.readouterr().out.replace("12345 * ", "")
    with pytest.raises(AssertionError):
        assert main(["ask", question, "--calculator", "on"]) == 0
    assert "'on' is not one of 'off', 'repair', 'forced'" in capsys.readouterr().err


def test_an_effort_names_a_budget(capsys: pytest.CaptureFixture[str]) -> None:
    assert get_args(EffortOption)[0] == Effort | None
    question = ["ask", "What is 413 - 72 + 813 - 72?", "--reasoning-effort"]
    for options in (["high"], ["low", "--max-attempts", "4", "--max-tokens", "400"]):
        assert main([*question, *options]) == 0
        assert "put right by the checker" in capsys.readouterr().out
    assert main([*question, "none"]) == 0  # a model of steps reasons nevertheless
    assert "best effort: step 3 is wrong" in capsys.readouterr().out
    assert "--max-attempts = 2: --max-steps = 3 is the same limit" in refusal(
        capsys, *question[1:], "high", "--max-steps=3", "--max-attempts=2"
    )


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (ProofVerdict.PROVEN, "claim proven: for all x: x^2 >= 0"),
        (ProofVerdict.OPEN, "claim open: for all x: x^2 >= 0"),
    ],
)
def test_the_claim_is_shown_with_what_the_steps_show_of_it(
    capsys: pytest.CaptureFixture[str], verdict: ProofVerdict, line: str
) -> None:
    receipt = Receipt(1, {"total": 1, "prefill": 0, "decode": 1}, {"generated": 9}, 3.0, 27, "end", {"valid": 2})
    proof = Proof("for all x: x^2 >= 0", verdict)
    show_answer(result_console(), Answer("", "proven", (), replace(receipt, proof=proof)))
    assert capsys.readouterr().out.splitlines()[:2] == ["proven", line]


def test_a_claim_that_was_not_read_and_a_trial_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    receipt = Receipt(1, {"total": 1, "prefill": 0, "decode": 1}, {"generated": 9}, 3.0, 27, "end", {"valid": 2})
    proof, trial = Proof(None, ProofVerdict.UNREAD), Trial("f", 2, TrialVerdict.CONTRADICTS)
    show_answer(result_console(), Answer("", "proven", (), replace(receipt, proof=proof, trial=trial)))
    shown = ["proven", "claim unread", "program contradicts: 2 examples of f"]
    assert capsys.readouterr().out.splitlines()[:3] == shown


def test_numbers_from_nowhere_or_not_used_and_an_unfamiliar_question_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = ("12 + 7 = 19", "81 = 9 * 9")
    traced = trace_numbers("What is 12 + 7? The shop is 60 years old.", lines)
    steps = [
        CheckedStep(line, check(line), 3.0, (), sources=each) for line, each in zip(lines, traced.steps, strict=True)
    ]
    receipt = Receipt(1, {"total": 1, "prefill": 0, "decode": 1}, {"generated": 9}, 3.0, 27, "end", {"valid": 2})
    receipt = replace(receipt, unused=traced.unused, familiar=Familiar(0.01, 0.02))
    show_answer(result_console(), Answer("", "81", tuple(steps), receipt))
    out = capsys.readouterr().out.splitlines()
    assert out[5].endswith(" · familiarity 0.01")
    assert out[:5] == [
        "  ✓ 12 + 7 = 19   3.0 layers",
        "  ✓ 81 = 9 * 9    3.0 layers  from nowhere: 81, 9",
        "81",
        "unfamiliar question: it is unlike those that the model has learnt from (p = 0.01, and 0.02 is needed)",
        "not used: 60",
    ]


@pytest.mark.usefixtures("by_heart")
def test_steps_are_checked_against_the_facts_of_the_prompt(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", KNIGHTS.prompt, "--model", model, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["answer"] == KNIGHTS.answer
    assert [step["text"] for step in document["steps"]] == list(KNIGHTS.steps)
    assert {step["verdict"] for step in document["steps"]} == {"valid"}


def test_the_json_has_the_fixed_fields(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "1 + 1", "--model", model, "--json", "--max-tokens", "20", "--depth", "2"]) == EXIT_NO_ANSWER
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"answer", "steps", "receipt"}
    receipt = document["receipt"]
    assert receipt["attempts"] == 1
    assert receipt["milliseconds"]["total"] >= receipt["milliseconds"]["decode"] > 0
    assert receipt["tokens"]["generated"] <= 20
    assert receipt["mean_depth"] == 2
    assert receipt["layer_steps"] == 2 * receipt["tokens"]["generated"]
    assert receipt["stop"] in ("end", "length")


def type_in(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.usefixtures("by_heart")
@pytest.mark.parametrize("argument", [[], ["-"]], ids=["no prompt", "a dash"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\n"])
def test_standard_input_is_one_question(
    argument: list[str], end: bytes, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "\n" in KNIGHTS.prompt
    type_in(monkeypatch, KNIGHTS.prompt.encode() + end)
    assert main(["ask", *argument, "--model", model, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answer"] == KNIGHTS.answer


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "PROMPT is missing"),
        (b" \n\n", "prompt is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"1 + " * (MAX_INPUT_BYTES // 4 + 1), "longer than 1,000,000 bytes"),
    ],
    ids=["nothing", "blank", "not UTF-8", "endless"],
)
def test_standard_input_without_a_question_is_refused(
    data: bytes, named: str, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, data)
    assert named in refusal(capsys, "-", "--model", model)


def test_the_name_of_a_model_is_no_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert "write --model nano" in refusal(capsys, "nano")


@pytest.mark.parametrize("prompt", ["", "   \n"])
def test_an_empty_prompt_is_refused(prompt: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "prompt is empty" in refusal(capsys, prompt, "--model", model)


def test_a_prompt_beyond_the_context_is_refused(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "1 + " * 1000, "--model", model)
    assert "tokens" in message
    assert "511" in message


@pytest.mark.parametrize("depth", ["5", "deep", "-3", "3.5", ""])
def test_a_depth_that_is_no_exit_is_refused(depth: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, "1 + 1", "--model", model, f"--depth={depth}")
    assert "depth" in message
    assert "use" in message


def test_a_model_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "not found" in refusal(capsys, "1 + 1", "--model", str(tmp_path / "none"))


def test_a_damaged_or_unsafe_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_tiny(tmp_path / "model")
    weights = path / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-10])
    assert "truncated" in refusal(capsys, "1 + 1", "--model", str(path))
    weights.write_bytes(content)
    (path / "pytorch_model.bin").write_bytes(b"")
    assert "may hold a pickle" in refusal(capsys, "1 + 1", "--model", str(path))
