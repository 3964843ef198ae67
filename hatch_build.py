"""Compiles the native library into the wheel where a C++ compiler is at hand; else the wheel is for any machine.

An editable installation gets none: it compiles at first use, as `tuili/native/build.py` does, where also the compiler's
flags stand.
"""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = "tuili/native"


class NativeLibrary(BuildHookInterface[Any]):
    """Adds the library and its seal to a wheel, which is then for this kind of machine alone, and any Python 3."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        build = _build_module(Path(self.root, "src"))
        compiler = build.find_compiler()
        if compiler is None:
            self.app.display_warning("no C++ compiler was found: the wheel has no native library")
            return
        self._scratch = tempfile.TemporaryDirectory()
        library = Path(self._scratch.name, build.PREBUILT.name)
        try:
            build.compile_library(compiler, library)
        except build.BuildError as error:
            self.app.display_warning(f"the wheel has no native library: {error}")
            return
        for file in library.parent.iterdir():
            build_data["force_include"][str(file)] = f"{NATIVE}/{build.PREBUILT.parent.name}/{file.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_scratch"):
            self._scratch.cleanup()


def _build_module(sources: Path) -> ModuleType:
    """`tuili.native.build` without the package around it, which needs numpy: a build has none."""
    path = sources / NATIVE / "build.py"
    spec = importlib.util.spec_from_file_location("tuili_native_build", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(sources))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(sources))
    return module
