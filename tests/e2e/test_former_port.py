"""The source port of before a restart, which members may have bound Echo values to (RFC 9175), where nothing fixes or takes it."""

import socket

import pytest

from conftest import plain_mapping

FILE = "group.port"


@pytest.fixture
def restarted(gateway, members, capture, tmp_path):
    """restarted(port=0): starts a gateway, has it send, and ends it; the port that it sent from."""
    fleet, heard, state = members(1), capture(), tmp_path / "state"
    state.mkdir()

    def run(port=0):
        before = len(heard.datagrams())
        gate = gateway({"mappings": [plain_mapping(fleet, membership="open", finish="count:1")], "state": str(state),
                        "group": {"interface": "lo", "port": port}})
        assert gate.get_json("/lights/status")["summary"]["answered"] == 1
        assert gate.stop() == 0
        (_, source), = heard.datagrams()[before:]
        return source[1]

    run.state = state
    return run


def test_it_is_the_same_again(restarted):
    first = restarted()
    assert [restarted() for _ in range(3)] == [first] * 3
    assert (restarted.state / FILE).stat().st_mode & 0o777 == 0o600


def test_somebody_else_has_it(restarted):
    first = restarted()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", first))
        second = restarted()
    assert second != first
    assert restarted() == second


@pytest.mark.parametrize("text", ["", "7", "70000\n", "twelve\n", "-1\n"])
def test_a_file_that_says_nothing(restarted, text):
    (restarted.state / FILE).write_text(text)
    assert restarted() == restarted()


def test_a_port_that_is_set(restarted):
    first = restarted()
    fixed = first + 1 if first < 65000 else first - 1
    assert restarted(fixed) == fixed
    assert restarted() == first


def test_without_a_folder_it_goes_on_without(restarted):
    restarted.state.rmdir()
    assert restarted() > 0
    assert not restarted.state.exists()
