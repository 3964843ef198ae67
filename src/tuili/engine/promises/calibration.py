"""What may be promised about a model's answers: `tuili/calibration.json` in its folder.

For each class of requests (error tolerance, attempts, tokens), the file holds the confidence that an answer must reach
to be given, and the evidence that the error among the answers given is within the tolerance; or the reason why there is
no such confidence. `tuili.eval` makes calibrations; the engine decides how many tokens a deadline leaves time for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuili.engine.answer import Promise
from tuili.engine.promises.confidence import FITTED_FEATURES, Confidence
from tuili.engine.request import Budget
from tuili.engine.runtime.runner import Runtime
from tuili.errors import InputError, ModelFolderError
from tuili.steps import CalculatorMode

CALIBRATION_FILE = Path("tuili") / "calibration.json"
VERSION = 2
"""Version of the file's format."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class NotPromised(InputError):
    """The error tolerance cannot be promised. The message says what could be promised."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Point(_Stored):
    """The answers in the calibration sample that a confidence threshold lets through."""

    threshold: Share
    answered: Count
    wrong: Count


class Curve(_Stored):
    """All thresholds for one limit of attempts and tokens, from the most cautious to the most permissive."""

    max_steps: Annotated[int, Field(ge=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    tested: tuple[Point, ...]


class Entry(_Stored):
    """One class of requests.

    threshold: the confidence that an answer needs; None if nothing can be promised, for the given `reason`. n, wrong:
    the answers given on the calibration sample, and the wrong ones among them; their error is at most `bound`.
    coverage: the share of the sample that was answered.
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


class Sample(_Stored):
    """The problems of a calibration: `fitted` to fit the confidence, and `n` others to set the thresholds."""

    source: str
    sha256: str
    fitted: Count
    n: Count
    longest_prompt: Count
    """Tokens of the longest prompt."""
    accuracy: Share
    """Share of right answers after one attempt, if every answer is given."""
    calibration_error: Share
    """Expected calibration error of the confidence on the `n` problems."""


class LowConfidence(_Stored):
    """First attempts of which the model is unsure: those with a confidence below `level`, or without an answer that may
    be given under a promise. Their share stays below `share` as long as requests are distributed like the sample.
    """

    level: Share
    share: Annotated[float, Field(gt=0, lt=1)]


