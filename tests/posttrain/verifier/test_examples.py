"""Features are those of the plain forward pass, whatever stands beside a chain; sets can be cut and joined."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks.harness.tiny import tiny_model
from tuili.model import LoadedModel, features_of, response_features
from tuili.posttrain.verifier.chains import CORRECT, Chain, mutant_chains
from tuili.posttrain.verifier.examples import Examples, build_examples, concatenate
from tuili.posttrain.verifier.own import render_chain
from tuili.tasks import generate


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    model, tokenizer = tiny_model()
    return LoadedModel(model.eval(), tokenizer, Path())


@pytest.fixture(scope="module")
def chains(loaded: LoadedModel) -> list[Chain]:
    problems = [generate("arithmetic", 1, index, 1) for index in range(12)]
    right = [render_chain(loaded, problem, problem.steps, problem.answer, CORRECT) for problem in problems]
    wrong = [
        chain
        for problem in problems
        for chain in mutant_chains(partial(render_chain, loaded), problem, ("off_by_one", "wrong_operator"), 0, 2)
    ]
    both = [chain for chain in (*right, *wrong) if chain is not None]
    assert len({len(chain.ids) for chain in both}) > 5
    return both


@pytest.fixture(scope="module")
def made(loaded: LoadedModel, chains: list[Chain]) -> Examples:
    return build_examples(partial(features_of, loaded.model), chains, lambda done, total: None)


@torch.inference_mode()
def test_features_equal_those_of_each_chain_read_alone_at_full_depth(
    loaded: LoadedModel, chains: list[Chain], made: Examples
) -> None:
    model = loaded.model
    for place, chain in enumerate(chains):
        id_1T = torch.tensor([chain.ids])
        full, trunk = model(input_ids=id_1T), model(input_ids=id_1T, depth=model.config.exit_layers[0])
        before, response = slice(chain.prompt - 1, -1), slice(chain.prompt, None)
        wanted = response_features(
            full.last_hidden_state[:, response], full.logits[:, before], trunk.logits[:, before], id_1T[:, response],
            model.model.embed_tokens.weight,
        )  # fmt: skip
        start = int(made.start_C[place])
        feature_QF = made.feature_NF[start : start + len(chain.labels)]
        assert torch.allclose(feature_QF.float(), wanted[0], atol=0.03, rtol=0.01)


def test_labels_ends_and_sources_are_the_chains_own(chains: list[Chain], made: Examples) -> None:
    assert len(made) == len(chains)
    for place, chain in enumerate(chains):
        start, length = int(made.start_C[place]), int(made.length_C[place])
        assert made.label_N[start : start + length].tolist() == list(chain.labels)
        assert (made.end_E[made.chain_E == place] - start).tolist() == list(chain.ends)
        assert made.last_E[made.chain_E == place].tolist() == [False] * (len(chain.ends) - 1) + [True]
        assert int(made.wrong_C[place]) == (-1 if chain.wrong is None else chain.wrong)
    assert made.from_sources(CORRECT).sum() == 12


def equal(one: Examples, other: Examples) -> bool:
    return all(torch.equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Examples))


def test_a_part_is_what_would_have_been_made_of_it_and_parts_join(
    loaded: LoadedModel, chains: list[Chain], made: Examples, tmp_path: Path
) -> None:
    chosen_C = torch.arange(len(chains)) % 3 == 1
    chosen = [chain for chain, is_chosen in zip(chains, chosen_C, strict=True) if is_chosen]
    alone = build_examples(partial(features_of, loaded.model), chosen, lambda *_: None)
    part = made.select(chosen_C)
    assert torch.allclose(part.feature_NF.float(), alone.feature_NF.float(), atol=0.1)
    for field in fields(Examples)[1:]:
        assert torch.equal(getattr(part, field.name), getattr(alone, field.name)), field.name
    half_C = torch.arange(len(chains)) < 7
    assert equal(concatenate([made.select(half_C), made.select(~half_C)]), made)
    made.save(tmp_path / "made.safetensors")
    assert equal(Examples.load(tmp_path / "made.safetensors"), made)
