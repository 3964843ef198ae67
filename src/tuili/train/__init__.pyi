from .build import build_model, training_stream
from .checkpoint import Checkpoint, CheckpointConfig, CheckpointManager
from .execution import ExecutionPlan, can_compile
from .feed.stream import DataConfig, FileWeights, build_sources
from .folder import REWRITE_REMEDY, RUN_FILE, RunFolder, environment, environment_changes
from .log import LogConfig, TrainingLog, read_log
from .loop import interruptible
from .memory import keep_freed_memory
from .objective import Objective
from .recipe import ModelConfig, Recipe
from .recorded import recorded_sources
from .run import TrainingResult, train
from .schedule import ScheduleConfig, rate_scale, warmup_cosine
from .timing import peak_memory

__all__ = [
    "REWRITE_REMEDY",
    "RUN_FILE",
    "Checkpoint",
    "CheckpointConfig",
    "CheckpointManager",
    "DataConfig",
    "ExecutionPlan",
    "FileWeights",
    "LogConfig",
    "ModelConfig",
    "Objective",
    "Recipe",
    "RunFolder",
    "ScheduleConfig",
    "TrainingLog",
    "TrainingResult",
    "build_model",
    "build_sources",
    "can_compile",
    "environment",
    "environment_changes",
    "interruptible",
    "keep_freed_memory",
    "peak_memory",
    "rate_scale",
    "read_log",
    "recorded_sources",
    "train",
    "training_stream",
    "warmup_cosine",
]
