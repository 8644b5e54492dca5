"""The web application: two addresses and a live connection, behind a gate."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from etam_ros.console.access import Access, Headers, Refusal
from etam_ros.console.desk import Desk
from etam_ros.console.hub import Hub
from etam_ros.console.pages import file_response, words_page
from etam_ros.console.viewer import Viewer

NO_TOKEN: Final = (
    "The camera is shown only to those who have its link. Open the link, or scan the code, that "
    "was printed in the terminal where the page was started: each start makes a new one."
)
WRONG_TOKEN: Final = (
    "This link is not valid, or of an earlier start. Open the one that the terminal shows now."
)
FULL: Final = 4429
"""Close code for one viewer too many."""


class Gate:
    """Lets through what comes from the page, under our own name, from a browser that may.

    Args:
        app: what is behind it.
        access: decides.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called by the server with each request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answer = self._answer(scope)
        if answer is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await answer(scope, receive, send)
        else:
            socket = WebSocket(scope, receive, send)
            await socket.receive()
            await socket.send_denial_response(answer)

    def _answer(self, scope: Scope) -> Response | None:
        """What is said instead of serving a request; None where it is served."""
        headers, live = Headers.of(scope), scope["type"] == "websocket"
        refusal = self._access.refused(headers, live=live)
        if refusal is not None:
            return _refuse(refusal)
        invited = None if live else self._access.invited(scope.get("query_string", b""))
        if self._access.needs_token and invited:
            # No redirect: the cookie is not sent with one that began on another site.
            page = words_page("Come in", "One moment.", refresh="/")
            page.headers["Set-Cookie"] = self._access.cookie()
            return page
        if not self._access.knows(headers):
            words = NO_TOKEN if invited is None else WRONG_TOKEN
            return _refuse(Refusal(HTTPStatus.UNAUTHORIZED, words))
        return None


def application(access: Access, hub: Hub, desk: Desk, most_viewers: int) -> ASGIApp:
    """The application.

    Args:
        access: who may come.
        hub: what there is to see.
        desk: does what is asked.
        most_viewers: at once.
    """

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        found = file_response(name, request.headers["host"])
        return found or _nothing_here()

    async def live(socket: WebSocket) -> None:
        await socket.accept()
        if hub.count >= most_viewers:
            await socket.close(FULL, f"{most_viewers} browsers look on already")
            return
        await Viewer(socket, hub, desk).serve()

    async def nothing(_: Request, __: Any) -> Response:
        return _nothing_here()

    routes = [Route("/", page), Route("/page/{name}", page), WebSocketRoute("/live", live)]
    app = Starlette(
        routes=routes, exception_handlers={HTTPStatus.NOT_FOUND: nothing, 405: nothing}
    )
    app.router.redirect_slashes = False
    return Gate(app, access)


def _nothing_here() -> Response:
    words = "There is nothing at this address. The page itself is at /."
    return words_page("Nothing here", words, HTTPStatus.NOT_FOUND)


def _refuse(refusal: Refusal) -> Response:
    return words_page("Not for you, as it is", refusal.words, refusal.status)
