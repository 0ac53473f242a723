"""Running a tuning in its own process."""

import threading
import traceback
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from bench.engines.device import accelerators, use_accelerators
from bench.engines.kinds import prepare
from bench.engines.memory import peak_device_memory_bytes, peak_memory_bytes
from bench.engines.public_reason import public_reason
from bench.errors import BenchError, named_line
from bench.inputs.adapter import CARD, Adapter, read_adapter
from bench.sweeps.process import Exit, Limits, run_in_process

if TYPE_CHECKING:
    from bench.tuning.job import Job, Prepared, Step


@dataclass(frozen=True, slots=True)
class TuningFailed:
    """The last event of a tuning that made no adapter. `public` is the reason without texts, "" for none."""

    reason: str
    traceback: str = ""
    public: str = ""


@dataclass(frozen=True, slots=True)
class _Finished:
    """The adapter is on disk."""


def run_tuning(
    job: "Job", stop: threading.Event | None = None, devices: tuple[str, ...] = ()
) -> "Iterator[Prepared | Step | Adapter | TuningFailed]":
    """Tune in a new process; the last event is the adapter, which is on disk, or a TuningFailed.

    Setting `stop` ends the process, without a last event. It uses the first of the accelerators `devices`,
    or of all where none is given.
    """
    end: TuningFailed | _Finished | None = None
    limits = Limits(stop=stop)
    with closing(run_in_process(_tune, job, devices, name=f"tune {job.out.name}", limits=limits)) as process:
        for event in process:
            if isinstance(event, (TuningFailed, _Finished)):
                end = event
            elif not isinstance(event, Exit):
                yield event
            elif end is None:
                reason = f"the tuning died with {event.text}"
                end = TuningFailed(reason, event.output, reason)
    if not limits.stopped:
        yield end if isinstance(end, TuningFailed) else _read(job)


def _read(job: "Job") -> Adapter | TuningFailed:
    try:
        return read_adapter(job.out)
    except BenchError as error:
        return TuningFailed(str(error), public=str(error))


def _tune(job: "Job", devices: tuple[str, ...], events: Any) -> None:
    """The process's main function; errors are sent to the parent."""
    with suppress(BrokenPipeError):
        try:
            from bench.engines.loading import quieten

            first = (devices or accelerators() or ("0",))[:1]  # several would split each batch
            use_accelerators(first)
            quieten()
            from bench.tuning.training import tune

            weights = prepare(job.opening.card, job.weights)
            assert weights is not None  # a job always has weights
            job.out.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(job.out.parent / f".{job.out.name}.lock"):
                if job.fresh or not (job.out / CARD).is_file():  # another sweep may have made it
                    tune(replace(job, own_process=True), weights, events.send, _peaks)
            events.send(_Finished())
        except BrokenPipeError:
            raise
        except BenchError as error:
            events.send(TuningFailed(str(error), public=public_reason(str(error), error, job.train)))
        except Exception as error:  # noqa: BLE001
            events.send(TuningFailed(named_line(error), traceback.format_exc()))
        events.close()


def _peaks() -> tuple[int | None, int | None]:
    return peak_memory_bytes(), peak_device_memory_bytes()
