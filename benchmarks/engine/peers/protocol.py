"""How the benchmark talks to its workers: one process for each engine, model and number of threads; work as JSON lines.

A worker prepares a piece of work, then does it and gives the time by the clock and the processor time of all its
threads. Short work is done again with other prompts until it has taken `LEAST_SECONDS`. This module needs the standard
library alone, for workers run in environments of their own.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
FIRST_PROMPT_ID = 8
"""Smaller ids may be special tokens and are in no prompt."""
COMPARED_TOKENS = 8
"""Of the first response, which are handed back to compare engines by."""
LEAST_SECONDS, MOST_TIMES = 0.3, 50
"""Work is done again until it has taken so long, or so often."""


@dataclass(frozen=True)
class Work:
    """`batch` prompts of `prompt` ids each, to be continued greedily by `new` tokens each.

    variant: how, where an engine has several ways.
    texts: a file of `read_texts`, of whose texts prompts are the ends; empty: the ids of prompts are random.
    """

    batch: int
    prompt: int
    new: int
    vocabulary: int
    variant: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    texts: str = ""

    def prompts(self) -> list[list[int]]:
        """The prompts: the same for every engine, others with every seed."""
        rng = random.Random(f"{self.batch}/{self.prompt}/{self.seed}")
        if self.texts:
            return [ids[-self.prompt :] for ids in rng.sample(read_texts(self.texts), self.batch)]
        return [
            [rng.randrange(FIRST_PROMPT_ID, self.vocabulary) for _ in range(self.prompt)] for _ in range(self.batch)
        ]


@cache
def read_texts(file: str) -> list[list[int]]:
    """The ids of each text of a file, which has a JSON array of ids a line. None is shorter than a prompt."""
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


Tokens = Sequence[Sequence[int]]
"""The new tokens of each prompt."""
Prepare = Callable[[Work], Callable[[], Tokens]]
"""Prepares a piece of work and returns the function that does it, which is timed."""


def serve(prepare: Prepare) -> None:
    """The worker's side: do the work on stdin, line by line, to its end."""
    answer_lines(lambda asked: timed(prepare, Work(**asked)))


def answer_lines(answer: Callable[[dict[str, Any]], Any]) -> None:
    """Answer each line of stdin, to its end: JSON in, JSON out. What libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers)


def timed(prepare: Prepare, work: Work) -> dict[str, Any]:
    """Do a piece of work, again and again while that is short.

    Gives the mean `seconds` and `cpu_seconds` of once; the first `tokens` of the first time; and `others`, the cores
    that other processes kept busy meanwhile, None where the system does not tell it.
    """
    wall = processor = 0.0
    first: list[int] = []
    times = 0
    busy, begun, own = busy_seconds(), time.perf_counter(), time.process_time()
    while wall < LEAST_SECONDS and times < MOST_TIMES:
        go = prepare(replace(work, seed=1000 * work.seed + times))
        start, spent = time.perf_counter(), time.process_time()
        tokens = go()
        wall, processor = wall + time.perf_counter() - start, processor + time.process_time() - spent
        lengths = {len(response) for response in tokens}
        assert len(tokens) == work.batch and lengths == {work.new}, f"{len(tokens)} responses of {lengths} tokens"
        first = first or [int(token) for token in tokens[0][:COMPARED_TOKENS]]
        times += 1
    others = None
    if (ended := busy_seconds()) is not None and busy is not None:
        others = max(0.0, (ended - busy - (time.process_time() - own)) / (time.perf_counter() - begun))
    return {"seconds": wall / times, "cpu_seconds": processor / times, "tokens": first, "others": others}


def busy_seconds() -> float | None:
    """Processor time of the whole machine so far, without idling and waiting; None where the system does not tell."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(int, fields[:8])
    ticks: int = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + interrupts + soft_interrupts + stolen) / ticks


class Worker:
    """The other side: a process that is started with the first piece of work. Its stderr goes into the file `log`.

    tree: the folder with the sources of `tuili` that the worker imports.
    """

    def __init__(
        self, python: str, module: str, arguments: Sequence[str], threads: int, log: Path, tree: Path = ROOT
    ) -> None:
        self._command = [python, "-m", module, *arguments, str(threads)]
        self._threads, self._log, self._tree = threads, log, tree
        self._process: subprocess.Popen[str] | None = None

    def do(self, work: Work) -> dict[str, Any]:
        """What `timed` gives. Raises `RuntimeError` where the worker dies."""
        return self.ask(asdict(work))

    def ask(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a line of another kind. Raises `RuntimeError` where the worker dies."""
        process = self._process = self._process or self._start()
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        if not (line := process.stdout.readline()):
            raise RuntimeError(f"{' '.join(self._command[1:3])} has died: see {self._log}")
        return dict(json.loads(line))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            assert self._process.stdin and self._process.stdout
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        path = f"{self._tree / 'src'}:{ROOT}"
        environment = os.environ | {"OMP_NUM_THREADS": str(self._threads), "PYTHONPATH": path}
        with self._log.open("w") as log:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=environment,
            )
