"""Complete replies as JSON."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tuili.serve.json_bytes import encode


class JsonReply(Response):
    """A reply whose body is JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the body."""
        return encode(content)
