"""Chat templates in GGUF metadata: the default one under one key, and each named one under a key with its name.

In a Hugging Face folder they are the files of `tuili.store.template_file`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tuili.errors import InputError
from tuili.exchange.gguf_config import Metadata
from tuili.store import DEFAULT_TEMPLATE, ImportedModel, template_file

if TYPE_CHECKING:
    from gguf import GGUFWriter

KEY, NAMES_KEY = "tokenizer.chat_template", "tokenizer.chat_templates"
_NAME = re.compile("[A-Za-z0-9_]{1,64}")
"""The names that GGUF allows: its usual writer replaces other characters by `_`, so that two names may collide."""


def read_templates(meta: Metadata) -> dict[str, str]:
    """The templates of a file, by their paths in a folder. Raises `InputError` for an invalid template name."""
    texts = {name: meta.get(f"{KEY}.{name}", str) for name in meta.names(f"{KEY}.")}
    for name in texts:
        if not _NAME.fullmatch(name):
            raise InputError(f"{meta.path} is damaged: a chat template is called {name[:40]!r}")
    if KEY in meta:
        texts[DEFAULT_TEMPLATE] = meta.get(KEY, str)
    return {template_file(name): text for name, text in texts.items()}


def add_templates(writer: GGUFWriter, model: ImportedModel) -> None:
    """Write all templates of a model. Raises `InputError` for a name that GGUF does not allow."""
    texts = {} if model.tokenizer.template is None else model.tokenizer.template.sources
    names = [name for name in texts if name != DEFAULT_TEMPLATE]
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(f"{model.path}: GGUF knows no chat template called {name[:40]!r}: export it to hf")
        writer.add_string(f"{KEY}.{name}", texts[name])
    if names:
        writer.add_array(NAMES_KEY, names)
    if DEFAULT_TEMPLATE in texts:
        writer.add_chat_template(texts[DEFAULT_TEMPLATE])
