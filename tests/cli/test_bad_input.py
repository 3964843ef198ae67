"""Everything a user can get wrong, as one table through the real command line.

Each mistake is one line on stderr that names the thing, exit code 2, nothing on stdout and no traceback.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tuili.cli.app import main
from tuili.data import sources

TINY = [
    "model.overrides={hidden_size: 16, intermediate_size: 16, moe_intermediate_size: 8}",
    "train.steps=1",
    "train.rows=1",
    "train.length=256",
    "train.precision=fp32",
    "train.compile=off",
]


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", 20)
        assert main(["train", "quickstart", *TINY, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, in which runs learn their tokenizer from few records."""
    monkeypatch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", 20)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Recipes and their overrides

RECIPES = {
    "unknown key": ("train: {stpes: 3}", ["bad.yaml", "train.stpes = 3", "train.steps"]),
    "wrong type": ("train: {steps: many}", ["bad.yaml", 'train.steps = "many"', "integer"]),
    "float for a whole number": ("train: {steps: 3.0}", ["train.steps = 3.0", "integer"]),
    "out of range": ("train: {steps: 0}", ["train.steps = 0", "greater than 0"]),
    "not a number": ("optimizer: {learning_rate: .nan}", ["optimizer.learning_rate"]),
    "infinite": ("optimizer: {learning_rate: .inf}", ["optimizer.learning_rate"]),
    "huge": ("train: {steps: 1e400}", ["train.steps"]),
    "negative seed": ("train: {seed: -1}", ["train.seed = -1", "greater than or equal to 0"]),
    "unknown domain": ("data: {domains: [magic]}", ["data.domains", "unknown domain 'magic'"]),
    "weight of an unknown domain": ("data: {weights: {magic: 2}}", ["data.weights.magic: ", "unknown domain 'magic'"]),
    "weight of a former domain": ("data: {weights: {fractions: 2}}", ["data.weights.fractions: ", "'arithmetic' now"]),
    "too many levels": ("data: {levels: [1, 1, 1, 1, 1, 1]}", ["data.levels", "1 to at most 5"]),
    "negative weight": ("data: {levels: [-1]}", ["data.levels.0 = -1"]),
    "no file": ("data: {files: {none.jsonl: 1}}", ["none.jsonl", "No such file"]),
    "weight of nothing": ("data: {files: {none.jsonl: 0}}", ["data.files.none.jsonl = 0"]),
    "list for a mapping": ("data: {files: [none.jsonl]}", ["data.files"]),
    "unknown size": ("model: {preset: mini}", ['model.preset = "mini"', "nano"]),
    "unknown field of the model": ("model: {overrides: {hiden: 3}}", ["model.overrides.hiden = 3", "hidden_size"]),
    "wrong type in the model": ("model: {overrides: {hidden_size: wide}}", ['overrides.hidden_size = "wide"', "int"]),
    "impossible model": ("model: {overrides: {hidden_size: -16}}", ["hidden_size = -16", "at least 1"]),
    "no heads": ("model: {overrides: {num_attention_heads: 0}}", ["num_attention_heads = 0", "at least 1"]),
    "uneven heads": ("model: {overrides: {num_attention_heads: 5}}", ["num_attention_heads = 5", "multiple"]),
    "more experts a token than there are": ("model: {overrides: {num_experts_per_tok: 17}}", ["per_tok = 17", "16"]),
    "another number of experts": ("model: {overrides: {num_experts: 8}}", ["num_experts = 8", "list of tasks"]),
    "huge model": ("model: {overrides: {hidden_size: 100000000}}", ["hidden_size = 100000000", "at most"]),
    "row beyond the context": ("train: {length: 100000}", ["train.length = 100000", "2048"]),
    "shares of other exits": ("objective: {exits: [[0.5, 0.5], [0.5, 0.5]]}", ["objective.exits = ", "3, 6, 9, 12"]),
    "warm-up without an end": ("schedule: {warmup: -1}", ["schedule.warmup = -1"]),
    "not YAML": ("train: {steps: 3", ["bad.yaml", "not valid YAML", "line 1"]),
    "not a mapping": ("- 1", ["bad.yaml", "mapping"]),
    "key given twice": ("seed: 1\nseed: 2", ["bad.yaml", "seed", "twice"]),
    "unknown base": ("base: nowhere", ["bad.yaml", "nowhere", "no such file"]),
    "nested too deep": ("a: " + "[\n" * 5000, ["bad.yaml", "nested too deep"]),
    "a circle of bases": ("base: bad.yaml", ["bad.yaml", "leads back"]),
}


