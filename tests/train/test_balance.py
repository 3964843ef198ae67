from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.train.conftest import go, small
from tuili.errors import ConfigError
from tuili.eval.experts import max_violation
from tuili.model import LoadedModel, load_model
from tuili.steps import render_response
from tuili.tasks import Split, unseen_problems

pytestmark = pytest.mark.usefixtures("few_samples")
DOMAINS = ("propositional", "arithmetic")


def second_choices(loaded: LoadedModel, domain: str) -> Tensor:
    """The share of each expert in the second choices for the tokens of new responses, layer by layer [L, E]."""
    load_LE = torch.zeros(len(loaded.model.model.reasoning), loaded.model.config.num_experts)
    for problem in unseen_problems([domain], [1], 8, 0, Split.VALIDATION):
        response = render_response(problem.steps, problem.answer)
        ids, prompt = loaded.tokenizer.encode_example(problem.prompt, response)
        cache = loaded.model(torch.tensor([ids[:prompt]])).cache
        with loaded.model.record_routing() as record:
            loaded.model(torch.tensor([ids[prompt:]]), cache=cache)
        load_LE += torch.stack([layer.all_E - layer.first_E for layer in record.layers])
    return load_LE / load_LE.sum(-1, keepdim=True)


@torch.no_grad()
def violation(folder: Path) -> float:
    loaded = load_model(folder)
    return max(max_violation(torch.stack([second_choices(loaded, domain) for domain in DOMAINS]).mean(0)))


def test_rounds_behind_the_last_step_even_out_the_experts_and_change_nothing_else(tmp_path: Path) -> None:
    """The domains weigh 1 to 9 in the run; in the rounds, as here, they weigh the same."""
    recipes = {rounds: small("data.weights={arithmetic: 9}", f"train.balance_rounds={rounds}") for rounds in (0, 12)}
    models = [go(recipe, tmp_path / str(rounds))[0].model for rounds, recipe in recipes.items()]
    before, after = [load_model(str(model)).model.state_dict() for model in models]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.endswith("router.balance_bias")}
    assert violation(tmp_path / "12" / "model") < 0.6 * violation(tmp_path / "0" / "model")


def test_the_rounds_come_to_the_same_when_they_are_repeated(tmp_path: Path) -> None:
    recipe = small("train.balance_rounds=2", steps=2)
    runs = [go(recipe, tmp_path / name) for name in ("a", "b")]
    models = [run[0].model for run in runs]
    assert "the experts will be balanced in about" in runs[0][1]
    go(recipe, tmp_path / "a", resume=True)  # from the checkpoint of the last step: the rounds begin anew
    weights = [load_model(str(model)).model.state_dict() for model in models]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())


def test_a_run_of_files_alone_has_no_domains_to_balance(tmp_path: Path) -> None:
    files = ["data.domains=[]", f"data.files={{{tmp_path / 'own.jsonl'}: 1}}"]
    with pytest.raises(ConfigError, match=r"balance_rounds.*data\.domains names none"):
        small(*files, "train.balance_rounds=2")
