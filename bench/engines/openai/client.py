"""One server, asked through the client `openai`: its errors in words, its answers read and checked."""

import json
import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import httpx2
import openai
from pydantic import ValidationError

from bench.engines.openai.settings import ServerSettings
from bench.engines.openai.transport import EndedError, transport
from bench.engines.openai.wire import Reply, read_reply
from bench.errors import LONGEST, BenchError, one_line
from bench.types import Message

RETRIES = 6
"""Attempts after the first, where a server is busy (429), fails (5xx) or breaks off: 25 s of waiting."""
FEW_RETRIES = 1
"""Those of a question about what a server can do: some answer 500 to what they do not know."""
_TOO_LONG = re.compile(
    r"(?i)context[ _-]?(length|size|window)|exceed\w*[ _](the )?context|maximum.{0,30}tokens|too many tokens"
    r"|(prompt|input|messages?)\b.{0,40}too long|must have less than \d+ tokens|tokens.{0,40}must be <="
)
_OF_LENGTH = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class TooLong(Exception):
    """The server refuses the prompt because it does not fit its context."""


class Refused(BenchError):
    """The server refuses a request as one that it cannot answer, fails on it, or answers in another form."""


class Server:
    """A server of a card; `key` is sent to it alone and appears in no message.

    `models_seen` and `fingerprints` are what its answers said of the model, and `model` what the last said.
    """

    def __init__(self, card: str, settings: ServerSettings) -> None:
        self.settings = settings
        self.key = _key(card, settings.key)
        self.models_seen: dict[str, None] = {}
        self.fingerprints: dict[str, None] = {}
        self.model = ""
        self.http = httpx2.Client(
            transport=transport(settings, with_key=bool(self.key)),
            timeout=settings.timeout,
            follow_redirects=False,
        )
        self.patient = openai.OpenAI(
            api_key=self.key or "none",
            base_url=settings.url,
            timeout=settings.timeout,
            max_retries=RETRIES,
            http_client=self.http,
        )
        self.client = self.patient

    @contextmanager
    def impatient(self) -> Generator[None]:
        """Ask with few retries."""
        self.client = self.patient.with_options(max_retries=FEW_RETRIES)
        try:
            yield
        finally:
            self.client = self.patient

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
        except (httpx2.HTTPError, EndedError, ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    def close(self) -> None:
        self.patient.close()

    def _ask(self, send: Callable[[], Any]) -> Reply:
        body = self._json(send)
        try:
            reply = read_reply(body)
        except ValidationError as error:
            raise Refused(self._says(_other_form(body, error))) from None
        self.model = reply.model
        self.models_seen |= {reply.model: None} if reply.model else {}
        self.fingerprints |= {reply.fingerprint: None} if reply.fingerprint else {}
        return reply

    def _json(self, send: Callable[[], Any]) -> Any:
        try:
            answer = send()
        except openai.APIStatusError as error:
            raise self._of_status(error) from None
        except EndedError as error:
            raise self._failed(str(error), "raise settings.timeout, or see the server's log") from None
        except openai.APIConnectionError as error:
            reason = one_line(error.__cause__ or error)
            raise self._failed(f"cannot be asked: {reason}", "start it, or correct settings.url") from None
        try:
            return answer.http_response.json()
        except (ValueError, RecursionError):
            start = " ".join(answer.text[:80].split())
            raise self._failed(f"answers {start!r}, which is not JSON", "correct settings.url") from None

    def _of_status(self, error: openai.APIStatusError) -> Exception:
        """The error that an answer with a status of 300 or more stands for."""
        code, reason = error.status_code, self._reason(error)
        again = f"after {self.client.max_retries} more tries"
        if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            name = self.settings.key
            remedy = (
                f"correct the key in {name}" if name else "name the variable that holds it in settings.key"
            )
            return self._failed(f"wants a key ({code}): {reason}", remedy)
        if code == HTTPStatus.TOO_MANY_REQUESTS:
            return self._failed(f"still refuses {again} ({code}): {reason}", "lower settings.concurrency")
        if code == HTTPStatus.NOT_FOUND:
            return self._failed(f"knows no such model or address ({code}): {reason}", self._known())
        if code < HTTPStatus.BAD_REQUEST:
            to = self._hidden(error.response.headers.get("location", "elsewhere"))
            return self._failed(f"sends its clients on to {to}", "write that address in settings.url")
        if code in _OF_LENGTH and _TOO_LONG.search(reason):
            return TooLong(reason)
        if code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Refused(self._says(f"refuses the request ({code}): {reason}; see its documentation"))
        return Refused(self._says(f"fails, also {again} ({code}): {reason}; see its log"))

    def _known(self) -> str:
        """The remedy for a wrong name."""
        try:
            names = self.models()
        except (BenchError, TooLong):
            names = []
        if self.settings.model in names:
            return "it has the model, so it may take no prompts of this kind: use --prompt chat, or plain"
        if not names:
            return "correct settings.url, which ends in /v1 on most servers"
        return f"it has {', '.join(names[:10])}: correct settings.model"

    def _reason(self, error: openai.APIStatusError) -> str:
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
        for form in {self.key, repr(self.key)[1:-1], json.dumps(self.key)[1:-1]} - {""}:
            text = text.replace(form, "…")
        return text


def _key(card: str, variable: str | None) -> str:
    """The key in a variable; "" where a card names none. Raises a BenchError where it holds none."""
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise BenchError(f"the variable {variable}, which settings.key of {card}'s card names, is not set")
    if not _VISIBLE.fullmatch(key):
        raise BenchError(f"the variable {variable} holds no key: a key is one word of ASCII characters")
    return key


def _other_form(body: Any, error: ValidationError) -> str:
    """What is wrong with an answer, with the error that it holds in place of one."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"])) or "all of it"
    inside = cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None
    what = f"'{inside}'" if inside else f"in another form ({place}: {first['msg']})"
    return f"answers {what[:LONGEST]}; see its documentation"
