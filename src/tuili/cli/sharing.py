"""Options that several verbs share, defined once, as the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any


def with_options(
    parameter: str, options: type, defaults: Mapping[str, object] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace a verb's parameter with the fields of a dataclass as options, and pass the verb an instance of it.

    defaults: those of this verb, in place of the dataclass's own.
    """

    def given_to(verb: Callable[..., None]) -> Callable[..., None]:
        shared = inspect.signature(options, eval_str=True).parameters
        own = inspect.signature(verb, eval_str=True).parameters

        @wraps(verb)
        def called(**given: Any) -> None:
            verb(**{parameter: options(**{name: given.pop(name) for name in shared})}, **given)

        behind = [one.replace(default=(defaults or {}).get(name, one.default)) for name, one in shared.items()]
        signature = inspect.Signature([*(one for name, one in own.items() if name != parameter), *behind])
        called.__signature__ = signature  # type: ignore[attr-defined]  # typer reads the options there
        return called

    return given_to
