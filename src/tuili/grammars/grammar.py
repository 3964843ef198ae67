"""The description of a form: rules in llguidance's dialect of Lark. `compiler` compiles them; `json_rules` makes rules
from JSON schemas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuili.grammars.json_rules import json_rule


@dataclass(frozen=True)
class Grammar:
    """The form of an answer. rules: lines of Lark, in which `body` is the whole text after any thinking."""

    rules: str

    @classmethod
    def of_json(cls, schema: Mapping[str, Any], place: str = "schema") -> Grammar:
        """JSON that matches a schema, and nothing else. Raises `SchemaFault`, as `json_rule` does."""
        return cls(f"body: {json_rule(schema, place)}")


def quoted(text: str) -> str:
    """A text as it is quoted in a rule."""
    return json.dumps(text)
