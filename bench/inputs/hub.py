"""The model hub: whether it can be reached, its client's errors, and switching all clients to offline."""

import errno
import os
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.errors import Unavailable, one_line
from bench.inputs.located import ADAPTER_CONFIG

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

PROBE_SECONDS = 3.0
UNREACHABLE = "the model hub is out of reach"
LOGIN = "set HF_TOKEN or run: hf auth login"
Kind = Literal["model", "adapter", "data set", "Space"]
_TYPES: dict[Kind, str] = {"model": "model", "adapter": "model", "data set": "dataset", "Space": "space"}
_RETRY = "check the network and HF_ENDPOINT, and run again"
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


def hub_reachable(seconds: float = PROBE_SECONDS) -> bool:
    """Whether the hub answers within `seconds`. In a thread, because looking up the host's name can hang."""
    answered: list[bool] = []
    probe = threading.Thread(target=lambda: answered.append(_hub_answers(seconds)), daemon=True)
    probe.start()
    probe.join(seconds)
    return bool(answered and answered[0])


def _hub_answers(seconds: float) -> bool:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(_endpoint(), method="HEAD")  # noqa: S310 (the user's own setting)
    try:
        with urllib.request.urlopen(request, timeout=seconds):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def hub_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises when the hub refuses, drops the connection or does not answer as a hub."""
    # HTTPError is the base of its HTTP library's errors: a dropped connection is neither an OSError
    # nor an HfHubHTTPError. An answer that is not the hub's (a login page, half a JSON) ends in the others.
    from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]

    return (
        HTTPError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        AssertionError,
        RuntimeError,
    )


@contextmanager
def asking_hub(name: str, *, kind: Kind = "model", revision: str | None = None) -> Generator[None]:
    """Turns what the hub's client raises into Unavailable, with the reason and the remedy."""
    try:
        yield
    except hub_errors() as error:
        raise hub_failure(error, name, kind=kind, revision=revision) from error


def repository(name: str, *, kind: Kind = "model", revision: str | None = None, sizes: bool = False) -> Any:
    """The hub's facts about a repository (ModelInfo or DatasetInfo), whose files this machine may read.

    Raises Unavailable where the hub cannot be reached, or has no such repository or revision, or where the
    repository is gated or private and no token gives access.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

    api = HfApi()
    with asking_hub(name, kind=kind, revision=revision):
        info = api.repo_info(name, repo_type=_TYPES[kind], revision=revision, files_metadata=sizes)
        if not info.sha:
            raise ValueError("an answer without a commit")
        if info.gated:  # the hub describes gated repositories to everyone
            try:
                api.auth_check(name, repo_type=_TYPES[kind])
            except GatedRepoError:
                raise
            except HfHubHTTPError:  # a mirror that cannot be asked; the download will tell
                pass
        return info


_REFUSALS = (
    (
        "GatedRepoError", "{name} is gated, and there is no access to it",
        "accept its licence at {page}, then {login}",
    ),
    ("RevisionNotFoundError", "the hub has no revision '{revision}' of {name}", "correct the revision"),
    (
        "RepositoryNotFoundError", "the hub has no {kind} '{name}', or it is private",
        "correct the name; for a private one, {login}",
    ),
    ("RemoteEntryNotFoundError", "{name} has no {file}", "choose another revision or repository"),
    ("DisabledRepoError", "{name} was disabled on the hub", "choose another repository"),
)  # fmt: skip
"""Errors of the hub's client by name, with the reason and the remedy."""


def hub_failure(
    error: Exception, name: str, *, kind: Kind = "model", revision: str | None = None
) -> Unavailable:
    """Why the hub did not give what was asked for, and what to do."""
    from huggingface_hub import errors

    answer = _answer(error)
    if answer is None:
        return _no_answer(error, name)
    status = answer.response.status_code
    file = answer.response.url.path.rpartition("/")[2]
    page = f"{_endpoint()}/{'datasets/' if kind == 'data set' else ''}{name}"
    if "Invalid credentials" in str(answer):
        return Unavailable("the hub does not know the token", f"{LOGIN}, with a valid token")
    for refusal, reason, remedy in _REFUSALS:
        # 401 without more is what the hub answers to a guest who asks for what is missing or private.
        hidden = refusal == "RepositoryNotFoundError" and status == 401
        if hidden or isinstance(answer, getattr(errors, refusal)):
            facts = {"name": name, "kind": kind, "revision": revision, "file": file}
            return Unavailable(reason.format(**facts), remedy.format(page=page, login=LOGIN))
    if status == 403:
        return Unavailable(f"the hub forbids access to {name}", f"{LOGIN}, with a token that may read it")
    if status == 429:
        return Unavailable("the hub limits how often it is asked", f"run again later, or {LOGIN}")
    return Unavailable(f"{UNREACHABLE}: it answered {status} {answer.response.reason_phrase}".strip(), _RETRY)


def _no_answer(error: Exception, name: str) -> Unavailable:
    """Why there is no answer of the hub: the disk, the network, or an answer that is not the hub's."""
    from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]

    if isinstance(error, OSError) and error.errno in _DISK:
        reason = f"files of {name} cannot be stored: {one_line(error)}"
        return Unavailable(reason, "free space, or set HF_HOME to another folder")
    if isinstance(error, (HTTPError, OSError)):
        return Unavailable(f"{UNREACHABLE}: {one_line(error)}", _RETRY)
    return Unavailable(
        f"{UNREACHABLE}: its answer is not the hub's; does the network ask for a login?", _RETRY
    )


def _answer(error: BaseException) -> "HfHubHTTPError | None":
    """The hub's own answer among an error and its causes, if there is one."""
    from huggingface_hub.errors import HfHubHTTPError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HfHubHTTPError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def go_offline() -> None:
    """Switch the hub clients of this process and its children to offline (each attempt costs ~25 s)."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    os.environ["HF_EVALUATE_OFFLINE"] = "1"


def snapshot(hub: str, ref: str, patterns: Sequence[str], *, offline: bool) -> Path:
    """The folder of a model's files. Names with folders count only where `patterns` name a folder.

    Online and offline calls must use the same patterns: a complete download would seem incomplete.
    """
    from huggingface_hub import snapshot_download

    deeper = any("/" in pattern for pattern in patterns)
    return Path(
        snapshot_download(
            hub,
            revision=ref,
            allow_patterns=list(patterns),
            ignore_patterns=[ADAPTER_CONFIG, *([] if deeper else ["*/*"])],
            local_files_only=offline,
        )
    )
