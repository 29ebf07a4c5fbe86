"""Sockets for the faults: listens, chooses a fault for every request, and remembers what happened.

A fault is chosen by the first part of the path (``/hang/v1/chat/completions``) or, for requests under plain
``/v1``, by seeded rates. ``refuse`` and ``slow-accept`` are ports of their own, for they happen before any
path is known. A GET is always answered well. Not aware of what a fault does.
"""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import re
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mmload.model import InputError, Item
from mmload.serve import faults, habits, healthy
from mmload.serve.answers import uniform
from mmload.serve.exchange import FAULTS, Exchange, FaultConfig
from mmload.serve.healthy import Received
from mmload.serve.line import ClientGoneError, Line
from mmload.serve.planting import ideal

__all__ = ["FAULTS", "FaultConfig", "FaultServer", "faults", "habits", "read_fault_config"]
_IMAGE = re.compile(rb'base64,([A-Za-z0-9+/=]+)"')


def read_fault_config(text: str) -> FaultConfig:
    """Raises InputError for a bad value, an unknown key or fault, or rates that add up to more than 1."""
    try:
        config = msgspec.json.decode(text, type=FaultConfig)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise InputError(f"--config: {error}") from None
    for name, rate in config.rates.items():
        if name not in FAULTS:
            raise InputError(f"--config: rates.{name}: no such fault; there are {', '.join(sorted(FAULTS))}")
        if not 0 <= rate <= 1:
            raise InputError(f"--config: rates.{name}: {rate} is not a share between 0 and 1")
    if sum(config.rates.values()) > 1:
        raise InputError("--config: rates add up to more than 1")
    return config


@dataclass
class Seen:
    """What the server can tell a test afterwards, at ``/_seen``."""

    requests: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    elsewhere_requests: int = 0
    elsewhere_credentials: int = 0
    """Requests that followed the redirect to the other host with an Authorization header or API key."""


class FaultServer:
    """Listens on three ports of ``host`` and one of another loopback address."""

    def __init__(self, config: FaultConfig, items: Sequence[Item] = (), host: str = "127.0.0.1") -> None:
        self.config = config
        self.seen = Seen()
        self._answers = {item.images[0].sha256: ideal(item) for item in items if item.images}
        self._number = 0
        self._host = host
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: dict[str, socket.socket] = {}

    def start(self) -> dict[str, str]:
        """Open the ports; returns the base URL (up to ``/v1``) of every fault, and ``ok``."""
        main = self._listen("main", self._host)
        slow = self._listen("slow-accept", self._host)
        refuse = self._bind("refuse", self._host)
        other = self._listen("elsewhere", "127.0.0.2")
        self._elsewhere = f"http://127.0.0.2:{other}/v1/chat/completions"
        self._go(self._accept("main", self._serve))
        self._go(self._accept("slow-accept", self._serve, self.config.accept_s))
        self._go(self._accept("elsewhere", self._trap))
        urls = {name: f"http://{self._host}:{main}/{name}/v1" for name in FAULTS}
        urls["ok"] = f"http://{self._host}:{main}/v1"
        urls["slow-accept"] = f"http://{self._host}:{slow}/v1"
        urls["refuse"] = f"http://{self._host}:{refuse}/v1"
        return urls

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sock in self._sockets.values():
            sock.close()

    def _bind(self, name: str, host: str) -> int:
        sock = socket.socket()
        sock.bind((host, 0))
        sock.setblocking(False)
        self._sockets[name] = sock
        return int(sock.getsockname()[1])

    def _listen(self, name: str, host: str) -> int:
        port = self._bind(name, host)
        self._sockets[name].listen(1024)
        return port

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(
        self, name: str, serve: Callable[[Line], Awaitable[None]], delay_s: float = 0.0
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if delay_s:
                await _readable(self._sockets[name])
                await asyncio.sleep(delay_s)
            sock, _ = await loop.sock_accept(self._sockets[name])
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._go(self._attend(Line(sock), serve))

    async def _attend(self, line: Line, serve: Callable[[Line], Awaitable[None]]) -> None:
        try:
            await serve(line)
        except ClientGoneError:
            pass
        finally:
            line.close()

    async def _serve(self, line: Line) -> None:
        self.seen.connections += 1
        again = True
        while again:
            asked = await line.receive()
            if asked.path == "/_seen":
                await line.send(healthy.response(msgspec.json.encode(self.seen)))
                continue
            if asked.method == "GET":
                await line.send(healthy.response(healthy.MODELS))
                continue
            name = self._choose(asked.path)
            self.seen.requests[name] += 1
            again = await self._spoil(line, asked, name)

    async def _spoil(self, line: Line, asked: Received, name: str) -> bool:
        fault = FAULTS.get(name)
        if fault is None:
            await line.send(healthy.response(b'{"detail":"Not Found"}', "404 Not Found"))
            return True
        self._number += 1
        text, foreign = self._texts(asked)
        exchange = Exchange(line, asked, text, foreign, self.config, self._elsewhere, self._number)
        return bool(await fault(exchange))

    def _choose(self, path: str) -> str:
        first = path.strip("/").split("/")[0]
        if first != "v1":
            return first
        draw = uniform(self.config.seed, "fault", self._number)
        for name, rate in self.config.rates.items():
            if draw < rate:
                return name
            draw -= rate
        return "ok"

    def _texts(self, asked: Received) -> tuple[str, str]:
        """The right answer to this request and to another: from the suite if there is one."""
        found = _IMAGE.search(asked.body)
        digest = hashlib.sha256(binascii.a2b_base64(found[1])).hexdigest() if found else ""
        text = self._answers.get(digest, "All is well.")
        foreign = next(
            (other for other in self._answers.values() if other != text), "Meant for somebody else."
        )
        return text, foreign

    async def _trap(self, line: Line) -> None:
        while True:
            asked = await line.receive()
            self.seen.elsewhere_requests += 1
            if {"authorization", "api-key", "x-api-key", "cookie"} & set(asked.headers):
                self.seen.elsewhere_credentials += 1
            await line.send(healthy.response(healthy.completion("I am somebody else.")))


async def _readable(sock: socket.socket) -> None:
    """Wait for somebody to accept."""
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock, there.set)
    try:
        await there.wait()
    finally:
        loop.remove_reader(sock)
