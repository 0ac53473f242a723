"""A folder of files that the next ones replace as a whole: a kill or a full disk leaves the old or the new.

Files are written beside the folder, and the two folders are exchanged in one step.
"""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import NoReturn

from bench.errors import BenchError, UsageError
from bench.plain_files import lines, opened, read_bytes

OLD = "-old"
"""Ends the name of a folder on its way out, where the system cannot exchange two folders in one step."""
GONE = "-gone"
"""Ends the name of a folder that is being removed."""
_CANNOT_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
_CANNOT_MOVE = {errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMLINK, errno.ENOTSUP}
"""Of a mount point, of a folder in one that cannot be written, and where others' files cannot be linked."""
Write = Callable[[Path], None]


def replace_folder(out: Path, mark: str, names: Collection[str], write: Write) -> None:
    """Let `write` make the named files in a folder that it is given, then put them in the place of `out`.

    The file `mark` lists them, so that the next call replaces those and keeps all others. If `out` is a link,
    the folder that it names is replaced. Where a folder cannot be exchanged (a mount point, the working
    folder, one in a folder that cannot be written), finished files are moved into it one by one,
    `index.html` last. Raises a UsageError where others' files are in the way, and a BenchError.
    """
    folder = Path(os.path.realpath(out))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(folder) as locked:
            if locked:
                _tidy(folder, mark, _leftovers(folder, mark))
            _refuse_others(folder, mark, names, out)
            staged = _staging(folder, mark)
            try:
                _write_staged(staged, mark, names, write)
                _put(staged, folder, mark, names)
            finally:
                _tidy(folder, mark, [staged, _old(staged), folder / staged.name])
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room" if full else "correct that, or give another folder"
        text = f"{out} cannot be written: {error.strerror or error}; {remedy}, and run the command again"
        raise BenchError(text) from error


