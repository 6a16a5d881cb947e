"""Host -> app and method + path -> route, decided in memory: nothing here does I/O."""
