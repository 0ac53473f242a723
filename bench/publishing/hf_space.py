"""Sending a built site to a static Space of the Hugging Face hub."""

import hashlib
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.errors import BenchError, UsageError, one_line
from bench.inputs.hub import hub_errors, hub_failure, hub_reachable
from bench.publishing.sending import Built, Sending, difference, refuse_others

READ_ME = "README.md"
"""Only in the Space, not in the site: its metadata tell the hub that the Space is static."""
HUB_FILES = (".gitattributes", READ_ME)
"""Files of a new Space."""
_TEXT = """\
The leaderboard of SLM Bench: which small language model, on the hardware you have?

`bench leaderboard publish` made every file of this Space and replaces them all when it runs again.
"""


def to_space(built: Built, name: str, *, public: bool) -> Sending:
    """Send the site to the Space ORG/NAME; a new Space is private unless `public`.

    The token is the one that the hub's own client uses (HF_TOKEN, or a login). No message contains it.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise UsageError(f"'{name}' is not the name of a Space; give --to hf-space:ORG/NAME")
    _check_reachable()
    from huggingface_hub import HfApi

    token = _token()
    api = HfApi(token=token)
    space = _find(api, name, token)
    files = {**built.files, READ_ME: _read_me().encode()}
    theirs = {file.rfilename: _their_digest(file) for file in space.siblings or ()} if space else {}
    theirs.pop(".gitattributes", None)  # the hub's own file, which stays
    if space:
        _check_ours(space, name, theirs)
    ours = {path: _digest(data, like=theirs.get(path, "")) for path, data in files.items()}

    def send() -> str:
        with _hub_errors(token, name):
            if not space:
                api.create_repo(name, repo_type="space", space_sdk="static", private=not public)
            _upload(api, name, files)
        return f"it is at {api.endpoint}/spaces/{name}"

    return Sending(f"the Space {name}", difference(ours, theirs), send, (_visibility(space, public=public),))


def _visibility(space: Any, *, public: bool) -> str:
    """Who will see the Space. An existing one keeps its visibility."""
    if space is None:
        return "a new public Space" if public else "a new private Space; --public makes it public"
    if space.private:
        hint = "; --public is for a new Space, so change it in the Space's settings" if public else ""
        return f"the Space exists and stays private{hint}"
    return "the Space exists and stays public"


def _check_reachable() -> None:
    from huggingface_hub import is_offline_mode

    if is_offline_mode():
        raise BenchError(
            "the hub's client is set to stay offline (HF_HUB_OFFLINE); publish to a folder instead"
        )
    if not hub_reachable():
        raise BenchError("the hub cannot be reached; publish to a folder, or try again later")


def _token() -> str:
    from huggingface_hub import get_token

    token = get_token()
    if not token:
        raise BenchError("there is no token for the hub; log in with 'hf auth login', or set HF_TOKEN")
    return token


def _find(api: Any, name: str, token: str) -> Any:
    """The Space with its files; None if it does not exist."""
    from huggingface_hub.errors import RepositoryNotFoundError

    with _hub_errors(token, name):
        try:
            return api.space_info(name, files_metadata=True)
        except RepositoryNotFoundError as error:
            if error.response.status_code == 404:
                return None
            raise


def _check_ours(space: Any, name: str, theirs: dict[str, str]) -> None:
    remedy = "give another name, or remove that Space"
    if space.sdk not in (None, "static"):
        raise UsageError(f"the Space {name} exists and runs {space.sdk}; {remedy}")
    refuse_others(theirs.keys() - set(HUB_FILES), f"the Space {name}", remedy)


def _their_digest(file: Any) -> str:
    """The hub's digest of a file: the SHA-256 of a large file, git's blob id of any other."""
    return f"sha256:{file.lfs.sha256}" if file.lfs else str(file.blob_id)


def _digest(data: bytes, *, like: str) -> str:
    """Our digest of a file, of the same kind as the hub's."""
    if like.startswith("sha256:"):
        return f"sha256:{hashlib.sha256(data).hexdigest()}"
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _read_me() -> str:
    from huggingface_hub import SpaceCard, SpaceCardData

    data = SpaceCardData(title="SLM Bench", sdk="static", app_file="index.html", pinned=False)
    return str(SpaceCard(f"---\n{data.to_yaml()}\n---\n\n{_TEXT}"))


def _upload(api: Any, name: str, files: dict[str, bytes]) -> None:
    """Send the files, and remove all others from the Space."""
    with TemporaryDirectory() as folder:
        for path, data in files.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        api.upload_folder(
            repo_id=name,
            repo_type="space",
            folder_path=folder,
            delete_patterns="*",
            commit_message=f"Publish the board: {len(files)} files",
        )


@contextmanager
def _hub_errors(token: str, name: str) -> Generator[None]:
    """Turns what the hub's client raises into one message, without the token."""
    try:
        yield
    except hub_errors() as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        whole = one_line(error) if status else str(hub_failure(error, name, kind="Space"))
        text = whole.replace(token, "…")
        if status in (401, 403):
            text = f"may the token write to {name}? ({text})"
        # Not `from error`: its text may contain the token.
        raise BenchError(f"the hub refused {name}: {text}") from None