def put(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files, whose folders exist."""
    for name, data in files.items():
        (folder / name).write_bytes(data)


@contextmanager
def alone(folder: Path) -> Generator[bool]:
    """Wait for other processes that replace the folder, and keep them waiting.

    Gives whether that is so: some file systems have no locks. A lock ends with its process; it is no file.
    """
    import fcntl

    try:
        descriptor = os.open(Path(os.path.realpath(folder)).parent, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        locked = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            locked = False
        yield locked
    finally:
        os.close(descriptor)


def is_cut_off(folder: Path, mark: str) -> bool:
    """Whether a process was ended while it moved files into the folder one by one; call it `alone`."""
    return any(name.startswith(f"{mark}-") for name in listed(folder, mark))


def listed(folder: Path, mark: str) -> list[str]:
    """The names in the folder's list of files, without what names none in it; none where it has no list."""
    path = folder / mark
    text = read_bytes(path).decode(errors="replace") if path.is_file() else ""
    return [name for name in lines(text.replace("\r\n", "\n")) if _can_be_in(folder, name)]


def _can_be_in(folder: Path, name: str) -> bool:
    """Whether a file in the folder can have this name: the list is a file that anyone may have changed."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        return False
    try:
        os.lstat(folder / name)
    except ValueError:  # it holds a NUL
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return True


def _refuse_others(folder: Path, mark: str, names: Collection[str], out: Path) -> None:
    """Raises a UsageError where a file that is not of this program has the place of one of `names`."""
    files = [name for name in {*names} - {*listed(folder, mark)} if os.path.lexists(folder / name)]
    folders = [
        name for name in _folders(names) if os.path.lexists(folder / name) and not _is_folder(folder / name)
    ]
    if files or folders:
        text = "was not made by this command, and has the name of something that it makes"
        raise UsageError(f"{out / min(files + folders)} {text}; move it, or give another folder")


def _prefix(folder: Path, mark: str) -> str:
    """Begins the names of this program's folders beside `folder`, however long its name is."""
    return f"{mark}-{hashlib.sha256(os.fsencode(folder.name)).hexdigest()[:12]}-"


def _old(staged: Path) -> Path:
    return staged.with_name(staged.name + OLD)


def _leftovers(folder: Path, mark: str) -> list[Path]:
    """What killed processes left beside the folder and in it."""
    prefix = _prefix(folder, mark)
    places = [place for place in (folder.parent, folder) if place.is_dir()]
    return sorted(path for place in places for path in place.iterdir() if path.name.startswith(prefix))


def _tidy(folder: Path, mark: str, leftovers: Sequence[Path]) -> None:
    """Remove what is left of an exchange. A folder that a kill left on its way out takes its place again.

    Others' files that were written to a folder while it was exchanged come to the new one.
    """
    for path in leftovers:
        if path.name.endswith(OLD) and _is_folder(path) and not os.path.lexists(folder):
            path.rename(folder)
    for path in leftovers:
        with suppress(OSError):  # the next call tries again
            if _is_folder(folder) and path.parent != folder and (path / mark).is_file():
                _link_others(path, folder, mark)
            shutil.rmtree(path if path.name.endswith(GONE) else path.rename(f"{path}{GONE}"))


def _staging(folder: Path, mark: str) -> Path:
    """A new folder with the owner and the permissions of `folder`, beside it, or in it."""
    inside = _is_folder(folder) and not _can_be_exchanged(folder)
    staged = (folder if inside else folder.parent) / f"{_prefix(folder, mark)}{secrets.token_hex(4)}"
    staged.mkdir()
    if _is_folder(folder):
        status = folder.stat()
        with suppress(PermissionError):
            os.chown(staged, status.st_uid, status.st_gid)
        shutil.copystat(folder, staged)
    return staged


def _can_be_exchanged(folder: Path) -> bool:
    here = Path.cwd()
    in_use = folder in (here, *here.parents)  # a shell in it would go on in the folder that is removed
    return not in_use and not folder.is_mount() and os.access(folder.parent, os.W_OK | os.X_OK)


def _write_staged(staged: Path, mark: str, names: Collection[str], write: Write) -> None:
    """Write all files, and wait until they are on the disk."""
    (staged / mark).write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")
    for parent in _folders(names):
        (staged / parent).mkdir(parents=True, exist_ok=True)
    write(staged)
    for name in (mark, *names):
        with opened(staged / name) as file:
            os.fsync(file.fileno())


def _put(staged: Path, folder: Path, mark: str, names: Collection[str]) -> None:
    """Bring the finished files to their place."""
    if not os.path.lexists(folder):
        staged.rename(folder)
    elif staged.parent == folder:
        _move_in(staged, folder, mark, names)
    else:
        try:
            _link_others(folder, staged, mark)
            _exchange(staged, folder)
        except OSError as error:
            if error.errno not in _CANNOT_MOVE:
                raise
            _move_in(_copied(staged, folder / staged.name, (mark, *names)), folder, mark, names)


def _exchange(staged: Path, folder: Path) -> None:
    """Exchange the folders: in one step where the system can, otherwise in two that `_tidy` can undo."""
    try:
        _exchange_at_once(staged, folder)
    except OSError as error:
        if error.errno not in _CANNOT_EXCHANGE:
            raise
        folder.rename(_old(staged))
        staged.rename(folder)


def _exchange_at_once(one: Path, other: Path) -> None:
    """Linux's renameat2 with RENAME_EXCHANGE; raises an OSError, ENOSYS where there is no such call."""
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if call is None or call(here, os.fsencode(one), here, os.fsencode(other), exchange):
        number = ctypes.get_errno() if call else errno.ENOSYS
        raise OSError(number, os.strerror(number), str(other))


def _copied(staged: Path, inside: Path, names: Collection[str]) -> Path:
    """Copy the files into the folder itself, as a mount point is a file system of its own."""
    inside.mkdir()
    for name in names:
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(staged / name, inside / name)
    return inside


def _move_in(staged: Path, folder: Path, mark: str, names: Collection[str]) -> None:
    """Move finished files from a folder in `folder` to their places, and remove those of before."""
    before = listed(folder, mark)
    union = staged / f"{mark}-union"
    unfinished = {*before, *names, staged.name}  # the last one is for `is_cut_off`
    union.write_text("".join(f"{name}\n" for name in sorted(unfinished)), encoding="utf-8")
    for parent in _folders(names):
        (folder / parent).mkdir(parents=True, exist_ok=True)
    union.replace(folder / mark)
    for name in sorted(names, key=lambda name: (name == "index.html", name)):
        (staged / name).replace(folder / name)
    _remove(folder, sorted({*before} - {*names}))
    (staged / mark).replace(folder / mark)
    shutil.rmtree(staged)


def _remove(folder: Path, names: Sequence[str]) -> None:
    """Remove the named files, and the folders that are empty without them; nothing outside `folder`."""
    for name in names:
        path = folder / name
        if not path.resolve().is_relative_to(folder) or not path.is_file():
            continue
        path.unlink()
        for parent in path.parents:
            if parent == folder or any(parent.iterdir()):
                break
            parent.rmdir()


def _others(folder: Path, names: Collection[str], mark: str) -> Iterator[Path]:
    """What is in a folder besides the named files, their folders, and the list: outer folders first."""
    ours = {mark, *names, *_folders(names)}
    for place, folders, files in os.walk(folder, onerror=_raise):
        for path in (Path(place, name) for name in sorted(folders + files)):
            if path.relative_to(folder).as_posix() not in ours:
                yield path


def _raise(error: OSError) -> NoReturn:
    raise error


def _link_others(source: Path, folder: Path, mark: str) -> None:
    """Give `folder` what others put into `source`, unless it has that: the same files under second names."""
    for path in _others(source, listed(source, mark), mark):
        new = folder / path.relative_to(source)
        if os.path.lexists(new):
            continue
        if _is_folder(path):
            new.mkdir()
            shutil.copystat(path, new)
        else:
            os.link(path, new, follow_symlinks=False)


def _folders(names: Collection[str]) -> list[str]:
    """The folders that the named files need, outer ones first."""
    return sorted({str(parent) for name in names for parent in PurePosixPath(name).parents} - {"."})


def _is_folder(path: Path) -> bool:
    """Whether it is a folder, and not a link to one."""
    return path.is_dir() and not path.is_symlink()
