"""The native library: C++ without dependencies, called through ctypes on plain memory."""

from tuili.native.codec import BLOCK as CODEC_BLOCK
from tuili.native.codec import CodeBits, GradientCodec, MessageError, message_bytes
from tuili.native.dense import pack_dense
from tuili.native.library import Library, Unavailable, load
from tuili.native.own import pack_own
from tuili.native.panels import FORMATS, Matrix, NumberFormat, pack
from tuili.native.rounding import mixing_of
from tuili.native.sizes import Sizes
from tuili.native.slots import CacheFormat, SavedSlot
from tuili.native.step import Among, Batch, NativeModel, Pack
from tuili.native.text import Hashes, Places, Scanned, TextKernels
from tuili.native.training import Training, training
from tuili.native.verifier import NativeVerifier

__all__ = [
    "CODEC_BLOCK",
    "FORMATS",
    "Among",
    "Batch",
    "CacheFormat",
    "CodeBits",
    "GradientCodec",
    "Hashes",
    "Library",
    "Matrix",
    "MessageError",
    "NativeModel",
    "NativeVerifier",
    "NumberFormat",
    "Pack",
    "Places",
    "SavedSlot",
    "Scanned",
    "Sizes",
    "TextKernels",
    "Training",
    "Unavailable",
    "load",
    "message_bytes",
    "mixing_of",
    "pack",
    "pack_dense",
    "pack_own",
    "training",
]
