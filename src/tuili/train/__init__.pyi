from .build import build_model, prepared_blocks, training_feed, training_stream
from .checkpoint import Checkpoint, CheckpointConfig, CheckpointManager
from .dist.gradients.preconditioning import preconditioned
from .dist.group import EXIT_ALONE, MAX_RESTARTS, ReplicaDied
from .dist.overlap.hidden import read_hidden
from .dist.processes.ended import tell_loss
from .dist.processes.launch import launch
from .dist.processes.place import Place, check_count, check_place, check_replicas
from .dist.processes.rendezvous import tell_other_machines
from .execution import ExecutionPlan, can_compile, find_device, noticing_full_gpu
from .exit_walk import ExitWalk, router_losses, walk_exits
from .feed.blocks import PreparedBlocks
from .feed.curriculum import CurriculumConfig
from .feed.showing import TrainingFeed
from .feed.stream import DataConfig, FileWeights, StreamConfig, build_curriculum, build_sources
from .folder import REWRITE_REMEDY, RUN_FILE, RunFolder, environment, environment_changes
from .log import LogConfig, TrainingLog, read_log
from .memory import keep_freed_memory
from .muon import StackedMuon
from .objective import Objective
from .optim import hidden_matrices
from .recipe import DeviceSetting, ModelConfig, Recipe, TrainConfig
from .recorded import RecordedTraining, recorded_sources, recorded_training
from .run import TrainingResult, train
from .schedule import ScheduleConfig, rate_scale, warmup_cosine
from .signals import interruptible
from .timing import peak_memory

__all__ = [
    "EXIT_ALONE",
    "MAX_RESTARTS",
    "REWRITE_REMEDY",
    "RUN_FILE",
    "Checkpoint",
    "CheckpointConfig",
    "CheckpointManager",
    "CurriculumConfig",
    "DataConfig",
    "DeviceSetting",
    "ExecutionPlan",
    "ExitWalk",
    "FileWeights",
    "LogConfig",
    "ModelConfig",
    "Objective",
    "Place",
    "PreparedBlocks",
    "Recipe",
    "RecordedTraining",
    "ReplicaDied",
    "RunFolder",
    "ScheduleConfig",
    "StackedMuon",
    "StreamConfig",
    "TrainConfig",
    "TrainingFeed",
    "TrainingLog",
    "TrainingResult",
    "build_curriculum",
    "build_model",
    "build_sources",
    "can_compile",
    "check_count",
    "check_place",
    "check_replicas",
    "environment",
    "environment_changes",
    "find_device",
    "hidden_matrices",
    "interruptible",
    "keep_freed_memory",
    "launch",
    "noticing_full_gpu",
    "peak_memory",
    "preconditioned",
    "prepared_blocks",
    "rate_scale",
    "read_hidden",
    "read_log",
    "recorded_sources",
    "recorded_training",
    "router_losses",
    "tell_loss",
    "tell_other_machines",
    "train",
    "training_feed",
    "training_stream",
    "walk_exits",
    "warmup_cosine",
]
