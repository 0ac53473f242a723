"""The engine `llama.cpp`: GGUF files as they are, through the low-level interface of llama-cpp-python."""
