"""Checkpoints of a run: all of its processes write them in the background, and each is verified before it is used.

`layout` says what a checkpoint consists of, `manager` when it is written, `writing` and `reading` how, `saving` whether
a disk still answers.
"""

from tuili.train.checkpoint.layout import CHECKPOINT_PREFIX
from tuili.train.checkpoint.manager import CheckpointConfig, CheckpointManager
from tuili.train.checkpoint.reading import Checkpoint, Tensors, latest_checkpoint, load_weights, read_checkpoint
from tuili.train.checkpoint.writing import Piece, Pieces

__all__ = [
    "CHECKPOINT_PREFIX",
    "Checkpoint",
    "CheckpointConfig",
    "CheckpointManager",
    "Piece",
    "Pieces",
    "Tensors",
    "latest_checkpoint",
    "load_weights",
    "read_checkpoint",
]
