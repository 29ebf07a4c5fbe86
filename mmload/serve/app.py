"""The HTTP face of the practice target (aiohttp): routes, streams, errors, shutdown.

Not aware of how an answer is found or how long it takes.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client.aiohttp import make_aiohttp_handler

from mmload.serve import chat
from mmload.serve.chat import ApiError, Ask, Writer
from mmload.serve.meters import Meters
from mmload.serve.sim import Pipeline, Ticket

_JSON = "application/json"
_log = logging.getLogger("mmload.serve")


def make_app(pipeline: Pipeline, meters: Meters, max_body_bytes: int) -> web.Application:
    """The application; its pipeline starts and stops with it."""
    app = web.Application(client_max_size=max_body_bytes, middlewares=[_errors(meters)])
    service = _Service(pipeline)

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        pipeline.start()
        yield
        await pipeline.stop()

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


class _Service:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._numbers = itertools.count(1)
        self._started = int(time.time())
        self._draining = False

    async def drain(self, _: web.Application) -> None:
        self._draining = True

    async def health(self, _: web.Request) -> web.Response:
        status = 503 if self._draining else 200
        body = msgspec.json.encode({"status": "draining" if self._draining else "ok"})
        return web.Response(status=status, body=body, content_type=_JSON)

    def _model(self, name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": self._started, "owned_by": "mmload"}

    async def models(self, _: web.Request) -> web.Response:
        data = [self._model(name) for name in self._pipeline.models]
        return web.Response(body=msgspec.json.encode({"object": "list", "data": data}), content_type=_JSON)

    async def model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if name not in self._pipeline.models:
            raise ApiError(404, f"the model {name!r} does not exist", param="model", code="model_not_found")
        return web.Response(body=msgspec.json.encode(self._model(name)), content_type=_JSON)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        ask = chat.parse(await request.read(), self._pipeline.models)
        ticket = await self._pipeline.take(ask)
        try:
            await self._pipeline.reach_model(ticket)
            writer = Writer(f"chatcmpl-sim-{next(self._numbers)}", int(time.time()), ticket.model)
            if ask.stream:
                return await self._stream(request, ask, ticket, writer)
            await self._pipeline.finish(ticket)
            body = writer.whole("".join(ticket.pieces), ticket.finish, ticket.usage())
            return web.Response(body=body, content_type=_JSON, headers=_headers(ticket))
        finally:
            self._pipeline.release(ticket)

    async def _stream(
        self, request: web.Request, ask: Ask, ticket: Ticket, writer: Writer
    ) -> web.StreamResponse:
        headers = _headers(ticket) | {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        sent = 0
        async for emitted in self._pipeline.follow(ticket):
            first = writer.role() if sent == 0 else b""
            await response.write(first + writer.delta("".join(ticket.pieces[sent:emitted])))
            sent = emitted
        self._pipeline.settle(ticket)
        tail = writer.finish(ticket.finish)
        if ask.include_usage:
            tail += writer.usage(ticket.usage())
        await response.write(tail + chat.DONE)
        await response.write_eof()
        return response


def _headers(ticket: Ticket) -> dict[str, str]:
    return {
        "Server-Timing": ticket.server_timing(),
        "x-mmload-sim-rung": f"L{int(ticket.rung)}",
        "x-mmload-sim-scale": f"{ticket.scale:.4f}",
    }
