"""Chat templates as files in a model folder: the default one, and named ones in a folder of their own.

This is how transformers 5 saves them. Older folders have them in tokenizer_config.json, which `imported.chat_template`
reads; that module also runs the templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tuili.errors import InputError

TEMPLATE_FILE = "chat_template.jinja"
TEMPLATE_FOLDER = "additional_chat_templates"
DEFAULT_TEMPLATE = "default"
MAX_TEMPLATES, MAX_TEMPLATE_BYTES = 100, 1 << 20
"""The limits of the folder and of each file in it."""
_SUFFIX = ".jinja"
_NAME = re.compile(r"\w[\w.-]{,63}")


def template_file(name: str) -> str:
    """The path, in a model folder, of the template with a given name."""
    return TEMPLATE_FILE if name == DEFAULT_TEMPLATE else f"{TEMPLATE_FOLDER}/{name}{_SUFFIX}"


def template_texts(files: Mapping[str, bytes]) -> dict[str, str]:
    """The templates among the files of a tokenizer, by name. A named file may also be the default template."""
    usual = {DEFAULT_TEMPLATE: files[TEMPLATE_FILE].decode()} if TEMPLATE_FILE in files else {}
    named = {path: data.decode() for path, data in files.items() if path.startswith(f"{TEMPLATE_FOLDER}/")}
    return usual | {Path(path).name.removesuffix(_SUFFIX): text for path, text in named.items()}


def read_named_templates(folder: Path) -> dict[str, bytes]:
    """The content of the named templates, by path in the model folder.

    Raises `InputError` for a file that is not text, is too large, or is located elsewhere: a link may point only to a
    file in the same folder or in the hub cache that contains the folder.
    """
    place = folder / TEMPLATE_FOLDER
    found = sorted(file for file in place.iterdir() if file.name.endswith(_SUFFIX)) if place.is_dir() else []
    if len(found) > MAX_TEMPLATES:
        raise InputError(f"it has {len(found):,} templates: keep at most {MAX_TEMPLATES}")
    return {f"{TEMPLATE_FOLDER}/{file.name}": _read(file, folder.resolve()) for file in found}


def _read(file: Path, home: Path) -> bytes:
    if not _NAME.fullmatch(file.name.removesuffix(_SUFFIX)):
        raise InputError(f"{file.name[:80]!r} must have a name of at most 64 letters, digits, '_', '-' and '.'")
    real = file.resolve()
    if not any(real.is_relative_to(root) for root in (home, *_hub_blobs(home))):
        raise InputError(f"{file.name} is a link out of the model's folder: put the file itself there")
    if not real.is_file():
        raise InputError(f"{file.name} is no file")
    with real.open("rb") as opened:
        data = opened.read(MAX_TEMPLATE_BYTES + 1)
    if len(data) > MAX_TEMPLATE_BYTES:
        raise InputError(f"{file.name} has more than {MAX_TEMPLATE_BYTES:,} bytes")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file.name}: {error}") from error
    return data


def _hub_blobs(home: Path) -> list[Path]:
    """The real location of the files of a folder in the hub cache, which consists of links."""
    return [home.parents[1] / "blobs"] if home.parent.name == "snapshots" else []
