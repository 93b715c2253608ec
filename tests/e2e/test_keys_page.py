"""docs/keys.md, as it is pasted: a group is rekeyed, grows, shrinks and is restored, beside a running gateway."""

import json

from conftest import TOP, in_namespace
from documents import Reader, blocks

PAGE = "docs/keys.md"


def promised():
    """How many answers each `ask` is to get; where the page does not say so, as many as before."""
    counts = []
    for block in blocks(PAGE, "sh"):
        for line in block.text.splitlines():
            if line.split("#")[0].strip() == "ask":
                said = line.partition("# answered: ")[2]
                counts.append(int(said) if said else counts[-1])
    return counts


@in_namespace
def test_the_page(tmp_path):
    ran = Reader(tmp_path).type("".join(block.commands for block in blocks(PAGE, "sh")), TOP)
    assert ran.status == 0, ran.output
    replies = [json.loads(line) for line in ran.output.splitlines() if line.startswith('{"exchange"')]
    assert [reply["summary"]["answered"] for reply in replies] == promised(), ran.output
    for reply in replies:
        assert reply["missing"] == [] and all(answer["verified"] == "source" for answer in reply["answers"])
    assert ran.output.count("event=keys-prepared") == ran.output.count("event=keys-activated") - 1 == 4
    assert len(promised()) == 8


def test_nothing_of_it_is_not_run():
    assert {block.language for block in blocks(PAGE)} == {"sh"}
