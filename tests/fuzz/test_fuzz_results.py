"""What programs write, made hostile: summaries, records, journals, imports, and the texts on pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzzing import CASES, SEED, fuzzed, made_once
from kinds import KINDS, WRITTEN


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with made_once(tmp_path_factory.mktemp("written")) as folder:
        yield folder


@pytest.mark.parametrize("name", WRITTEN)
def test_hostile_results_are_set_apart_and_the_rest_is_shown(project: Path, name: str) -> None:
    assert list(map(str, fuzzed(KINDS[name], CASES, SEED, project))) == []
