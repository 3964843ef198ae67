"""The native library: C++ without dependencies, called over plain memory by ctypes."""

from tuili.native.library import Library, Unavailable, load
from tuili.native.panels import FORMATS, Matrix, NumberFormat, pack

__all__ = ["FORMATS", "Library", "Matrix", "NumberFormat", "Unavailable", "load", "pack"]
