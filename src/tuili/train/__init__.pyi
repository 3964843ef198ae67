from .build import build_model, training_stream
from .execution import ExecutionPlan, can_compile
from .feed.stream import DataConfig, build_sources
from .folder import RUN_FILE, RunFolder
from .log import read_log
from .memory import keep_freed_memory
from .objective import Objective
from .recipe import ModelConfig, Recipe
from .recorded import recorded_sources
from .run import TrainingResult, train
from .schedule import warmup_cosine

__all__ = [
    "RUN_FILE",
    "DataConfig",
    "ExecutionPlan",
    "ModelConfig",
    "Objective",
    "Recipe",
    "RunFolder",
    "TrainingResult",
    "build_model",
    "build_sources",
    "can_compile",
    "keep_freed_memory",
    "read_log",
    "recorded_sources",
    "train",
    "training_stream",
    "warmup_cosine",
]
