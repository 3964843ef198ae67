"""Reads a user's text in the notation of the step language: `48×27=?` is `48 * 27 = ?`.

Only notation with an exact inverse is read; what can be read in two ways stays unchanged.
"""

from tuili.steps.reading.reader import Reading, read_as, read_turns

__all__ = ["Reading", "read_as", "read_turns"]
