"""Recipes: YAML files composed from a base and dotted overrides, and checked against a schema.

The schema, a pydantic model of the package that reads the recipe, defines what a recipe may contain. This module adds
to an error the file or override that caused it and what would be right. `docs/recipes.md` is the page for writers of
recipes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Hashable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from tuili.errors import ConfigError
from tuili.yaml_reading import QuickSafeLoader, quickly

Schema = TypeVar("Schema", bound=BaseModel)
Tree = dict[str, Any]
Key = tuple[str, ...]

BASE_KEY = "base"
_PACKAGE = Path(__file__).parent
RECIPE_FOLDERS = (
    _PACKAGE / "recipes",
    _PACKAGE.parents[1] / "recipes",
)
"""The folders of shipped recipes: in an installed wheel, and in a source tree."""
MAX_SHOWN_CHARACTERS = 60
"""The number of characters of a value that an error message shows."""


class Config(BaseModel):
    """A part of a recipe: frozen, without unknown keys or infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def shipped_recipes() -> dict[str, Path]:
    """The recipes shipped with Tuili, by bare name: `nano` for `recipes/nano.yaml`."""
    return {file.stem: file for folder in RECIPE_FOLDERS for file in sorted(folder.glob("*.yaml"))}


def load_recipe(path: str | Path, overrides: Sequence[str], schema: type[Schema]) -> Schema:
    """Read a recipe, apply the overrides and validate the result.

    Args:
        path: A YAML file, or the bare name of a shipped recipe. Its key `base` names the recipe that it modifies, in
            the same folder or shipped: mappings merge key by key; any other value, even `{}`, replaces that of the
            base.
        overrides: Each is `dotted.key=value`, with the value in YAML: `train.steps=2000`, `domains=[knights]`.
        schema: The schema of the recipe. Types are strict: neither `"3"` nor `3.0` is an integer.

    Raises:
        ConfigError: A file is missing, not YAML or nested too deeply, bases form a cycle, a key is unknown, missing or
            given twice, or a value is wrong. One line: the file or "override", the key, the value, the remedy.
    """
    tree: Tree = {}
    sources: dict[Key, str] = {}
    try:
        for source, layer in _layers(_find(str(path), "recipe"), seen=()):
            _merge(tree, layer, source, sources)
        for override in overrides:
            _merge(tree, _parse_override(override), "override", sources)
        # Through JSON, strict validation still accepts lists for tuples and strings for enums and paths.
        return schema.model_validate_json(json.dumps(tree, default=str), strict=True, extra="forbid")
    except ValidationError as error:
        if error.errors()[0]["type"] != "json_invalid":
            raise ConfigError(_explain(error.errors(), tree, sources, str(path), schema)) from None
    except RecursionError:
        pass
    # The output of json.dumps can be invalid only because of its depth.
    raise ConfigError(f"{path}: the recipe or an override of it is nested too deep")


def has_section(path: str | Path, name: str) -> bool:
    """Whether a recipe, or one of its bases, has this section. Raises `ConfigError` as `load_recipe` does."""
    try:
        return any(name in layer for _, layer in _layers(_find(str(path), "recipe"), seen=()))
    except RecursionError:
        raise ConfigError(f"{path}: the recipe is nested too deep") from None


