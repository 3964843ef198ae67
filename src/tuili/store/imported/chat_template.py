"""The chat template of an imported model: renders a conversation as the text that the model was trained to continue.

The sandbox is in `template_sandbox`; `control_tokens` determines which parts of the text are control tokens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tuili.errors import InputError, PromptError, one_line
from tuili.store.imported.control_tokens import Chat, ControlTokens, Marker
from tuili.store.template_files import DEFAULT_TEMPLATE, template_texts

if TYPE_CHECKING:
    from tuili.store.imported.template_sandbox import CompiledTemplate

NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class Rendered(NamedTuple):
    """The text of a conversation, in which a marker has marked whatever only looks like a control token."""

    text: str
    marker: Marker


class ChatTemplate:
    """The templates of a model's folder. sources: their texts, by name. source: all texts joined.

    named_tokens: tokens that they may use by name, such as `bos_token`. Raises `InputError` for an invalid template.
    """

    def __init__(self, sources: Mapping[str, str], named_tokens: Mapping[str, str]) -> None:
        from tuili.store.imported.template_sandbox import (
            compile_template,  # imports Jinja, which other models do not need
        )

        self._named_tokens, self.sources = dict(named_tokens), dict(sources)
        self.source = "\n".join(sources.values())
        self._compiled: dict[str, CompiledTemplate] = {}
        for name, source in sources.items():
            try:
                self._compiled[name] = compile_template(source)
            except Exception as error:  # Jinja raises its own errors, and Python's for too deep nesting
                raise InputError(f"the chat template cannot be read: {one_line(error)}") from error

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> ChatTemplate | None:
        """The templates among the files of a tokenizer; None if there are none.

        Template files replace all templates in tokenizer_config.json, as in transformers.
        """
        config = _object(files, "tokenizer_config.json")
        tokens = {**_object(files, "special_tokens_map.json"), **config}
        named = {name: text for name in NAMED_TOKENS if (text := token_text(tokens.get(name))) is not None}
        stored, sources = config.get("chat_template"), template_texts(files)
        if not sources and isinstance(stored, list):
            sources = {str(one["name"]): str(one["template"]) for one in stored}
        elif not sources and stored is not None:
            sources = {DEFAULT_TEMPLATE: str(stored)}
        return cls(dict(sorted(sources.items())), named) if sources else None

    def render(self, messages: Chat, tools: Chat | None, control: ControlTokens, thinking: bool = True) -> Rendered:
        """The text of a conversation, up to the point where the assistant writes.

        Args:
            thinking: whether a model that can think should do so; otherwise, templates that support it close the
                thinking.
        Raises `PromptError` if the template refuses the messages, or fails.
        """
        marker = control.marker(messages, tools, self.source)
        given = {
            **self._named_tokens,
            "messages": [marker.message(message) for message in messages],
            "tools": marker.value(tools) if tools else None,
            "documents": None,
            "add_generation_prompt": True,
            **({} if thinking else {"enable_thinking": False}),
        }
        name = "tool_use" if tools and "tool_use" in self._compiled else DEFAULT_TEMPLATE
        template = self._compiled.get(name) or next(iter(self._compiled.values()))
        try:
            return Rendered(template.render(given), marker)
        except Exception as error:  # a template may raise anything that a Python expression can
            reason = marker.unmarked(one_line(error))
            raise PromptError(f"the chat template of the model refuses these messages: {reason}") from error


def token_text(token: object) -> str | None:
    """The text of a token in a configuration, given as a string or as an object with a `content` field."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def _object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    found = json.loads(files.get(name, b"{}"))
    if not isinstance(found, dict):
        raise InputError(f"{name} is not a JSON object")
    return found
