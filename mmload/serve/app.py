"""The HTTP face of the practice target (aiohttp): routes, streams, errors, shutdown.

Not aware of how an answer is found or how long it takes.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Generic

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client.aiohttp import make_aiohttp_handler

from mmload.serve.chat import ApiError
from mmload.serve.messages import Messages
from mmload.serve.meters import Meters
from mmload.serve.replies import Chat
from mmload.serve.responses import Responses
from mmload.serve.ticket import Engine, T, Ticket
from mmload.serve.tongues import Speaker, Tongue

_JSON = "application/json"
_TONGUES: Final[Mapping[str, Tongue]] = {
    "/v1/chat/completions": Chat(),
    "/v1/responses": Responses(),
    "/v1/messages": Messages(),
}
_log = logging.getLogger("mmload.serve")


def make_app(engine: Engine[T], meters: Meters, max_body_bytes: int) -> web.Application:
    """The application; its engine starts and stops with it."""
    app = web.Application(client_max_size=max_body_bytes, middlewares=[_errors(meters)])
    service = _Service(engine)

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        engine.start()
        yield
        await engine.stop()

    app.cleanup_ctx.append(lifetime)
    app.on_shutdown.append(service.drain)
    for path, tongue in _TONGUES.items():
        app.router.add_post(path, service.answering(tongue))
    app.router.add_get("/v1/models", service.models)
    app.router.add_get("/v1/models/{model}", service.model)
    app.router.add_get("/health", service.health)
    app.router.add_get("/metrics", make_aiohttp_handler(meters.registry))
    return app


def _errors(meters: Meters) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except ApiError as error:
            response = _refusal(error, _tongue(request))
        except web.HTTPException as error:
            response = _refusal(_as_api_error(error), _tongue(request))
        except ConnectionError:
            meters.outcomes.labels("499").inc()
            raise
        except Exception:
            _log.exception("a request broke the practice target")
            response = _refusal(ApiError(500, "internal error", kind="server_error"), _tongue(request))
        if request.method == "POST":
            meters.outcomes.labels(str(response.status)).inc()
        return response

    return middleware


def _as_api_error(error: web.HTTPException) -> ApiError:
    if error.status == 413:
        return ApiError(413, "the request is larger than this server takes", code="request_too_large")
    return ApiError(
        error.status, error.reason or "refused", code="unknown_url" if error.status == 404 else None
    )


def _tongue(request: web.Request) -> Tongue:
    return _TONGUES.get(request.path, _TONGUES["/v1/chat/completions"])


def _refusal(error: ApiError, tongue: Tongue) -> web.Response:
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else None
    return web.Response(status=error.status, body=tongue.refusal(error), content_type=_JSON, headers=headers)


class _Service(Generic[T]):
    def __init__(self, engine: Engine[T]) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self._started = int(time.time())
        self._models = {model["id"]: self._listed(model) for model in engine.models()}
        self._draining = False

    def _listed(self, model: dict[str, Any]) -> dict[str, Any]:
        return {"object": "model", "created": self._started, "owned_by": "mmload"} | model

    async def drain(self, _: web.Application) -> None:
        self._draining = True

    async def health(self, _: web.Request) -> web.Response:
        status = 503 if self._draining else 200
        body = msgspec.json.encode({"status": "draining" if self._draining else "ok"})
        return web.Response(status=status, body=body, content_type=_JSON)

    async def models(self, _: web.Request) -> web.Response:
        body = msgspec.json.encode({"object": "list", "data": list(self._models.values())})
        return web.Response(body=body, content_type=_JSON)

    async def model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if name not in self._models:
            raise ApiError(404, f"the model {name!r} does not exist", param="model", code="model_not_found")
        return web.Response(body=msgspec.json.encode(self._models[name]), content_type=_JSON)

    def answering(self, tongue: Tongue) -> Handler:
        """A handler of requests in one protocol."""

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, tongue)

        return handle

    async def _answer(self, request: web.Request, tongue: Tongue) -> web.StreamResponse:
        names = None if self._engine.any_model else tuple(self._models)
        ask = tongue.parse(await request.read(), names)
        ticket = await self._engine.take(ask)
        try:
            await self._engine.reach_model(ticket)
            speaker = tongue.speaker(next(self._numbers), int(time.time()), ticket.model, ask)
            if ask.stream:
                return await self._stream(request, ticket, speaker)
            return await self._whole(request, ticket, speaker)
        finally:
            self._engine.release(ticket)

    async def _whole(self, request: web.Request, ticket: T, speaker: Speaker) -> web.StreamResponse:
        await self._engine.finish(ticket)
        self._engine.settle(ticket)
        if ticket.stall_s:
            await asyncio.sleep(ticket.stall_s)
        body = speaker.whole("".join(ticket.pieces), ticket.finish, ticket.usage())
        if not ticket.dropped:
            return web.Response(body=body, content_type=_JSON, headers=_headers(ticket))
        response = web.StreamResponse(headers=_headers(ticket) | {"Content-Length": str(len(body))})
        response.content_type = _JSON
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        _reset(request)
        return response

    async def _stream(self, request: web.Request, ticket: T, speaker: Speaker) -> web.StreamResponse:
        headers = _headers(ticket) | {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            alive = await self._tell(request, response, ticket, speaker)
        except ApiError as error:
            await response.write(speaker.broken(error))
            await response.write_eof()
            return response
        if alive:
            self._engine.settle(ticket)
            await response.write(speaker.closing("".join(ticket.pieces), ticket.finish, ticket.usage()))
            await response.write_eof()
        return response

    async def _tell(
        self, request: web.Request, response: web.StreamResponse, ticket: T, speaker: Speaker
    ) -> bool:
        """Write the pieces as they come, with the faults planted half way; False after a reset."""
        sent, half = 0, len(ticket.pieces) // 2
        async for ready in self._engine.follow(ticket):
            if sent <= half < ready and (ticket.stall_s or ticket.dropped):
                await response.write(_said(speaker, ticket, sent, half))
                sent = half
                await asyncio.sleep(ticket.stall_s)
                if ticket.dropped:
                    _reset(request)
                    return False
            await response.write(_said(speaker, ticket, sent, ready))
            sent = ready
        return True


def _said(speaker: Speaker, ticket: Ticket, start: int, end: int) -> bytes:
    """Events for the pieces from ``start`` to ``end``; before the first of a stream those that open it."""
    if end == start:
        return b""
    opening = speaker.opening(ticket.usage()) if start == 0 else b""
    return opening + speaker.delta("".join(ticket.pieces[start:end]))


def _reset(request: web.Request) -> None:
    """End the connection with RST, as a crashed server does."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


def _headers(ticket: Ticket) -> dict[str, str]:
    return {
        "Server-Timing": ticket.server_timing(),
        "x-mmload-sim-rung": f"L{int(ticket.rung)}",
        "x-mmload-sim-scale": f"{ticket.scale:.4f}",
    }
