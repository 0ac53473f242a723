"""One server, asked through the client `openai`: its errors in words, its answers read and checked."""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai
from pydantic import ValidationError

from bench.engines.openai.settings import ServerSettings
from bench.engines.openai.wire import Reply, read_reply
from bench.errors import LONGEST, BenchError, one_line
from bench.types import Message

RETRIES = 6
"""Attempts after the first, where a server is busy (429), fails (5xx) or breaks off: 25 s of waiting."""
MOST_BYTES = 64 << 20
"""The longest answer that is read: a stream without an end is a failure."""
SENT = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}
)
"""Headers that are sent. The client would add facts of this machine, and what its variables name."""
_TOO_LONG = re.compile(
    r"(?i)context[ _-]?(length|size|window)|exceed\w*[ _]context|too (long|many tokens)|maximum.{0,30}tokens"
    r"|must have less than \d+ tokens|tokens.{0,40}must be <="
)


class TooLong(Exception):
    """The server refuses the prompt because it does not fit its context."""


class Refused(BenchError):
    """The server refuses a request as one that it cannot answer, or answers in another shape."""


class Server:
    """A server of a card; `key` is sent to it alone and appears in no message.

    `seen` has what its answers say of the model, in the order of time: its name and fingerprint.
    """

    def __init__(self, card: str, settings: ServerSettings) -> None:
        self.card, self.settings = card, settings
        self.seen: dict[str, dict[str, None]] = {"model": {}, "fingerprint": {}}
        self.key = self._key()
        self.http = httpx2.Client(
            transport=_Bounded(settings.timeout, bool(self.key), _proxy(settings)),
            timeout=settings.timeout,
            follow_redirects=False,
        )
        self.client = openai.OpenAI(
            api_key=self.key or "none",
            base_url=settings.url,
            timeout=settings.timeout,
            max_retries=RETRIES,
            http_client=self.http,
        )

    def _key(self) -> str:
        name = self.settings.key
        key = os.environ.get(name, "") if name else ""
        if name and not key:
            raise BenchError(
                f"the variable {name}, which settings.key of {self.card}'s card names, is not set"
            )
        return key

    def complete(self, prompt: str, **more: Any) -> Reply:
        """A completion of a text. Raises TooLong, Refused, or a BenchError where there is no answer."""
        create: Callable[..., Any] = self.client.completions.with_raw_response.create
        return self._ask(partial(create, model=self.settings.model, prompt=prompt, **more))

    def chat(self, messages: Sequence[Message], **more: Any) -> Reply:
        """The next message of a chat; raises as `complete`."""
        create: Callable[..., Any] = self.client.chat.completions.with_raw_response.create
        turns: Any = [{"role": message.role, "content": message.content} for message in messages]
        return self._ask(partial(create, model=self.settings.model, messages=turns, **more))

    def models(self) -> list[str]:
        """The names of the models that the server lists; empty where it lists none."""
        body = self._json(self.client.models.with_raw_response.list)
        data = body.get("data") if isinstance(body, dict) else None
        names = [each.get("id") for each in data or [] if isinstance(each, dict)]
        return [name for name in names if isinstance(name, str)]

    def look(self, path: str) -> Mapping[str, Any]:
        """The JSON object at a path of the server's root, without a key; empty where there is none."""
        parts = urlsplit(self.settings.url)
        url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        try:
            answer = self.http.get(url)
            body = answer.json() if answer.is_success else {}
        except (httpx2.HTTPError, ValueError):
            return {}
        return body if isinstance(body, dict) else {}

    def close(self) -> None:
        self.client.close()

    def _ask(self, send: Callable[[], Any]) -> Reply:
        body = self._json(send)
        try:
            reply = read_reply(body)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "its answer"
            raise Refused(self._says(f"answers in another form ({place}: {first['msg']})")) from None
        self.seen["model"] |= {reply.model: None} if reply.model else {}
        self.seen["fingerprint"] |= {reply.fingerprint: None} if reply.fingerprint else {}
        return reply

    def _json(self, send: Callable[[], Any]) -> Any:
        try:
            answer = send()
        except openai.APIStatusError as error:
            raise self._of_status(error) from None
        except openai.APITimeoutError:
            raise self._failed(
                f"did not answer within {self.settings.timeout:g} seconds", "raise settings.timeout"
            ) from None
        except openai.APIConnectionError as error:
            reason = one_line(error.__cause__ or error)
            raise self._failed(f"cannot be asked: {reason}", "start it, or correct settings.url") from None
        try:
            return answer.http_response.json()
        except ValueError:
            start = " ".join(answer.text[:80].split())
            raise self._failed(f"answers {start!r}, which is not JSON", "correct settings.url") from None

    def _of_status(self, error: openai.APIStatusError) -> Exception:
        """The error that an answer with a status of 300 or more stands for."""
        code, reason = error.status_code, self._message(error)
        if code in (401, 403):
            name = self.settings.key
            remedy = (
                f"correct the key in {name}" if name else "name the variable that holds it in settings.key"
            )
            return self._failed(f"wants a key ({code}): {reason}", remedy)
        if code == HTTPStatus.TOO_MANY_REQUESTS:
            return self._failed(
                f"still refuses after {RETRIES} more tries ({code}): {reason}", "lower settings.concurrency"
            )
        if code == HTTPStatus.NOT_FOUND:
            return self._failed(f"knows no such model or address ({code}): {reason}", self._known())
        if code < HTTPStatus.BAD_REQUEST:
            to = self._hidden(error.response.headers.get("location", "elsewhere"))
            return self._failed(f"sends its clients on to {to}", "write that address in settings.url")
        if _TOO_LONG.search(reason):
            return TooLong(reason)
        if code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Refused(self._says(f"refuses the request ({code}): {reason}"))
        return Refused(self._says(f"fails, also after {RETRIES} more tries ({code}): {reason}; see its log"))

    def _known(self) -> str:
        """The remedy for a wrong name."""
        try:
            names = self.models()
        except (BenchError, TooLong):
            names = []
        if not names or self.settings.model in names:
            return "correct settings.url, which ends in /v1 on most servers"
        return f"it has {', '.join(names[:10])}: correct settings.model"

    def _message(self, error: openai.APIStatusError) -> str:
        """What the server says of an error."""
        text: Any = error.body
        for key in ("error", "message", "detail"):
            text = cast("dict[str, Any]", text).get(key, text) if isinstance(text, dict) else text
        return self._hidden(" ".join(str(text or error.response.text).split()))[:LONGEST]

    def _failed(self, what: str, remedy: str) -> BenchError:
        return BenchError(f"{self._says(what)}; {remedy}")

    def _says(self, what: str) -> str:
        return f"the server at {self.settings.url} {self._hidden(what)}"

    def _hidden(self, text: str) -> str:
        """The text without the key, which some servers repeat."""
        return text.replace(self.key, "…") if self.key else text


