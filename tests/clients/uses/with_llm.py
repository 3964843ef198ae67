"""The command `llm`, with a model of `extra-openai-models.yaml`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

QUESTION = "What is 48 + 27 - 3?"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `llm` looks for models of one's own. The server's URL is written there; the key is the usual variable."""
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    served = {"model_name": "nano", "api_base": os.environ["OPENAI_BASE_URL"]}
    described = [
        served | {"model_id": "nano"},
        served | {"model_id": "schemas", "supports_schema": True},
        served | {"model_id": "responses", "responses": True},
        served | {"model_id": "completions", "completion": True},
    ]
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(described))


def llm(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "llm", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.usefixtures("models")
def test_prompt() -> None:
    assert llm("-m", "nano", QUESTION) == "72"


@pytest.mark.usefixtures("models")
def test_system_prompt() -> None:
    assert llm("-m", "nano", "-s", "You are a helpful assistant.", QUESTION) == "72"


@pytest.mark.usefixtures("models")
def test_no_stream() -> None:
    assert llm("-m", "nano", "--no-stream", QUESTION) == "72"


@pytest.mark.usefixtures("models")
def test_the_conversation_goes_on() -> None:
    assert llm("-m", "nano", "What is 20 + 30?") == "50"
    assert llm("-c", QUESTION) == "72"


@pytest.mark.usefixtures("models")
def test_schema() -> None:
    assert json.loads(llm("-m", "schemas", "--schema", "answer int", QUESTION)) == {"answer": 72}


@pytest.mark.usefixtures("models")
def test_responses() -> None:
    assert llm("-m", "responses", "-s", "You are a helpful assistant.", QUESTION) == "72"


@pytest.mark.usefixtures("models")
def test_completions() -> None:
    assert llm("-m", "completions", QUESTION).splitlines()[-1] == "72"
