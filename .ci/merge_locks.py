"""Print the lock of all packages: lists that uv made, and the digests of torch's CPU builds."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

HEAD = """\
# Every file that pip may install, by SHA-256. `make lock` makes this list of pyproject.toml; do not edit it.
# pip install --require-hashes --constraint constraints.txt NAME
"""


def entries(text: str) -> Mapping[str, list[str]]:
    """The digests of each requirement, by the requirement with its marker."""
    joined = re.sub(r"#[^\n]*", "", text).replace("\\\n", " ")
    lines = [line.split("--hash=") for line in joined.splitlines() if line.strip()]
    return {line[0].strip(): [digest.strip() for digest in line[1:]] for line in lines}


def merged(*texts: str, builds: str) -> str:
    """One list, sorted by name; `builds` are further files of what is in it, as of `torch==2.13.0+cpu`."""
    lock = {name: digests for text in texts for name, digests in entries(text).items()}
    for name, digests in entries(builds).items():
        base = name.partition("+")[0]
        if base not in lock:
            sys.exit(
                f"the lock has no {base}, of which {name} is a build; write the builds of the new version"
            )
        lock[base] = sorted({*lock[base], *digests})
    lines = [
        " \\\n".join([name, *(f"    --hash={digest}" for digest in lock[name])]) for name in sorted(lock)
    ]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    *lists, cpu = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])
    sys.stdout.write(merged(*lists, builds=cpu))
