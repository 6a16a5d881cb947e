"""All metrics of a node."""

from __future__ import annotations

from picloud.core.metrics import Family
from picloud.db import pool
from picloud.execution import admission, executor, record
from picloud.http import open_streams
from picloud.http.edge import connection
from picloud.sandbox import cache, memory
from picloud.server.jobs import scheduler

RESTARTS = Family("picloud_worker_restarts_total", "Workers restarted after they died.")

FAMILIES: tuple[Family, ...] = (
    *connection.METRICS,
    *open_streams.METRICS,
    *executor.METRICS,
    *admission.METRICS,
    *record.METRICS,
    *cache.METRICS,
    *memory.METRICS,
    *pool.METRICS,
    *scheduler.METRICS,
    RESTARTS,
)
