"""Whether transformers makes the same tokens of texts as llama.cpp, with the tokenizer of the same GGUF file.

python -m bench.engines.llama_cpp.token_check reads {"file": PATH, "texts": [...], "tokens": [[...], ...]}
from standard input, with the tokens of llama.cpp, and writes a sentence on the texts that have others, or
nothing. In a process of its own, whose memory and time are not the model's.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SHOWN = 3
"""Tokens of the example."""
TIMEOUT = 120.0
"""Seconds after which the comparison is given up: the package gguf reads large vocabularies slowly."""


def difference(tokenizer: Any, texts: Sequence[str], tokens: Sequence[Sequence[int]]) -> str:
    """A sentence on the texts that have other tokens, with where the first differs; "" without any."""
    others: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    pairs = [(list(ours), theirs) for ours, theirs in zip(tokens, others, strict=True)]
    different = [(ours, theirs) for ours, theirs in pairs if ours != theirs]
    if not different:
        return ""
    ours, theirs = different[0]
    start = next((at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), 0)
    shown = [
        " ".join(repr(tokenizer.decode([token])) for token in ids[start : start + SHOWN])
        for ids in (ours, theirs)
    ]
    return (
        f"llama.cpp makes other tokens of {len(different)} of {len(texts)} prompts than transformers does "
        f"with the tokenizer of the same file, such as {shown[0]} in place of {shown[1]}"
    )


def compare(file: Path, texts: Sequence[str], tokens: Sequence[Sequence[int]]) -> str:
    """`difference` between llama.cpp's tokens and those of transformers; "" where it cannot read the file."""
    words = [sys.executable, "-m", "bench.engines.llama_cpp.token_check"]
    asked = json.dumps({"file": str(file), "texts": list(texts), "tokens": [list(ids) for ids in tokens]})
    try:
        done = subprocess.run(
            words, input=asked, check=False, capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return ""
    return "" if done.returncode else done.stdout


def main() -> None:
    from transformers import AutoTokenizer

    asked = json.load(sys.stdin)
    file = Path(asked["file"])
    load: Any = AutoTokenizer.from_pretrained
    tokenizer = load(file.parent, gguf_file=file.name, local_files_only=True)
    sys.stdout.write(difference(tokenizer, asked["texts"], asked["tokens"]))


if __name__ == "__main__":
    main()
