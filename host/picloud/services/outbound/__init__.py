"""http: what scripts send out into the world, and what keeps them from what is not for them.

A request passes `client` (one call) -> `targets` (its URL) and `headers` -> `apps` (the app's share) ->
`connector` (looks up the host, asks `addresses` about every address, connects) -> `framing` and `answers`
(read what comes back, within bounds) -> `requests` (where it redirects, and again from `targets`).
`decisions` keeps what became of it.
"""
