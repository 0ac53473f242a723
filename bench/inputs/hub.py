"""The model hub: whether it can be reached, its client's errors, and switching all clients to offline."""

import os
import threading
import urllib.error
import urllib.request

PROBE_SECONDS = 3.0


def hub_reachable(seconds: float = PROBE_SECONDS) -> bool:
    """Whether the hub answers within `seconds`. In a thread, because looking up the host's name can hang."""
    answered: list[bool] = []
    probe = threading.Thread(target=lambda: answered.append(_hub_answers(seconds)), daemon=True)
    probe.start()
    probe.join(seconds)
    return bool(answered and answered[0])


def _hub_answers(seconds: float) -> bool:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 (the user's own setting)
    try:
        with urllib.request.urlopen(request, timeout=seconds):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def hub_errors() -> tuple[type[Exception], ...]:
    """The exceptions of the hub client when the hub refuses, drops the connection or does not answer."""
    # HTTPError is the base of its HTTP library's errors: a dropped connection is neither an OSError
    # nor an HfHubHTTPError.
    from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]

    return (HTTPError, OSError)


def go_offline() -> None:
    """Switch the hub clients of this process and its children to offline (each attempt costs ~25 s)."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    os.environ["HF_EVALUATE_OFFLINE"] = "1"
