"""Who may ask, and how much: API keys, known by their hashes, with quotas of requests and tokens a minute.

A keys file has one JSON object a line: `{"name": "team-a", "sha256": "…", "requests_per_minute": 60,
"tokens_per_minute": 20000}`; both quotas may be left out. `tuili serve --new-key NAME` makes a line. Keys
are random, so a plain hash is enough to keep them: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuili.errors import InputError
from tuili.serve.errors import HttpError

PREFIX, MINUTE = "sk-tuili-", 60.0


class Key(BaseModel):
    """A line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)


@dataclass
class Bucket:
    """A quota that fills up steadily, a minute's worth at most. What was not foreseen may take it below nothing."""

    per_minute: float
    clock: Callable[[], float]
    level: float = field(init=False)
    seen: float = field(init=False)

    def __post_init__(self) -> None:
        self.level, self.seen = self.per_minute, self.clock()

    def wait(self, amount: float) -> float:
        """Seconds until so much may be taken; 0 for now."""
        now = self.clock()
        self.level = min(self.per_minute, self.level + (now - self.seen) * self.per_minute / MINUTE)
        self.seen = now
        return max(0.0, (min(amount, self.per_minute) - self.level) * MINUTE / self.per_minute)

    def take(self, amount: float) -> None:
        """Take so much, be there enough or not."""
        self.level -= amount


@dataclass
class Caller:
    """Who asks. Without keys everybody is the same caller without quotas."""

    name: str = "anonymous"
    requests: Bucket | None = None
    tokens: Bucket | None = None

    def begin(self, requests: int = 1, tokens: int = 0) -> int:
        """Count requests, and the tokens that they may write, before they are answered: else many at once could all
        pass on the same small rest. Returns the tokens that were counted, a minute's worth at most. Raises `HttpError`
        where a quota is spent.
        """
        if self.tokens is not None:
            tokens = min(tokens, int(self.tokens.per_minute))
        amounts = ((self.requests, requests, "requests"), (self.tokens, tokens, "tokens"))
        for bucket, amount, what in amounts:
            if bucket is not None and amount and (seconds := bucket.wait(amount)) > 0:
                said = f"{what} a minute: the quota of {self.name} ({bucket.per_minute:g}) is spent"
                raise HttpError(
                    429, f"{said}, ask again in {seconds:.1f} s", "rate_limit_exceeded", retry_after=seconds
                )
        for bucket, amount, _ in amounts:
            if bucket is not None:
                bucket.take(amount)
        return tokens

    def spent(self, tokens: int, counted: int) -> None:
        """Count tokens that were read and written, in place of those that were counted before."""
        if self.tokens is not None:
            self.tokens.take(tokens - counted)


class Keys:
    """All keys of a server, or none, in which case nobody needs one."""

    def __init__(self, keys: Sequence[Key] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._callers = [
            (
                key.sha256,
                Caller(
                    key.name,
                    None if key.requests_per_minute is None else Bucket(key.requests_per_minute, clock),
                    None if key.tokens_per_minute is None else Bucket(key.tokens_per_minute, clock),
                ),
            )
            for key in keys
        ]
        self._anyone = Caller()

    @property
    def needed(self) -> bool:
        """Whether nobody may ask without one."""
        return bool(self._callers)

    def caller(self, header: str | None) -> Caller:
        """Who sent this `Authorization` header. Raises `HttpError` for one without a known key.

        Every key is compared, in constant time each, so that how long it takes tells nothing.
        """
        if not self._callers:
            return self._anyone
        scheme, _, given = (header or "").partition(" ")
        digest = hashlib.sha256(given.strip().encode()).hexdigest()
        found = None
        for known, caller in self._callers:
            if hmac.compare_digest(known, digest):
                found = caller
        if found is None or scheme.lower() != "bearer":
            said = "the API key is not known here" if header else "an API key is needed: Authorization: Bearer …"
            raise HttpError(401, said, "invalid_api_key")
        return found


def read_keys(path: Path) -> list[Key]:
    """The keys of a file. Raises `InputError` naming the line that is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the keys cannot be read: {error}") from None
    keys: list[Key] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            keys.append(Key.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise InputError(f"{path}:{number}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if not keys:
        raise InputError(f"{path} has no key: add one with tuili serve --new-key NAME")
    if len({key.name for key in keys}) < len(keys) or len({key.sha256 for key in keys}) < len(keys):
        raise InputError(f"{path}: two keys are alike: give each a name and a key of its own")
    return keys


def new_key(name: str) -> tuple[str, str]:
    """A new key, and its line for the file, which does not tell it."""
    key = PREFIX + secrets.token_urlsafe(32)
    made = Key(name=name, sha256=hashlib.sha256(key.encode()).hexdigest())
    return key, json.dumps(made.model_dump(exclude_none=True))
