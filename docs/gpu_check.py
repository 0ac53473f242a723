"""Run the tests that need a GPU and the speed comparison, and write what came out: gpu_check.py REPORT.md"""

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

COMPARISONS = (["--exemplars", "0"], ["--exemplars", "5"])
LIBRARIES = ("torch", "transformers", "bitsandbytes", "peft", "accelerate")
MODEL, TASK = "smollm2-135m-instruct-q4_1", "medqa_sample"


def said(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout.strip() or done.stderr.strip()


def main(report: Path) -> int:
    if not torch.cuda.is_available():
        sys.exit("gpu-check: torch sees no CUDA device; install its CUDA build on a machine with a GPU")
    failed, tests = said([sys.executable, "-m", "pytest", "-m", "gpu", "-q"])
    machine = f"{torch.cuda.get_device_name()}, Python {platform.python_version()}"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    lines = ["# GPU check", "", f"{machine}, {libraries}."]
    lines += ["", "## Tests (`pytest -m gpu`)", "", f"```\n{tests}\n```"]
    for words in COMPARISONS:
        command = ["verify", "--model", MODEL, "--task", TASK, "--limit", "100", *words]
        place = ["--out", str(report.parent / "verify")]
        code, table = said([str(Path(sys.executable).with_name("bench")), *command, *place])
        failed |= code
        lines += ["", f"## `bench {' '.join(command)}`", "", f"```\n{table}\n```"]
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {report}\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
