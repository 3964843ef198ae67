"""The description of a form: rules in the dialect of Lark that llguidance reads. How they are compiled is left to
`compiler`, what of a rule is a JSON schema to `json_rules`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuili.grammars.json_rules import json_rule


@dataclass(frozen=True)
class Grammar:
    """The form of an answer. rules: lines of Lark, of which `body` is the whole text behind any thinking."""

    rules: str

    @classmethod
    def of_json(cls, schema: Mapping[str, Any], place: str = "schema") -> Grammar:
        """JSON of a schema, and nothing beside it. Raises `SchemaFault`, as `json_rule` does."""
        return cls(f"body: {json_rule(schema, place)}")


def quoted(text: str) -> str:
    """A text as it stands in a rule."""
    return json.dumps(text)
