"""What a card sets of the engine openai: the server's address, its name for the model, how it is asked."""

import ipaddress
import re
import socket
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from bench.config import Strict
from bench.errors import Unavailable
from bench.inputs.located import Trust
from bench.inputs.model_card import ModelCard
from bench.numbers import PositiveReal

INSTALL = "pip install 'slm-bench[openai]'"
CONNECT_SECONDS = 3.0


def _address(url: str) -> str:
    """The address, without a final slash. The messages repeat no part of it: it may hold a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as http://127.0.0.1:8080/v1")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must have no user name, password or query: name the variable of a key in `key`")
    _ = parts.port  # raises a ValueError where it is not a number
    return url.rstrip("/")


def _variable(name: str) -> str:
    """The name of a variable. The message does not repeat it: it may be the key itself."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
        raise ValueError(
            "must be the name of an environment variable, such as SERVER_KEY; no key belongs here"
        )
    return name


class ServerSettings(Strict):
    """`url` is the base of the interface, which ends in /v1 on most servers, and `model` the server's name
    for the model.

    `key` is the name of the environment variable that holds the key; without it none is sent. `concurrency`
    is the most requests at a time, and `timeout` the most seconds that one may take. `views: letters` asks
    for less: one request for a question, in place of one for each continuation.
    """

    url: Annotated[str, AfterValidator(_address)]
    model: Annotated[str, Field(min_length=1)]
    key: Annotated[str, AfterValidator(_variable)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    timeout: PositiveReal = 120.0
    views: Literal["all", "letters"] = "all"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def is_loopback(self) -> bool:
        """Whether the address is this machine's own, so that nothing leaves it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def settings_of(card: ModelCard) -> ServerSettings:
    return ServerSettings.model_validate(card.settings)


def check_access(card: ModelCard, trust: Trust, offline: bool) -> None:
    """Raises Unavailable where the card's server may not be asked, or where none answers on this machine.

    Questions go to another machine only if the user named it. Nothing is sent here.
    """
    settings = settings_of(card)
    if not settings.is_loopback:
        if offline:
            raise Unavailable(
                f"{card.name} is answered by {settings.host}, and --offline allows only this machine",
                "leave --offline out, or start the server here",
            )
        if settings.host not in trust.send_to:
            key = f" and the key in {settings.key}" if settings.key else ""
            raise Unavailable(
                f"{card.name} would send the questions{key} to {settings.host}",
                f"allow it with --send-to {settings.host}",
            )
        return
    try:
        socket.create_connection((settings.host, settings.port), CONNECT_SECONDS).close()
    except OSError as error:
        raise Unavailable(
            f"no server answers at {settings.url}", f"start it, or correct settings.url in {card.name}'s card"
        ) from error
