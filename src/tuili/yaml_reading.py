"""Reads YAML with libyaml, in a tenth of the time of PyYAML's Python loader; falls back to that without libyaml.

Both give the same nodes with the same line numbers. libyaml accepts some texts that the Python loader refuses, such as
one with a tab at its end. If libyaml refuses a text, the Python loader reads it again, so that users get the same error
message with every build of PyYAML.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import yaml

__all__ = ["QuickBaseLoader", "QuickSafeLoader", "compose", "quickly"]

if TYPE_CHECKING:  # they are used in the same way
    from yaml import BaseLoader as QuickBaseLoader
    from yaml import SafeLoader as QuickSafeLoader
else:
    QuickBaseLoader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    QuickSafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Loader = TypeVar("Loader")
Result = TypeVar("Result")


def compose(text: str) -> yaml.Node | None:
    """The root node, with every scalar as text; None if there is none. Raises `yaml.YAMLError`."""
    return quickly(lambda loader: yaml.compose(text, loader), QuickBaseLoader, yaml.BaseLoader)


def quickly(read: Callable[[Loader], Result], quick: Loader, slow: Loader) -> Result:
    """The result of the quick loader, or of the slow one if the quick one refuses the text."""
    try:
        return read(quick)
    except (yaml.YAMLError, ValueError):  # the latter for invalid Unicode
        return read(slow)
