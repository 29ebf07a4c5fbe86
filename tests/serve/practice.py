"""A practice target in this process, on a free port, for the length of one test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from mmload.model import Item
from mmload.profile import Sim
from mmload.serve.app import make_app
from mmload.serve.known import Known
from mmload.serve.meters import Meters
from mmload.serve.sim import Pipeline


class Asker:
    """Speaks to the target as plainly as possible."""

    def __init__(self, session: aiohttp.ClientSession, url: str, pipeline: Pipeline) -> None:
        self.session = session
        self.url = url
        self.pipeline = pipeline

    async def post(self, body: bytes, path: str = "/v1/chat/completions") -> tuple[int, Any, dict[str, str]]:
        async with self.session.post(self.url + path, data=body) as response:
            headers = {k.lower(): v for k, v in response.headers.items()}
            return response.status, await response.json(content_type=None), headers

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as response:
            return response.status, await response.text()

    async def stream(self, body: bytes) -> tuple[list[Any], dict[str, str]]:
        """Decoded events, and ``"[DONE]"`` as it stands."""
        async with self.session.post(self.url + "/v1/chat/completions", data=body) as response:
            text = (await response.read()).decode()
            headers = {k.lower(): v for k, v in response.headers.items()}
        assert response.status == 200, text
        events = [line[6:] for line in text.split("\n\n") if line]
        return [e if e == "[DONE]" else json.loads(e) for e in events], headers


@asynccontextmanager
async def practice(items: Iterable[Item] = (), **config: Any) -> AsyncIterator[Asker]:
    sim = Sim(**({"speed": 1000.0, "jitter": 0.0} | config))
    meters = Meters(sim.model)
    async with served(Pipeline(sim, Known(items), meters), meters, sim.max_body_bytes) as asker:
        yield asker


@asynccontextmanager
async def served(pipeline: Any, meters: Meters, max_body_bytes: int) -> AsyncIterator[Asker]:
    server = TestServer(make_app(pipeline, meters, max_body_bytes))
    await server.start_server()
    try:
        async with aiohttp.ClientSession() as session:
            yield Asker(session, str(server.make_url("")).rstrip("/"), pipeline)
    finally:
        await server.close()


def asking(test: Callable[[Asker], Awaitable[None]], items: Iterable[Item] = (), **config: Any) -> None:
    """Run one test against a fresh target."""

    async def main() -> None:
        async with practice(items, **config) as asker:
            await asyncio.wait_for(test(asker), 30)

    asyncio.run(main())
