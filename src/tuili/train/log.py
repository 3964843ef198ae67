"""The log of a run: a progress line, `log.jsonl` and, if the recipe asks for them, TensorBoard event files and a
textfile for Prometheus.

A line averages the figures of the steps since the line before. `trainer` provides the figures, `workers` those of the
processes.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PositiveInt, field_validator
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tuili.config import Config
from tuili.errors import TuiliError
from tuili.files import write_durably
from tuili.train.textfile import OF_A_WORKER, Textfile
from tuili.train.timing import Forecast
from tuili.train.workers import Work, Workers, in_words

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG_FILE, EVENTS_FOLDER = "log.jsonl", "tensorboard"

PROGRESS_FORMATS = {
    "loss": "loss {:.3f}",
    "accuracy": "accuracy {:.1%}",
    "agreement": "agreement {:.1%}",
    "tokens_per_second": "{:,.0f} tok/s",
    "gflops_per_second": "{:.0f} GFLOP/s",
}
"""The figures on the progress line, and their formats."""


class LogConfig(Config):
    """What a run shows and writes while it trains."""

    interval: PositiveInt = 10
    """Steps between two lines of the log; a line holds the means over them."""
    tensorboard: bool = False
    """Write event files for TensorBoard as well; needs the package `tensorboard`."""
    textfile: str | None = None
    """A file, `*.prom`, for the textfile collector of Prometheus's node exporter; its folder must exist."""

    @field_validator("tensorboard")
    @classmethod
    def _installed(cls, wanted: bool) -> bool:
        if wanted and find_spec("tensorboard") is None:
            raise ValueError("needs a package: pip install tensorboard, or set it to false")
        return wanted


class RunningMeans:
    """Running means by name. A figure that some steps lack is averaged over the steps that have it."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    def add(self, figures: Mapping[str, float]) -> None:
        """Add one value for each name."""
        self._sums.update(figures)
        self._counts.update(figures.keys())

    def take(self) -> dict[str, float]:
        """Return the means so far, and start anew."""
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        self._sums.clear()
        self._counts.clear()
        return means


class TrainingLog:
    """The log of a run that continues after step `first` of `steps` and has trained for `seconds` before.

    tokens: the number read before; if given, each line says how many have been read in total. restarts: how often
    processes of the run were lost. lost: which ones, as far as is known. Lines that a crash left beyond `first` are
    dropped.
    """

    def __init__(
        self, config: LogConfig, folder: Path, console: Console, *, first: int, steps: int, seconds: float,
        tokens: int | None = None, restarts: int = 0, lost: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self._interval, self._steps, self._first = config.interval, steps, first
        self._path = folder / LOG_FILE
        kept = [line for line in read_log(folder) if line["step"] <= first]
        write_durably(self._path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self.last: dict[str, Any] = kept[-1] if kept else {}
        """The newest line."""
        self._events = _event_writer(folder / EVENTS_FOLDER, first) if config.tensorboard else None
        self._textfile = Textfile(Path(config.textfile), folder.absolute().name) if config.textfile else None
        self._workers, self._console = Workers(restarts, lost), console
        columns = (BarColumn(bar_width=8), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"))
        self._progress = Progress(
            *columns,
            TimeRemainingColumn(compact=True),
            "left",
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=steps, completed=first, figures="")
        self._before = seconds
        self._begun = self._window = time.perf_counter()
        self._means, self._forecast = RunningMeans(), Forecast(first, steps)
        self._tokens, self._flops, self._read = 0, 0.0, tokens

    def __enter__(self) -> TrainingLog:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        if self._events is not None:
            self._events.close()

    @property
    def seconds(self) -> float:
        """Training time of the whole run, without the time between its sessions."""
        return self._before + time.perf_counter() - self._begun

    def step(
        self, step: int, figures: Mapping[str, float], *, tokens: int, flops: float, memory: int,
        workers: Sequence[Work] = (),
    ) -> None:  # fmt: skip
        """Record a finished step: its figures, the tokens that it read, its operations (0 if unknown), the peak memory
        so far in bytes, and what each process has done."""
        self._workers.add(workers)
        self._means.add(figures)
        self._tokens += tokens
        self._flops += flops
        self._progress.update(self._task, completed=step)
        if line := self._forecast.after(step, tokens, memory):
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        if step % self._interval == 0 or step == self._steps:
            self._write(step)

    def _write(self, step: int) -> None:
        now = time.perf_counter()
        figures = self._means.take() | {"tokens_per_second": self._tokens / (now - self._window)}
        if self._flops:
            figures["gflops_per_second"] = self._flops / 1e9 / (now - self._window)
        self.last = {"step": step, "seconds": self.seconds, **figures}
        if self._read is not None:
            self._read += self._tokens
            self.last["tokens"] = self._read
        seconds = now - self._window
        if view := self._workers.take(seconds):
            self.last["workers"] = view
        self._tokens, self._flops, self._window = 0, 0.0, now
        path = self._path
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self.last) + "\n")
            if self._textfile is not None:
                path = self._textfile.path
                self._textfile.write(self.last)
        except OSError as error:
            raise TuiliError(f"{path} cannot be written at step {step}: {error.strerror}") from error
        if self._events is not None:
            for name, value in figures.items():
                self._events.add_scalar(f"train/{name}", value, step)
            for name, values in view.items() if view else ():
                for rank, value in enumerate(values) if name in OF_A_WORKER else ():
                    self._events.add_scalar(f"workers/{name}/{rank}", value, step)
        text = " ".join(form.format(figures[name]) for name, form in PROGRESS_FORMATS.items() if name in figures)
        text += f", {in_words(view, seconds)}" if view else ""
        self._progress.update(self._task, figures=text)
        if not self._console.is_terminal:
            left = (now - self._begun) / (step - self._first) * (self._steps - step)
            line = f"step {step}/{self._steps} {text} {left / 60:.1f} min left"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log in order, without those that a crash cut short or a disk corrupted."""
    path, lines = folder / LOG_FILE, []
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for line in text.split("\n")[:-1]:
        with suppress(ValueError, RecursionError):
            lines.append(json.loads(line))
    return [line for line in lines if isinstance(line, dict) and isinstance(line.get("step"), int)]


def _event_writer(folder: Path, first: int) -> SummaryWriter:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first + 1)
