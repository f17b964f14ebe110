"""Who is taken for the person at this machine, and who is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from playground.access import Session
from playground.errors import InvalidRequest
from playground.ui.host import is_host, only_host
from playground.ui.visitor import IN_SCOPE


def who(address: str | None = "127.0.0.1", **headers: str) -> Any:
    client = SimpleNamespace(host=address) if address else None
    given = {"host": "127.0.0.1:7860", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return SimpleNamespace(client=client, headers=given, request=None)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "127.0.0.1:7860"),
        ("127.0.0.1", "localhost:7860"),
        ("::1", "[::1]:7860"),
        ("::ffff:127.0.0.1", "LOCALHOST"),
    ],
)
def test_the_person_at_this_machine_is_the_host(make_settings: Any, address: str, host: str) -> None:
    assert is_host(make_settings(), who(address, host=host))


@pytest.mark.parametrize(
    "other",
    [
        None,
        who(None),
        who("192.168.1.7"),
        who("192.168.1.7", host="localhost"),
        who("testclient"),
        who(host="abc.gradio.live"),
        who(host="192.168.1.7:7860"),
        who(host=""),
        who(x_forwarded_for="127.0.0.1"),
        who(X_Forwarded_Host="localhost"),
        who(forwarded="for=127.0.0.1"),
        who(via="1.1 proxy"),
        who(x_real_ip="127.0.0.1"),
    ],
)
def test_everybody_else_is_a_visitor(make_settings: Any, other: Any) -> None:
    assert not is_host(make_settings(), other)
    with pytest.raises(InvalidRequest, match="on the machine that Playground runs on"):
        only_host(make_settings(), other)


def test_where_the_page_is_shared_only_who_signed_in_as_the_host_is(make_settings: Any) -> None:
    shared = make_settings(shared=True)
    assert not is_host(shared, who())  # a tunnel ends on this machine
    for role, is_it in (("host", True), ("visitor", False)):
        known = Session(account="", name="", role=role, until=2**40)  # type: ignore[arg-type]
        signed_in = who("203.0.113.9", host="abc.gradio.live")
        signed_in.request = SimpleNamespace(scope={IN_SCOPE: known})
        assert is_host(shared, signed_in) is is_it


def test_the_host_goes_on(make_settings: Any) -> None:
    only_host(make_settings(), who())
