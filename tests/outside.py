"""Packages of other people: a module and what it declares, on the path as if pip had installed it."""

import sys
from pathlib import Path

import pytest


def install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, group: str, points: dict[str, str], source: str
) -> None:
    """The package `extras` 0.1, a module of that name with this source; `points` are its entry points."""
    info = folder / "extras-0.1.dist-info"
    info.mkdir(parents=True)
    (folder / "extras.py").write_text(source, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extras\nVersion: 0.1\n", encoding="utf-8")
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}", encoding="utf-8")
    monkeypatch.delitem(sys.modules, "extras", raising=False)
    monkeypatch.syspath_prepend(folder)
