"""Connections beyond a limit take the place of the longest idle one; busy ones are never closed for others."""

from lullwave.server.process.connection_limits import ConnectionLimits


class Transport:
    """Remembers whether it was aborted; idle or not as the test says."""

    def __init__(self, idle: bool) -> None:
        self.idle = idle
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def opened(limits: ConnectionLimits, address: str, *idle: bool) -> list[Transport]:
    made = [Transport(one) for one in idle]
    for one in made:
        limits.add(one, address, lambda one=one: one.idle)
    return made


def test_an_idle_connection_makes_room_for_a_new_one_of_its_address():
    limits = ConnectionLimits(per_address=3, total=100)
    others = opened(limits, "b", True, True, True)
    made = opened(limits, "a", False, True, True, True, False)
    assert [one.aborted for one in made] == [False, True, True, False, False]
    assert not any(one.aborted for one in others)
    assert limits.count == 6


def test_without_an_idle_one_the_new_connection_is_closed():
    limits = ConnectionLimits(per_address=2, total=100)
    made = opened(limits, "a", False, False, False)
    assert [one.aborted for one in made] == [False, False, True]
    limits.remove(made[0])
    limits.remove(made[2])  # was closed at once
    assert [one.aborted for one in opened(limits, "a", False)] == [False]
    assert limits.count == 2


def test_the_address_with_most_connections_pays_for_the_total():
    limits = ConnectionLimits(per_address=100, total=6)
    greedy = opened(limits, "greedy", *[True] * 6)
    modest = opened(limits, "modest", True, True)
    assert [one.aborted for one in greedy] == [True, True, False, False, False, False]
    assert not any(one.aborted for one in modest)
    assert limits.count == 6


def test_a_trusted_proxy_holds_the_connections_of_many():
    limits = ConnectionLimits(per_address=1, total=3, exempt=lambda address: address == "proxy")
    made = opened(limits, "proxy", True, True, True, True)
    assert [one.aborted for one in made] == [True, False, False, False]
