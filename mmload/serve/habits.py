"""What servers do that is unusual and not wrong, entered in the same table as the faults.

Not aware of sockets. A client must take each of these for a good answer.
"""

from __future__ import annotations

import msgspec

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


@fault
async def created(x: Exchange) -> bool:
    """A good answer under 201, as pipelines say that store what they answer."""
    await x.line.send(healthy.response(healthy.completion(x.text), "201 Created"))
    return True


@fault
async def usage_always(x: Exchange) -> bool:
    """Usage in every event, so far."""
    so_far = healthy.usage(x.text)
    parts = [
        part.replace(b"}\n\n", b',"usage":%b}\n\n' % msgspec.json.encode(so_far))
        for part in healthy.events(x.text)
    ]
    await x.stream([*parts, *healthy.tail(x.text, False)])
    return True


@fault
async def usage_with_empty_delta(x: Exchange) -> bool:
    """Usage on an event of its own whose choice says nothing."""
    last = healthy.event({"content": ""}, usage=healthy.usage(x.text))
    await x.stream([*healthy.events(x.text), healthy.event({}, "stop"), last, healthy.DONE])
    return True


@fault
async def characters(x: Exchange) -> bool:
    """One character an event: events are not tokens."""
    parts = [healthy.event({"content": character}) for character in x.text]
    await x.stream(
        [healthy.event({"role": "assistant"}), *parts, *healthy.tail(x.text, x.asked.wants_usage())]
    )
    return True
