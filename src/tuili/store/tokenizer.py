"""The tokenizer of a model folder: converts texts to token ids and back.

It needs only the tokenizers library. `tuili.steps` defines what a prompt and a response consist of; `tuili.data` trains
a tokenizer, and `tuili.model` saves it in Hugging Face layout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import tokenizers

from tuili.errors import InputError, one_line
from tuili.steps import END, END_THINK, THINK
from tuili.store.template_files import TEMPLATE_FILE, TEMPLATE_FOLDER, read_named_templates

PAD, BEGIN, USER, ASSISTANT = "<|pad|>", "<|begin|>", "<|user|>", "<|assistant|>"
SPECIAL_TOKENS = (PAD, BEGIN, USER, ASSISTANT, END, THINK, END_THINK)
"""In the order of their ids, starting at 0."""
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    TEMPLATE_FILE,
    "special_tokens_map.json",
    "added_tokens.json",
)
"""The files of a tokenizer in Hugging Face layout, besides named chat templates; all but the first are optional."""


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """Byte-level BPE with Tuili's special tokens.

    backend: the library's tokenizer. end_id: the id of the token that ends a response. files: the content, by name, of
    the files that it was read from; empty for a tokenizer that was trained in this process.
    """

    backend: tokenizers.Tokenizer
    end_id: int
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Read the tokenizer of a folder. Raises `InputError` if it is damaged or was not trained by Tuili."""
        file = folder / "tokenizer.json"
        backend, files = read_backend(folder)
        texts = {name: content.decode() for name, content in files.items()}
        with damage_refused(folder / "tokenizer_config.json"):
            end = _end_token(texts)
        vocabulary = backend.get_vocab(with_added_tokens=True)
        if missing := [token for token in (*SPECIAL_TOKENS, end) if token not in vocabulary]:
            raise InputError(f"{file} lacks {missing[0]}: use a tokenizer that Tuili has trained")
        return cls(backend, vocabulary[end], files)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The ids that end a response: only `end_id`."""
        return (self.end_id,)

    @cached_property
    def size(self) -> int:
        """The number of entries, added tokens included."""
        return int(self.backend.get_vocab_size(with_added_tokens=True))

    @cached_property
    def max_token_bytes(self) -> int:
        """The length of the longest entry in UTF-8 bytes: no token represents more bytes of text."""
        return max(len(entry.encode()) for entry in self.backend.get_vocab(with_added_tokens=True))

    def encode_text(self, text: str) -> list[int]:
        """The ids of plain text: `<|end|>` or `<think>` in it are ordinary characters, never special tokens."""
        return list(self._plain.encode(text).ids)

    def encode_prompt(self, prompt: str, earlier: Sequence[tuple[str, str]] = ()) -> list[int]:
        """The ids of `<|begin|><|user|>{prompt}<|assistant|>`, which the model reads before it writes a response.

        Earlier questions and answers precede the prompt, as in the chat template.
        """
        begin, user, assistant, end = map(self.token_id, (BEGIN, USER, ASSISTANT, END))
        ids = [begin]
        for question, answer in earlier:
            ids += [user, *self.encode_text(question), assistant, *self.encode_text(answer), end]
        return [*ids, user, *self.encode_text(prompt), assistant]

    def encode_example(
        self, prompt: str, response: str, earlier: Sequence[tuple[str, str]] = ()
    ) -> tuple[list[int], int]:
        """The ids of a prompt, its response and `<|end|>`, and the number of ids that belong to the prompt.

        Earlier questions and answers precede the prompt and count as part of it. `response` is
        `<think>…</think>answer`; only its first `<think>` and `</think>` become special tokens. Raises `InputError`
        for a response of any other form.
        """
        thinking, close, answer = response.removeprefix(THINK).partition(END_THINK)
        if not response.startswith(THINK) or not close:
            raise InputError(f"response {response[:40]!r} must have the form {THINK}…{END_THINK}answer")
        prompt_ids = self.encode_prompt(prompt, earlier)
        opening, closing, end = map(self.token_id, (THINK, END_THINK, END))
        response_ids = [opening, *self.encode_text(thinking), closing, *self.encode_text(answer), end]
        return prompt_ids + response_ids, len(prompt_ids)

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """The text of these ids. `<think>` and `</think>` are kept even if special tokens are skipped."""
        return str(self.backend.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of text that an id represents. A character may take several tokens. An id beyond the entries,
        which a model may have, represents nothing."""
        return self._bytes_by_id[token] if token < len(self._bytes_by_id) else b""

    def token_id(self, text: str) -> int:
        """The id of the entry `text`. Raises `InputError` if there is none."""
        token = self._plain.token_to_id(text)
        if token is None:
            raise InputError(f"the tokenizer has no token {text}: use one that Tuili has trained")
        return int(token)

    def separator_ids(self) -> list[int]:
        """The ids of the tokens that end a sentence, a line or a step: the boundaries of semantic units."""
        texts = {token: self._plain.decode([token]) for token in self._plain.get_vocab().values()}
        ends = (token for token, text in texts.items() if text in {"\n", ". ", "? ", "; "})
        return sorted({*ends, *map(self.token_id, (USER, ASSISTANT, THINK, END_THINK))})

    @cached_property
    def shown_bytes(self) -> list[bytes]:
        """By id, the bytes of text that `decode` produces for it if special tokens are skipped."""
        special = {token for token, entry in self.backend.get_added_tokens_decoder().items() if entry.special}
        return [b"" if token in special else data for token, data in enumerate(self._bytes_by_id)]

    @cached_property
    def shown_texts(self) -> list[str | None]:
        """`shown_bytes` as texts; None for an id that represents parts of characters."""
        return [text_or_none(data) for data in self.shown_bytes]

    @cached_property
    def _bytes_by_id(self) -> list[bytes]:
        """The bytes of every entry. Added tokens are stored as plain text, all others as `bytes_of_entry` reads."""
        added = self.backend.get_added_tokens_decoder()
        texts = (self.backend.id_to_token(token) or "" for token in range(self.size))
        return [text.encode() if token in added else bytes_of_entry(text) for token, text in enumerate(texts)]

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """The same BPE without any added token, so that no text can become one."""
        state = json.loads(self.backend.to_str())
        state |= {"added_tokens": [], "truncation": None, "padding": None}
        return tokenizers.Tokenizer.from_str(json.dumps(state))


