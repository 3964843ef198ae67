"""The native library: C++ without dependencies, called over plain memory by ctypes."""

from tuili.native.attention import AttentionCallRecord, AttentionTensorsRecord, HeadTensorRecord, NativeAttention
from tuili.native.library import Library, Unavailable, load
from tuili.native.panels import FORMATS, Matrix, NumberFormat, pack
from tuili.native.slots import CacheFormat, SavedSlot
from tuili.native.step import Batch, NativeModel, Sizes
from tuili.native.verifier import NativeVerifier

__all__ = [
    "FORMATS",
    "AttentionCallRecord",
    "AttentionTensorsRecord",
    "Batch",
    "CacheFormat",
    "HeadTensorRecord",
    "Library",
    "Matrix",
    "NativeAttention",
    "NativeModel",
    "NativeVerifier",
    "NumberFormat",
    "SavedSlot",
    "Sizes",
    "Unavailable",
    "load",
    "pack",
]
