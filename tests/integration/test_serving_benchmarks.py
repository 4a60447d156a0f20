"""The parts of the serving benchmarks that need a socket or a store."""

from __future__ import annotations

import asyncio

import pytest

from actors.connections import Connections, EndpointSettings
from actors.user_store import UserStore
from learners.user_state import UserState
from simulations.benchmarks.http_load import LoadPlan, LoadReport, LoadRun
from simulations.benchmarks.serve_people import write_people
from tests.fakes import NOW


class Server(asyncio.Protocol):
    """Refuses every third request and closes the connection on every fifth."""

    num_requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        Server.num_requests += 1
        if Server.num_requests % 5 == 0:
            self._transport.close()
            return
        status = b"429 Too Many" if Server.num_requests % 3 == 0 else b"200 OK"
        self._transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")


@pytest.mark.parametrize("rate", [None, 400.0])
def test_a_load_counts_what_is_served_refused_and_broken(rate: float | None) -> None:
    async def run() -> LoadReport:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        plan = LoadPlan(
            url=f"http://127.0.0.1:{port}",
            path="/{user}",
            num_users=9,
            connections=4,
            seconds=0.5,
            warm_seconds=0.1,
            rate=rate,
        )
        async with server:
            return await LoadRun(plan).run()

    report = asyncio.run(run())

    total = report.served + report.refused + report.failed
    assert total > 50
    assert report.refused / total == pytest.approx(4 / 15, abs=0.06)
    assert report.failed / total == pytest.approx(1 / 5, abs=0.06)
    assert report.p50_ms <= report.p99_ms
    if rate is not None:  # what was late in the warm-up is made up for
        assert total <= rate * (0.1 + 0.5) + 4


def test_people_of_a_benchmark_have_the_past_that_was_asked_for(endpoints: EndpointSettings) -> None:
    write_people(endpoints, num_users=12, num_contents=5_000, history=50, served=200, now=NOW)

    async def load() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            store = UserStore(connections.redis, connections.namespace)
            users = [await store.load(f"bench-user-{number}", []) for number in range(12)]
            for user in users:
                assert user.state is not None
                state = UserState.from_bytes(user.state)
                assert len(state.history) == 50
                assert len(user.served) == 200
                assert not set(user.served.tolist()) & set(state.history.tolist())
                assert len(state.followed_creators) == 2
            assert len({user.state for user in users}) == 12

    asyncio.run(load())