def _find(recipe: str, asked_by: str, folder: Path = Path()) -> Path:
    """The file of a path relative to `folder`, or of a bare name."""
    file, shipped = folder / recipe, shipped_recipes()
    if os.path.lexists(file) and file.is_file():  # the first test is False for a name that is too long
        return file
    if recipe in shipped:
        return shipped[recipe]
    close = get_close_matches(file.stem, shipped, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"shipped recipes: {', '.join(shipped)}"
    raise ConfigError(f"{asked_by} {recipe}: no such file; {remedy}")


def _layers(file: Path, seen: tuple[Path, ...]) -> Iterator[tuple[str, Tree]]:
    """The recipe's files, from its outermost base to the recipe itself, each with its name in error messages."""
    if file.resolve() in seen:
        raise ConfigError(f"{file}: the chain of its bases leads back to it")
    layer = _parse_yaml(file)
    base = layer.pop(BASE_KEY, None)
    if base is not None:
        if not isinstance(base, str):
            raise ConfigError(f"{file}: {BASE_KEY} = {_show(base)}: should be a file or the name of a shipped recipe")
        yield from _layers(_find(base, f"{file}: {BASE_KEY} =", file.parent), (*seen, file.resolve()))
    yield str(file), layer


def _merge(tree: Tree, layer: Tree, source: str, sources: dict[Key, str], at: Key = ()) -> None:
    """Merge `layer` into `tree`, and record in `sources` which source last set each key, the latest at the end."""
    for name, value in layer.items():
        key = (*at, name)
        if not (isinstance(value, dict) and value and isinstance(tree.get(name), dict)):
            tree[name] = {} if isinstance(value, dict) else value
            sources.pop(key, None)
            sources[key] = source
        if isinstance(value, dict):
            _merge(tree[name], value, source, sources, key)


# Reading YAML


class _Rules(SafeConstructor, Resolver):
    """YAML 1.2 scalars, and keys that are words and occur only once.

    YAML 1.1, which PyYAML follows, reads `3e-4` as a string, `no` as false, `1:30` as 90 and `010` as 8.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key should be a word", problem_mark=key.start_mark)
            if key.value in mapping:
                raise yaml.MarkedYAMLError(problem=f"key {key.value} is given twice", problem_mark=key.start_mark)
            mapping[key.value] = self.construct_object(value, deep=True)
        return mapping


_Rules.yaml_implicit_resolvers = {}
for _type, _pattern in {
    "null": r"~|null|",
    "bool": r"true|false",
    "int": r"[-+]?(0|[1-9][0-9_]*)",
    "float": r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*|(?=[eE])))([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
}.items():
    _Rules.add_implicit_resolver(f"tag:yaml.org,2002:{_type}", re.compile(rf"(?:{_pattern})\Z"), None)


class _Loader(_Rules, yaml.SafeLoader):
    """YAML's safe loader with these rules."""


class _QuickLoader(_Rules, QuickSafeLoader):
    """The same loader, in a tenth of the time."""


def _load_yaml(text: str, where: str) -> Any:
    try:
        return quickly(lambda loader: loader(text).get_single_data(), _QuickLoader, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(f"{where}: not valid YAML: {line}{error.problem}") from None
    except (ValueError, LookupError, AttributeError):  # from a scalar whose value is computed from its text
        tagged, long = "a value is not what its tag says: leave the tag out", "an integer of too many digits"
        fault = tagged if "!" in text else f"{long}: write a shorter one"
        raise ConfigError(f"{where}: not valid YAML: {fault}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise ConfigError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None


def _parse_yaml(file: Path) -> Tree:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    value = _load_yaml(text, str(file))
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: a recipe should be a mapping of keys to values, not {_show(value)}")
    return value


def _parse_override(text: str) -> Tree:
    key, equals, value = text.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ConfigError(f"override {text}: should be a dotted key and a value, as in train.steps=2000")
    *sections, last = names
    tree: Tree = {last: _load_yaml(value, f"override {shortened(text)}")}
    for name in reversed(sections):
        tree = {name: tree}
    return tree


# Explaining what is wrong


def _explain(
    errors: Sequence[ErrorDetails], tree: Tree, sources: dict[Key, str], recipe: str, schema: type[BaseModel]
) -> str:
    """One line about the first wrong key: where it was set, its value, and what would be right."""
    by_key: dict[Key, list[ErrorDetails]] = {}
    for error in errors:
        by_key.setdefault(_key(error, tree), []).append(error)
    first = next(iter(by_key))
    of_first = [key for key in by_key if key[: len(first)] == first]
    key = max(of_first, key=len)  # the member of a union that fits furthest
    kind, value, at = by_key[key][0]["type"], by_key[key][0]["input"], by_key[key][0]["loc"]
    if kind == "missing":
        remedy = "this key is missing"
    elif kind == "extra_forbidden":
        remedy = f"unknown key; {_suggest(key, schema)}"
    else:
        messages = (re.sub("^(Input|Value error,) ", "", error["msg"]) for error in by_key[key])
        remedy = " or ".join(dict.fromkeys(messages))
    if kind == "value_error" and isinstance(value, dict):  # an error of a section, to which several sources may add
        source = next((of for set_key, of in reversed(sources.items()) if key and set_key[: len(key)] == key), recipe)
    else:
        source = next((sources[key[:n]] for n in range(len(key), 0, -1) if key[:n] in sources), recipe)
    about_key = at[-1:] == ("[key]",) or (kind in ("missing", "value_error") and isinstance(value, dict))
    place = ".".join(key) if about_key else f"{'.'.join(key)} = {_show(value)}"
    more = len(by_key) - len(of_first)
    return ": ".join(part for part in (source, place, remedy) if part) + (f" (and {more} more)" if more else "")


def _key(error: ErrorDetails, tree: Tree) -> Key:
    """The key of an error in the recipe: its location without the union members that pydantic inserts."""
    key: list[str] = []
    node: Any = tree
    for part in error["loc"]:
        children = node if isinstance(node, dict) else dict(enumerate(node)) if isinstance(node, list) else {}
        if part in children:
            node = children[part]
            key.append(str(part))
    if error["type"] == "missing":
        key.append(str(error["loc"][-1]))
    return tuple(key)


def _suggest(key: Key, schema: type[BaseModel]) -> str:
    """The key that was probably meant: the same name elsewhere, or a similar one, or else all keys allowed there."""
    known = list(dict.fromkeys(_known_keys(schema)))
    *section, name = (part for part in key if not part.isdigit())
    siblings = [k for k in known if k.split(".")[:-1] == section]
    close = (
        [k for k in known if k.split(".")[-1] == name]
        or get_close_matches(".".join((*section, name)), siblings, n=1)
        or get_close_matches(".".join((*section, name)), known, n=1)
    )
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(siblings or known)}"


def _known_keys(annotation: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys that a schema accepts, found through optional, list and mapping types."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield f"{prefix}{name}"
            yield from _known_keys(field.annotation, f"{prefix}{name}.")
    else:
        for argument in get_args(annotation):
            yield from _known_keys(argument, prefix)


def _show(value: Any) -> str:
    return shortened(json.dumps(value, default=str))


def shortened(text: str) -> str:
    """A text cut to at most `MAX_SHOWN_CHARACTERS`, for a one-line message."""
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 1] + "…"
