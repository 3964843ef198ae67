from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tuili.config import has_section, load_recipe, shipped_recipes
from tuili.data import train_tokenizer
from tuili.errors import ConfigError, InputError
from tuili.store import read_lineage
from tuili.tasks import domain_names
from tuili.train import log as log_module
from tuili.train.build import build_model
from tuili.train.dist.zero3_settings import deepspeed_settings
from tuili.train.execution import ExecutionPlan
from tuili.train.recipe import FITTED_FIELDS, ModelConfig, Recipe
from tuili.train.run import train


def keys(tree: Any) -> Any:
    return {key: keys(value) for key, value in tree.items()} if isinstance(tree, dict) else None


def test_the_base_recipe_shows_every_key_with_its_default() -> None:
    assert load_recipe("base", [], Recipe) == Recipe()
    written = yaml.safe_load(shipped_recipes()["base"].read_text())
    assert keys(written) == keys(Recipe().model_dump())


OF_MODELS = [
    name
    for name in shipped_recipes()
    if not any(
        has_section(name, section)
        for section in ("verifier", "exits", "teach", "prune", "quantize", "factorise", "distil", "build")
    )
]


@pytest.mark.parametrize("name", OF_MODELS)
@pytest.mark.usefixtures("few_samples")
def test_every_shipped_recipe_trains(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.data.sources.CHECKED_PROBLEMS", 1)
    monkeypatch.setattr("tuili.data.stream.MAX_PENDING_DOCUMENTS", 8)  # a round of balance fills a row for each domain
    sizes = {"hidden_size": 32, "intermediate_size": 32, "moe_intermediate_size": 16}
    small = {**sizes, "trunk_layers": 1, "group_layers": 1}
    shown = load_recipe(name, [], Recipe)
    fast = {"steps": 1, "rows": 1, "accumulation": 1, "replicas": 1, "precision": "fp32", "compile": "off"}
    fast["balance_rounds"] = min(1, shown.train.balance_rounds)
    fast["length"] = min(512, shown.train.length)
    fast["dist"] = {"backend": "replicas", "expert_parallel": 1}
    overrides = [f"train={fast}", f"model.overrides={small}", "data.vocabulary=600"]
    if starts := shown.model.start is not None:
        begun = load_recipe(name, [*overrides, "model.start=null", "train.balance_rounds=0"], Recipe)
        shipped = train(begun, tmp_path / "shipped").model
        overrides.append(f"model.start={shipped}")
    result = train(load_recipe(name, overrides, Recipe), tmp_path / "run")
    assert result.step == 1
    assert result.model is not None
    assert len(read_lineage(result.model)) == 1 + starts


def test_the_recipe_of_zero3_is_what_deepspeed_is_told() -> None:
    recipe = load_recipe("r1-zero3", [], Recipe)
    gpu = ExecutionPlan("fp16", 2, torch.device("cuda"), compiled=True, kernels="flex")
    settings = deepspeed_settings(recipe, gpu, 2, layer=1000)
    assert settings == {
        "train_micro_batch_size_per_gpu": 16,
        "gradient_accumulation_steps": 4,
        "gradient_clipping": 1.0,
        "zero_optimization": {
            "stage": 3,
            "stage3_param_persistence_threshold": 0,
            "reduce_bucket_size": 1000,
            "contiguous_gradients": True,
            "overlap_comm": True,
        },
        "fp16": {
            "enabled": True,
            "loss_scale": 0,
            "initial_scale_power": 16,
            "loss_scale_window": 1000,
            "hysteresis": 1,
            "min_loss_scale": 1,
        },
    }
    optimizer = recipe.optimizer
    assert (optimizer.kind, optimizer.learning_rate, optimizer.betas) == ("adamw", 3e-5, (0.9, 0.95))
    assert (recipe.train.precision, recipe.checkpoint.interval) == ("fp16", 1000)
    twin = load_recipe("r1-zero3-cpu", [], Recipe)
    assert twin == load_recipe("r1-zero3", ["train.precision=fp32", "train.device=cpu"], Recipe)
    assert not deepspeed_settings(twin, replace(gpu, precision="fp32"), 2, layer=1000)["fp16"]["enabled"]


def test_fp16_is_refused_on_a_cpu() -> None:
    recipe = load_recipe("r1-zero3", ["train.device=cpu", "train.kernels=torch", "train.compile=off"], Recipe)
    with pytest.raises(InputError, match=r"^train.precision = fp16: it is for GPUs, and this runs on a CPU; use fp32 "):
        ExecutionPlan.resolve(recipe.train)


def test_domains_keep_the_order_of_their_experts() -> None:
    assert load_recipe("base", [], Recipe).data.domain_names == domain_names()
    some = load_recipe("base", ["data.domains=[calendar, knights]"], Recipe)
    assert some.data.domain_names == ("knights", "calendar")


def test_domains_that_are_not_named_weigh_1() -> None:
    overrides = [
        "data.domains=[knights, calendar, arithmetic]",
        "data.weights={arithmetic: 1.3}",
        "data.weights.knights=3",
    ]
    recipe = load_recipe("base", overrides, Recipe)
    assert recipe.data.domain_weights == {"knights": 3.0, "arithmetic": 1.3, "calendar": 1.0}
    assert set(load_recipe("adapt", [], Recipe).data.domain_weights.values()) == {1.0}


def test_former_names_of_domains_are_read_as_those_of_today() -> None:
    recipe = load_recipe("base", ["data.domains=[fractions, mechanics, arithmetic]"], Recipe)
    assert recipe.data.domains == ("arithmetic", "physics")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stepz=3", "unknown key; did you mean train.steps?"),
        ("train.steps=many", "should be a valid integer"),
        ("data.domains=[magic]", "unknown domain 'magic': use one of propositional, "),
        ("data.weights={magic: 2}", "override: data.weights.magic: unknown domain 'magic': use one of propositional, "),
        (
            "data.weights.fractions=2",
            "override: data.weights.fractions: domain 'fractions' is a part of 'arithmetic' now",
        ),
        ("data.weights={knights: 0}", "override: data.weights.knights = 0: should be greater than 0"),
        ("data.weights={knights: -1.5}", "override: data.weights.knights = -1.5: should be greater than 0"),
        ("data.weights={knights: often}", 'override: data.weights.knights = "often": should be a valid number'),
        ("data.weights={knights: '2'}", 'override: data.weights.knights = "2": should be a valid number'),
        ("data.weights={knights: true}", "override: data.weights.knights = true: should be a valid number"),
        ("data.weights={knights: null}", "override: data.weights.knights = null: should be a valid number"),
        ("data.weights={knights: .nan}", "override: data.weights.knights = NaN: should be a finite number"),
        ("data.weights={knights: .inf}", "override: data.weights.knights = Infinity: should be a finite number"),
        ("data.weights=[knights]", 'override: data.weights = ["knights"]: should be an object'),
        ("data.languages={fr: 1}", "override: data.languages.fr: should be 'en' or 'zh'"),
        ("data.domains=[]", "there is nothing to learn from: name domains or files"),
        ("data.files={a.jsonl: 1, b/../a.jsonl: 2}", "a.jsonl is named twice: give it one weight"),
        ("data.files={./arithmetic: 1}", "arithmetic is also the name of a domain: give the file another name"),
        ("data.levels=[0, 0]", "give a weight for each level from 1 to at most 5, one of them above 0"),
        ("data.levels=[1, 1, 1, 1, 1, 1]", "give a weight for each level from 1 to at most 5"),
        ("data.conversations=1.5", "override: data.conversations = 1.5: should be less than or equal to 1"),
        ("data.word_noise=2", "override: data.word_noise = 2: should be less than or equal to 1"),
        ("data.conversations=-0.1", "override: data.conversations = -0.1: should be greater than or equal to 0"),
        ("curriculum.boundaries=[0.6, 0.2]", "boundaries must rise"),
        ("model.preset=nanoo", "override: model.preset = \"nanoo\": unknown size 'nanoo': use one of nano, micro, "),
        ("model.overrides={hiden_size: 8}", "override: model.overrides.hiden_size = 8: unknown model field 'hiden_s"),
        ("model.overrides={window: 8, hidden_size: wide}", 'override: model.overrides.hidden_size = "wide": Field'),
        ("model.overrides={num_key_value_heads: 4}", "override: model.overrides.num_key_value_heads = 4: num_atten"),
        (
            "train.length=4096",
            "override: train.length = 4096: a row of 4096 tokens exceeds the model's context of 2048",
        ),
        ("objective.exits=[[1], [1]]", "override: objective.exits = [[1.0], [1.0]]: give objective.exits a share for "),
        *(
            (
                f"model.overrides={{{name}: 1}}",
                f"override: model.overrides.{name} = 1: follows from the tokenizer or the ",
            )
            for name in FITTED_FIELDS
        ),
    ],
)
def test_a_wrong_choice_is_refused_in_one_line(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("base", [override], Recipe)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        ("num_groups=2", "give objective.exits a share for each of the exits after 3, 6, 9 layers"),
        ("max_position_embeddings=256", "a row of 512 tokens exceeds the model's context of 256: lower train.length"),
    ],
)
def test_a_model_that_the_defaults_do_not_fit_is_named(override: str, remedy: str, tmp_path: Path) -> None:
    bare = tmp_path / "bare.yaml"
    bare.touch()
    for recipe in (bare, "base"):  # which says the same in writing
        with pytest.raises(ConfigError) as caught:
            load_recipe(recipe, [f"model.overrides.{override}"], Recipe)
        assert str(caught.value) == f"override: model.overrides.{override.replace('=', ' = ')}: {remedy}"


