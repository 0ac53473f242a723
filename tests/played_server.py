"""A played server with the OpenAI interface: a language model by rule, and the faults that servers have."""

import hashlib
import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

WORDS = [f" {letter}" for letter in "ABCDE"] + list("ABCDE") + [f" word{number}" for number in range(110)]


def tokens_of(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def logprob(before: Sequence[str], token: str) -> float:
    """A token is likely where it followed the same token before; of the others, a hash decides."""
    last = before[-1] if before else ""
    followed = [after for here, after in pairwise(before) if here == last]
    digest = hashlib.sha256("\x00".join([*before, token]).encode()).digest()
    chance = (0.5 + digest[0] / 256) / 1500 * (15 if token.strip() in "ABCDE" else 1)
    return math.log(0.6 if followed and followed[-1].strip() == token.strip() else chance)


@dataclass
class Played:
    """How the server answers. `faults` are called with a request's path and body before it is answered, and
    return a status, headers and a body, or None to go on.
    """

    model: str = "played"
    named: str = ""
    """What answers say of the model, where that is another name."""
    fingerprint: str = "fp_1"
    context: int | None = None
    """Tokens after which a prompt is cut in silence."""
    echo: bool = True
    vllm: bool = False
    most: int | None = 100
    """How many likeliest tokens may be asked for; None for a server without log-probabilities."""
    counts: bool = True
    shift: int = 0
    """Places by which log-probabilities of given text are wrong."""
    change: Callable[[dict[str, Any]], Any] = lambda body: body
    """What is sent in place of a right answer."""
    bare: bool = False
    """Whether tokens are listed without the space before them, as vLLM does for SentencePiece."""
    fault: Callable[[str, Mapping[str, str], dict[str, Any]], Any] = lambda _path, _headers, _body: None
    reply: str = "The answer is B."
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if path.endswith("/models"):
            return 200, {}, {"data": [{"id": self.model}]}
        if not path.startswith("/v1/"):
            return (200, {}, {"version": "9.9"}) if path == "/version" else (404, {}, {"error": "not found"})
        if body.get("model") != self.model:
            return 404, {}, {"error": {"message": f"The model {body.get('model')} does not exist."}}
        wanted = body.get("top_logprobs", body.get("logprobs"))
        if type(wanted) is int and self.most is not None and wanted > self.most:
            return 400, {}, {"error": {"message": f"logprobs must be at most {self.most}"}}
        chat = path.endswith("/chat/completions")
        text = "\n".join(each["content"] for each in body["messages"]) if chat else body["prompt"]
        tokens = tokens_of(text)
        cut = tokens[-self.context :] if self.context else tokens
        return 200, {}, self.change(self.body(body, text, cut, chat=chat))

    def body(self, body: dict[str, Any], text: str, tokens: list[str], *, chat: bool) -> dict[str, Any]:
        one = body["max_tokens"] == 1
        written = "word" if one else self.reply
        choice: dict[str, Any] = {"index": 0, "finish_reason": "length" if one else "stop"}
        listed = self.likeliest(tokens, body.get("top_logprobs") or body.get("logprobs") or 0)
        asked = body.get("logprobs") and self.most is not None
        if chat:
            choice["message"] = {"role": "assistant", "content": written}
            entries = [{"token": token, "logprob": value} for token, value in listed.items()]
            content = [{"token": written, "logprob": -3.0, "top_logprobs": entries}]
            choice |= {"logprobs": {"content": content}} if asked else {}
        else:
            echo = self.echo and body.get("echo")
            choice["text"] = text + written if echo else written
            given = [*tokens, written] if echo else [written]
            values = self.values(given if echo else [*tokens, written])[-len(given) :]
            tops = [None] * (len(given) - 1) + [listed] if echo else [listed]
            choice |= (
                {"logprobs": {"tokens": given, "token_logprobs": values, "top_logprobs": tops}}
                if asked
                else {}
            )
        whole: dict[str, Any] = {
            "model": self.named or self.model,
            "system_fingerprint": self.fingerprint,
            "choices": [choice],
        }
        if self.vllm and ("prompt_logprobs" in body or body.get("echo")):
            values = self.values(tokens)
            place = whole if chat else choice
            place["prompt_logprobs"] = [
                value if value is None else {str(at): {"logprob": value, "decoded_token": token}}
                for at, (token, value) in enumerate(zip(tokens, values, strict=True))
            ]
        if self.counts:
            whole["usage"] = {"prompt_tokens": len(tokens), "completion_tokens": len(tokens_of(written))}
        return whole

    def values(self, tokens: Sequence[str]) -> list[float | None]:
        values = [logprob(tokens[:at], token) for at, token in enumerate(tokens)]
        moved = [*values[self.shift :], *values[: self.shift]]
        return [None, *moved[1:]]

    def likeliest(self, tokens: Sequence[str], count: int) -> dict[str, float]:
        candidates = {token: logprob(tokens, token) for token in {*WORDS, *tokens}}
        ranked = sorted(candidates.items(), key=lambda pair: (-pair[1], pair[0]))
        if self.bare:
            ranked = [(token.strip(), value) for token, value in ranked if token.startswith(" ")]
        return dict(ranked[:count])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    played: Played

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.played.lock:
            self.played.requests.append((self.path, headers, body))
        status, more, answer = self.played.fault(self.path, headers, body) or self.played.answer(
            self.path, body
        )
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        try:
            if isinstance(answer, Iterator):
                self.send_header("connection", "close")
                self.end_headers()
                for piece in answer:
                    self.wfile.write(piece)
                self.close_connection = True
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):  # the client has had enough
            self.close_connection = True

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def serve(played: Played) -> Iterator[Played]:
    """Answer at a free port of 127.0.0.1."""
    handler = type("Handler", (_Handler,), {"played": played})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    played.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()


def drip(piece: bytes, pause: float) -> Iterator[bytes]:
    """A stream without an end."""
    while True:
        time.sleep(pause)
        yield piece
