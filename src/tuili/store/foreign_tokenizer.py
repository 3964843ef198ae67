"""The tokenizer of an imported model: any byte-level `tokenizer.json`, with the ids that end a text.

It needs the tokenizers library alone. The tokenizer of Tuili's own models is in `tokenizer`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import tokenizers

from tuili.errors import InputError
from tuili.store.tokenizer import TOKENIZER_FILES, bytes_of_entry, damage_refused


@dataclass(frozen=True, eq=False)
class ForeignTokenizer:
    """A tokenizer as its model's folder has it.

    backend: the tokenizer of the library. end_ids: the ids that end a response, the usual one first. files: the
    content, by name, of the `TOKENIZER_FILES` that it was read from.
    """

    backend: tokenizers.Tokenizer
    end_ids: tuple[int, ...]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, folder: Path, end_ids: Sequence[int]) -> ForeignTokenizer:
        """Read the tokenizer of a folder; without `end_ids`, what tokenizer_config.json calls `eos_token` ends a text.

        Raises `InputError` for one that is damaged or not byte-level, and where nothing ends a text.
        """
        file, files, texts = folder / "tokenizer.json", dict[str, bytes](), dict[str, str]()
        for name in TOKENIZER_FILES:
            if name == file.name or (folder / name).is_file():
                with damage_refused(folder / name):
                    files[name] = (folder / name).read_bytes()
                    texts[name] = files[name].decode()
        with damage_refused(file):
            state = json.loads(texts[file.name])  # its errors name line and column in plain words
            backend = tokenizers.Tokenizer.from_str(texts[file.name])
        if (state.get("model") or {}).get("type") != "BPE" or '"ByteLevel"' not in texts[file.name]:
            raise InputError(
                f"{file} is no byte-level BPE: tokenizers such as those of sentencepiece are not supported"
            )
        if not (ends := tuple(end_ids)):
            with damage_refused(folder / "tokenizer_config.json"):
                token = json.loads(texts.get("tokenizer_config.json", "{}")).get("eos_token")
                content = token["content"] if isinstance(token, dict) else token
            found = backend.token_to_id(content) if isinstance(content, str) else None
            if found is None:
                raise InputError(f"{folder} names no token that ends a text: give eos_token_id in config.json")
            ends = (found,)
        return cls(backend, ends, files)

    @property
    def end_id(self) -> int:
        """The id that usually ends a response."""
        return self.end_ids[0]

    @cached_property
    def size(self) -> int:
        """One more than the highest id, added tokens included."""
        return 1 + max(self.backend.get_vocab(with_added_tokens=True).values(), default=-1)

    @cached_property
    def max_token_bytes(self) -> int:
        """The bytes of the longest entry in UTF-8: no token stands for more bytes of text."""
        return max(len(entry.encode()) for entry in self.backend.get_vocab(with_added_tokens=True))

    def encode_text(self, text: str) -> list[int]:
        """The ids of plain text: the names of special tokens in it are ordinary characters."""
        return list(self._plain.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """The text of these ids."""
        return str(self.backend.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def token_bytes(self, token: int) -> bytes:
        """The bytes of text, in UTF-8, that an id stands for. A character may take several tokens. An id beyond the
        entries, which a model may have, stands for nothing."""
        return self._bytes_by_id[token] if token < len(self._bytes_by_id) else b""

    @cached_property
    def _bytes_by_id(self) -> list[bytes]:
        added = self.backend.get_added_tokens_decoder()
        texts = [(token, self.backend.id_to_token(token) or "") for token in range(self.size)]
        return [text.encode() if token in added else bytes_of_entry(text) for token, text in texts]

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """The same BPE without any special token, so that no text can become one."""
        state = json.loads(self.backend.to_str())
        state["added_tokens"] = [token for token in state["added_tokens"] if not token["special"]]
        state |= {"truncation": None, "padding": None}
        return tokenizers.Tokenizer.from_str(json.dumps(state))