def test_a_model_that_learns_conversations_is_one_of_conversations() -> None:
    tokenizer = train_tokenizer(["What is 1 + 1?"], vocabulary=300)
    small = {"hidden_size": 32, "intermediate_size": 32, "moe_intermediate_size": 16}
    for conversations, kind in ((False, "single"), (True, "multi")):
        model = build_model(ModelConfig(overrides=small), tokenizer, conversations=conversations)
        assert model.config.conversation == kind
    with pytest.raises(ConfigError, match=r'conversation = "single": data.conversations = 0.3 makes a model of conv'):
        load_recipe("base", ["data.conversations=0.3", "model.overrides={conversation: single}"], Recipe)


def test_overrides_that_fit_only_together_are_taken() -> None:
    heads = "model.overrides={num_attention_heads: 8, num_key_value_heads: 4, hidden_size: 256}"
    assert load_recipe("base", [heads], Recipe).model.configuration().num_attention_heads == 8
    heads = "model.overrides={num_key_value_heads: 4, num_attention_heads: 8}"
    assert load_recipe("base", [heads], Recipe).model.configuration().num_key_value_heads == 4


def test_tensorboard_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^override: log.tensorboard = true: needs a package: pip install tensorb"):
        load_recipe("base", ["log.tensorboard=true"], Recipe)
