"""Every token of a chain has the label that the exact checker gives to what stands there."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from benchmarks.harness.tiny import tiny_model
from tuili.model import LoadedModel, load_model
from tuili.posttrain.verifier.chains import (
    CORRECT,
    GENERATED,
    UNKNOWN_LABEL,
    Chain,
    GenerationMode,
    mutant_chains,
)
from tuili.posttrain.verifier.own import generated_chains, label_response, render_chain
from tuili.steps import Context, check_chain, render_response, split_response
from tuili.tasks import Problem, generate, score
from tuili.tasks.mutation.mutations import mutate


@pytest.fixture(scope="module")
def nano() -> LoadedModel:
    return load_model("nano")


def labels(
    nano: LoadedModel, steps: tuple[str, ...], answer: str, context: Context | None = None
) -> list[tuple[str, int]]:
    """The text and label of each token of a response to a problem with the answer 36."""
    problem = Problem("own", 1, 0, 0, "How many?", ("40 - 4 = 36",), "36", context or Context())
    chain = render_chain(nano, problem, steps, answer, CORRECT)
    assert chain is not None
    texts = [nano.tokenizer.decode([token]) for token in chain.ids[chain.prompt :]]
    assert "".join(texts) == render_response(steps, answer) + "<|end|>"
    return list(zip(texts, chain.labels, strict=True))


def test_all_tokens_of_a_right_chain_are_right(nano: LoadedModel) -> None:
    assert {label for _, label in labels(nano, ("40 - 4 = 36",), "36")} == {1}


def test_a_wrong_figure_is_wrong_from_its_digit_on(nano: LoadedModel) -> None:
    labelled = labels(nano, ("40 - 4 = 38", "38 + 0 = 38"), "38")
    wrong = next(place for place, (_, label) in enumerate(labelled) if label == 0)
    assert [text for text, _ in labelled[wrong : wrong + 2]] == ["8", "\n"]
    assert [label for _, label in labelled[: wrong + 2]] == [1] * wrong + [0, 0]
    assert {label for _, label in labelled[wrong + 2 : -1]} == {UNKNOWN_LABEL}
    assert labelled[-1] == ("<|end|>", 0)


def test_of_a_step_that_is_wrong_somewhere_only_the_end_is_labelled(nano: LoadedModel) -> None:
    labelled = labels(nano, ("40 - 4 = 36", "36 > 40"), "36")
    first = len(labels(nano, ("40 - 4 = 36",), "36")) - 4  # what stands there up to the first step's newline
    step = next(place for place in range(first, len(labelled)) if labelled[place] == ("\n", 0))
    assert {label for _, label in labelled[first:step]} == {UNKNOWN_LABEL}
    assert labelled[-1] == ("<|end|>", 1), "the answer is right all the same"


def test_behind_an_undecided_step_nothing_is_right_for_certain(nano: LoadedModel) -> None:
    labelled = labels(nano, ("40 - 4 = 36", "so it is", "36 + 1 = 37", "36 + 1 = 38"), "36")
    assert [label for text, label in labelled if text == "\n"] == [1, 1, UNKNOWN_LABEL, UNKNOWN_LABEL, 0]
    assert labelled[-1] == ("<|end|>", 1)


def test_a_wrong_answer_behind_valid_steps_is_wrong_at_the_end(nano: LoadedModel) -> None:
    labelled = labels(nano, ("40 - 4 = 36",), "35")
    assert labelled[-1] == ("<|end|>", 0)
    assert [label for text, label in labelled if text == "\n"] == [1, 1]
    assert [label for text, label in labelled if text in ("</think>", "3", "5")][-3:] == [UNKNOWN_LABEL] * 3


@pytest.mark.parametrize("kind", ["wrong_digit", "carried_error", "premature_end", "converse", "copied_number"])
def test_the_first_wrong_end_is_the_mutants_first_error(nano: LoadedModel, kind: str) -> None:
    problems = [generate(name, 3, index, 2) for name in ("arithmetic", "syllogism", "tracing") for index in range(3)]
    mutants = [mutant for problem in problems if (mutant := mutate(problem, kind, 0))]
    assert mutants
    for mutant in mutants:
        chain = render_chain(nano, mutant.problem, mutant.steps, mutant.answer, kind)
        assert chain is not None
        assert (chain.wrong, chain.known, chain.source) == (mutant.first_error, True, kind)
        assert len(chain.ends) == len(mutant.steps) + 1
        at_ends = [chain.labels[end] for end in chain.ends[:-1]]
        assert at_ends[: mutant.first_error] == [1] * mutant.first_error
        assert at_ends[mutant.first_error :] in (
            [],
            [0] + [UNKNOWN_LABEL] * (len(mutant.steps) - 1 - mutant.first_error),
        )
        assert chain.labels[-1] == score(mutant.problem, render_response(mutant.steps, mutant.answer))


def test_mutants_are_of_the_kinds_asked_for_and_the_last_may_have_two_errors(nano: LoadedModel) -> None:
    problem = generate("word_problems", 3, 0, 3)
    kinds = ("off_by_one", "wrong_operator", "dropped_step")
    chains = mutant_chains(partial(render_chain, nano), problem, kinds, seed=0, count=2, twice=True)
    assert mutant_chains(partial(render_chain, nano), problem, kinds, seed=0, count=2, twice=True) == chains
    once = mutant_chains(partial(render_chain, nano), problem, kinds, seed=0, count=2)
    assert once[:-1] == chains[:-1]
    assert once[-1].source == chains[-1].source
    assert once[-1] != chains[-1]
    assert {chain.source for chain in chains} <= set(kinds)
    assert len(chains) >= 2
    assert all(chain.wrong is not None for chain in chains)
    assert len(mutant_chains(partial(render_chain, nano), problem, kinds, seed=0, count=1)) == 1


def test_what_the_model_writes_is_labelled_by_its_own_steps(nano: LoadedModel) -> None:
    problems = [generate(name, 5, index, 2) for name in ("arithmetic", "knights") for index in range(3)]
    modes = (GenerationMode(), GenerationMode(1.0, exit=-1))
    requests = [(problem, mode) for problem in problems for mode in modes]
    progress: list[int] = []
    chains = generated_chains(nano, requests, 1, lambda done, total: progress.append(done))
    assert progress[-1] == len(requests)
    assert len(chains) >= len(requests) - 4
    by_id = {problem.id: problem for problem in problems}
    for chain in chains:
        problem = by_id[chain.problem]
        text = nano.tokenizer.decode(list(chain.ids[chain.prompt :]), skip_special_tokens=True)
        assert chain.source == GENERATED
        assert chain.labels[-1] == score(problem, text)
        verdicts = [verdict.status for verdict in check_chain(split_response(text).steps, problem.context)]
        assert chain.wrong == (
            verdicts.index("invalid") if "invalid" in verdicts else None if chain.labels[-1] else len(verdicts)
        )


def test_a_response_of_another_form_is_left_out() -> None:
    model, tokenizer = tiny_model()
    loaded = LoadedModel(model, tokenizer, path=None)  # type: ignore[arg-type]
    problem = generate("arithmetic", 0, 0, 1)
    assert render_chain(loaded, problem, ("1 + 1 = 2",), "2", CORRECT) is not None
    assert render_chain(loaded, problem, ("1 + 1 = 2", ""), "2", CORRECT) is None
    ids, prompt = tokenizer.encode_example(problem.prompt, render_response(("1 + 1 = 2",), "2"))
    assert label_response(tokenizer, problem, ids[:prompt], ids[prompt:-1], GENERATED) is None
    assert isinstance(
        label_response(tokenizer, replace(problem, answer="2"), ids[:prompt], ids[prompt:], GENERATED), Chain
    )
