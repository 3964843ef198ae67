"""Reading YAML by libyaml, in a tenth of the time that PyYAML takes in Python; by that where it has no libyaml.

Both give the same nodes with the same lines. libyaml takes some texts that Python refuses, such as one with a tab at
its end. What libyaml refuses is read in Python again, so that users are told the same with every build of PyYAML.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import yaml

__all__ = ["QuickBaseLoader", "QuickSafeLoader", "compose", "quickly"]

if TYPE_CHECKING:  # they are used alike
    from yaml import BaseLoader as QuickBaseLoader
    from yaml import SafeLoader as QuickSafeLoader
else:
    QuickBaseLoader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    QuickSafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Loader = TypeVar("Loader")
Result = TypeVar("Result")


def compose(text: str) -> yaml.Node | None:
    """The root node, in which each scalar is a text; None where there is none. Raises `yaml.YAMLError`."""
    return quickly(lambda loader: yaml.compose(text, loader), QuickBaseLoader, yaml.BaseLoader)


def quickly(read: Callable[[Loader], Result], quick: Loader, slow: Loader) -> Result:
    """What one loader reads, or the other one where that refuses the text."""
    try:
        return read(quick)
    except (yaml.YAMLError, ValueError):  # the latter for what is no Unicode
        return read(slow)