def _proxy(settings: ServerSettings) -> str | None:
    """The proxy of the user's environment for a server elsewhere."""
    if settings.is_loopback or proxy_bypass(settings.host):
        return None
    return getproxies().get(urlsplit(settings.url).scheme)


class _Bounded(httpx2.HTTPTransport):
    """Sends no more headers than a server needs. Ends an answer that takes longer than `seconds` in all, or
    is longer than MOST_BYTES.

    The timeouts of the library are those between two pieces, and a server may send pieces forever.
    """

    def __init__(self, seconds: float, with_key: bool, proxy: str | None) -> None:
        super().__init__(proxy=proxy)
        self.seconds = seconds
        self.sent = SENT | ({"authorization"} if with_key else set())

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        deadline = time.monotonic() + self.seconds
        headers = [(name, value) for name, value in request.headers.multi_items() if name in self.sent]
        less = httpx2.Request(
            request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        response = super().handle_request(less)
        response.stream = _Pieces(response.stream, deadline, request)
        return response


class _Pieces(httpx2.SyncByteStream):
    def __init__(self, stream: Any, deadline: float, request: httpx2.Request) -> None:
        self.stream, self.deadline, self.request = stream, deadline, request

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for piece in self.stream:
            size += len(piece)
            if size > MOST_BYTES:
                raise httpx2.ReadError(
                    f"its answer has more than {MOST_BYTES >> 20} MiB", request=self.request
                )
            if time.monotonic() > self.deadline:
                raise httpx2.ReadTimeout("its answer does not end", request=self.request)
            yield piece

    def close(self) -> None:
        self.stream.close()