@pytest.mark.parametrize(("text", "named"), RECIPES.values(), ids=RECIPES)
def test_a_bad_recipe(text: str, named: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text(text)
    line = refusal(capsys, "train", "bad.yaml", "train.steps=1" if "steps" not in text else "train.rows=1")
    assert line.startswith(("tuili: error: bad.yaml: ", "tuili: error: none.jsonl cannot be read: ")), line
    assert all(name in line for name in named), line
    assert not Path("runs").exists()


TRAINING = {
    "missing recipe": (["nowhere.yaml"], ["nowhere.yaml", "no such file"]),
    "misspelt recipe": (["quikstart"], ["quikstart", "quickstart"]),
    "a recipe of a long name": (["r" * 300], ["rrr", "no such file"]),
    "an override of many names": (["quickstart", "a" + ".a" * 5000 + "=1"], ["quickstart", "nested too deep"]),
    "a folder without a name": (["quickstart", "--out", ""], ["--out is empty"]),
    "a folder that nobody can make": (["quickstart", "--out", "/proc/run"], ["/proc/run", "cannot be written"]),
    "a folder as recipe": (["."], ["no such file"]),
    "no recipe": ([], ["RECIPE"]),
    "nothing to resume": (["quickstart", "--out", "new", "--resume"], ["new holds no run", "leave --resume out"]),
    "no verifier to resume": (["verifier", "--out", "new", "--resume"], ["new holds no run", "leave --resume out"]),
    "an override that is none": (["quickstart", "faster"], ["faster", "train.steps=2000"]),
    "an override of nothing": (["quickstart", "=3"], ["=3"]),
    "a value that is not YAML": (["quickstart", "train.steps=[1"], ["train.steps=[1", "not valid YAML"]),
    "unknown option": (["quickstart", "--fast"], ["--fast"]),
    "a file as folder": (["quickstart", "--out", "file"], ["file is a file"]),
    "a folder below a file": (["quickstart", "--out", "file/run"], ["file/run", "file is a file"]),
}


@pytest.mark.parametrize(("arguments", "named"), TRAINING.values(), ids=TRAINING)
def test_a_bad_training(
    arguments: list[str], named: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("I was here first")
    line = refusal(capsys, "train", *arguments)
    assert all(name in line for name in named), line
    assert Path("file").read_text() == "I was here first"
    assert not Path("new").exists()


RESUMING = {
    "not resumed": ([], ["already holds a run", "--resume"]),
    "another recipe": (["--resume", "train.seed=9"], ["train.seed = 1", "not 9"]),
    "more steps": (["--resume", "train.steps=2"], ["train.steps = 1", "not 2"]),
}


@pytest.mark.parametrize(("more", "named"), RESUMING.values(), ids=RESUMING)
def test_a_folder_that_holds_a_run(
    more: list[str], named: list[str], finished_run: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, "train", "quickstart", *TINY, "--out", str(finished_run), *more)
    assert all(name in line for name in named), line


def test_a_damaged_run(finished_run: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for damaged, text in (("run.json", "{"), ("run.json", "[]"), ("tokenizer/tokenizer.json", "{")):
        folder = shutil.copytree(finished_run, place / f"{len(list(place.iterdir()))}")
        (folder / damaged).write_text(text)
        line = refusal(capsys, "train", "quickstart", *TINY, "--out", str(folder), "--resume")
        assert str(folder / damaged.split("/")[0]) in line


# Questions and evaluations. MODEL stands for a sound model folder.

ASKING = {
    "a model without a name": (["ask", "1 + 1", "--model", ""], ["model '' not found"]),
    "a folder without a name": (["info", ""], ["model '' not found"]),
    "a model of a long name": (["ask", "1 + 1", "--model", "m" * 300], ["mmm", "not found"]),
    "a folder of a long name": (["info", "m/" + "m" * 300], ["m/mmm", "not found"]),
    "a prompt that is not UTF-8": (["ask", "\udcff\udcfe", "--model", "MODEL"], ["prompt is not UTF-8"]),
    "report of a long name": (["eval", "MODEL", "--json", "r" * 300], ["rrr", "File name too long"]),
    "report in a folder of a long name": (["eval", "MODEL", "--json", f"new/{'r' * 300}/a"], ["File name too long"]),
    "report where nobody can write": (["eval", "MODEL", "--json", "/proc/x/y"], ["/proc/x/y", "cannot be written"]),
    "missing model": (["ask", "1 + 1", "--model", "none"], ["'none' not found"]),
    "missing model folder": (["info", "./none"], ["./none", "not found"]),
    "a file as model": (["eval", "file"], ["file", "folder"]),
    "empty prompt": (["ask", "", "--model", "MODEL"], ["prompt is empty"]),
    "blank prompt": (["ask", " \n", "--model", "MODEL"], ["prompt is empty"]),
    "no prompt": (["ask", "--model", "MODEL"], ["PROMPT"]),
    "prompt beyond the context": (["ask", "1 + " * 2000, "--model", "MODEL"], ["prompt has", "tokens", "511"]),
    "unknown depth": (["ask", "1 + 1", "--model", "MODEL", "--depth", "5"], ["depth 5", "use"]),
    "depth in words": (["ask", "1 + 1", "--model", "MODEL", "--depth", "deep"], ["'deep'", "auto"]),
    "depth of a million digits": (["ask", "1", "--model", "MODEL", "--depth", "9" * 10_000], ["depth"]),
    "no tokens": (
        ["ask", "1 + 1", "--model", "MODEL", "--max-tokens", "0"],
        ["--max-tokens", "greater than or equal to 1"],
    ),
    "unknown domain": (["eval", "MODEL", "--domains", "magic"], ["unknown domain 'magic'", "knights"]),
    "unknown level": (["eval", "MODEL", "--levels", "6"], ["level 6"]),
    "level in words": (["eval", "MODEL", "--levels", "easy"], ["--levels", "'easy'"]),
    "nothing per cell": (["eval", "MODEL", "--per-cell", "0"], ["per-cell", "0"]),
    "negative seed": (["eval", "MODEL", "--seed", "-1", "--per-cell", "1"], ["seed -1"]),
    "huge seed": (["eval", "MODEL", "--seed", "1" + "0" * 30, "--per-cell", "1"], ["seed 1000"]),
    "threshold that is no probability": (["eval", "MODEL", "--threshold", "2", "--per-cell", "1"], ["threshold 2.0"]),
    "threshold that is no number": (["eval", "MODEL", "--threshold", "nan", "--per-cell", "1"], ["threshold nan"]),
    "report into a folder": (["eval", "MODEL", "--per-cell", "1", "--json", "."], [".", "cannot be written"]),
    "report below a file": (["eval", "MODEL", "--per-cell", "1", "--json", "file/a.json"], ["file/a.json"]),
    "page below a file": (["eval", "MODEL", "--per-cell", "1", "--html", "file/a.html"], ["file/a.html"]),
    "unknown verb": (["train-model"], ["train-model"]),
}


@pytest.mark.parametrize(("arguments", "named"), ASKING.values(), ids=ASKING)
def test_a_bad_question_or_evaluation(
    arguments: list[str], named: list[str], sound: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("I was here first")
    line = refusal(capsys, *(str(sound) if argument == "MODEL" else argument for argument in arguments))
    assert all(name in line for name in named), line


NEEDS_A_GPU = (
    ["ask", "1 + 1", "--model"],
    ["eval"],
    ["eval", "--data", "file"],
    ["calibrate"],
    ["bench", "engine", "--prompt", "32"],
    ["serve", "--port", "0"],
)


@pytest.mark.parametrize("verb", NEEDS_A_GPU, ids=" ".join)
def test_a_gpu_that_is_missing(
    verb: list[str], sound: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    Path("file").write_text('{"question": "1 + 1", "answer": "#### 2"}\n')
    assert main([*verb, str(sound), "--device", "cuda"]) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert line == "tuili: error: device cuda is asked for, and torch finds no GPU here: use cpu"


# Data files. Each is written as mine.jsonl and both checked and trained on.

LINES = {
    "not JSON": (b"nonsense", ["mine.jsonl:2", "not a JSON object"]),
    "cut short": (b'{"input": "a", "out', ["mine.jsonl:2", "not a JSON object"]),
    "a list": (b'["a", "b"]', ["mine.jsonl:2"]),
    "unknown key": (b'{"input": "a", "output": "b", "hint": 1}', ["mine.jsonl:2", "'hint'", "input, output"]),
    "missing key": (b'{"input": "a"}', ["mine.jsonl:2", "'output' is missing"]),
    "wrong type": (b'{"input": 3, "output": "b"}', ["mine.jsonl:2", "input is no text"]),
    "unknown level": (b'{"input": "a", "output": "b", "level": 6}', ["mine.jsonl:2", "level"]),
    "level as text": (b'{"input": "a", "output": "b", "level": "1"}', ["mine.jsonl:2", "level"]),
    "empty prompt": (b'{"input": " ", "output": "b"}', ["mine.jsonl:2", "input is empty"]),
    "an open think block": (b'{"input": "a", "output": "<think>\\n1 = 1"}', ["mine.jsonl:2", "no answer"]),
    "a step of two lines": (b'{"input": "a", "output": "b", "steps": ["1\\n2"]}', ["mine.jsonl:2", "one line"]),
    "another encoding": (b'{"input": "\xff", "output": "b"}', ["mine.jsonl:2", "UTF-8"]),
    "half a character": (b'{"input": "\\ud800", "output": "b"}', ["mine.jsonl:2"]),
    "nested too deep": (b"[" * 100_000, ["mine.jsonl:2"]),
}


@pytest.mark.parametrize(("line", "named"), LINES.values(), ids=LINES)
def test_a_bad_line_of_a_data_file(
    line: bytes, named: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.jsonl").write_bytes(b'{"input": "a", "output": "b"}\n' + line + b"\n")
    message = refusal(capsys, "train", "quickstart", "data.files={mine.jsonl: 1}", "--out", "run")
    assert all(name in message for name in named), message
    assert main(["data", "check", "mine.jsonl"]) == 1
    listed = capsys.readouterr().out
    assert all(name in listed for name in named), listed


DATA = {
    "missing file": (["check", "none.jsonl"], ["none.jsonl", "No such file"]),
    "a folder as file": (["check", "."], [".", "Is a directory"]),
    "an empty file": (["check", "empty.jsonl"], ["empty.jsonl", "no record"]),
    "unknown domain": (["generate", "x.jsonl", "--domains", "magic"], ["unknown domain 'magic'"]),
    "unknown level": (["generate", "x.jsonl", "--levels", "0"], ["level 0"]),
    "unknown split": (["generate", "x.jsonl", "--split", "exam"], ["'exam'", "validation"]),
    "negative seed": (["generate", "x.jsonl", "--seed", "-1"], ["seed -1"]),
    "no problems": (["generate", "x.jsonl", "--count", "0"], ["--count", "greater than or equal to 1"]),
    "problems below a file": (["generate", "file/x.jsonl", "--count", "1"], ["file/x.jsonl", "file is a file"]),
    "problems into a folder": (["generate", ".", "--count", "1"], ["Is a directory"]),
    "small vocabulary": (["tokenizer", "tok", "--vocabulary", "9"], ["vocabulary of 9", "263"]),
    "huge vocabulary": (["tokenizer", "tok", "--vocabulary", "9" * 20], ["vocabulary of 9999", "1000000"]),
    "tokenizer without a name": (["tokenizer", ""], ["FOLDER is empty"]),
    "tokenizer where nobody can write": (["tokenizer", "/proc/tok"], ["/proc/tok", "cannot be written"]),
    "tokenizer over a file": (["tokenizer", "file", "--domains", "arithmetic"], ["file"]),
    "tokenizer below a file": (["tokenizer", "file/tok", "--domains", "arithmetic"], ["file/tok"]),
    "tokenizer of a missing file": (["tokenizer", "tok", "--file", "none.jsonl"], ["none.jsonl", "No such file"]),
    "import of a missing file": (["import", "none.jsonl", "--out", "x.jsonl"], ["none.jsonl", "No such file"]),
    "import in another form": (
        ["import", "record.jsonl", "--out", "x.jsonl", "--form", "gsm8k"],
        ["record.jsonl:1", "####"],
    ),
    "import in an unknown form": (["import", "record.jsonl", "--out", "x.jsonl", "--form", "csv"], ["csv", "mwp"]),
    "import without a place": (["import", "record.jsonl"], ["--out"]),
    "unknown verb": (["chekc"], ["chekc"]),
}


@pytest.mark.parametrize(("arguments", "named"), DATA.values(), ids=DATA)
def test_a_bad_data_command(
    arguments: list[str], named: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("I was here first")
    Path("empty.jsonl").write_text("\n")
    Path("record.jsonl").write_text('{"input": "a", "output": "b"}\n')
    before = sorted(place.iterdir())
    line = refusal(capsys, "data", *arguments)
    assert all(name in line for name in named), line
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize(
    "arguments", [["train", "nowhere.yaml"], ["ask", "1 + 1", "--model", "none"]], ids=["train", "ask"]
)
def test_a_process_of_its_own_ends_the_same_way(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuili", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("tuili: error: ")
    assert arguments[-1] in line
