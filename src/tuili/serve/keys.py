"""API keys, stored as hashes, with quotas of requests and tokens per minute.

A keys file has one JSON object per line: `{"name": "team-a", "sha256": "…", "requests_per_minute": 60,
"tokens_per_minute": 20000, "max_priority": 10, "role": "user"}`; all but name and hash are optional. `tuili serve
--new-key NAME` creates a line. Keys are random, so a plain hash protects them well enough: they cannot be guessed.
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
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuili.errors import InputError
from tuili.serve.errors import HttpError

KEY_PREFIX = "sk-tuili-"
MINUTE_SECONDS = 60.0
MAX_PRIORITY = 0
"""The default for the highest priority of requests without a key, or whose key has no `max_priority`."""
ANONYMOUS = "anonymous"


class Key(BaseModel):
    """A line of the keys file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    max_priority: int | None = Field(default=None, ge=-100, le=100)
    role: Literal["user", "operator"] = "user"


@dataclass
class QuotaBucket:
    """A quota enforced by the token bucket algorithm. It refills steadily by `per_minute`, which is also its capacity.
    Its level may fall below 0, because the cost of a request is not known when it begins. `clock` returns seconds.
    """

    per_minute: float
    clock: Callable[[], float]
    level: float = field(init=False)
    filled_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.level, self.filled_at = self.per_minute, self.clock()

    def wait_seconds(self, amount: float) -> float:
        """Seconds until `amount` may be taken; 0 if it may be taken now."""
        now = self.clock()
        self.level = min(self.per_minute, self.level + (now - self.filled_at) * self.per_minute / MINUTE_SECONDS)
        self.filled_at = now
        return max(0.0, (min(amount, self.per_minute) - self.level) * MINUTE_SECONDS / self.per_minute)

    def take(self, amount: float) -> None:
        """Take `amount`, even if the bucket contains less."""
        self.level -= amount


@dataclass
class Caller:
    """A sender of requests, with its remaining quotas; None means no quota. On a server without keys, all senders are
    the same caller.
    """

    name: str = ANONYMOUS
    requests: QuotaBucket | None = None
    tokens: QuotaBucket | None = None
    max_priority: int = MAX_PRIORITY
    client: str = ""
    """The name of the key; empty without one."""
    operator: bool = False

    def check_priority(self, priority: int) -> None:
        """Raise `HttpError` for a priority above the caller's maximum."""
        if priority > self.max_priority:
            message = f"priority = {priority}: {self.name} may give a request {self.max_priority} at most"
            raise HttpError(400, message, "invalid_value", "priority")

    def charge(self, requests: int = 1, tokens: int = 0) -> int:
        """Charge requests, and the tokens that they may write, before they are answered. Otherwise, many concurrent
        requests could all pass on the same small remainder.

        Returns the number of tokens charged, at most a minute's quota. Raises `HttpError` if a quota is spent.
        """
        if self.tokens is not None:
            tokens = min(tokens, int(self.tokens.per_minute))
        amounts = ((self.requests, requests, "requests"), (self.tokens, tokens, "tokens"))
        for bucket, amount, unit in amounts:
            if bucket is not None and amount and (seconds := bucket.wait_seconds(amount)) > 0:
                message = f"{unit} a minute: the quota of {self.name} ({bucket.per_minute:g}) is spent"
                raise HttpError(
                    429, f"{message}, ask again in {seconds:.1f} s", "rate_limit_exceeded", retry_after=seconds
                )
        for bucket, amount, _ in amounts:
            if bucket is not None:
                bucket.take(amount)
        return tokens

    def settle(self, used: int, charged: int) -> None:
        """Charge the tokens that were read and written (`used`) instead of those that were `charged` in advance."""
        if self.tokens is not None:
            self.tokens.take(used - charged)


class Keys:
    """The keys of a server. Without any, nobody needs a key.

    Args:
        clock: returns seconds.
        operators: additional keys, for operators, which do not make keys required for others.
        max_priority: the highest priority of requests without a key, or whose key has no other maximum.
    Raises `InputError` if two keys have the same name or hash.
    """

    def __init__(
        self,
        keys: Sequence[Key] = (),
        clock: Callable[[], float] = time.monotonic,
        operators: Sequence[Key] = (),
        max_priority: int = MAX_PRIORITY,
    ) -> None:
        every = [*keys, *(key.model_copy(update={"role": "operator"}) for key in operators)]
        if len({key.name for key in every}) < len(every) or len({key.sha256 for key in every}) < len(every):
            raise InputError("two keys are alike: give each a name and a key of its own")
        self._callers = [
            (
                key.sha256,
                Caller(
                    key.name,
                    None if key.requests_per_minute is None else QuotaBucket(key.requests_per_minute, clock),
                    None if key.tokens_per_minute is None else QuotaBucket(key.tokens_per_minute, clock),
                    max_priority if key.max_priority is None else key.max_priority,
                    key.name,
                    key.role == "operator",
                ),
            )
            for key in every
        ]
        self._anonymous = Caller(max_priority=max_priority)
        self.required = bool(keys)
        """Whether requests need a key."""

    @property
    def has_operators(self) -> bool:
        """Whether any key is an operator's."""
        return any(caller.operator for _, caller in self._callers)

    def authenticate(self, authorization: str = "", api_key: str = "") -> Caller:
        """The caller that sent these headers, by the first of `Authorization` and `X-Api-Key` with a known key.
        Raises `HttpError` if neither has one and keys are required.
        """
        scheme, _, secret = authorization.partition(" ")
        for given in (secret.strip() if scheme.lower() == "bearer" else "", api_key):
            if given and (caller := self._known(given)) is not None:
                return caller
        if not self.required:
            return self._anonymous
        needed = "an API key is needed: Authorization: Bearer … or X-Api-Key: …"
        message = "the API key is not known here" if authorization or api_key else needed
        raise HttpError(401, message, "invalid_api_key")

    def _known(self, secret: str) -> Caller | None:
        """The caller with this key. The key is compared with every known key, each in constant time, so that the time
        taken reveals nothing.
        """
        digest, match = hashlib.sha256(secret.encode()).hexdigest(), None
        for known_digest, caller in self._callers:
            if hmac.compare_digest(known_digest, digest):
                match = caller
        return match


def read_keys(path: Path) -> list[Key]:
    """Read the keys of a file. Raises an `InputError` that names the invalid line."""
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


def new_key(name: str, operator: bool = False) -> tuple[str, str]:
    """Create a random key, and its line for the keys file, which contains only the key's hash.

    Raises `InputError` for an invalid name.
    """
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    try:
        key = Key(name=name, sha256=digest, role="operator" if operator else "user")
    except ValidationError:
        raise InputError(f"a key cannot be called {name[:80]!r}: use 1 to 64 letters, digits, _, . and -") from None
    return secret, json.dumps(key.model_dump(exclude_defaults=True))
