"""The site's scripts: small, and made from the sources that stand beside them."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

SOURCES = ROOT / "leaderboard" / "javascript"
SCRIPTS = ROOT / "leaderboard" / "static"


def test_every_script_is_made_from_its_source_as_it_is() -> None:
    made = {path.name: path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.js")}
    sources = {path.name: path.read_bytes() for path in SOURCES.glob("*.js")}
    assert made.keys() == sources.keys()
    outdated = [
        name
        for name, source in sources.items()
        if made[name].partition("\n")[0] != f"// {hashlib.sha256(source).hexdigest()[:12]}"
    ]
    assert outdated == [], "run make scripts"


@pytest.mark.skipif(shutil.which("npm") is None, reason="terser comes by npm")
def test_the_scripts_are_what_terser_makes_of_the_sources(tmp_path: Path) -> None:
    subprocess.run([ROOT / ".ci" / "scripts", tmp_path], check=True, capture_output=True)
    for path in SCRIPTS.glob("*.js"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_all_scripts_of_the_site_together_are_small() -> None:
    assert sum(path.stat().st_size for path in SCRIPTS.glob("*.js")) < 60_000
