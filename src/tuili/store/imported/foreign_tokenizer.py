"""The tokenizer of an imported model: converts texts and conversations to token ids, and ids back to texts.

It supports any `tokenizer.json` whose entries represent bytes: byte-level BPE, and sentencepiece's BPE, which writes
spaces as `▁` and other bytes as `<0x0A>`. The tokenizer of Tuili's own models is in `tokenizer`; `chat_template` turns
a conversation into text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

import tokenizers

from tuili.errors import InputError, PromptError
from tuili.steps import END_THINK, THINK
from tuili.store.imported.chat_template import ChatTemplate, Rendered, token_text
from tuili.store.imported.control_tokens import Chat, ControlTokens
from tuili.store.tokenizer import Tokenizer, bytes_of_entry, damage_refused, read_backend, text_or_none

GENERATION_FILE = "generation_config.json"
TAIL_TOKENS = 16
"""The number of tokens at the end of a prompt that are searched for an opened thinking tag."""
_BYTE_ENTRY = re.compile(r"<0x([0-9A-F]{2})>")
_SPACES = r"\s*"
_SPACE = "\u2581"
"""Sentencepiece's character for a space."""


@dataclass(frozen=True, eq=False)
class ForeignTokenizer:
    """A tokenizer as defined by its model's folder.

    backend: the library's tokenizer. end_ids: the ids that end a response, the usual one first. template: the chat
    template; None for a base model, trained only to continue texts. files: the content, by name, of the files that it
    was read from.
    """

    backend: tokenizers.Tokenizer
    end_ids: tuple[int, ...]
    template: ChatTemplate | None = None
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, folder: Path, end_ids: Sequence[int] = ()) -> ForeignTokenizer:
        """Read the tokenizer of a folder.

        Args:
            end_ids: the ids from config.json. generation_config.json and tokenizer_config.json may name others.
        Raises `InputError` if the tokenizer is damaged, if its entries do not represent bytes, if its chat template is
        invalid, or if no token ends a text.
        """
        file = folder / "tokenizer.json"
        backend, files = read_backend(folder, [GENERATION_FILE])
        texts = {name: content.decode() for name, content in files.items()}
        if _decoders(_state_of(backend.decoder)).isdisjoint({"ByteLevel", "ByteFallback", "Metaspace"}):
            raise InputError(f"{file}: its entries stand for no bytes: use byte-level or sentencepiece's BPE")
        with damage_refused(folder / GENERATION_FILE):
            generation = _ids(json.loads(texts.get(GENERATION_FILE, "{}")).get("eos_token_id"))
        with damage_refused(folder / "tokenizer_config.json"):
            named = token_text(json.loads(texts.get("tokenizer_config.json", "{}")).get("eos_token"))
        found = None if named is None else backend.token_to_id(named)
        ends = tuple(dict.fromkeys((*generation, *end_ids, *(() if found is None else (found,)))))
        if not ends:
            raise InputError(f"{folder} names no token that ends a text: give eos_token_id in config.json")
        with damage_refused(folder):
            template = ChatTemplate.read(files)
        files.pop(GENERATION_FILE, None)
        return cls(backend, ends, template, files)

    @property
    def end_id(self) -> int:
        """The id that usually ends a response."""
        return self.end_ids[0]

    @cached_property
    def size(self) -> int:
        """One more than the highest id, added tokens included."""
        return 1 + max(self._vocabulary.values(), default=-1)

    @cached_property
    def max_token_bytes(self) -> int:
        """The length of the longest entry in UTF-8 bytes: no token represents more bytes of text."""
        return max(len(entry.encode()) for entry in self._vocabulary)

    def prepare(self) -> None:
        """Compute in advance what the first conversation would otherwise wait for."""
        _ = self.shown_texts, self.max_token_bytes, self.thinks, self._plain
        if self.template is not None:
            self.backend.encode("\n", add_special_tokens=False)

    def encode_text(self, text: str) -> list[int]:
        """The ids of plain text: control tokens spelled out in it are ordinary characters."""
        return self._checked(self._plain.encode(text, add_special_tokens=False).ids)

    def encode_response(self, prompt: Sequence[int], response: str) -> list[int]:
        """The ids of a response, `<think>…</think>answer` or another text, as a model writes it after a prompt.

        Its tags become the tokens of these names, if the vocabulary has them. `<think>` is left out if the prompt ends
        with it.
        """
        if opens_thinking(self, prompt):
            response = response.removeprefix(f"{THINK}\n")
        tags = [tag for tag in (THINK, END_THINK) if tag in self._vocabulary]
        if not tags:
            return self.encode_text(response)
        ids, plain = list[int](), self._plain
        for piece in re.split(f"({'|'.join(tags)})", response):
            if piece in tags:
                ids.append(self._vocabulary[piece])
            elif piece:
                ids += self._checked(plain.encode(piece, add_special_tokens=False).ids)
            plain = self._plain_inside
        return ids

    def encode_beginning(self, text: str) -> list[int]:
        """The ids of a text to be continued, preceded by the beginning-of-text token if the model has one."""
        begun = self.backend.encode("a")
        first = begun.special_tokens_mask.index(0)
        return [*begun.ids[:first], *self.encode_text(text)]

    def encode_chat(self, messages: Chat, tools: Chat | None = None, thinking: bool = True) -> list[int]:
        """The ids of a conversation, up to the point where the assistant writes, according to the folder's template.

        The control tokens that the template writes become special ids; those that messages spell out stay text. Without
        a template, the model continues the texts of all messages, separated by empty lines.

        Args:
            tools: functions that may be called, as JSON schemas.
            thinking: whether a model that can think before it answers should do so.
        Raises `PromptError` if the template refuses the messages, or fails.
        """
        if self.template is None:
            return self.encode_beginning("\n\n".join(_text_of(message) for message in messages))
        rendered = self.template.render(messages, tools, self._control, thinking)
        if rendered.marker.is_in(rendered.text):
            return self.encode_marked(rendered)
        return list(self.backend.encode(rendered.text, add_special_tokens=False).ids)

    @cached_property
    def question_prefix(self) -> tuple[int, ...]:
        """The ids with which the chat template begins the prompt of every question."""
        prompts = (self.encode_chat([{"role": "user", "content": word}]) for word in ("How?", "Who?"))
        return tuple(one for one, other in takewhile(lambda pair: pair[0] == pair[1], zip(*prompts, strict=False)))

    def encode_marked(self, rendered: Rendered) -> list[int]:
        """The ids of a text with marks: those of its control tokens, and of the unmarked plain text between them."""
        ids, plain = list[int](), self._plain
        for number, piece in enumerate(self._control_pattern.split(rendered.text)):
            if number % 2:
                ids.append(self._id_of(piece if piece in self._control.all else piece.strip()))
            elif piece:
                ids += self._checked(plain.encode(rendered.marker.unmarked(piece), add_special_tokens=False).ids)
            plain = self._plain_inside
        return ids

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """The text of these ids. `<think>` and `</think>` are kept even if special tokens are skipped."""
        by_id = self.shown_bytes if skip_special_tokens else self._bytes_by_id
        return b"".join(by_id[token] for token in ids if token < len(by_id)).decode(errors="replace")

    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of text that an id represents. A character may take several tokens. An id beyond the entries,
        which a model may have, represents nothing."""
        return self._bytes_by_id[token] if token < len(self._bytes_by_id) else b""

    @cached_property
    def shown_bytes(self) -> list[bytes]:
        """By id, the bytes of text that `decode` produces for it if special tokens are skipped."""
        added = self.backend.get_added_tokens_decoder().items()
        hidden = {token for token, entry in added if entry.special and entry.content not in (THINK, END_THINK)}
        return [b"" if token in hidden else data for token, data in enumerate(self._bytes_by_id)]

    @cached_property
    def shown_texts(self) -> list[str | None]:
        """`shown_bytes` as texts; None for an id that represents parts of characters."""
        return [text_or_none(data) for data in self.shown_bytes]

    @cached_property
    def thinks(self) -> bool:
        """Whether the model was trained to think between tags before it answers."""
        return THINK in self._vocabulary or (self.template is not None and THINK in self.template.source)

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return dict(self.backend.get_vocab(with_added_tokens=True))

    @cached_property
    def _bytes_by_id(self) -> list[bytes]:
        added, texts = self.backend.get_added_tokens_decoder(), [""] * self.size
        for text, token in self._vocabulary.items():
            texts[token] = text
        read = bytes_of_entry if "ByteLevel" in _decoders(_state_of(self.backend.decoder)) else _bytes_of_piece
        return [text.encode() if token in added else read(text) for token, text in enumerate(texts)]

    @cached_property
    def _control(self) -> ControlTokens:
        """The special tokens, and those that the chat template writes, except tokens that are only whitespace."""
        added = self.backend.get_added_tokens_decoder().values()
        source = "" if self.template is None else self.template.source
        others = (one.content for one in added if not one.special and one.content in source)
        return ControlTokens((one.content for one in added if one.special), (one for one in others if one.strip()))

    @cached_property
    def _control_pattern(self) -> re.Pattern[str]:
        """Splits a text at control tokens, with the whitespace that some of them absorb; longer tokens match first."""
        added = self.backend.get_added_tokens_decoder().values()
        control = sorted((one for one in added if one.content in self._control.all), key=lambda one: -len(one.content))
        each = (_SPACES * one.lstrip + re.escape(one.content) + _SPACES * one.rstrip for one in control)
        return re.compile(f"({'|'.join(each) or '(?!)'})")

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """The same tokenizer, but it treats control tokens in a text as text. It shares the entries and the merges."""
        plain = tokenizers.Tokenizer(self.backend.model)
        for part in ("normalizer", "pre_tokenizer"):
            if (value := getattr(self.backend, part)) is not None:
                setattr(plain, part, value)
        for token, entry in sorted(self.backend.get_added_tokens_decoder().items()):
            entry.special = entry.content in self._control.all
            plain.add_tokens([entry])
            if plain.token_to_id(entry.content) != token:  # some ids before it have no entry
                return self._without_control(json.loads(self.backend.to_str()))
        plain.encode_special_tokens = True  # that is, as text
        return plain

    @cached_property
    def _plain_inside(self) -> tokenizers.Tokenizer:
        """`_plain` for a text that is not at the beginning: no space is added in front of it."""
        if "first" not in json.dumps(_state_of(self.backend.pre_tokenizer)):
            return self._plain
        return self._without_control(_without_first_space(json.loads(self.backend.to_str())))

    def _without_control(self, state: dict[str, Any]) -> tokenizers.Tokenizer:
        added = [token | {"special": token["content"] in self._control.all} for token in state["added_tokens"]]
        state |= {"added_tokens": added, "truncation": None, "padding": None}
        plain = tokenizers.Tokenizer.from_str(json.dumps(state))
        plain.encode_special_tokens = True
        return plain

    def _id_of(self, token: str) -> int:
        found = self.backend.token_to_id(token)
        assert found is not None
        return found

    def _checked(self, ids: list[int]) -> list[int]:
        """Return the ids. Raises `PromptError` if plain text became a control token nevertheless."""
        if control := self._control_ids.intersection(ids):
            name = self.backend.id_to_token(min(control))
            raise PromptError(f"the prompt spells {name} out, and the tokenizer knows it as a control token alone")
        return ids

    @cached_property
    def _control_ids(self) -> frozenset[int]:
        return frozenset(map(self._id_of, self._control.all))


AnyTokenizer = Tokenizer | ForeignTokenizer


def opens_thinking(tokenizer: AnyTokenizer, prompt: Sequence[int]) -> bool:
    """Whether a prompt ends with the tag that opens the thinking."""
    return tokenizer.decode(prompt[-TAIL_TOKENS:]).rstrip().endswith(THINK)


def _state_of(part: Any) -> dict[str, Any]:
    """The tokenizer.json state of a part of a tokenizer; empty if there is no such part."""
    return {} if part is None else dict(json.loads(part.__getstate__()))


def _decoders(decoder: Mapping[str, Any]) -> set[str]:
    """The type of a decoder, or the types of its parts."""
    return {str(part.get("type")) for part in decoder.get("decoders", [decoder])}


def _bytes_of_piece(text: str) -> bytes:
    """The bytes that a sentencepiece entry represents."""
    match = _BYTE_ENTRY.fullmatch(text)
    return bytes([int(match[1], 16)]) if match else text.replace(_SPACE, " ").encode()


def _without_first_space(state: Any) -> Any:
    """A copy of the state in which no pre-tokenizer puts a space before the first word."""
    if isinstance(state, list):
        return [_without_first_space(one) for one in state]
    if not isinstance(state, dict):
        return state
    changed = {"prepend_scheme": "never"} if state.get("prepend_scheme") == "first" else {}
    parts = ("pre_tokenizer", "pretokenizers")
    return {name: _without_first_space(one) if name in parts else one for name, one in state.items()} | changed


def _ids(value: object) -> list[int]:
    """The ids that a configuration value names: one, several, or none."""
    if value is None:
        return []
    ids: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in ids):
        raise TypeError(f"eos_token_id is {value!r}: it must be an id, or a list of ids")
    return ids


def _text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""