class Calibration(_Stored):
    """The content of the file.

    model, verifier: hashes of what was calibrated. checker: version of the checker that judged the steps. runtime: how
    the model was run. rejected: upper bound on the share of first attempts with a wrong step, as long as requests are
    distributed like the sample. refines_untraced: whether a step with untraced numbers triggered a further attempt;
    absent in files from before that option existed. features: those used to fit the confidence. familiarity: hash of
    the file that identifies unfamiliar prompts, if any. parts: hash of what else determines the answers of an imported
    model. calculator: whether the checker wrote values into the steps. low_confidence: identifies unsure first
    attempts; None in older files, and if no first attempt ended.
    """

    version: Literal[2] = 2
    model: str
    verifier: str | None
    checker: Annotated[int, Field(ge=1)]
    runtime: Runtime
    exit_threshold: Share
    delta: Annotated[float, Field(gt=0, lt=1)]
    coefficients: tuple[float, ...]
    constant: float
    rejected: Annotated[float, Field(gt=0, lt=1)]
    sample: Sample
    entries: Annotated[tuple[Entry, ...], Field(min_length=1)]
    curves: tuple[Curve, ...]
    features: tuple[str, ...] = FITTED_FEATURES[0]
    familiarity: str | None = None
    refines_untraced: bool = False
    parts: str | None = None
    calculator: CalculatorMode = "off"
    low_confidence: LowConfidence | None = None

    @property
    def confidence(self) -> Confidence:
        """The fitted confidence."""
        return Confidence(self.coefficients, self.constant)

    @property
    def sha256(self) -> str:
        """The hash of the whole calibration, by which the state of alarms refers to it."""
        added = ("refines_untraced", "familiarity", "parts", "low_confidence")
        absent = {name for name in added if not getattr(self, name)}  # so that older files keep their hash
        absent |= {"calculator"} if self.calculator == "off" else set()
        return hashlib.sha256(self.model_dump_json(exclude=absent).encode()).hexdigest()

    @property
    def token_classes(self) -> list[int]:
        """The token limits of all classes, smallest first."""
        return sorted({entry.max_tokens for entry in self.entries})

    def entry(self, budget: Budget, why_revoked: Callable[[Entry], str] = lambda _: "") -> Entry:
        """Find the class of a budget: the largest tolerance, attempts and tokens within it.

        Args:
            why_revoked: why the promise of a class is revoked, empty if it holds.
        Raises `NotPromised` if that class currently has no promise; the message says what could be promised.
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
        entry = next(entry for entry in self.entries if _key(entry) == wanted)
        if reason := _why_not(entry, why_revoked):
            possible = [
                other
                for other in self.entries
                if not _why_not(other, why_revoked) and (not limit or other.max_tokens <= budget.max_tokens)
            ]
            raise NotPromised(
                f"error_tolerance = {tolerance:g} cannot be promised with max_steps = {wanted[1]} and max_tokens = "
                f"{wanted[2]}{limit}: {reason}; {_offer(possible, wanted)}"
            )
        return entry

    def promise(self, entry: Entry) -> Promise:
        """What is guaranteed about answers of a class."""
        return Promise(
            entry.error_tolerance, self.delta, entry.n, entry.wrong, entry.bound, entry.max_steps, entry.max_tokens
        )


def read_calibration(folder: Path) -> Calibration | None:
    """The calibration of a model folder, None if it has none. Raises `ModelFolderError` for a damaged file."""
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return None
    try:
        calibration = Calibration.model_validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["loc"] == ("version",):
            raise ModelFolderError(
                f"{path} has another version than {VERSION}, which names the checker and the runtime that it holds "
                "for: calibrate anew (tuili calibrate)"
            ) from None
        raise ModelFolderError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}; calibrate anew") from None
    features = calibration.features
    if features not in FITTED_FEATURES or len(calibration.coefficients) != len(features):
        raise ModelFolderError(f"{path} was written by another version of Tuili: calibrate anew")
    return calibration


def _why_not(entry: Entry, why_revoked: Callable[[Entry], str]) -> str:
    """Why nothing is currently promised for a class; empty if something is."""
    return entry.reason if entry.threshold is None else why_revoked(entry)


def _key(entry: Entry) -> tuple[float, int, int]:
    return entry.error_tolerance, entry.max_steps, entry.max_tokens


def _largest(name: str, known: Iterable[float], asked: float) -> float:
    values = sorted(set(known))
    fitting = [value for value in values if value <= asked]
    if not fitting:
        raise NotPromised(f"{name} = {asked:g}: nothing is promised below {values[0]:g}")
    return fitting[-1]


def _offer(possible: Sequence[Entry], wanted: tuple[float, float, float]) -> str:
    """What could be promised instead: the lowest tolerance for this budget, and the least budget for this tolerance."""
    same = [entry for entry in possible if _key(entry)[1:] == wanted[1:]]
    offers = []
    if same:
        offers.append(f"error_tolerance = {min(entry.error_tolerance for entry in same):g} with these")
    richer = [entry for entry in possible if entry.error_tolerance <= wanted[0]]
    if richer:
        least = min(richer, key=lambda entry: (entry.max_steps, entry.max_tokens))
        offers.append(
            f"error_tolerance = {least.error_tolerance:g} with max_steps = {least.max_steps} and "
            f"max_tokens = {least.max_tokens}"
        )
    return f"could be promised: {', or '.join(offers)}" if offers else "nothing like it can be promised"
