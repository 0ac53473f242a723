"""What comes from elsewhere is pinned by what it holds: wheels, npm packages, actions, models."""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.inputs.cards import all_cards
from bench.inputs.hub_commits import COMMIT
from bench.inputs.model_card import HubSource, PackageSource
from conftest import ROOT

LOCKS = ["constraints.txt", ".ci/tools.txt"]
NPM_LOCKS = sorted((ROOT / ".ci" / "npm").glob("*/package-lock.json"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def locked(name: str) -> list[tuple[Requirement, list[str]]]:
    """Each requirement of a lock, and its digests."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / name).read_text("utf-8")).replace("\\\n", "")
    lines = [line.split("--hash=sha256:") for line in text.splitlines()]
    return [(Requirement(line[0]), [digest.strip() for digest in line[1:]]) for line in lines]


def wanted() -> Iterator[Requirement]:
    """All that the project asks for by name, except the tools that make the lock."""
    groups = {name: group for name, group in PROJECT["dependency-groups"].items() if name != "tools"}
    extras = PROJECT["project"]["optional-dependencies"]
    for words in [PROJECT["build-system"]["requires"], PROJECT["project"]["dependencies"], *extras.values()]:
        yield from map(Requirement, words)
    for words in groups.values():
        yield from map(Requirement, words)
    board = (ROOT / "docs" / "board-requirements.txt").read_text("utf-8").splitlines()
    yield from (Requirement(line) for line in board if not line.startswith("#"))


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_has_one_version_and_the_digests_of_its_files(name: str) -> None:
    packages = locked(name)
    assert len(packages) > 20
    for requirement, digests in packages:
        assert [each.operator for each in requirement.specifier] == ["=="], requirement
        assert digests, requirement
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests), requirement
        assert not requirement.url
    text = (ROOT / name).read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text


def test_the_lock_holds_what_the_project_asks_for_in_the_ranges_that_it_gives() -> None:
    versions: dict[str, list[str]] = {}
    for requirement, _ in locked("constraints.txt"):
        [version] = [each.version for each in requirement.specifier]
        versions.setdefault(canonicalize_name(requirement.name), []).append(version)
    for requirement in wanted():
        known = versions.get(canonicalize_name(requirement.name), [])
        assert known, f"{requirement} is not in constraints.txt: make lock"
        assert all(requirement.specifier.contains(version) for version in known), requirement


def test_the_tools_are_locked_in_the_ranges_that_the_project_gives() -> None:
    versions = {canonicalize_name(r.name): str(r.specifier)[2:] for r, _ in locked(".ci/tools.txt")}
    for requirement in map(Requirement, PROJECT["dependency-groups"]["tools"]):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])


def test_the_lock_has_the_cpu_builds_of_torch_beside_the_cuda_build_and_its_libraries() -> None:
    packages = {requirement.name: digests for requirement, digests in locked("constraints.txt")}
    [(build, digests)] = locked(".ci/torch-cpu.txt")
    assert set(digests) < set(packages["torch"])
    version = next(str(r.specifier) for r, _ in locked("constraints.txt") if r.name == "torch")
    assert str(build.specifier) == f"{version}+cpu"
    assert {"nvidia-cublas", "nvidia-cudnn-cu13", "triton"} < packages.keys()


def test_pip_refuses_a_wheel_whose_digest_is_not_the_locked_one(tmp_path: Path) -> None:
    wheel = tmp_path / "planted-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("planted.py", "")
        archive.writestr(
            "planted-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n"
        )
        archive.writestr("planted-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("planted-1.0.dist-info/RECORD", "")
    lock = tmp_path / "lock.txt"
    words = ["install", "--no-index", "--find-links", str(tmp_path), "--target", str(tmp_path / "installed")]
    words += ["--require-hashes", "--constraint", str(lock), "planted"]
    outputs: dict[str, subprocess.CompletedProcess[str]] = {}
    for digest in (hashlib.sha256(wheel.read_bytes()).hexdigest(), "0" * 64):
        lock.write_text(f"planted==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "--isolated", *words]
        outputs[digest] = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    right, wrong = outputs.values()
    assert right.returncode == 0, right.stderr
    assert wrong.returncode != 0
    assert "DO NOT MATCH THE HASHES" in wrong.stderr


def test_the_makefile_and_ci_install_nothing_that_is_not_locked() -> None:
    files = [ROOT / "Makefile", *(path for path in (ROOT / ".ci").iterdir() if path.is_file())]
    for path in files:
        text = path.read_text("utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            if line.startswith("#") or not re.search(
                r"\bpip (install|download|wheel)\b", line.replace("-m pip", "pip")
            ):
                continue
            own = "--no-deps --no-build-isolation" in line
            assert own or "--require-hashes" in line, f"{path.name}: {line}"
        assert not re.search(r"npm (install|pack|exec)|\bnpx\b", text), path.name


@pytest.mark.parametrize("path", NPM_LOCKS, ids=lambda path: path.parent.name)
def test_every_npm_package_is_locked_with_its_integrity(path: Path) -> None:
    wanted = json.loads(path.with_name("package.json").read_text("utf-8"))["dependencies"]
    packages = json.loads(path.read_text("utf-8"))["packages"]
    assert packages[""]["dependencies"] == wanted
    for name, package in packages.items():
        if name:
            algorithm, _, digest = package["integrity"].partition("-")
            assert (algorithm, len(base64.b64decode(digest))) == ("sha512", 64), name
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert "://" not in re.sub(r'"(url|funding)": .*', "", path.read_text("utf-8"))


def uses(node: object) -> Iterator[str]:
    """Every action that a workflow uses."""
    for key, value in (
        node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    ):
        if key == "uses":
            yield str(value)
        yield from uses(value)


def test_every_action_is_named_by_its_commit() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
    actions = [action for path in workflows for action in uses(yaml.safe_load(path.read_text("utf-8")))]
    assert actions
    assert [action for action in actions if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = [m for path in pages for m in re.findall(r"(?m)^[ -]*uses: *(\S+)", path.read_text("utf-8"))]
    assert [action for action in named if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


def test_cards_name_the_commit_or_the_digest_of_their_weights_where_it_is_known() -> None:
    sources = [file.card.source for file in all_cards()]
    commits = [source.revision for source in sources if isinstance(source, HubSource)]
    assert all(revision == "main" or re.fullmatch(COMMIT, revision) for revision in commits)
    assert sum(revision != "main" for revision in commits) >= 27
    packages = [source for source in sources if isinstance(source, PackageSource)]
    assert packages
    assert all(source.sha256 for source in packages)
