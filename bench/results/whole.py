"""Writing files as a whole or not at all, and the error that says that one cannot be written."""

import errno
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError

_EVERYWHERE = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTCONN
}  # fmt: skip


class StoreError(BenchError):
    """A file cannot be written; `everywhere` is whether that holds for all cells, as with a full disk."""

    def __init__(self, message: str, *, everywhere: bool = True) -> None:
        super().__init__(message)
        self.everywhere = everywhere


@contextmanager
def writing(where: Path) -> Generator[None]:
    """Turn an OSError in the block into a StoreError that names `where` and what to do."""
    try:
        yield
    except OSError as error:
        remedy = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "correct that"
        text = (
            f"{where} cannot be written: {error.strerror}; earlier answers are safe: "
            f"{remedy}, and run the same command to continue"
        )
        raise StoreError(text, everywhere=error.errno in _EVERYWHERE) from error


def write_whole(files: Mapping[Path, bytes]) -> None:
    """Write files so that readers see the old or the new contents, never a part.

    Where one cannot be written, an OSError is raised and none is replaced.
    """
    unfinished = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in files}
    try:
        for path, data in files.items():
            with unfinished[path].open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        for path, written in unfinished.items():
            written.replace(path)
    finally:
        for written in unfinished.values():
            written.unlink(missing_ok=True)
