"""Tokens per second of Tuili and of other engines with the very same imported model, weights and prompts.

The model runs at full depth in bf16, int8 and int4. Verified drafts are measured by `imported_quality`, depths that are
chosen by `imported_depth`. Beside ours stand llama.cpp in f16, q8_0 and q4_0 and OpenVINO GenAI in bf16, int8 and int4,
whose files are made of the same folder. Prompts are real; nobody stops at an end. The work and the turns are those of
the benchmark `engine`; `writing` leaves out the time that reading the prompt takes. Results before an interruption are
kept: call the benchmark again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine.peers.contenders import NATIVE, PACKAGE, PEERS, Contender, export_llama, peers_of, versions
from benchmarks.engine.peers.plan import NEW, READING, Shape, reached
from benchmarks.engine.peers.ratios import SPEEDS, against_peers
from benchmarks.engine.peers.turns import Race, Runs, compete, speeds, takes_part
from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.imported.prompts import chats, write_texts
from benchmarks.imported.source import FOLDER, REAL, identity, imported_model
from tuili.errors import InputError
from tuili.store import ImportedModel, model_hash

FORMATS = ("bf16", "int8", "int4")
PEER_NAMES = ("llama_cpp", "openvino")
PROMPT = 96
"""Tokens of a short prompt: a word problem in a chat template takes about as many."""
TEXTS = 200
"""Conversations of which prompts are the ends."""


@dataclass(frozen=True)
class Writing(Shape):
    """A shape without the reading of its prompt."""

    def __str__(self) -> str:
        return f"writing_{self.batch}x{self.prompt}"

    @property
    def reading(self) -> Shape:
        """The same prompts with the first new token alone."""
        return Shape(self.batch, self.prompt, 1, for_all=True)

    @property
    def counted(self) -> int:
        """New tokens behind the first ones, which come with the reading."""
        return self.batch * (self.new - 1)


ONE, SIXTEEN = Writing(1, PROMPT), Writing(16, PROMPT)
WRITINGS = (ONE, SIXTEEN)
SHORT = tuple(shape for one in WRITINGS for shape in (Shape(one.batch, one.prompt, for_all=True), one.reading))
PLAN: Mapping[int, tuple[Shape, ...]] = {1: (*SHORT, READING), 2: SHORT}
"""The shapes by the number of threads."""
GOALS = {
    f"1_ours_int8_full_{ONE}_tokens_per_cpu_second_over_llama_cpp_q8_0": 1.4,
    f"1_ours_int8_full_{SIXTEEN}_tokens_per_cpu_second_over_openvino_int8": 1.0,
    f"1_ours_int8_full_{READING}_tokens_per_cpu_second_over_llama_cpp": 1.0,
}
"""The least median of each ratio. `over_llama_cpp`: over the fastest of its formats."""


def measure(
    model: str = REAL,
    threads: tuple[int, ...] = (1, 2),
    rounds: int = 3,
    only: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    peers: str = str(PEERS),
    folder: str = str(FOLDER),
) -> Measured:
    """Both speeds of each contender by threads, batch and prompt; and ours over the others.

    model: see `imported_model`. only, without: names of contenders, or the beginnings of names, that alone take part or
    do not. The record tells.
    """
    imported = imported_model(model, Path(folder))
    files = prepare_files(imported, Path(folder), peers)
    chosen = [one for one in contenders(imported, files, peers) if takes_part(one.name, only, without)]
    cells = Cells("imported_speed", {"new": NEW, "prompt": PROMPT} | identity(imported))
    figures: dict[str, Figure] = {}
    for count in threads:
        race = Race(str(count), count, chosen, PLAN[count], imported.shape.vocab_size, str(files / "texts.jsonl"))
        measured, runs = compete(cells, race, rounds, files)
        written = writing_alone(runs)
        measured |= speeds(race.place, WRITINGS, written)
        measured_of = [*runs, *written]
        figures |= measured | against_peers(
            race.place, count, measured, measured_of, singly=PEER_NAMES, together=PEER_NAMES
        )
    return {
        "model": model if model == REAL else "given",
        "new": NEW,
        "rounds": rounds,
        "only": only,
        "without": without,
        "numbers": {one.name: one.numbers for one in chosen},
        "heads": "in 4 bits, the embedding and the head of every engine have 8",
        "prompts": f"the ends of {TEXTS} conversations about word problems",
        "key": "threads_contender_batchxprompt_unit",
        "peers": versions(peers),
        "goals": reached(figures, GOALS),
    }, figures


def prepare_files(model: ImportedModel, folder: Path, peers: str) -> Path:
    """Write what is missing: the texts, and the model in the formats of the peers. Returns the folder of these files.

    Raises `InputError` for a model that they are not made of.
    """
    if model.shape.family != "llama":
        raise InputError(f"{model.path} is a model of the family {model.shape.family}: peers are given Llamas alone")
    files = folder / f"peers_{model_hash(model.path)[:8]}"
    weights = files / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    for file in (model.path / "config.json", *model.path.glob("*.safetensors")):  # without a tokenizer: ids are given
        link = weights / file.name
        link.unlink(missing_ok=True)
        link.symlink_to(file.resolve())
    export_llama(weights, files, peers, least_of_head=8)
    write_texts(files / "texts.jsonl", chats(model.tokenizer, TEXTS, READING.prompt))
    return files


def contenders(model: ImportedModel, files: Path, peers: str) -> list[Contender]:
    """Ours in each format, and the peers."""
    return [
        *(
            Contender(
                f"ours_{numbers}_full",
                sys.executable,
                f"{PACKAGE}.workers.tuili_engine",
                [str(model.path)],
                {"runner": "native", "numbers": numbers},
                f"{NATIVE[numbers]}; full depth",
                fast=True,
            )
            for numbers in FORMATS
        ),
        *peers_of(files, peers),
    ]


def writing_alone(runs: Runs) -> dict[tuple[str, str], list[dict[str, float]]]:
    """What the new tokens of `WRITINGS` took: the time of the whole work less that of its reading, round by round."""
    alone = {}
    for one in WRITINGS:
        whole = str(Shape(one.batch, one.prompt))
        for name in [name for name, shape in runs if shape == whole]:
            both = zip(runs[name, whole], runs[name, str(one.reading)], strict=True)
            alone[name, str(one)] = [{took: done[took] - read[took] for took in SPEEDS.values()} for done, read in both]
    return alone


if __name__ == "__main__":
    run("imported_speed", measure)
