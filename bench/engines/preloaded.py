"""What transformers makes when it loads its first model, made on import: once, in a server of workers."""

from transformers.conversion_mapping import get_checkpoint_conversion_mapping

# How tensors were named in older files: a thousand patterns, which take a second to compile.
get_checkpoint_conversion_mapping("")
