"""PiCloud: a self-hosted function platform with a fresh WebAssembly sandbox for every execution."""

__version__ = "0.1.0"
