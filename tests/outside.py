"""Packages of other people: put on the path as if pip had installed them, or hidden."""

import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

Points = Mapping[str, Mapping[str, str]]
"""Entry points: group -> name -> "module:ATTRIBUTE"."""


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    points: Points,
    source: str = "",
    package: str = "extras 0.1",
) -> None:
    """The package, a module of its name with this source, and its entry points."""
    name, version = package.split()
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    sections = [
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in rows.items())])
        for group, rows in points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join([*sections, ""]), encoding="utf-8")
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(folder)


def bench_without(libraries: Collection[str], folder: Path, *commands: list[str]) -> str:
    """Run the commands in one new process that cannot import these libraries; returns what they print."""
    code = (
        "import sys\n"
        "class NotHere:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {tuple(libraries)!r}: raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NotHere())\n"
        "from bench.cli import main\n"
        f"for words in {commands!r}: main(words, standalone_mode=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
