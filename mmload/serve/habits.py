"""What servers do that is unusual and not wrong, entered in the same table as the faults.

Not aware of sockets. A client must take each of these for a good answer.
"""

from __future__ import annotations

from mmload.serve import healthy
from mmload.serve.exchange import Exchange, fault


@fault
async def no_done(x: Exchange) -> bool:
    """Ends, as many servers do, after the finish reason."""
    await x.stream([*healthy.events(x.text), healthy.event({}, "stop")])
    return True


@fault
async def no_usage(x: Exchange) -> bool:
    """Usage that was asked for and never comes."""
    await x.stream([*healthy.events(x.text), *healthy.tail(x.text, False)])
    return True


@fault
async def usage_with_choice(x: Exchange) -> bool:
    """Usage rides on the finishing event."""
    last = healthy.event({}, "stop", usage=healthy.usage(x.text))
    await x.stream([*healthy.events(x.text), last, healthy.DONE])
    return True


@fault
async def crlf_events(x: Exchange) -> bool:
    """CRLF line ends, comments and a BOM, cut into chunks at odd places."""
    parts = [*healthy.events(x.text), *healthy.tail(x.text, x.asked.wants_usage())]
    text = b"\xef\xbb\xbf: hello\r\n\r\n" + b"".join(parts).replace(b"\n", b"\r\n")
    await x.stream([text[i : i + 37] for i in range(0, len(text), 37)])
    return True


@fault
async def until_close(x: Exchange) -> None:
    """A stream without chunks, which the end of the connection ends."""
    parts = [*healthy.events(x.text), *healthy.tail(x.text, x.asked.wants_usage())]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    await x.line.send(head + b"".join(parts))
