"""The exception root and the few kinds of error that a user of Tuili can meet.

Everything a user did wrong is an `InputError`: one line that names the thing, where it is, and what would be right. The
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
    """Data, or a model's answers, are too few for what is asked: more of them, or better ones, would do."""


class ModelFolderError(InputError):
    """A model folder is missing, incomplete, damaged or unsafe to load."""


class PromptError(InputError):
    """A prompt cannot be read: it is empty, is not UTF-8, or has ids that are no tokens. See also `PromptTooLong`."""


class PromptTooLong(PromptError):
    """A prompt does not fit the model's context."""


class NotMakeable(InputError):
    """A model cannot be made of another as is asked: another strength, or more to learn from, would do."""


class NotWritten(TuiliError):
    """A library could not write a file, for example because the disk is full."""


class CheckpointError(TuiliError):
    """No usable checkpoint could be written or read."""


class Overloaded(TuiliError):
    """A request that is refused because those admitted before it leave it no place or not enough time.

    `retry_after`: seconds after which asking again may help.
    """

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(f"{reason}: ask again in {retry_after:.1f} s")
        self.retry_after = retry_after


def one_line(error: BaseException) -> str:
    """The first line of the message of a library's error; the name of its class where the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
