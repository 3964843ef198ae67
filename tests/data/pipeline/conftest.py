"""What tests of the pipeline share: a small corpus of many kinds of lines, and a folder's bytes."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
import zstandard

from tuili.data.pipeline import build
from tuili.data.pipeline.building import Progress
from tuili.data.pipeline.recipe import BuildSettings

TEXT = "the of and a in is it for was with as by on have from that are which this be river stone light paper engine"


def prose(seed: int, words: int = 80) -> str:
    """Some sentences that every rule for prose lets pass."""
    rng, known = random.Random(seed), TEXT.split()
    return " ".join(rng.choice(known) + "." * (number % 11 == 10) for number in range(words)) + "."


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with good and bad lines, in several files."""
    folder = tmp_path / "pages"
    (folder / "deep").mkdir(parents=True)
    lines = [json.dumps({"text": prose(number), "n": number}) for number in range(200)]
    lines[7] = "no JSON"
    lines[11] = json.dumps({"text": "short"})
    lines[13] = json.dumps({"text": prose(13) + " Write to jane@example.org."})
    (folder / "a.jsonl").write_text("\n".join(lines[:100]) + "\n\n")
    (folder / "deep" / "b.jsonl.gz").write_bytes(gzip.compress("\n".join(lines[100:]).encode(), mtime=0))
    (folder / "c.txt").write_text(prose(1000))
    (folder / "d.txt").write_bytes(b"\xff\xfe\x00")
    (folder / "picture.png").write_bytes(b"PNG")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ROOT = Path(__file__).parents[3]
BLOCKS = [{"block": "basic"}, {"block": "mask"}]


def settings(*paths: Path, **more: object) -> BuildSettings:
    return BuildSettings.model_validate({"inputs": [{"path": path} for path in paths], "blocks": BLOCKS} | more)


def lines(path: Path) -> list[dict[str, object]]:
    text = zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read()
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.data.pipeline.reading.BATCH_ITEMS", 5)
    monkeypatch.setattr("tuili.data.pipeline.building.STEP_ITEMS", 10)


class Interrupt(Exception):
    pass


def interrupted(recipe: BuildSettings, out: Path) -> None:
    def stop(progress: Progress) -> None:
        raise Interrupt

    with pytest.raises(Interrupt):
        build(recipe, out, tell=stop)
