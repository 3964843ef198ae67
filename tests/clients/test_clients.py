"""Nine clients of OpenAI's API work unchanged, as their documentation shows them.

Each file in `uses` and `prose` is a test file of its own, for the Python of `.venv-clients`; `node` has the client for
Node. All of them find the server, `tuili serve nano closing calling`, by the variables that they document. Those in
`prose` ask the two imported models of random weights (`closing_model`) for objects and calls.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest

from tests.deploy.live import eventually, free_port, started
from tests.serve.closing_model import save_closing

pytestmark = pytest.mark.clients

FOLDER = Path(__file__).parent
PYTHON = FOLDER.parents[1] / ".venv-clients" / "bin" / "python"
USES = {file.stem.removeprefix("with_"): file for file in sorted((FOLDER / "uses").glob("with_*.py"))}
PROSE = {file.stem.removeprefix("with_"): file for file in sorted((FOLDER / "prose").glob("with_*.py"))}
OFFLINE = {
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # prices of models are not fetched
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The variables of a client: where the server is, what must not be fetched, and a home of its own."""
    url, home = f"http://127.0.0.1:{free_port()}", tmp_path_factory.mktemp("home")
    models = save_closing(home / "closing"), save_closing(home / "calling", calls=True)
    serve = [sys.executable, "-m", "tuili", "serve", "nano", *map(str, models), "--port", url.rpartition(":")[2]]
    with started(serve, home / "tuili.log"):
        eventually(lambda: httpx2.get(f"{url}/ready", trust_env=False).is_success, "the server does not start")
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        served = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_BASE": f"{url}/v1", "OPENAI_API_KEY": "none"}
        yield kept | OFFLINE | served | {"HOME": str(home), "DSPY_CACHEDIR": str(home / "dspy")}


@pytest.mark.parametrize("client", USES)
def test_a_client_for_python_works_unchanged(client: str, environment: Mapping[str, str]) -> None:
    _test(USES[client], environment)


@pytest.mark.parametrize("client", PROSE)
def test_objects_and_calls_of_an_imported_model_are_taken_by_default(
    client: str, environment: Mapping[str, str]
) -> None:
    _test(PROSE[client], environment)


def _test(uses: Path, environment: Mapping[str, str]) -> None:
    assert PYTHON.exists(), "make clients installs it"
    command = [
        str(PYTHON),
        "-m",
        "pytest",
        "--config-file",
        os.devnull,
        "--noconftest",
        "-p",
        "no:cacheprovider",
        "-rA",
    ]
    done = _run([*command, str(uses)], uses.parent, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (passed,) = re.findall(r"^=+ (.*?) in .* =+$", done.stdout, re.MULTILINE)
    assert re.fullmatch(r"\d+ passed(, \d+ warnings?)?", passed), f"nothing is skipped: {passed}"
    assert int(passed.split()[0]) >= 3


def test_vercels_ai_sdk_works_unchanged(environment: Mapping[str, str]) -> None:
    node = shutil.which("node")
    assert node is not None, "Node is needed, 20 or newer"
    assert (FOLDER / "node" / "node_modules" / "ai").is_dir(), "make clients installs it"
    done = _run([node, "--test", "--test-reporter=tap", "ai_sdk.test.js"], FOLDER / "node", environment)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"^# (pass|fail|skipped|todo) (\d+)$", done.stdout, re.MULTILINE))
    assert int(counts.pop("pass")) >= 12
    assert counts == {"fail": "0", "skipped": "0", "todo": "0"}


def test_nine_clients_are_tested() -> None:
    assert len(USES) + 1 == 9
    assert PROSE.keys() == {"dspy", "instructor", "langchain", "openai_agents", "pydantic_ai"}


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
