"""A tuning in a process of its own."""

import os
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from bench.engines.memory import peak_device_memory_bytes, peak_memory_bytes
from bench.engines.opening import prepare
from bench.errors import BenchError
from bench.inputs.adapter import CARD, Adapter, read_adapter
from bench.runs.process import Bounds, Ended, in_process

if TYPE_CHECKING:
    from bench.tuning.job import Job, Prepared, Step


@dataclass(frozen=True, slots=True)
class TuningFailed:
    reason: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class _Finished:
    """The adapter is on disk."""


def run_tuning(
    job: "Job", stop: threading.Event | None = None
) -> "Iterator[Prepared | Step | Adapter | TuningFailed]":
    """Tune; the last event is the adapter, which is on disk, or why there is none; none after `stop`."""
    ended: TuningFailed | _Finished | None = None
    bounds = Bounds(stop=stop)
    with closing(in_process(_work, job, name=f"tune {job.out.name}", bounds=bounds)) as process:
        for event in process:
            if isinstance(event, (TuningFailed, _Finished)):
                ended = event
            elif not isinstance(event, Ended):
                yield event
            elif ended is None:
                ended = TuningFailed(f"the tuning died with {event.how}")
    if not bounds.stopped:
        yield ended if isinstance(ended, TuningFailed) else _made(job)


def _made(job: "Job") -> Adapter | TuningFailed:
    try:
        return read_adapter(job.out)
    except BenchError as error:
        return TuningFailed(str(error))


def _work(job: "Job", events: Any) -> None:
    """The process's main function; what goes wrong in it is the sweep's to tell."""
    with suppress(BrokenPipeError):
        try:
            from bench.engines.loading import quieten

            os.environ["TQDM_DISABLE"] = "1"  # read when the libraries are imported
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # several would share out each batch
            quieten()
            from bench.tuning.training import tune

            opening = prepare(job.opening)
            job.out.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(job.out.parent / f".{job.out.name}.lock"):
                if job.fresh or not (job.out / CARD).is_file():  # another sweep may have made it meanwhile
                    tune(replace(job, opening=opening, own_process=True), events.send, _peaks)
            events.send(_Finished())
        except BrokenPipeError:
            raise
        except BenchError as error:
            events.send(TuningFailed(str(error)))
        except Exception as error:  # noqa: BLE001
            events.send(TuningFailed(f"{type(error).__name__}: {error}", traceback.format_exc()))
        events.close()


def _peaks() -> tuple[int | None, int | None]:
    return peak_memory_bytes(), peak_device_memory_bytes()
