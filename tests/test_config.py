"""Recipes: composing files and overrides, and the one-line errors that name file, key, value and remedy."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from tuili.config import Config, has_section, load_recipe, shipped_recipes
from tuili.errors import ConfigError, InputError


class Phase(StrEnum):
    EASY = "easy"
    HARD = "hard"


class Source(Config):
    path: Path
    weight: float = 1.0


class Train(Config):
    steps: int = Field(100, gt=0)
    rate: float = 1e-3
    phase: Phase = Phase.EASY
    order: Literal["mixed", "curriculum"] = "mixed"
    limit: int | None = None
    seeds: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _limit_within_steps(self) -> Train:
        if self.limit is not None and self.limit > self.steps:
            raise ValueError("limit should not be above steps")
        return self


class Recipe(Config):
    name: str
    train: Train = Train()
    sources: tuple[Source, ...] = ()
    precision: bool | Literal["auto"] = "auto"
    domains: Literal["all"] | tuple[str, ...] = "all"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a recipe into an empty working folder and returns its relative path."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "mine.yaml") -> str:
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return name

    return write


def refused(path: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, overrides, Recipe)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_values_arrive_with_their_types(write):
    recipe = load_recipe(
        write("name: a\ntrain: {steps: 1_000, rate: 3e-4, phase: hard, seeds: [1]}\nsources: [{path: p.jsonl}]"),
        ["train.limit=7", "precision=false"],
        Recipe,
    )
    assert recipe.train == Train(steps=1000, rate=3e-4, phase=Phase.HARD, limit=7, seeds=(1,))
    assert recipe.sources == (Source(path=Path("p.jsonl")),)
    assert recipe.precision is False


def test_a_recipe_is_frozen(write):
    recipe = load_recipe(write("name: a"), [], Recipe)
    with pytest.raises(ValueError, match="frozen"):
        recipe.name = "b"  # type: ignore[misc]


# composing


def test_a_recipe_is_a_diff_on_its_base(write):
    write("name: root\ntrain: {steps: 5, rate: 0.5, seeds: [1, 2, 3]}", "common/root.yaml")
    write("base: common/root.yaml\ntrain: {rate: 0.25}", "middle.yaml")
    recipe = load_recipe(write("base: middle.yaml\nname: leaf\ntrain: {seeds: [9]}"), ["train.steps=6"], Recipe)
    assert recipe == Recipe(name="leaf", train=Train(steps=6, rate=0.25, seeds=(9,)))


def test_a_base_is_found_beside_the_recipe_not_in_the_working_folder(write):
    write("name: wrong", "root.yaml")
    write("name: right", "deep/root.yaml")
    assert load_recipe(write("base: root.yaml", "deep/leaf.yaml"), [], Recipe).name == "right"


def test_later_overrides_win_and_a_mapping_merges(write):
    overrides = ["train={steps: 7, rate: 0.5}", "train.steps=8"]
    assert load_recipe(write("name: a"), overrides, Recipe).train == Train(steps=8, rate=0.5)


@pytest.mark.parametrize(("text", "override"), [("train: {}", "name=a"), ("train: {steps: 6}", "train={}")])
def test_an_empty_mapping_replaces_what_the_base_says(write, text, override):
    write("name: root\ntrain: {steps: 5, rate: 0.5}", "root.yaml")
    assert load_recipe(write(f"base: root.yaml\n{text}"), [override], Recipe).train == Train()
    later = ["train={}", "train.rate=0.25"]
    assert load_recipe("mine.yaml", later, Recipe).train == Train(rate=0.25)


def test_an_integer_of_too_many_digits_is_refused(write):
    digits = "9" * 5000
    remedy = "not valid YAML: an integer of too many digits: write a shorter one"
    assert refused(write("name: a"), f"train.steps={digits}") == f"override train.steps={'9' * 47}…: {remedy}"
    assert refused(write(f"name: a\ntrain: {{steps: {digits}}}")) == f"mine.yaml: {remedy}"


def test_an_empty_recipe_is_all_defaults(write):
    assert load_recipe(write("# nothing\n"), ["name=a"], Recipe) == Recipe(name="a")


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_circles_of_bases_are_refused(write, names):
    for name, base in zip(names, names[1:] + names[:1], strict=True):
        write(f"base: {base}.yaml\nname: x", f"{name}.yaml")
    assert refused("a.yaml") == "a.yaml: the chain of its bases leads back to it"


def test_shipped_recipes_go_by_bare_name(write, monkeypatch, tmp_path):
    write("name: shipped", "kept/nano.yaml")
    monkeypatch.setattr("tuili.config.RECIPE_FOLDERS", (tmp_path / "kept", tmp_path / "absent"))
    assert shipped_recipes() == {"nano": tmp_path / "kept/nano.yaml"}
    assert load_recipe("nano", [], Recipe).name == "shipped"
    assert load_recipe(write("base: nano"), [], Recipe).name == "shipped"
    assert refused("nan") == "recipe nan: no such file; did you mean nano?"
    assert refused(write("base: micro.yaml", "b.yaml")) == (
        "b.yaml: base = micro.yaml: no such file; shipped recipes: nano"
    )


def test_the_recipes_of_this_source_tree_are_shipped():
    folder = Path(__file__).parents[1] / "recipes"
    assert set(shipped_recipes().values()) == set(folder.glob("*.yaml"))


# refusing: the whole line is the test, because the line is the interface


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\ntrain: {stepps: 3}",
            "mine.yaml: train.stepps = 3: unknown key; did you mean train.steps?",
        ),
        ("name: a\nsteps: 3", "mine.yaml: steps = 3: unknown key; did you mean train.steps?"),
        (
            "name: a\nzzz: 3",
            "mine.yaml: zzz = 3: unknown key; known here: name, train, sources, precision, domains",
        ),
        (
            "name: a\nsources: [{path: p, wieght: 2}]",
            "mine.yaml: sources.0.wieght = 2: unknown key; did you mean sources.weight?",
        ),
        ("name: a\ntrain: {steps: many}", 'mine.yaml: train.steps = "many": should be a valid integer'),
        ('name: a\ntrain: {steps: "3"}', 'mine.yaml: train.steps = "3": should be a valid integer'),
        ("name: a\ntrain: {steps: 010}", 'mine.yaml: train.steps = "010": should be a valid integer'),
        ("name: no\ntrain: {steps: true}", "mine.yaml: train.steps = true: should be a valid integer"),
        ("name: a\ntrain: {steps: 0}", "mine.yaml: train.steps = 0: should be greater than 0"),
        (
            "name: a\ntrain: {order: best}",
            "mine.yaml: train.order = \"best\": should be 'mixed' or 'curriculum'",
        ),
        ("name: a\ntrain: {phase: mild}", "mine.yaml: train.phase = \"mild\": should be 'easy' or 'hard'"),
        ("name: a\nprecision: 3", "mine.yaml: precision = 3: should be a valid boolean or should be 'auto'"),
        ("name: a\ndomains: [a, 3]", "mine.yaml: domains.1 = 3: should be a valid string"),
        ("name: a\ntrain: {limit: 200}", "mine.yaml: train: limit should not be above steps"),
        ("train: {steps: 3}", "mine.yaml: name: this key is missing"),
        ("sources: [{}]", "mine.yaml: name: this key is missing (and 1 more)"),
        ("name: 2024-03-01\ntrain: 1:30", 'mine.yaml: train = "1:30": should be an object'),
        ("name: a\nname: b", "mine.yaml: not valid YAML: line 2: key name is given twice"),
        ("name: a\ntrain: {rate: 1, rate: 1}", "mine.yaml: not valid YAML: line 2: key rate is given twice"),
        ("? [a, b]\n: 1", "mine.yaml: not valid YAML: line 1: a key should be a word"),
        ("name: [a", "mine.yaml: not valid YAML: line 1: expected ',' or ']', but got '<stream end>'"),
        ("- name", 'mine.yaml: a recipe should be a mapping of keys to values, not ["name"]'),
        ("base: [a]", 'mine.yaml: base = ["a"]: should be a file or the name of a shipped recipe'),
        (
            "name: !!python/object/apply:os.getcwd []",
            "mine.yaml: not valid YAML: line 1: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object/apply:os.getcwd'",
        ),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line(write, text, message):
    assert refused(write(text)) == message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.steps=many", 'override: train.steps = "many": should be a valid integer'),
        ("train.stepps=3", "override: train.stepps = 3: unknown key; did you mean train.steps?"),
        ("train.steps.x=1", 'override: train.steps = {"x": 1}: should be a valid integer'),
        ("train.steps=", "override: train.steps = null: should be a valid integer"),
        ("train.steps", "override train.steps: should be a dotted key and a value, as in train.steps=2000"),
        (
            "train..steps=1",
            "override train..steps=1: should be a dotted key and a value, as in train.steps=2000",
        ),
        ("=1", "override =1: should be a dotted key and a value, as in train.steps=2000"),
        (
            "train={steps: 1, steps: 2}",
            "override train={steps: 1, steps: 2}: not valid YAML: line 1: key steps is given twice",
        ),
        (
            "name=\a",
            "override name=\a: not valid YAML: unacceptable character #x0007: special characters are not",
        ),
    ],
)
def test_a_wrong_override_is_refused_in_one_line(write, override, message):
    assert refused(write("name: a"), override).startswith(message)


def test_an_error_names_the_file_that_set_the_value(write):
    write("name: a\ntrain: {steps: many, rate: fast}", "root.yaml")
    leaf = write("base: root.yaml\ntrain: {steps: 3}", "leaf.yaml")
    assert refused(leaf) == 'root.yaml: train.rate = "fast": should be a valid number'
    assert refused(leaf, "train.rate=slow") == 'override: train.rate = "slow": should be a valid number'


def test_an_error_of_a_section_names_the_last_that_set_something_in_it(write):
    write("name: a\ntrain: {steps: 300, rate: 0.5}", "root.yaml")
    leaf = write("base: root.yaml\ntrain: {limit: 200}", "leaf.yaml")
    assert load_recipe(leaf, [], Recipe).train.limit == 200
    assert refused(write("base: root.yaml\ntrain: {limit: 400}", "leaf.yaml")) == (
        "leaf.yaml: train: limit should not be above steps"
    )
    assert refused(leaf, "train.steps=7").startswith("override: train: limit should not be above steps")


def test_a_long_value_is_shortened(write):
    assert len(refused(write(f"name: a\ntrain: {{steps: {'x' * 5000}}}"))) < 150


@pytest.fixture(params=[None, 10_000])
def recursion_limit(request):
    """As it is, or as high as torch's compiler sets it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(request.param or before)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("recursion_limit")
