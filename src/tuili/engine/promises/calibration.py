"""What may be promised about a model's answers: `tuili/calibration.json` in its folder.

For each class of requests (error tolerance, attempts, tokens) it holds the confidence from which on an answer is given,
and the evidence that the error among answers given is within the tolerance; or why there is none. How that comes about
is left to `tuili.eval.calibration`, how many tokens a deadline leaves room for to the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuili.engine.promises.confidence import FEATURES, Confidence
from tuili.engine.request import Budget
from tuili.errors import InputError, ModelFolderError

CALIBRATION_FILE = Path("tuili") / "calibration.json"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class NotPromised(InputError):
    """What was asked cannot be promised; the message says what could be."""


@dataclass(frozen=True)
class Promise:
    """What is guaranteed about an answer, or in `why` the reason that nothing is.

    With probability 1 - delta over the calibration sample, at most a share `error_tolerance` of the answers given to
    requests of this class is wrong, if requests come as that sample came. Of `n` answers in it `wrong` were wrong,
    which bounds their error by `bound`.
    """

    error_tolerance: float | None = None
    delta: float | None = None
    n: int = 0
    wrong: int = 0
    bound: float | None = None
    max_steps: int | None = None
    max_tokens: int | None = None
    why: str = ""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Point(_Part):
    """What a threshold on confidence did with the calibration sample."""

    threshold: Share
    answered: Count
    wrong: Count


class Curve(_Part):
    """All thresholds of one class of attempts and tokens, from the most cautious to the most permissive."""

    max_steps: Annotated[int, Field(ge=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    tested: tuple[Point, ...]


class Entry(_Part):
    """One class of requests. threshold: the confidence that an answer needs; None where nothing can be promised, for
    `reason`. coverage: the share of the calibration sample that was answered.
    """

    error_tolerance: Share
    max_steps: Annotated[int, Field(ge=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    threshold: Share | None
    n: Count = 0
    wrong: Count = 0
    bound: Share | None = None
    coverage: Share = 0.0
    reason: str = ""


class Sample(_Part):
    """What it was calibrated on: `fitted` problems for the confidence, and other `n` for the thresholds."""

    source: str
    sha256: str
    fitted: Count
    n: Count
    longest_prompt: Count
    """Tokens of the longest prompt."""
    accuracy: Share
    """Share of right answers after one attempt, none withheld."""
    calibration_error: Share
    """Expected calibration error of the confidence on the `n` problems."""


class Calibration(_Part):
    """The content of the file.

    model, verifier: hashes of what was calibrated. rejected: a share that first attempts with a wrong step stay below,
    as long as requests come as the sample did.
    """

    version: Literal[1] = 1
    model: str
    verifier: str | None
    exit_threshold: Share
    delta: Annotated[float, Field(gt=0, lt=1)]
    coefficients: tuple[float, ...]
    constant: float
    rejected: Annotated[float, Field(gt=0, lt=1)]
    sample: Sample
    entries: Annotated[tuple[Entry, ...], Field(min_length=1)]
    curves: tuple[Curve, ...]
    features: tuple[str, ...] = FEATURES

    @property
    def confidence(self) -> Confidence:
        """What tells how sure an answer is."""
        return Confidence(self.coefficients, self.constant)

    @property
    def token_classes(self) -> list[int]:
        """The classes of tokens, smallest first."""
        return sorted({entry.max_tokens for entry in self.entries})

    def entry(self, budget: Budget) -> Entry:
        """The class that a budget belongs to: the largest of each kind that is within it.

        Raises `NotPromised` where nothing of the kind is promised, saying what could be.
        """
        tolerance, limit = budget.error_tolerance, ""
        assert tolerance is not None
        if budget.deadline_ms is not None:
            limit = f", which deadline_ms = {budget.deadline_ms:g} leaves time for"
        wanted = (
            _largest("error_tolerance", (entry.error_tolerance for entry in self.entries), tolerance),
            _largest("max_steps", (entry.max_steps for entry in self.entries), budget.max_steps),
            _largest("max_tokens", (entry.max_tokens for entry in self.entries), budget.max_tokens),
        )
        found = next(entry for entry in self.entries if _key(entry) == wanted)
        if found.threshold is None:
            could = [
                entry
                for entry in self.entries
                if entry.threshold is not None and (not limit or entry.max_tokens <= budget.max_tokens)
            ]
            raise NotPromised(
                f"error_tolerance = {tolerance:g} cannot be promised with max_steps = {wanted[1]} and max_tokens = "
                f"{wanted[2]}{limit}: {found.reason}; {_offer(could, wanted)}"
            )
        return found

    def promise(self, entry: Entry) -> Promise:
        """What is guaranteed about an answer of this class."""
        return Promise(
            entry.error_tolerance,
            self.delta,
            entry.n,
            entry.wrong,
            entry.bound,
            entry.max_steps,
            entry.max_tokens,
        )


def read_calibration(folder: Path) -> Calibration | None:
    """The calibration of a model folder, None where it has none. Raises `ModelFolderError` for a file that is none."""
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return None
    try:
        found = Calibration.model_validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ModelFolderError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}; calibrate anew") from None
    if found.features != FEATURES or len(found.coefficients) != len(FEATURES):
        raise ModelFolderError(f"{path} was written by another version of Tuili: calibrate anew")
    return found


def _key(entry: Entry) -> tuple[float, int, int]:
    return entry.error_tolerance, entry.max_steps, entry.max_tokens


def _largest(name: str, known: Iterable[float], asked: float) -> float:
    values = sorted(set(known))
    fitting = [value for value in values if value <= asked]
    if not fitting:
        raise NotPromised(f"{name} = {asked:g}: nothing is promised below {values[0]:g}")
    return fitting[-1]


def _offer(could: Sequence[Entry], wanted: tuple[float, float, float]) -> str:
    """What can be promised instead: the least tolerance with this budget, and the least budget for this tolerance."""
    same = [entry for entry in could if _key(entry)[1:] == wanted[1:]]
    offers = []
    if same:
        offers.append(f"error_tolerance = {min(entry.error_tolerance for entry in same):g} with these")
    richer = [entry for entry in could if entry.error_tolerance <= wanted[0]]
    if richer:
        least = min(richer, key=lambda entry: (entry.max_steps, entry.max_tokens))
        offers.append(
            f"error_tolerance = {least.error_tolerance:g} with max_steps = {least.max_steps} and "
            f"max_tokens = {least.max_tokens}"
        )
    return f"could be promised: {', or '.join(offers)}" if offers else "nothing like it can be promised"
