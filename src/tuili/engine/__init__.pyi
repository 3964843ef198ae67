from .answer import Answer, AnswerToken, Outcome, Promise, Receipt, explain
from .attempt import Attempt, best_of, verifier_missed_some
from .controller import RequestState
from .decode import Decoder, Generation
from .dialects.choice import dialect_of
from .engine import Engine, PreparedRequest, Ticket
from .events import Answered, Event, StepJudged, TokenWritten
from .promises.alarms import AlarmReading, Alarms
from .promises.calibration import (
    CALIBRATION_FILE,
    Calibration,
    Curve,
    Entry,
    LowConfidence,
    NotPromised,
    Point,
    Sample,
    read_calibration,
)
from .promises.confidence import (
    FEATURES,
    FITTED_FEATURES,
    Confidence,
    answer_features,
    calibration_bins,
    calibration_error,
    features,
    fit,
)
from .promises.familiarity import Familiar, Familiarity
from .promises.promises import Promises, has_wrong_step, is_promised, load_promises, valid_calibration
from .proof import Proof, ProofVerdict
from .request import (
    MAX_ATTEMPTS,
    MAX_DEADLINE_MS,
    MAX_LAYER_STEPS,
    MAX_LOGIT_BIAS,
    MAX_LOGPROBS,
    MAX_STOP_CHARACTERS,
    MAX_STOP_TEXTS,
    MAX_TOKENS,
    Budget,
    Depth,
    Ignored,
    Request,
    Sampling,
    parse_settings,
)
from .runtime.choice import CacheNumbers, Choice, DeviceName, Numbers, RunnerName, RunOptions
from .runtime.load import (
    default_calculator,
    default_choice,
    load_decoder,
    load_engine,
    load_runner,
    load_scheduler,
    load_state_reader,
)
from .runtime.native.load import helpful_threads
from .runtime.runner import ModelRunner, Observation, PrefillOutput, Runtime, StepOutput, StepPolicy
from .runtime.state_reader import StateReader
from .runtime.torch.load import check_gpu
from .scheduling.scheduler import Scheduler
from .scheduling.stats import SchedulerStats
from .scheduling.warm_up import warm_up
from .sequence import Sequence, SequenceLimits, StopReason
from .service import Closed, Service
from .text.judging import JudgedChain
from .trial import Trial, TrialVerdict
from .written import CheckedStep, parse_prose

__all__ = [
    "CALIBRATION_FILE",
    "FEATURES",
    "FITTED_FEATURES",
    "MAX_ATTEMPTS",
    "MAX_DEADLINE_MS",
    "MAX_LAYER_STEPS",
    "MAX_LOGIT_BIAS",
    "MAX_LOGPROBS",
    "MAX_STOP_CHARACTERS",
    "MAX_STOP_TEXTS",
    "MAX_TOKENS",
    "AlarmReading",
    "Alarms",
    "Answer",
    "AnswerToken",
    "Answered",
    "Attempt",
    "Budget",
    "CacheNumbers",
    "Calibration",
    "CheckedStep",
    "Choice",
    "Closed",
    "Confidence",
    "Curve",
    "Decoder",
    "Depth",
    "DeviceName",
    "Engine",
    "Entry",
    "Event",
    "Familiar",
    "Familiarity",
    "Generation",
    "Ignored",
    "JudgedChain",
    "LowConfidence",
    "ModelRunner",
    "NotPromised",
    "Numbers",
    "Observation",
    "Outcome",
    "Point",
    "PrefillOutput",
    "PreparedRequest",
    "Promise",
    "Promises",
    "Proof",
    "ProofVerdict",
    "Receipt",
    "Request",
    "RequestState",
    "RunOptions",
    "RunnerName",
    "Runtime",
    "Sample",
    "Sampling",
    "Scheduler",
    "SchedulerStats",
    "Sequence",
    "SequenceLimits",
    "Service",
    "StateReader",
    "StepJudged",
    "StepOutput",
    "StepPolicy",
    "StopReason",
    "Ticket",
    "TokenWritten",
    "Trial",
    "TrialVerdict",
    "answer_features",
    "best_of",
    "calibration_bins",
    "calibration_error",
    "check_gpu",
    "default_calculator",
    "default_choice",
    "dialect_of",
    "explain",
    "features",
    "fit",
    "has_wrong_step",
    "helpful_threads",
    "is_promised",
    "load_decoder",
    "load_engine",
    "load_promises",
    "load_runner",
    "load_scheduler",
    "load_state_reader",
    "parse_prose",
    "parse_settings",
    "read_calibration",
    "valid_calibration",
    "verifier_missed_some",
    "warm_up",
]
