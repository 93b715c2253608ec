"""What the CoAP side does with messages as such (RFC 7252 §4), over real sockets: rejections, silence, and from which address it answers."""

import json
import socket
import subprocess
import time

import pytest

import coap
from coap import ACK, CON, EMPTY, GET, NON, RST, Client, Message
from conftest import BUILD, free_tcp_port, free_udp_port, plain_mapping
from probe import metrics


@pytest.fixture
def listening(members, gateway):
    """listening(addresses…): a gateway with such CoAP listeners at one port, which is .coap_port."""

    def start(*addresses, **more):
        fleet, port = members(2), free_udp_port()
        listen = [{"address": f"coap://{address}:{port}", "insecure": True} for address in addresses]
        gate = gateway({"coap": {"listen": listen}, "mappings": [plain_mapping(fleet, max_timeout=30)], **more})
        gate.coap_port = port
        return gate

    return start


def figure(gate, name):
    return int(metrics(gate).get(f"castgate_coap_{name}", 0))


def test_messages_that_are_no_requests(listening):
    gate = listening("127.0.0.1")
    with Client(("127.0.0.1", gate.coap_port)) as client:

        def reply_to(data):
            client.socket.send(data)
            return client.receive_bytes(0.2)

        rejected = {
            "ping": Message(CON, EMPTY, 7).emit(),
            "response": Message(CON, coap.code("2.05"), 7, b"t").emit(),
            "reserved class": Message(CON, coap.code("1.01"), 7, b"t").emit(),
            "token length 15": b"\x4f\x01\x00\x07",
            "option cut off": b"\x40\x01\x00\x07\xb9a",
            "marker without payload": b"\x40\x01\x00\x07\xff",
            "Empty with a token": b"\x41\x00\x00\x07t",
        }
        for what, data in rejected.items():
            data_and_source = reply_to(data)
            assert data_and_source is not None, what
            assert data_and_source[0] == Message(RST, EMPTY, 7).emit(), what
        ignored = {
            "short": b"\x40\x01\x00",
            "version 2": b"\x80\x01\x00\x07",
            "version 0": b"\x00\x01\x00\x07",
            "malformed, Non-confirmable": b"\x5f\x01\x00\x07",
            "a response to nothing": Message(NON, coap.code("2.05"), 7, b"t").emit(),
            "an acknowledgement of nothing": Message(ACK, EMPTY, 7).emit(),
            "a Reset of nothing": Message(RST, EMPTY, 7).emit(),
            "a request as acknowledgement": Message(ACK, GET, 7, b"t").emit(),
            "nothing": b"",
        }
        for what, data in ignored.items():
            assert reply_to(data) is None, what
        assert len(client.gather("lights/status", 2, timeout=1)) == 2
    assert figure(gate, "rejected_total") == len(rejected)
    assert figure(gate, "requests_total") == 1


def test_a_listener_on_all_addresses_answers_from_the_one_that_was_asked(listening):
    gate = listening("0.0.0.0")
    for address in ("127.0.0.1", "127.0.0.77"):
        with Client((address, gate.coap_port)) as client:  # connected: it hears nobody else
            assert len(client.gather("lights/status", 2, timeout=1)) == 2


def test_ipv6(listening):
    gate = listening("[::1]")
    with Client(("::1", gate.coap_port)) as client:
        assert len(client.gather("lights/status", 2, timeout=1)) == 2


def test_two_listeners_at_one_port(listening):
    gate = listening("127.0.0.1", "127.0.0.2")
    for address in ("127.0.0.1", "127.0.0.2"):
        with Client((address, gate.coap_port)) as client:
            mid = client.ask("lights/status", timeout=1, mid=7).mid
            assert client.hear().mid == mid  # one Message ID at two addresses of ours is two messages
            assert [m.code_text for m in client.hear_all(1)] == ["2.05", "2.05"]


def test_a_flood_of_garbage_holds_nobody_up(listening):
    gate = listening("127.0.0.1")
    with Client(("127.0.0.1", gate.coap_port)) as client:
        noisy = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        noisy.connect(("127.0.0.1", gate.coap_port))
        for number in range(20000):
            noisy.send(b"\x4f\x01" + number.to_bytes(2, "big"))
        noisy.close()
        request, first, end = None, None, time.monotonic() + 20
        while first is None and time.monotonic() < end:  # the kernel may have had no room for it: a client says it again
            request = client.ask("lights/status", timeout=1, token=b"t", mid=7)
            first = client.hear(2)
        assert (first.type, first.mid) == (ACK, request.mid)
        assert [m.code_text for m in client.hear_all(1.5)] == ["2.05", "2.05"]
    assert figure(gate, "peers") == 1


def start_by_itself(folder, coap_settings):
    """A gateway of whose CoAP listeners the settings say that or nothing."""
    (folder / "state").mkdir()
    settings = {"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"]}, "admin": {"listen": [f"127.0.0.1:{free_tcp_port()}"]},
                "state": "state", "group": {"interface": "lo"}, **coap_settings}
    (folder / "castgate.json").write_text(json.dumps(settings))
    return subprocess.Popen([BUILD / "castgate", "-c", folder / "castgate.json"], stderr=subprocess.PIPE, text=True)


def read_until(process, text):
    end, lines = time.monotonic() + 20, []
    while time.monotonic() < end and (line := process.stderr.readline()):
        lines.append(line)
        if text in line:
            return lines
    pytest.fail("".join(lines))


def test_a_default_listener_that_is_taken_is_only_warned_of(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 5683))
        process = start_by_itself(tmp_path, {})
        try:
            lines = read_until(process, "event=ready")
        finally:
            process.terminate()
        assert process.wait(20) == 0
        (warning,) = [line for line in lines if "127.0.0.1:5683" in line and "level=warning" in line]
        assert "address already in use" in warning


def test_one_that_the_settings_name_is_an_error(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 5683))
        process = start_by_itself(tmp_path, {"coap": {"listen": ["coap://127.0.0.1:5683"]}})
        lines = read_until(process, "level=error")
        assert process.wait(20) == 1
        assert "cannot listen on 127.0.0.1:5683: address already in use" in lines[-1]
