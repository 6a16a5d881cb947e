"""From socket to request: limits on connections, heads and bodies. It knows no app."""
