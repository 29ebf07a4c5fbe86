"""A custom pipeline, told by a TOML file: how a request is made of an item, where the answer holds what.

Requests: a Jinja2 template of a JSON body, or the parts of a ``multipart/form-data`` body. Answers: JMESPath
expressions, for one piece of JSON, server-sent events or JSON Lines. ``template_file`` holds the keys.
Whether a job is done, and where to ask for it, is read here; the asking is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import jmespath
import jmespath.parser
import msgspec
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2 import Template as JinjaTemplate
from jinja2.sandbox import ImmutableSandboxedEnvironment
from urllib3.filepost import encode_multipart_formdata

from mmload.model import ErrorKind, InputError, Item, Turn
from mmload.profile.lines import key_lines, nearest_line
from mmload.profile.problems import nearest
from mmload.wire import Reader, Usage
from mmload.wire.collected import (
    UNREADABLE,
    Collected,
    Events,
    Splitter,
    Whole,
    as_text,
    encode_json,
    error_detail,
)
from mmload.wire.json_lines import LineStream
from mmload.wire.template_file import Answer, Paths, Stream, TemplateFile, read
from mmload.wire.template_values import Earlier, Image

_VARIABLES: Final = ("history", "id", "images", "max_tokens", "model", "prompt", "stream", "system", "task")
_decode = msgspec.json.Decoder().decode
Field = tuple[str, str | tuple[str, bytes, str]]
"""Name with text, or with file name, bytes and type: as ``encode_multipart_formdata`` takes it."""


class _Places:
    """Where one JSON value of the target holds what: compiled ``Paths``."""

    __slots__ = ("_expressions", "tells_its_end")

    def __init__(self, text: str, *levels: Paths) -> None:
        """``levels``: the first that has a path gives it."""
        told = {"text": text}
        for level in levels:
            for key, path in level.model_dump(exclude_none=True, exclude={"format", "text", "delta"}).items():
                told.setdefault(key, path)
        self._expressions = {key: jmespath.compile(path) for key, path in told.items()}
        self.tells_its_end = bool({"done", "finish_reason"} & told.keys())

    def find(self, value: Any) -> dict[str, Any]:
        """What there is of everything. Raises ``ValueError`` if an expression cannot bear the value."""
        try:
            found = {key: expression.search(value) for key, expression in self._expressions.items()}
        except (
            Exception
        ) as e:  # an expression is the user's, the value a stranger's: what it raises is in no list
            raise ValueError(str(e)) from None
        return {key: value for key, value in found.items() if value is not None}


class _Found(Collected):
    """What one JSON value of the target says."""

    __slots__ = ("_places",)
    _places: _Places

    def _take(self, payload: bytes) -> int:
        value = self._decoded(_decode, payload)
        try:
            found = self._places.find(value)
        except ValueError as e:
            self._fail(self._malformed, f"{e}: {bytes(payload[:120])!r}")
            return 0
        if error := found.get("error"):
            said = error.get("message") or error if isinstance(error, dict) else error
            self._fail(ErrorKind.API_ERROR_IN_STREAM, as_text(said))
            return 0
        if found.get("done"):
            self.done = True
        if model := found.get("model"):
            self.model = as_text(model)
        if finish := found.get("finish_reason"):
            self.finish_reason = as_text(finish)
        self._count(found)
        text = found.get("text")
        return self._content(as_text(text)) if text not in (None, "", [], {}) else 0

    def _count(self, found: Mapping[str, Any]) -> None:
        """Usage; of a stream the last that was told of each count."""
        before = self.usage or Usage(None, None, None)
        keys = ("tokens_in", "tokens_out", "tokens_cached")
        told = [_whole_number(found.get(key)) for key in keys]
        if any(count is not None for count in told):
            pairs = zip(told, before, strict=True)
            self.usage = Usage(*[old if count is None else count for count, old in pairs])


def _whole_number(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class WholeReader(Whole, _Found):
    """An answer in one piece of JSON."""

    __slots__ = ()

    def __init__(self, places: _Places) -> None:
        super().__init__()
        self._places = places


class JobReader(WholeReader):
    """What a pipeline of jobs answers to a request, or to the question whether its job is done."""

    __slots__ = ("_closed", "_job", "next_url", "pending")

    def __init__(self, places: _Places, job: Mapping[str, Any]) -> None:
        super().__init__(places)
        self._job = job
        self._closed = False
        self.pending = False
        """The job goes on: ask again, at ``next_url`` if there is one."""
        self.next_url = ""

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            super().close()

    def _take(self, payload: bytes) -> int:
        value = self._decoded(_decode, payload)
        if self.error:
            return 0
        try:
            told = {key: expression.search(value) for key, expression in self._job.items()}
        except Exception as e:  # an expression is the user's, the value a stranger's
            self._fail(self._malformed, f"{e}: {bytes(payload[:120])!r}")
            return 0
        if told.get("failed"):
            self._fail(ErrorKind.API_ERROR_IN_STREAM, f"the job failed: {error_detail(payload)}")
        elif told["done"]:
            return super()._take(payload)
        else:
            super()._take(payload)  # for its error, if it has one
            self._text.clear()
            self.content_events = 0
            self.pending = not self.error
            self.next_url = as_text(told["url"]) if told["url"] else ""
        return 0

    def _judge(self) -> None:
        if not self.pending:
            super()._judge()


class EventReader(Events, _Found):
    """A stream of server-sent events, each one JSON value."""

    __slots__ = ()

    def __init__(self, places: _Places) -> None:
        super().__init__()
        self._places = places

    def _ended(self) -> bool:
        """Where the file says of no path that tells the end, the end of the body is the only one there is."""
        return super()._ended() or not self._places.tells_its_end


class LineReader(EventReader):
    """A stream of JSON Lines."""

    __slots__ = ()
    _malformed = ErrorKind.MALFORMED_JSON

    def __init__(self, places: _Places) -> None:
        super().__init__(places)
        self._events: Splitter = LineStream()


class Template:
    """Adapter for the pipeline that ``file`` describes.

    ``extra`` is merged into the JSON body, or added as text parts. Raises ``InputError`` if the file is
    missing or wrong; ``encode`` raises it for a template that fails for an item.
    """

    def __init__(self, model: str, extra: Mapping[str, Any] | None = None, file: Path | None = None) -> None:
        if file is None:
            raise InputError(
                'target.template: missing; protocol = "template" needs it: the path of a TOML file'
            )
        self.model = model
        self.extra = dict(extra or {})
        self._file = file
        self._told, raw = read(file)
        self._lines = key_lines(raw.decode("utf-8-sig"))
        self.path = self._told.request.path
        self.version = sha256(raw).hexdigest()[:32]
        self._boundary = f"mmload-{self.version}"
        self._environment = _environment()
        self._remembers = False
        self._body = self._compiled(self._told.request.body, "request", "body")
        self._texts = [
            self._compiled(part.text, "request", "parts", number, "text")
            for number, part in enumerate(self._told.request.parts)
        ]
        self._whole, self._streamed = _places(self._told)
        poll = self._told.poll
        self.poll_every_s = poll.every_s if poll is not None else None
        """Pause before a job is asked for again; ``None`` if the pipeline answers at once."""
        self._job = {
            key: jmespath.compile(path)
            for key, path in (poll.model_dump(exclude_none=True, exclude={"every_s"}) if poll else {}).items()
        }

    def encode(
        self, item: Item, images: Sequence[bytes], stream: bool, history: Sequence[Turn] = ()
    ) -> bytes:
        if history and not self._remembers:
            raise InputError(
                f"{self._file}: request: no template of it says history, so that the pipeline would not know "
                "what was said before; use {{ history }}, or set sessions.turns = 1"
            )
        if stream and self._told.stream is None:
            raise InputError(
                f"{self._file}: stream: missing, but target.streaming asks for streamed answers; "
                "add [stream] with a delta, or set target.streaming = 0"
            )
        shown = [Image(meta, raw) for meta, raw in zip(item.images, images, strict=True)]
        values = {
            "history": [Earlier(turn) for turn in history],
            "id": item.id,
            "images": shown,
            "max_tokens": item.max_tokens,
            "model": self.model,
            "prompt": item.prompt,
            "stream": stream,
            "system": item.system,
            "task": item.task,
        }
        return self._json(values) if self._body is not None else self._multipart(values, shown, images)

    def headers(self, api_key: str | None) -> Mapping[str, str]:
        request = self._told.request
        headers = dict(request.headers)
        if request.parts:
            headers["Content-Type"] = f"multipart/form-data; boundary={self._boundary}"
        if api_key:
            headers[request.key_header] = f"{request.key_prefix}{api_key}"
        return headers

    def reader(self, stream: bool) -> Reader:
        if not stream:
            return JobReader(self._whole, self._job) if self._job else WholeReader(self._whole)
        lines = self._told.stream is not None and self._told.stream.format == "json-lines"
        return LineReader(self._streamed) if lines else EventReader(self._streamed)

    def error_detail(self, body: bytes) -> str:
        """By the path of ``answer.error``, else as other protocols say it."""
        try:
            said = self._whole.find(_decode(body)).get("error")
        except (*UNREADABLE, ValueError):
            said = None
        if said and not isinstance(said, dict):
            return as_text(said)[:200]
        return error_detail(encode_json({"error": said}) if said else body)

    # --- requests -----------------------------------------------------------------------------

    def _compiled(self, source: str | None, *key: str | int) -> tuple[str, JinjaTemplate] | None:
        """A template with the place where it stands, for messages."""
        if source is None:
            return None
        line = nearest_line(self._lines, key)
        where = f"{self._file}{f':{line}' if line else ''}: {'.'.join(map(str, key))}"
        try:
            used = meta.find_undeclared_variables(self._environment.parse(source))
            template = self._environment.from_string(source)
        except TemplateSyntaxError as e:
            raise InputError(f"{where}: not a Jinja2 template: {e.message} (its line {e.lineno})") from None
        self._remembers |= "history" in used
        for name in sorted(used - self._environment.globals.keys() - set(_VARIABLES)):
            hint = nearest(name, _VARIABLES)
            raise InputError(f'{where}: found "{name}"; allowed are {", ".join(_VARIABLES)}{hint}')
        return where, template

    def _rendered(self, compiled: tuple[str, JinjaTemplate], values: Mapping[str, Any]) -> str:
        where, template = compiled
        try:
            return template.render(values)
        except TemplateError as e:
            raise InputError(f'{where}: fails for item "{values["id"]}": {e.message}') from None
        except Exception as e:  # the template is the user's program: what it raises is in no list
            raise InputError(f'{where}: fails for item "{values["id"]}": {type(e).__name__}: {e}') from None

    def _json(self, values: Mapping[str, Any]) -> bytes:
        assert self._body is not None
        text = self._rendered(self._body, values)
        try:
            body = _decode(text)
        except UNREADABLE as e:
            raise InputError(
                f'{self._body[0]}: not JSON once filled in for item "{values["id"]}": {e}; '
                f"write values as {{{{ prompt | tojson }}}}, without quotes around them: {text[:160]}"
            ) from None
        if self.extra:
            if not isinstance(body, dict):
                raise InputError(f"{self._body[0]}: target.body is merged into an object; found {text[:60]}")
            body |= self.extra
        return encode_json(body)

    def _multipart(self, values: Mapping[str, Any], shown: Sequence[Image], images: Sequence[bytes]) -> bytes:
        fields: list[Field] = []
        for part, text in zip(self._told.request.parts, self._texts, strict=True):
            if text is not None:
                fields.append((part.name, self._rendered(text, values)))
                continue
            uploads = [(image.name, raw, image.mime) for image, raw in zip(shown, images, strict=True)]
            fields += [(part.name, up) for up in (uploads if part.image == "each" else uploads[:1])]
        fields += [(name, as_text(value)) for name, value in self.extra.items()]
        if any(self._boundary.encode() in raw for raw in images):
            raise InputError(
                f'{self._file}: an image of item "{values["id"]}" holds the boundary of the parts'
            )
        return encode_multipart_formdata(fields, self._boundary)[0]


def _places(told: TemplateFile) -> tuple[_Places, _Places]:
    """Places of a whole answer, and of one event of a streamed one."""
    answer: Answer = told.answer
    stream = told.stream or Stream(delta=answer.text)
    return _Places(answer.text, answer), _Places(stream.delta, stream, answer)


def _environment() -> ImmutableSandboxedEnvironment:
    """Nothing in it may give two results for one item: all workers must make the same bytes."""
    environment = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
    environment.filters["tojson"] = lambda value: encode_json(value).decode()
    del environment.filters["random"], environment.globals["lipsum"]
    return environment
