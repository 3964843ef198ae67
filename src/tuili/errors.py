"""The root exception and the few kinds of error that a user of Tuili can meet.

Every user mistake raises an `InputError`: one line that names the fault, its place, and what would be right. The
command line turns it into exit code 2 without a traceback. A broken invariant is an `assert`.
"""

from __future__ import annotations


class TuiliError(Exception):
    """Root of every exception that Tuili raises on purpose."""


class InputError(TuiliError, ValueError):
    """The caller gave something that cannot be used."""


class ConfigError(InputError):
    """A recipe or an override has an unknown key or a value of the wrong kind."""


class RecordError(InputError):
    """A line of a data file is not a valid record."""


class EncodingError(RecordError):
    """A line of a data file is not text in UTF-8."""


class TooFew(InputError):
    """There are too few data or model answers for the request: more of them, or better ones, would suffice."""


class ModelFolderError(InputError):
    """A model folder is missing, incomplete, damaged or unsafe to load."""


class PromptError(InputError):
    """A prompt cannot be read: it is empty, not UTF-8, or has ids that are not tokens. See also `PromptTooLong`."""


class PromptTooLong(PromptError):
    """A prompt does not fit the model's context."""


class NotMakeable(InputError):
    """A model cannot be derived from another as requested: another strength, or more training data, would suffice."""


class NotWritten(TuiliError):
    """A library could not write a file, for example because the disk is full."""


class CheckpointError(TuiliError):
    """No usable checkpoint could be written or read."""


class Overloaded(TuiliError):
    """A request was refused because earlier requests leave no room or not enough time for it.

    `retry_after`: the seconds after which a retry may succeed.
    """

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(f"{reason}: ask again in {retry_after:.1f} s")
        self.retry_after = retry_after


def one_line(error: BaseException) -> str:
    """The first line of a library error's message; the name of its class if the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
