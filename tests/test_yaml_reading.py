"""What libyaml reads is what PyYAML reads in Python, and what it refuses is told in the same words."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tuili.config import Config, _Loader, _QuickLoader, load_recipe
from tuili.errors import ConfigError
from tuili.yaml_reading import QuickBaseLoader, QuickSafeLoader, compose

ROOT = Path(__file__).parents[1]
PIECES = (
    "a", "b: ", ": ", ":", "- ", "-", "[", "]", "{", "}", ", ", ",", "\n", "\n  ", "\n ", "'", '"', "#", " #", "|\n  ",
    ">", "&x ", "*x", "!t ", "!!int ", "1", "3e-4", "yes", "~", "null", "\t", "? ", "%", "@", "---", "...", "\\n", "é",
    "中", "<<: ", "=", "\r", "\x85", "\u2028", "\a",
)  # fmt: skip

libyaml = pytest.mark.skipif(QuickSafeLoader is yaml.SafeLoader, reason="PyYAML has no libyaml here")


def facts(node: yaml.Node | None) -> object:
    """All that is read of a node."""
    if node is None:
        return None
    inner = node.value
    if isinstance(node, yaml.SequenceNode):
        inner = [facts(one) for one in inner]
    elif isinstance(node, yaml.MappingNode):
        inner = [(facts(key), facts(value)) for key, value in inner]
    return type(node), node.tag, node.start_mark.line, node.start_mark.column, inner


@libyaml
def test_shipped_files_give_the_same_nodes_and_lines() -> None:
    forms = ROOT / "src" / "tuili" / "tasks" / "wordings" / "forms"
    files = [*(ROOT / "recipes").glob("*.yaml"), *forms.rglob("calendar*.yaml"), *forms.parent.glob("words/*.yaml")]
    assert len(files) > 20
    for file in files:
        text = file.read_text()
        assert facts(yaml.compose(text, QuickBaseLoader)) == facts(yaml.compose(text, yaml.BaseLoader)), file


def read(loader: type[yaml.SafeLoader], text: str) -> tuple[str, str]:
    try:
        return "read", repr(loader(text).get_single_data())
    except (yaml.YAMLError, ValueError, LookupError, AttributeError):
        return "refused", ""


@libyaml
def test_no_text_is_read_in_two_ways() -> None:
    draw, seen = random.Random(0), Counter[tuple[str, str]]()
    for _ in range(3000):
        text = "".join(draw.choices(PIECES, k=draw.randint(1, 9)))
        quick, slow = read(_QuickLoader, text), read(_Loader, text)
        seen[quick[0], slow[0]] += 1
        assert quick == slow or "refused" in (quick[0], slow[0]), text
    assert seen["read", "read"] > 500
    assert seen["refused", "refused"] > 500


@libyaml
def test_what_libyaml_alone_refuses_is_read() -> None:
    text = "|\n  \tindented by a tab"
    with pytest.raises(yaml.YAMLError):
        yaml.compose(text, QuickBaseLoader)
    assert facts(compose(text)) == facts(yaml.compose(text, yaml.BaseLoader))


@pytest.mark.parametrize("text", ["a: [b", "\a", "a: b: c", "'", "\ud800"])
def test_errors_are_those_of_python(text: str) -> None:
    told = []
    for read_it in (compose, lambda given: yaml.compose(given, yaml.BaseLoader)):
        with pytest.raises(yaml.YAMLError) as caught:
            read_it(text)
        told.append(str(caught.value))
    assert told[0] == told[1]


@pytest.mark.parametrize("text", ["!!int _", "!!int a", "!!timestamp a", "!!bool a"])
def test_a_value_that_is_not_what_its_tag_says_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("nano", [f"train.steps={text}"], Config)
    remedy = "not valid YAML: a value is not what its tag says: leave the tag out"
    assert str(caught.value) == f"override train.steps={text}: {remedy}"