@cache
def _byte_of_letter() -> Mapping[str, int]:
    """The byte that each letter of byte-level BPE represents (Radford et al. 2019): printable Latin-1 characters
    represent themselves, characters from 256 on represent the other bytes.
    """
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = (byte for byte in range(256) if byte not in printable)
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


def bytes_of_entry(text: str) -> bytes:
    """The bytes that an entry of byte-level BPE represents. Raises `KeyError` for a letter that represents no byte."""
    return bytes(map(_byte_of_letter().__getitem__, text))


def text_or_none(data: bytes) -> str | None:
    """Bytes as text; None if they are only parts of characters."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def read_backend(folder: Path, others: Sequence[str] = ()) -> tuple[tokenizers.Tokenizer, dict[str, bytes]]:
    """The library's tokenizer, and the content, by name, of its files in a folder: `TOKENIZER_FILES`, named chat
    templates, and `others`.

    Raises `InputError` if one cannot be read or is not UTF-8, or if tokenizer.json is missing or not a tokenizer.
    """
    file, files = folder / "tokenizer.json", dict[str, bytes]()
    for name in (*TOKENIZER_FILES, *others):
        if name == file.name or (folder / name).is_file():
            with damage_refused(folder / name):
                files[name] = (folder / name).read_bytes()
                files[name].decode()
    with damage_refused(folder / TEMPLATE_FOLDER):
        files |= read_named_templates(folder)
    with damage_refused(file):
        json.loads(files[file.name])  # its errors name the line and column in plain words
        return tokenizers.Tokenizer.from_str(files[file.name].decode()), files


@contextmanager
def damage_refused(file: Path) -> Iterator[None]:
    """Turn any error of the block into an `InputError` that names this file."""
    try:
        yield
    except Exception as error:  # the Rust library raises a plain Exception
        raise InputError(f"{file} is damaged: {one_line(error)}") from error


def _end_token(texts: Mapping[str, str]) -> str:
    """The token that ends a response, as named in tokenizer_config.json; `<|end|>` if it names none."""
    token = json.loads(texts.get("tokenizer_config.json", "{}")).get("eos_token") or END
    content = token["content"] if isinstance(token, dict) else token
    if not isinstance(content, str):
        raise TypeError(f"eos_token is {content!r}: it must be a text")
    return content
