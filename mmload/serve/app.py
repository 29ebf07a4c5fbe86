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
from collections.abc import AsyncIterator
from typing import Any, Generic

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client.aiohttp import make_aiohttp_handler

from mmload.serve import chat
from mmload.serve.chat import ApiError, Ask
from mmload.serve.meters import Meters
from mmload.serve.replies import DONE, Writer
from mmload.serve.ticket import Engine, T, Ticket

_JSON = "application/json"
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
    app.router.add_post("/v1/chat/completions", service.chat)
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
            response = _refusal(error)
        except web.HTTPException as error:
            response = _refusal(_as_api_error(error))
        except ConnectionError:
            meters.outcomes.labels("499").inc()
            raise
        except Exception:
            _log.exception("a request broke the practice target")
            response = _refusal(ApiError(500, "internal error", kind="server_error"))
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


def _refusal(error: ApiError) -> web.Response:
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else None
    return web.Response(status=error.status, body=error.body(), content_type=_JSON, headers=headers)


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

    async def chat(self, request: web.Request) -> web.StreamResponse:
        names = None if self._engine.any_model else tuple(self._models)
        ask = chat.parse(await request.read(), names)
        ticket = await self._engine.take(ask)
        try:
            await self._engine.reach_model(ticket)
            writer = Writer(f"chatcmpl-{next(self._numbers)}", int(time.time()), ticket.model, ask.tool)
            if ask.stream:
                return await self._stream(request, ask, ticket, writer)
            return await self._whole(request, ticket, writer)
        finally:
            self._engine.release(ticket)

    async def _whole(self, request: web.Request, ticket: T, writer: Writer) -> web.StreamResponse:
        await self._engine.finish(ticket)
        self._engine.settle(ticket)
        if ticket.stall_s:
            await asyncio.sleep(ticket.stall_s)
        body = writer.whole("".join(ticket.pieces), ticket.finish, ticket.usage())
        if not ticket.dropped:
            return web.Response(body=body, content_type=_JSON, headers=_headers(ticket))
        response = web.StreamResponse(headers=_headers(ticket) | {"Content-Length": str(len(body))})
        response.content_type = _JSON
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        _reset(request)
        return response

    async def _stream(self, request: web.Request, ask: Ask, ticket: T, writer: Writer) -> web.StreamResponse:
        headers = _headers(ticket) | {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            alive = await self._tell(request, response, ticket, writer)
        except ApiError as error:
            await response.write(b"data: " + error.body() + b"\n\n" + DONE)
            await response.write_eof()
            return response
        if alive:
            self._engine.settle(ticket)
            tail = writer.finish(ticket.finish)
            if ask.include_usage:
                tail += writer.usage(ticket.usage())
            await response.write(tail + DONE)
            await response.write_eof()
        return response

    async def _tell(
        self, request: web.Request, response: web.StreamResponse, ticket: T, writer: Writer
    ) -> bool:
        """Write the pieces as they come, with the faults planted half way; False after a reset."""
        sent, half = 0, len(ticket.pieces) // 2
        async for ready in self._engine.follow(ticket):
            if sent <= half < ready and (ticket.stall_s or ticket.dropped):
                await response.write(_said(writer, ticket, sent, half))
                sent = half
                await asyncio.sleep(ticket.stall_s)
                if ticket.dropped:
                    _reset(request)
                    return False
            await response.write(_said(writer, ticket, sent, ready))
            sent = ready
        return True


def _said(writer: Writer, ticket: Ticket, start: int, end: int) -> bytes:
    """Events for the pieces from ``start`` to ``end``; the first of a stream opens with its role."""
    if end == start:
        return b""
    opening = writer.role() if start == 0 else b""
    return opening + writer.delta("".join(ticket.pieces[start:end]))


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
