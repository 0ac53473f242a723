"""A mistake in a sweep file has its place there, whatever finds it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

SWEEP = """\
models: [chance]
tasks: [medqa_sample]
variants:
- {}
- generate: true
  samples: 5
  temperature: 0.5
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("temperature: 0.5", "temperature: 0", "s.yaml:5: variants.1: samples above 1 need a temperature"),
        ("[chance]", "[chanze]", "s.yaml:1: models: no model matches 'chanze'; did you mean 'chance'?"),
        ("[medqa_sample]", "[medqa_simple]", "s.yaml:2: tasks: no task is named 'medqa_simple'"),
        ("tasks: [medqa_sample]", "suite: nosuch", "s.yaml:2: suite: no suite is named 'nosuch'"),
        ("- {}", "- adapter: nosuch", "s.yaml:4: variants.0: there is no adapter folder nosuch"),
        ("samples: 5", "samples: 1e400", "s.yaml:6: variants.1.samples: expected a whole number"),
        ("- {}", "- lora_minutes: .nan", "s.yaml:4: variants.0.lora_minutes: expected a finite number"),
    ],
)
def test_a_mistake_in_a_sweep_file_has_its_line(
    project: Path, bench: Callable[..., Result], old: str, new: str, message: str
) -> None:
    (project / "s.yaml").write_text(SWEEP.replace(old, new), encoding="utf-8")
    done = bench("run", "--sweep", "s.yaml", "--dry-run", "--offline")
    assert message in done.stderr
    assert done.exit_code == 3


def test_a_mistake_in_a_flag_has_no_line_of_the_file(project: Path, bench: Callable[..., Result]) -> None:
    (project / "s.yaml").write_text(SWEEP, encoding="utf-8")
    done = bench("run", "--sweep", "s.yaml", "--models", "nope", "--dry-run")
    assert done.exit_code == 2
    assert "s.yaml" not in done.stderr
    assert bench("run", "--sweep", "s.yaml", "--dry-run", "--offline").exit_code == 0
