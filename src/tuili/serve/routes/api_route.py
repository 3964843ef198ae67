"""A route of the API, with everything that the OpenAPI document says about its requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import cleandoc
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tuili.serve.bodies import read_body
from tuili.serve.schemas.fields import StrictModel


class ApiRoute(Route):
    """Answers requests of one method to one path.

    Args:
        answer: replies to a request. It is called with the request alone or, if the route has a `body`, with the body
            and the request.
        check: raises an error for a request that is refused whatever its body is.
    """

    def __init__(
        self,
        method: str,
        path: str,
        answer: Callable[..., Awaitable[Response]],
        summary: str,
        body: type[StrictModel] | None = None,
        check: Callable[[Request], Any] | None = None,
    ) -> None:
        async def endpoint(http: Request) -> Response:
            if check is not None:
                check(http)
            return await (answer(http) if body is None else answer(await read_body(http, body), http))

        super().__init__(path, endpoint, methods=[method], name=answer.__name__)
        self.methods = {method}  # Starlette adds HEAD to GET
        self.method, self.summary, self.body, self.description = method, summary, body, cleandoc(answer.__doc__ or "")
