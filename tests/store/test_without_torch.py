"""What a folder holds can be read where torch and transformers are not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STORE = Path(__file__).parents[2] / "src" / "tuili" / "store"


def test_no_module_loads_torch_or_transformers() -> None:
    modules = [f"tuili.store.{file.stem}" for file in sorted(STORE.glob("[!_]*.py"))]
    assert "tuili.store.tokenizer" in modules
    code = f"import sys, {', '.join(modules)}\nfrom tuili.store import *\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"torch", "transformers"}.isdisjoint(loaded)
