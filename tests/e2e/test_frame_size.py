"""R44: requests should fit one frame of the group's network."""

from conftest import plain_mapping
from probe import log_lines


def test_a_request_above_the_frame_size_is_warned_of_once(members, gateway):
    fleet = members(2)
    mapping = plain_mapping(fleet)
    gate = gateway({"group": {"interface": "lo", "frame_size": 40}, "mappings": [mapping]})
    path = f"/{mapping['name']}/status"
    assert gate.request(path).status == 200
    assert log_lines(gate, "large-request") == []
    for _ in range(2):
        assert gate.request(path + "?a=" + "x" * 40).status in (200, 504)
    (line,) = log_lines(gate, "large-request")
    assert line["mapping"] == mapping["name"] and line["frame_size"] == "40"
    assert int(line["bytes"]) > 40
