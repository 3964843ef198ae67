"""Chains of an imported model, and a verifier that learns from them, is written into its folder and read from there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.store.foreign_folders import save_tokenizer
from tuili.cli.app import main
from tuili.config import load_recipe
from tuili.data import MULTIPLIED_SOURCE
from tuili.engine import Budget, Request, load_engine
from tuili.errors import InputError, RecordError
from tuili.model import read_verifier, response_features
from tuili.posttrain.verifier.chains import (
    CORRECT,
    GENERATED,
    UNKNOWN_LABEL,
    Chain,
    GenerationMode,
    mutant_chains,
)
from tuili.posttrain.verifier.fit import predict_logits
from tuili.posttrain.verifier.imported import ImportedGenerator, label_response
from tuili.posttrain.verifier.own import OwnGenerator
from tuili.posttrain.verifier.recipe import ChainCounts, VerifierRecipe, VerifierTrainingConfig
from tuili.posttrain.verifier.run import VerifierRun
from tuili.posttrain.verifier.training import REPORT_FILE, train_verifier
from tuili.steps import Context, render_response
from tuili.store import (
    VERIFIER_FILE,
    ForeignTokenizer,
    ThinkingSettings,
    model_hash,
    read_lineage,
    write_thinking_file,
)
from tuili.tasks import Problem, Split

COUNTS = {"problems": 10, "mutants": 2, "written": 2}
SMALL = [
    "verifier.rounds=1",
    *(f"verifier.{name}={COUNTS}" for name in ("first", "attack", "validation", "test")),
    "verifier.size={channels: 16, layers: 1, heads: 2}",
    "verifier.fit.steps=8",
    "verifier.fit.rows=4",
]


def overrides(taught: Path, sums: Path) -> list[str]:
    return [f"verifier.model={taught}", f"verifier.data=[{sums}]", *SMALL]


def plan(taught: Path, sums: Path, *more: str) -> VerifierTrainingConfig:
    return load_recipe("verifier-imported", [*overrides(taught, sums), *more], VerifierRecipe).verifier


@pytest.fixture(scope="module")
def generator(taught: Path, sums: Path) -> ImportedGenerator:
    return ImportedGenerator(plan(taught, sums))


def tokens_of(tokenizer: ForeignTokenizer, steps: list[str], answer: str) -> list[int]:
    return [*tokenizer.encode_text(render_response(steps, answer)), tokenizer.end_id]


def labels(tokenizer: ForeignTokenizer, steps: list[str], answer: str) -> list[tuple[str, int]]:
    """The text and label of each token of a response to a question with the answer 36."""
    problem = Problem("own", 1, 0, 0, "How many?", (), "36", Context())
    response = tokens_of(tokenizer, steps, answer)
    chain = label_response(tokenizer, problem, [5, 6], response, CORRECT)
    assert chain is not None
    assert (chain.prompt, chain.ids[2:]) == (2, tuple(response))
    return [(tokenizer.decode([token]), label) for token, label in zip(response, chain.labels, strict=True)]


@pytest.fixture(scope="module")
def tokenizer(generator: ImportedGenerator) -> ForeignTokenizer:
    return generator._stored.tokenizer


def behind(labelled: list[tuple[str, int]], text: str) -> int:
    """The label of the last token of the first text like this."""
    written = ""
    for each, label in labelled:
        written += each
        if text in written:
            return label
    raise AssertionError(text)


def test_all_tokens_of_a_right_chain_are_right(tokenizer: ForeignTokenizer) -> None:
    assert {label for _, label in labels(tokenizer, ["40 - 4 = 36"], "36")} == {1}


def test_a_wrong_figure_is_wrong_from_its_digit_on(tokenizer: ForeignTokenizer) -> None:
    labelled = labels(tokenizer, ["40 - 4 = 38", "38 + 0 = 38"], "38")
    assert behind(labelled, "40 - 4 = 38") == 0
    assert behind(labelled, "40 - 4 =") == 1
    assert behind(labelled, "38\n38 + 0 = 38") == UNKNOWN_LABEL
    assert labelled[-1][1] == 0


def test_right_steps_that_do_not_answer_the_question_are_wrong_at_the_end(tokenizer: ForeignTokenizer) -> None:
    labelled = labels(tokenizer, ["40 - 5 = 35"], "35")
    assert behind(labelled, "40 - 5 = 35") == 1
    assert behind(labelled, "</think>") == UNKNOWN_LABEL
    assert labelled[-1][1] == 0


def test_behind_a_line_that_cannot_be_decided_nothing_is_right_for_certain(tokenizer: ForeignTokenizer) -> None:
    labelled = labels(tokenizer, ["so it goes on", "40 - 4 = 36"], "36")
    assert behind(labelled, "so it goes on") == UNKNOWN_LABEL
    assert behind(labelled, "40 - 4 = 36") == UNKNOWN_LABEL
    assert labelled[-1][1] == 1


@pytest.mark.parametrize(("answer", "right"), [("36.0", 1), ("72/2", 1), (" 36", 1), ("36 apples", 0), ("3", 0)])
def test_numbers_are_compared_by_value(tokenizer: ForeignTokenizer, answer: str, right: int) -> None:
    assert labels(tokenizer, ["40 - 4 = 36"], answer)[-1][1] == right


def test_the_ends_of_steps_are_those_that_the_engine_reads(tokenizer: ForeignTokenizer) -> None:
    problem = Problem("own", 1, 0, 0, "How many?", (), "36", Context())
    response = tokens_of(tokenizer, ["40 - 5 = 35", "35 + 1 = 36"], "36")
    chain = label_response(tokenizer, problem, [5], response, CORRECT)
    assert chain is not None
    texts = [tokenizer.decode(response[: end + 1]) for end in chain.ends]
    assert texts[0].endswith("40 - 5 = 35")
    assert texts[1].endswith("35 + 1 = 36")
    assert len(texts) == 3
    assert (chain.ends[-1], chain.wrong, chain.known) == (len(response) - 1, None, True)


def test_what_is_no_whole_answer_is_left_out(tokenizer: ForeignTokenizer) -> None:
    problem = Problem("own", 1, 0, 0, "How many?", (), "36", Context())
    whole = tokens_of(tokenizer, ["40 - 4 = 36"], "36")
    assert label_response(tokenizer, problem, [5], whole[:-1], GENERATED) is None
    unclosed = [*tokenizer.encode_text("<think>\n40 - 4 = 36\n"), tokenizer.end_id]
    assert label_response(tokenizer, problem, [5], unclosed, GENERATED) is None


@pytest.mark.parametrize("kind", ["bpe", "thinking"])
def test_tags_may_be_tokens_or_plain_text(tmp_path: Path, kind: str) -> None:
    tokenizer = ForeignTokenizer.load(save_tokenizer(tmp_path, kind))
    assert behind(labels(tokenizer, ["40 - 4 = 38"], "38"), "40 - 4 = 38") == 0


def test_mutants_with_right_arithmetic_do_not_answer_the_question(generator: ImportedGenerator) -> None:
    problems = generator.problems(Split.TRAIN, 0, ChainCounts(problems=20, mutants=1, written=1))
    chains = [c for problem in problems for c in mutant_chains(generator.render, problem, ["wrong_operation"], 1, 1)]
    assert len(chains) > 5
    for chain in chains:
        at_ends = [chain.labels[end] for end in chain.ends]
        assert (at_ends[:-1], at_ends[-1], chain.wrong) == ([1] * (len(chain.ends) - 1), 0, len(chain.ends) - 1)


def test_of_a_problem_without_steps_there_are_no_mutants(generator: ImportedGenerator) -> None:
    problem = Problem("own", 1, 0, 0, "How many are 2 and 3?", (), "5", Context())
    assert mutant_chains(generator.render, problem, ["right_steps_wrong_answer"], 1, 1) == []


def test_the_model_writes_several_responses_of_which_some_are_wrong(generator: ImportedGenerator) -> None:
    problems = generator.problems(Split.TRAIN, 0, ChainCounts(problems=12, mutants=0, written=1))
    requests = [(problem, GenerationMode(temperature)) for problem in problems for temperature in (0.0, 0.7, 0.7)]
    told: list[int] = []
    chains = generator.write(requests, 3, lambda done, total: told.append(done))
    assert told[-1] == len(requests)
    assert {chain.source for chain in chains} == {GENERATED}
    assert {chain.labels[-1] for chain in chains} == {0, 1}
    assert len({chain.ids for chain in chains}) > len(problems)
    assert [chain.ids for chain in generator.write(requests, 3, lambda *_: None)] == [chain.ids for chain in chains]


def test_where_the_checker_writes_results_only_the_answer_can_be_wrong(
    taught: Path, sums: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(taught, tmp_path / "model"))
    write_thinking_file(folder, ThinkingSettings("steps", calculator="forced"))
    generator = ImportedGenerator(plan(folder, sums))
    problems = generator.problems(Split.TRAIN, 0, ChainCounts(problems=20, mutants=0, written=1))
    chains = generator.write([(problem, GenerationMode()) for problem in problems], 3, lambda *_: None)
    assert {chain.labels[-1] for chain in chains} == {0, 1}
    assert {chain.labels[end] for chain in chains for end in chain.ends[:-1]} == {1}


@torch.inference_mode()
def test_features_are_those_of_transformers_whatever_was_read_before(taught: Path, sums: Path) -> None:
    generator = ImportedGenerator(plan(taught, sums), numbers="fp32")
    problems = generator.problems(Split.TRAIN, 0, ChainCounts(problems=3, mutants=0, written=1))
    answers = [(problem, str(answer)) for problem in problems for answer in (2, 31)]
    chains = [generator.render(problem, problem.steps, answer, CORRECT) for problem, answer in answers]
    rows = [(chain.ids, chain.prompt) for chain in chains if chain is not None]
    together = generator.features([*rows, rows[0]])
    assert together.shape == (7, max(len(ids) - prompt for ids, prompt in rows), 2 * 64 + 6)
    model = AutoModelForCausalLM.from_pretrained(taught, dtype=torch.float32)
    for number, (ids, prompt) in enumerate([*rows, rows[0]]):
        id_1T = torch.tensor([ids])
        state_1TM = model.model(id_1T).last_hidden_state[:, prompt - 1 :]
        logit_1QV = model.lm_head(state_1TM[:, :-1])
        embedding_VM = model.get_input_embeddings().weight
        expected = response_features(state_1TM[:, 1:], logit_1QV, None, id_1T[:, prompt:], embedding_VM)[0]
        torch.testing.assert_close(together[number, : len(expected)], expected, atol=2e-4, rtol=2e-4)


def test_a_question_is_in_one_split_whatever_its_numbers(taught: Path, tmp_path: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    boxes = [(name, n, f"Box {n} of {name} has {n} pens. How many?") for name in letters for n in (2, 3, 4)]
    lines = [{"input": question, "output": str(n), "id": f"{name}/{n}"} for name, n, question in boxes]
    multiples = [(name, n, f"Chest of {name}: {'and more ' * n}?") for name in "abc" for n in (1, 2)]
    multiplied = {"output": "1", "source": MULTIPLIED_SOURCE}
    lines += [{"input": question, "id": f"{name}/2/x{n}"} | multiplied for name, n, question in multiples]
    for n in range(30):  # originals with such names, and what was multiplied of them
        lines.append({"input": f"A sheet with {'a row and ' * n}?", "output": "1", "id": f"sheet/x{n}"})
        lines.append({"input": f"A page with {'a row and ' * n}?", "id": f"sheet/x{n}/x1"} | multiplied)
    data = tmp_path / "boxes.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    generator = ImportedGenerator(plan(taught, data))
    counts = ChainCounts(problems=1000, mutants=0, written=1)
    split_of = {problem.id: split for split in Split for problem in generator.problems(split, 0, counts)}
    assert len(split_of) == len(lines)
    for name in letters:
        assert len({split_of[f"{name}/{n}"] for n in (2, 3, 4)}) == 1
    for name in "abc":
        assert len({split_of[f"{name}/2"], split_of[f"{name}/2/x1"], split_of[f"{name}/2/x2"]}) == 1
    assert {split_of[f"sheet/x{n}"] for n in range(30)} == set(Split)
    assert all(split_of[f"sheet/x{n}"] is split_of[f"sheet/x{n}/x1"] for n in range(30))


def test_the_command_trains_a_verifier_that_the_engine_reads_and_a_run_goes_on(
    taught: Path, sums: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ["train", "verifier-imported", *overrides(taught, sums), "--out", str(out)]
    assert main(command) == 0
    assert capsys.readouterr().out.startswith(f"{out}/model: ")
    folder = out / "model"
    verifier = read_verifier(folder)
    assert verifier is not None
    assert model_hash(folder) == model_hash(taught)
    (entry,) = (entry for entry in read_lineage(folder) if entry.step == "verifier")
    assert json.loads((folder / REPORT_FILE).read_text())["figures"] == verifier.figures == entry.figures
    assert verifier.figures["answers"] > 0

    engine = load_engine(folder)
    assert engine.verifies
    (answer,) = engine.answer([Request("Ann has 1 pens and gets 1 cups. How many?", Budget(max_tokens=60))])
    assert answer.receipt.confidence is not None

    weights = (folder / VERIFIER_FILE).read_bytes()
    for lost in ("pool-1.safetensors", "verifier-1.safetensors", "test.safetensors"):
        (out / lost).unlink()
    assert main([*command, "--resume"]) == 0
    assert (folder / VERIFIER_FILE).read_bytes() == weights


def test_a_kill_costs_one_block_of_what_the_model_has_written(
    taught: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuili.posttrain.verifier.run.WRITTEN_BLOCK", 8)
    config, told = plan(taught, sums), list[int]()

    def tell(what: str, done: int, total: int) -> None:
        if what == "test: writing":
            assert total == 20
            told.append(done)

    whole = VerifierRun(config, tmp_path / "whole", False, tell).test_examples()
    assert told == sorted(told) and told[-1] == 20, "blocks count on from each other"
    write, seeds = ImportedGenerator.write, list[int]()

    def killed_in_the_third(self: ImportedGenerator, block: Any, seed: int, tell: Any) -> list[Chain]:
        seeds.append(seed)
        if len(seeds) == 3:
            raise KeyboardInterrupt
        return write(self, block, seed, tell)

    monkeypatch.setattr(ImportedGenerator, "write", killed_in_the_third)
    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        VerifierRun(config, out, False, lambda *_: None).test_examples()
    assert len([*out.glob("test-written-*.json")]) == 2
    again = VerifierRun(config, out, True, lambda *_: None).test_examples()
    assert [seed - seeds[0] for seed in seeds] == [0, 1, 2, 2]
    assert torch.equal(again.feature_NF, whole.feature_NF) and torch.equal(again.label_N, whole.label_N)
    assert not [*out.glob("test-written-*.json")]


def test_it_learns_to_tell_wrong_answers_from_right_ones(taught: Path, sums: Path, tmp_path: Path) -> None:
    counts = "{problems: 90, mutants: 1, written: 3}"
    config = plan(taught, sums, "verifier.rounds=0", f"verifier.first={counts}", "verifier.fit.steps=150",
                  "verifier.fit.passes=1000", "verifier.size.dropout=0.3",
                  "verifier.fit.rows=16", "verifier.size={channels: 32, layers: 1, heads: 2}")  # fmt: skip
    run = VerifierRun(config, tmp_path / "run", False, lambda *_: None)
    examples = run.first_examples()
    verifier = run.verifier_after(0, examples)
    own = examples.select(examples.from_sources(GENERATED))
    ends = own.end_E[own.last_E]
    logit_E, right_E = predict_logits(verifier, own)[ends], own.label_N[ends] == 1
    assert 0.1 < right_E.float().mean() < 0.95
    assert logit_E[right_E].mean() > logit_E[~right_E].mean() + 1


def test_it_needs_data_and_they_need_questions_for_each_split(taught: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(InputError, match=r"verifier.data: name files with questions and answers: .* is imported"):
        train_verifier(VerifierTrainingConfig(model=str(taught)), out, resume=False, tell=lambda *_: None)
    data = tmp_path / "few.jsonl"
    data.write_text('{"input": "1 + 1?", "output": "2"}\n')
    with pytest.raises(InputError, match=r"few.jsonl: no question is left for (train|validation|test): give more"):
        train_verifier(plan(taught, data), out, resume=False, tell=lambda *_: None)
    data.write_text('{"input": "1 + 1?", "output": "2"}\n{"input": 3}\n')
    with pytest.raises(RecordError, match=r"few.jsonl:2: "):
        train_verifier(plan(taught, data), out, resume=False, tell=lambda *_: None)


def test_one_of_tuilis_own_may_learn_from_data(sums: Path) -> None:
    generator = OwnGenerator(plan(Path("nano"), sums))
    counts = ChainCounts(problems=4, mutants=1, written=1)
    problems = generator.problems(Split.TEST, 0, counts)
    assert {problem.domain for problem in problems} == {"own"}
    (chain, *_) = [generator.render(one, one.steps, one.answer, CORRECT) for one in problems if one.steps]
    assert chain is not None
    assert chain.wrong is None
    assert len(generator.write([(problem, GenerationMode()) for problem in problems], 1, lambda *_: None)) <= 4
