"""Promises of services/service.py: the descriptors of services."""

from __future__ import annotations

import re
from typing import Any

import pytest

from picloud.core.interface import Interface
from picloud.http.application import ENDPOINTS
from picloud.identity.capabilities import CAPABILITIES
from picloud.services import SERVICES
from picloud.services.quotas import STORES
from picloud.services.service import Local, Service, local_functions

INTERFACE = Interface.load()
each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


class Anything:
    """A service of which every method is there."""

    def __getattr__(self, name: str) -> str:
        return name


def test_services_offer_exactly_the_host_functions_of_the_interface() -> None:
    names = [name for service in SERVICES for name in service.host_functions(Anything())]
    assert sorted(names) == sorted(signature.name for signature in INTERFACE.service_functions)


def test_without_a_server_every_host_function_is_there() -> None:
    INTERFACE.check_table(local_functions(SERVICES, Local(), INTERFACE))


def test_names_of_services_and_of_what_they_store_are_unique() -> None:
    names = [service.name for service in SERVICES]
    stored = [stored.name for service in SERVICES for stored in service.stored]
    assert len(names) == len(set(names))
    assert len(stored) == len(set(stored))


def test_every_store_with_a_quota_belongs_to_one_service_or_to_the_control_plane() -> None:
    stores = [service.quota.store for service in SERVICES if service.quota is not None]
    assert sorted([*stores, "scripts", "executions"]) == sorted(STORES)


@each_service
def test_a_service_names_the_capabilities_it_needs(service: Service[Any, Any]) -> None:
    capabilities = {signature.name: signature.capability for signature in INTERFACE.hosts}
    needed = {capabilities[name] for name in service.host_functions(Anything())} - {""}
    for endpoint in ENDPOINTS:
        if re.match(rf"/apps/\{{app\}}/{service.name}(/|$)", endpoint.path):
            needed.add(endpoint.access)
    assert needed == set(service.capabilities)
    assert needed <= {capability.name for capability in CAPABILITIES}
