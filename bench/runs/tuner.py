"""A tuning in a process of its own."""

import os
import traceback
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.engines.opening import prepare
from bench.errors import BenchError
from bench.inputs.adapter import Adapter, read_adapter
from bench.runs.cost import peak_device_memory_bytes, peak_memory_bytes
from bench.runs.process import Ended, in_process

if TYPE_CHECKING:
    from bench.tuning.job import Job, Prepared, Step


@dataclass(frozen=True, slots=True)
class TuningFailed:
    reason: str
    traceback: str = ""


def run_tuning(job: "Job") -> "Iterator[Prepared | Step | Adapter | TuningFailed]":
    """Tune; the last event is the adapter, which is on disk, or why there is none."""
    failed: TuningFailed | None = None
    with closing(in_process(_work, job, name=f"tune {job.out.name}")) as process:
        for event in process:
            match event:
                case TuningFailed():
                    failed = event
                case Ended(how=how):
                    if failed is None and how != "exit code 0":
                        failed = TuningFailed(f"the tuning died with {how}")
                case _:
                    yield event
    yield failed or read_adapter(job.out)


def _work(job: "Job", events: Any) -> None:
    """The process's main function; what goes wrong in it is the sweep's to tell."""
    with suppress(BrokenPipeError):
        try:
            from bench.engines.loading import quieten

            os.environ["TQDM_DISABLE"] = "1"  # read when the libraries are imported
            quieten()
            from bench.tuning.training import tune

            opening = prepare(job.opening)
            tune(replace(job, opening=opening), events.send, _peaks)
        except BrokenPipeError:
            raise
        except BenchError as error:
            events.send(TuningFailed(str(error)))
        except Exception as error:  # noqa: BLE001
            events.send(TuningFailed(f"{type(error).__name__}: {error}", traceback.format_exc()))
        events.close()


def _peaks() -> tuple[int | None, int | None]:
    return peak_memory_bytes(), peak_device_memory_bytes()
