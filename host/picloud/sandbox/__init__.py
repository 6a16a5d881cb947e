"""The sandbox: scripts in guest instances. It knows wasmtime; it knows no services and no HTTP."""
