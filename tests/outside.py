"""Packages of other people: a module and what it declares, on the path as if pip had installed it."""

import sys
from collections.abc import Mapping
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
