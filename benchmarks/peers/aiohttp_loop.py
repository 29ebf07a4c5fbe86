"""aiohttp on uvloop: the usual hand-written load script, closed loop or open loop.

    aiohttp_loop.py URL --seconds S [--users N | --rate R --arrivals KIND] [--body BYTES] [--stream]

Prints one JSON line: requests, and for the open loop send lag and latency percentiles in ms by its own clock.
"""

import argparse
import asyncio
import json
import random
import time

import aiohttp

try:
    import uvloop
except ImportError:
    uvloop = None


def percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        name: round(ordered[min(int(p * len(ordered)), len(ordered) - 1)], 3)
        for name, p in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0))
    }


class Log:
    def __init__(self) -> None:
        self.lag: list[float] = []
        self.service: list[float] = []
        self.e2e: list[float] = []
        self.ttft: list[float] = []


async def ask(
    session: aiohttp.ClientSession, url: str, body: bytes, stream: bool, due: float, log: Log
) -> None:
    sent = time.monotonic()
    async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
        if stream:
            first = 0.0
            async for line in answer.content:
                if not first and b'"content":"' in line:
                    first = time.monotonic()
            log.ttft.append(1000 * (first - sent))
        else:
            await answer.json()
    end = time.monotonic()
    log.lag.append(1000 * (sent - due))
    log.service.append(1000 * (end - sent))
    log.e2e.append(1000 * (end - due))


async def closed(
    session: aiohttp.ClientSession, url: str, body: bytes, args: argparse.Namespace, log: Log
) -> None:
    end = time.monotonic() + args.seconds

    async def user() -> None:
        while time.monotonic() < end:
            await ask(session, url, body, args.stream, time.monotonic(), log)

    await asyncio.gather(*(user() for _ in range(args.users)))


async def open_loop(
    session: aiohttp.ClientSession, url: str, body: bytes, args: argparse.Namespace, log: Log
) -> None:
    rng = random.Random(1)
    start = due = time.monotonic() + 0.2
    running: set[asyncio.Task[None]] = set()
    while due < start + args.seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.create_task(ask(session, url, body, args.stream, due, log))
        running.add(task)
        task.add_done_callback(running.discard)
        due += rng.expovariate(args.rate) if args.arrivals == "poisson" else 1 / args.rate
    await asyncio.wait(running, timeout=5) if running else None


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--arrivals", default="poisson")
    parser.add_argument("--body", type=int, default=300)
    parser.add_argument("--stream", action="store_true")
    args = parser.parse_args()
    log = Log()
    url, body = args.url + "/chat/completions", b"x" * args.body
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        run = open_loop if args.rate else closed
        began = time.monotonic()
        await run(session, url, body, args, log)
    seconds = time.monotonic() - began
    out = {"requests": len(log.service), "seconds": seconds, "uvloop": uvloop is not None}
    for name in ("lag", "service", "e2e", "ttft"):
        if values := getattr(log, name):
            out[f"{name}_ms"] = percentiles(values)
    print(json.dumps(out))


if __name__ == "__main__":
    if uvloop is not None:
        uvloop.run(main())
    else:
        asyncio.run(main())
