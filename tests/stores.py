"""An S3-compatible server on this machine, and what it holds."""

import logging
import os
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request, urlopen

BUCKET = "bench"


@dataclass
class Server:
    """A server at `address`. `before` is called with the method and the path of each request.

    Where it returns a status, such as "503 Slow Down", that is the answer.
    """

    address: str
    before: Callable[[str, str], str | None] = lambda _method, _path: None
    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def objects(self) -> list[str]:
        """The names of all objects in the bucket, sorted."""
        listed = _client().list_objects_v2(Bucket=BUCKET)
        return sorted(one["Key"] for one in listed.get("Contents", ()))

    def read(self, key: str) -> bytes:
        return _client().get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def write(self, key: str, data: bytes) -> None:
        _client().put_object(Bucket=BUCKET, Key=key, Body=data)


@contextmanager
def s3() -> Generator[Server]:
    """A server with an empty bucket, to which processes come that are started meanwhile."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs each request
    application = DomainDispatcherApplication(create_backend_app)
    server = Server("")

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        server.requests.append(request)
        if status := server.before(*request):
            start(status, [("Content-Length", "0")])
            return [b""]
        return application(environ, start)

    listening = make_server("127.0.0.1", 0, answer, threaded=True)
    server.address = f"http://127.0.0.1:{listening.server_port}"
    settings = {
        "AWS_ENDPOINT_URL": server.address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ |= settings
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        reset = Request(f"{server.address}/moto-api/reset", method="POST")
        urlopen(reset).close()  # what it holds is in this process, and was there before the server
        _client().create_bucket(Bucket=BUCKET)
        yield server
    finally:
        listening.shutdown()
        thread.join()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _client() -> Any:
    import boto3

    return boto3.client("s3")
