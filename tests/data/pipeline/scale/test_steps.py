"""The blocks as steps of datatrove, under each of its executors: the same bytes as in one process and in workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data.pipeline.conftest import ROOT, contents, prose
from tests.data.pipeline.scale.test_shares import recipe
from tuili.data.pipeline import BuildSettings, Document, Dropped, Kept, Pipeline, build
from tuili.errors import InputError

pytestmark = [
    pytest.mark.scale,
    pytest.mark.filterwarnings("default"),  # what these libraries warn of is not ours to mend
]


@pytest.fixture(autouse=True)
def data() -> Any:
    """datatrove's documents."""
    return pytest.importorskip("datatrove.data", reason="needs datatrove: make scale")


SBATCH = """#!/bin/sh
# A cluster of one machine: the tasks of a job run at once, one after the other, and only then it is submitted.
for script; do :; done
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$script")
task=0
while [ $task -le "$last" ]; do
    SLURM_ARRAY_TASK_ID=$task SLURM_NODELIST=localhost RUN_OFFSET=0 bash "$script" >&2 || exit 1
    task=$((task + 1))
done
echo "Submitted batch job 1"
"""
SRUN = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do [ "$1" = -n ] && shift; shift; done
exec "$@"
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm's commands, which no test can have: what datatrove hands over to them is run."""
    place = tmp_path / "cluster"
    place.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", "#!/bin/sh\necho localhost\n")):
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def run(name: str, given: BuildSettings, out: Path, tasks: int) -> None:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-m", "tests.data.pipeline.scale.executing", name]
    command += [given.model_dump_json(), str(out), str(tasks)]
    done = subprocess.run(command, cwd=out.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("name", ["local", "slurm", "ray"])
def test_every_executor_writes_the_bytes_of_one_process(corpus: Path, tmp_path: Path, name: str) -> None:
    if name == "ray":
        pytest.importorskip("ray", reason="needs ray: make scale")
    given = recipe(corpus)
    build(given, tmp_path / "whole", workers=2)
    run(name, given, tmp_path / "out", 3)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert not (tmp_path / "out.building").exists()


def documents(data: Any) -> list[Any]:
    texts = [prose(1), "short", prose(3) + " Write to jane@example.org.", "", "half \ud800 a character", prose(1)]
    metadata = {"url": "x", "day": os}  # a value that JSON has not
    return [data.Document(text, f"d/{number}", metadata=dict(metadata)) for number, text in enumerate(texts)]


class Writer:
    """Stands for a writer of datatrove."""

    def __init__(self) -> None:
        self.written = list[tuple[Any, int]]()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *why: object) -> None: ...

    def write(self, document: Any, rank: int) -> None:
        self.written.append((document, rank))


def test_blocks_among_others_pass_and_drop_what_a_pipeline_does(data: Any) -> None:
    from datatrove.pipeline.filters import LambdaFilter

    from tuili.data.pipeline.scale import ApplyBlocks

    given = BuildSettings.model_validate({"blocks": [{"block": "basic"}, {"block": "mask"}]})
    writer = Writer()
    step = ApplyBlocks(given.blocks, kind="prose", exclusion_writer=writer)
    behind = LambdaFilter(lambda document: document.id != "d/5")
    passed = list(behind(step(iter(documents(data)), 7, 8), 7, 8))
    assert [document.id for document in passed] == ["d/0", "d/2"]
    dropped = [(document.id, document.metadata["filter_reason"], rank) for document, rank in writer.written]
    assert dropped == [("d/1", "basic/few_words", 7), ("d/3", "read/empty", 7), ("d/4", "read/wrong_encoding", 7)]
    assert passed[1].text.endswith("Write to [mail].")
    assert passed[1].metadata == {"url": "x", "day": os, "detected_language": "en", "masked_mail": 1.0}
    own = [Document(one.text, one.id, one.id, "prose") for one in documents(data)[:3]]
    ends = list(given.pipeline().run(iter(own)))
    assert [type(end) for end in ends] == [Kept, Dropped, Kept]
    assert step.stats["total"].total == 6 and step.stats["dropped_basic/few_words"].total == 1


def test_parts_of_a_document_and_their_records_are_given(data: Any) -> None:
    from tuili.data.pipeline.scale import ApplyBlocks

    given = BuildSettings.model_validate({"blocks": [{"block": "route"}]})
    text = "Question: Tom has 3 bags of 4 apples. How many apples?\nAnswer: 3 * 4 = 12 apples."
    writer = Writer()
    step = ApplyBlocks(given.blocks, exclusion_writer=writer)
    wrong = text.replace("3 * 4 = 12", "3 * 4 = 13")
    (problem,) = step(iter([data.Document(f"{text}\n\n{wrong}\n", "d")]))
    assert problem.id == "d/1"
    assert problem.metadata["record"]["output"] == "12"
    assert problem.metadata["kind"] == "problem"
    ((refuted, _),) = writer.written
    assert (refuted.id, refuted.metadata["filter_reason"]) == ("d/2", "route/refuted")
    assert refuted.metadata["measured"] == {"step": "3 * 4 = 13", "right": "12"}
    assert refuted.text.startswith("Question: Tom") and "= 12" not in refuted.text


def test_a_block_that_must_know_the_order_is_refused_at_once(tmp_path: Path) -> None:
    from tuili.data.pipeline.scale import ApplyBlocks, WriteCorpus

    given = BuildSettings.model_validate({"blocks": [{"block": "dedup"}]})
    with pytest.raises(InputError, match="dedup must know the documents before: build by ReadShare and WriteCorpus"):
        ApplyBlocks(given.blocks)
    with pytest.raises(InputError, match="runs in one task, and not in 2: set tasks=1"):
        list(WriteCorpus(given, tmp_path / "out")(None, 0, 2))
    assert Pipeline([]).ordered == []


def test_files_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuili.data.pipeline.scale import ReadShare

    monkeypatch.chdir(tmp_path)
    (tmp_path / "questions.txt").write_text("How many apples has Tom if he has three bags of four apples each now?")
    blocks = [{"block": "decontaminate", "against": ["questions.txt"], "own": False}]
    (tmp_path / "rows").mkdir()
    datasets = [{"path": path, "format": "dataset"} for path in ("owner/name", "rows")]
    inputs = [{"path": "pages"}, *datasets]
    step = ReadShare(BuildSettings.model_validate({"inputs": inputs, "blocks": blocks}), "out")
    assert step.settings.inputs[0].path == tmp_path / "pages"
    assert step.settings.inputs[1].path == Path("owner/name")
    assert step.settings.inputs[2].path == tmp_path / "rows"
    assert step.settings.blocks[0].against == (tmp_path / "questions.txt",)  # type: ignore[union-attr]
    assert step.folder == tmp_path / "out"