@pytest.mark.parametrize("depth", [300, 5000])
def test_a_value_nested_too_deep_is_refused(write, depth):
    text = "name: " + "[\n" * depth + "]\n" * depth  # a line each: of brackets in one line YAML takes long
    assert refused(write(text)).endswith("nested too deep")
    assert refused(write("name: a"), "train" + ".a" * 5000 + "=1").endswith("nested too deep")


def test_files_that_cannot_be_read_are_named(write):
    Path("binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert refused("binary.yaml").startswith("binary.yaml: cannot be read: ")
    for absent in ("absent.yaml", "a" * 300, ""):
        assert refused(absent).startswith(f"recipe {absent}: no such file; ")


def test_a_config_error_is_the_users_mistake():
    assert issubclass(ConfigError, InputError)


@given(st.text())
def test_any_text_is_a_recipe_or_refused(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("recipes") / "r.yaml"
    file.write_text(text, encoding="utf-8", errors="replace")
    try:
        load_recipe(file, [], Recipe)
    except ConfigError as error:
        message = str(error)
    else:
        return
    assert message.startswith(f"{file}: ")
    assert "\n" not in message


plain = st.recursive(
    st.integers(-(10**9), 10**9)
    | st.floats(-1e9, 1e9)
    | st.booleans()
    | st.none()
    | st.text("abc: #'\"0-.", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
    max_leaves=8,
)


class AnyValue(Config):
    value: Any


@given(plain)
def test_a_value_survives_being_written_as_yaml(tmp_path_factory, value):
    """What `yaml.safe_dump` writes is read back as it was, although the reader follows YAML 1.2."""
    file = tmp_path_factory.mktemp("values") / "r.yaml"
    file.write_text(yaml.safe_dump({"value": value}))
    assert load_recipe(file, [], AnyValue).value == value


def test_a_section_is_found_in_a_recipe_and_in_what_it_is_based_on(write):
    base = write("train: {steps: 3}", "base.yaml")
    derived = write("base: base.yaml\nname: mine")
    assert has_section(derived, "train") and has_section(derived, "name") and not has_section(base, "name")
    with pytest.raises(ConfigError, match="no such file"):
        has_section("nowhere.yaml", "train")
