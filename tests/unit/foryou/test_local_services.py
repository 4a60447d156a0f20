"""Ports for what runs on this machine."""

from __future__ import annotations

import socket

import pytest

from foryou import local_services
from foryou.local_services import LOOPBACK, free_port


def test_a_port_is_none_of_those_that_outgoing_connections_get() -> None:
    ports = [free_port() for _ in range(50)]

    assert all(20_000 <= port < 32_768 for port in ports)
    assert len(set(ports)) > 1


def test_a_port_that_is_taken_is_passed_over(monkeypatch) -> None:
    free = free_port()
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        monkeypatch.setattr(local_services, "_PORTS", [taken.getsockname()[1], free])
        monkeypatch.setattr(local_services, "_PORTS_TRIED", 2)

        assert {free_port() for _ in range(5)} == {free}

        monkeypatch.setattr(local_services, "_PORTS", [taken.getsockname()[1]] * 2)
        with pytest.raises(OSError, match="none of 2 ports"):
            free_port()
