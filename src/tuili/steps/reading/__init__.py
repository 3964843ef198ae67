"""What a user's text says in the notation of the step language: `48×27=?` is `48 * 27 = ?`.

Only what has an exact inverse is read; what a reader could take in two ways stays as it is.
"""

from tuili.steps.reading.reader import Reading, read_as, read_turns

__all__ = ["Reading", "read_as", "read_turns"]
