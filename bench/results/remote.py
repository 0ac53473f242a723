"""The files of an address that fsspec reaches, such as s3://bucket/results.

A file is written as a whole and read by its name. None is appended to or renamed, and a list of the names
only shows what there is: no decision rests on it.
"""

import re
import uuid
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import Any

from bench.errors import BenchError, Unavailable, UsageError, one_line
from bench.results.whole import StoreError

AT_ONCE = 32
"""Files that are read at once."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)
_PASSWORD = re.compile(r"[^/@]*:[^/@]*@")
_BUCKETS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"}
"""Protocols without folders: making one there would make a bucket."""
_TAGS = ("ETag", "etag", "md5Hash")
_TIMES = ("mtime", "LastModified", "last_modified", "last_write_time", "modified", "modify", "created")
"""What file systems of fsspec call the time of the last change."""
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}


class Remote:
    """The files below an address. Each method raises a StoreError where the store cannot be reached."""

    def __init__(self, url: str) -> None:
        """Raises a UsageError for an address that cannot be one, and Unavailable for a missing package."""
        match = _ADDRESS.fullmatch(url)
        protocol, place = match.groups() if match else ("", "")
        if not place.strip("/"):
            raise UsageError(f"--results {url}: an address names a place, such as s3://bucket/results")
        if protocol == "memory":
            raise UsageError(f"--results {url}: such a store is lost when this command ends")
        if _PASSWORD.match(place):
            raise UsageError("an address of results has no password: keep it in the environment")
        self.url = f"{protocol}://{place.rstrip('/')}"
        self.has_buckets = protocol in _BUCKETS
        self.fs, self.top = _opened(self.url)

    def get(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of these files, without those that do not exist."""
        names = list(dict.fromkeys(names))
        if not names:
            return {}
        with self._reached("read"), ThreadPoolExecutor(min(len(names), AT_ONCE)) as pool:
            read = dict(zip(names, pool.map(self._get, names), strict=True))
        return {name: data for name, data in read.items() if data is not None}

    def _get(self, name: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return self.fs.cat_file(self._path(name))
        return None

    def put(self, name: str, data: bytes) -> None:
        """Write a file, in the place of an earlier one."""
        self._put(name, data, "overwrite")

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless it exists; returns whether it was written.

        Where the store has no conditional writes, two callers at once may both have written it.
        """
        try:
            self._put(name, data, "create")
        except FileExistsError:
            return False
        return True

    def _put(self, name: str, data: bytes, mode: str) -> None:
        path = self._path(name)
        with self._reached("written"):
            try:
                self.fs.pipe_file(path, data, mode=mode)
            except FileNotFoundError:
                if self.has_buckets:
                    raise
                self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self.fs.pipe_file(path, data, mode=mode)

    def names(self, below: str = "") -> dict[str, str]:
        """The files in a folder and below it, each with what changes when it is written again."""
        top = self._path(below) if below else self.top
        with self._reached("read"):
            try:
                listed: Mapping[str, Any] = self.fs.find(top, detail=True)
            except FileNotFoundError:
                listed = {}
            if not listed:
                self._check_top()
        each = ((path[len(self.top) :].strip("/"), facts) for path, facts in listed.items())
        return {name: _version(facts) for name, facts in each if _is_ours(name)}

    def remove(self, names: Iterable[str]) -> None:
        """Remove files in this order; those that do not exist are no error."""
        for name in names:
            with self._reached("written"), suppress(FileNotFoundError):
                self.fs.rm_file(self._path(name))

    def _check_top(self) -> None:
        """Raises an error where the bucket does not exist, which has no files either."""
        if self.has_buckets:
            bucket = self.top.partition("/")[0]
            if not self.fs.exists(bucket):
                raise FileNotFoundError(f"there is no bucket {bucket}")

    def _path(self, name: str) -> str:
        return f"{self.top}/{name}" if self.top else name

    @contextmanager
    def _reached(self, verb: str) -> Generator[None]:
        """Turn what a store's library raises into a StoreError that names the address."""
        try:
            yield
        except (BenchError, FileExistsError):
            raise
        except Exception as error:  # each library has errors of its own
            text = f"{self.url} cannot be {verb}: {one_line(error)}; what is answered is safe"
            raise StoreError(f"{text}: correct that, and run the same command again") from error


def _opened(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    protocol = url.partition("://")[0]
    try:
        return url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        remedy = f"pip install 'slm-bench[{extra}]'" if extra else one_line(error)
        raise Unavailable(f"results in {protocol}:// need a package that is not installed", remedy) from error
    except ValueError as error:
        raise UsageError(f"--results {url}: {one_line(error)}") from error
    except Exception as error:
        raise StoreError(f"{url} cannot be opened: {one_line(error)}") from error


def _version(facts: Mapping[str, Any]) -> str:
    """The file's tag, or else its size and time; another one each time where the store tells neither."""
    if tag := next((facts[key] for key in _TAGS if facts.get(key)), None):
        return str(tag)
    times = [facts[key] for key in _TIMES if facts.get(key)]
    return str([facts.get("size"), *times]) if times else uuid.uuid4().hex


def _is_ours(name: str) -> bool:
    """Whether a name can be that of a file in a results folder: it leads nowhere else."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not any(part == ".." or "\\" in part or "\0" in part for part in parts)
