"""The services of scripts: a folder for each, and the list of all."""

from __future__ import annotations

from typing import Any

from picloud.services.builtins import SERVICE as BUILTINS
from picloud.services.docs import SERVICE as DOCS
from picloud.services.files import SERVICE as FILES
from picloud.services.kv import SERVICE as KV
from picloud.services.modules import SERVICE as MODULES
from picloud.services.outbound import SERVICE as HTTP
from picloud.services.service import Service
from picloud.services.vars import SERVICE as VARS

SERVICES: tuple[Service[Any, Any], ...] = (BUILTINS, MODULES, VARS, KV, DOCS, FILES, HTTP)
"""Every service."""
