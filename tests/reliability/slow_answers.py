"""A target that answers every request after HOLD_S seconds, however many wait: ``slow_answers.py HOLD_S``.

Prints its URL; at the end of its input, how many requests it was sent and how many waited at once, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys

MESSAGE = {"role": "assistant", "content": "late"}
BODY = json.dumps({"choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY), BODY,
)  # fmt: skip


class Seen:
    total = waiting = most = 0


class Late(asyncio.Protocol):
    hold_s = 5.0
    seen = Seen()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.data = transport, b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        if not found:
            return
        sizes = [int(h[15:]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")]
        if len(body) < (sizes[0] if sizes else 0):
            return
        self.data = b""
        if head.startswith(b"GET"):
            self.transport.write(ANSWER)
            return
        self.seen.total += 1
        self.seen.waiting += 1
        self.seen.most = max(self.seen.most, self.seen.waiting)
        asyncio.get_running_loop().call_later(self.hold_s, self.answer)

    def answer(self) -> None:
        self.seen.waiting -= 1
        self.transport.write(ANSWER)


async def main() -> None:
    Late.hold_s = float(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Late, "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps({"total": Late.seen.total, "most": Late.seen.most}))


if __name__ == "__main__":
    asyncio.run(main())
