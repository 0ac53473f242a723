"""How requests go out and answers come in: no header that a server does not need, no endless answer."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai

from bench.engines.openai.settings import ServerSettings
from bench.errors import BenchError, one_line

MOST_BYTES = 64 << 20
"""The longest answer that is read."""
SENT = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}
)
"""Headers that are sent. The client would add facts of this machine, and what its variables name."""


class EndedError(openai.OpenAIError):
    """An answer that was given up. As an error of its own, the client does not ask again."""


def transport(settings: ServerSettings, *, with_key: bool) -> httpx2.BaseTransport:
    """Raises a BenchError where the environment names a proxy that cannot be used."""
    try:
        sent = SENT | frozenset({"authorization"}) if with_key else SENT
        return _Bounded(settings.timeout, sent, _proxy(settings))
    except (ValueError, ImportError) as error:
        raise BenchError(f"the proxy that HTTP_PROXY or HTTPS_PROXY names: {one_line(error)}") from error


def _proxy(settings: ServerSettings) -> str | None:
    """The proxy of the user's environment for a server elsewhere."""
    if settings.is_loopback or proxy_bypass(settings.host):
        return None
    return getproxies().get(urlsplit(settings.url).scheme)


class _Bounded(httpx2.HTTPTransport):
    """Ends an answer that takes longer than `seconds` in all, or is longer than MOST_BYTES.

    The timeouts of the library are those between two pieces, and a server may send pieces forever.
    """

    def __init__(self, seconds: float, sent: frozenset[str], proxy: str | None) -> None:
        super().__init__(proxy=proxy, limits=httpx2.Limits(max_connections=None))
        self.seconds, self.sent = seconds, sent

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        deadline = time.monotonic() + self.seconds
        headers = [(name, value) for name, value in request.headers.multi_items() if name in self.sent]
        less = httpx2.Request(
            request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        try:
            response = super().handle_request(less)
        except httpx2.TimeoutException:
            raise EndedError(f"did not answer within {self.seconds:g} seconds") from None
        response.stream = _Pieces(response.stream, deadline, self.seconds)
        return response


class _Pieces(httpx2.SyncByteStream):
    """The pieces of an answer, up to its deadline."""

    def __init__(self, stream: Any, deadline: float, seconds: float) -> None:
        self.stream, self.deadline, self.seconds = stream, deadline, seconds

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        try:
            for piece in self.stream:
                size += len(piece)
                if size > MOST_BYTES:
                    raise EndedError(f"sends an answer of more than {MOST_BYTES >> 20} MiB")
                if time.monotonic() > self.deadline:
                    raise httpx2.ReadTimeout("")
                yield piece
        except httpx2.TimeoutException:
            raise EndedError(f"did not end its answer within {self.seconds:g} seconds") from None

    def close(self) -> None:
        self.stream.close()
