"""Which addresses limits count as one client, and what the owner may name to drop."""

from ipaddress import ip_network

import pytest

from lullwave.hosts import client_network, covers, holds, limit_key, network_text


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("64:ff9b::203.0.113.9", "203.0.113.9"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("2001:DB8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::1", "2001:db8:0:2::/64"),
        ("::1", "::1"),
        ("fe80::1", "fe80::1"),  # hosts of one link share fe80::/64
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_client_counts_with_all_addresses_that_it_has(host, key):
    assert limit_key(host) == key
    network = client_network(host)
    assert (None if network is None else network_text(network)) == (key if key[:1] in "2:f6" and key else None)
    if network is not None:
        assert holds(network, host)


@pytest.mark.parametrize(
    ("named", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("203.0.113.9/32", "203.0.113.9/32"),
        ("2001:db8::/48", "2001:db8::/48"),
        ("2001:db8::1/128", "2001:db8::1/128"),
        ("[2001:db8::1]", "2001:db8::/64"),
        (" 2001:db8::1 ", "2001:db8::/64"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.0.0.1/8", None),
        ("10.0.0.0/33", None),
        ("10.0.0", None),
        ("radio.example", None),
        ("2001:db8::/64/64", None),
        ("1.2.3.4:80", None),
        ("0x7f.1", None),
        ("*", None),
        ("", None),
    ],
)
def test_an_address_or_a_network_is_named_and_nothing_else(named, network):
    assert client_network(named) == (network and ip_network(network))


def test_a_network_holds_its_addresses_however_they_are_written():
    ten = client_network("10.0.0.0/8")
    assert holds(ten, "10.1.2.3")
    assert holds(ten, "::ffff:10.1.2.3")
    assert not holds(ten, "11.0.0.1")
    assert not holds(ten, "2001:db8::10")
    assert not holds(ten, "unix")
    assert covers(ten, client_network("10.9.0.0/16"))
    assert not covers(ten, client_network("0.0.0.0/0"))
    assert not covers(client_network("::/0"), ten)
