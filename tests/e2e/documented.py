#!/usr/bin/python3
"""Which test types the commands of which page, and which commands are only shown, and why. As a program: a list of them all."""

import re
import subprocess

from conftest import TOP
from documents import blocks, displays

TYPED_BY = {
    "README.md": "test_documents.py::test_readme",
    "conf/README.md": "test_service.py::test_service",
    "docker/README.md": "test_docker.py::test_readme",
    "docs/admin-api.md": "test_documents.py::test_admin_api_page",
    "docs/administration.md": "test_documents.py::test_administration_page",
    "docs/alerts.md": "test_documents.py::test_alerts_page",
    "docs/chains.md": "test_documents.py::test_chains_page",
    "docs/cloud.md": "test_documents.py::test_cloud_page",
    "docs/coap.md": "test_documents.py::test_coap_page",
    "docs/deployment.md": "test_documents.py::test_deployment_page",
    "docs/discovery.md": "test_documents.py::test_discovery_page",
    "docs/http.md": "test_documents.py::test_http_page",
    "docs/keys.md": "test_keys_page.py::test_the_page",
    "docs/recipes/haproxy.md": "test_recipes.py::test_haproxy",
    "docs/recipes/nginx.md": "test_recipes.py::test_nginx",
    "docs/security.md": "test_documents.py::test_security_page",
    "docs/sizing.md": "test_documents.py::test_sizing_page",
    "docs/troubleshooting.md": "test_documents.py::test_troubleshooting_page",
    "examples/oscore/README.md": "test_oscore_library.py::test_tutorial",
    "packaging/README.md": "../long/test_packages.py::build",
    "plugins/example/README.md": "test_install.py::test_plugin_tutorial",
}

# Blocks of these pages that another test types, by a word in them.
TYPED_ELSEWHERE = {
    ("docker/README.md", "docker compose"): "tests/long/test_container.py, since it needs a container engine",
}

# The same of the manual pages below docs/man.
MANUAL_TYPED_BY = {
    "castgate-keys.1": "test_manual.py::test_keys_examples",
    "castgate-member.1": "test_manual.py::test_member_examples",
    "castgate-plugin.3": "test_manual.py::test_plugin_examples",
    "castgate.8": "test_manual.py::test_gateway_examples",
    "castgate.json.5": "test_manual.py::test_settings_examples",
    "castgatectl.1": "test_manual.py::test_ctl_examples",
}

# What looks like a command and is not typed, by page and how the line begins.
SHOWN_ONLY = {
    ("README.md", "curl http://gateway/floor3/status  ──►"): "a picture",
    ("docs/coap.md", "$ aiocoap_client.py"): "aiocoap is fetched by tests/long/test_aiocoap.py, which runs it",
    ("docs/man/README.md", "build/castgate --schema"): "writes into the sources; test_manual.py holds that nothing would change",
}

COMMAND = re.compile(r"(\$ |(build/|\./)?(castgate[a-z-]*|curl|docker|sudo|cmake|systemctl|coap-client\S*) )")


def pages():
    """All that operators read, as names below the top folder."""
    found = [TOP / "README.md", *TOP.glob("docs/**/*.md"), *(TOP / folder / "README.md" for folder in ("conf", "docker", "packaging")),
             *TOP.glob("plugins/*/README.md"), *TOP.glob("examples/*/README.md")]
    return sorted(str(path.relative_to(TOP)) for path in found)


def commands(page):
    """The commands that a page has people type, each as it is given to the shell: a loop, a function or a file in place is one."""
    typed = displays(page) if page in MANUAL_TYPED_BY else blocks(page, "sh", "console")
    text = "".join(block.commands for block in typed)
    found, rest = [], ""
    for line in text.splitlines(keepends=True):
        rest += line
        if is_whole(rest):
            if not re.fullmatch(r"(\s*(#.*)?\n)*", rest):
                found.append(rest.rstrip())
            rest = ""
    assert rest == "", f"{page}: not whole: {rest}"
    return found


def is_whole(text):
    """Whether the shell waits for no more lines."""
    if text.endswith("\\\n"):
        return False
    said = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    return said.returncode == 0 and said.stderr == ""


def not_typed(page):
    """Lines in other blocks that look like commands."""
    return [line for block in blocks(page) if block.language not in ("sh", "console")
            for line in block.text.splitlines() if COMMAND.match(line)]


def main():
    total = 0
    for page, test in {**TYPED_BY, **MANUAL_TYPED_BY}.items():
        found = commands(page)
        total += len(found)
        print(f"{page}: {len(found)}, typed by {test}")
        for command in found:
            print("    " + command.replace("\n", "\n    "))
    for (page, word), test in TYPED_ELSEWHERE.items():
        print(f"{page}: blocks with {word}: typed by {test}")
    print(f"{total} commands on {len(TYPED_BY) + len(MANUAL_TYPED_BY)} pages; shown only:")
    for (page, line), why in SHOWN_ONLY.items():
        print(f"    {page}: {line}: {why}")


if __name__ == "__main__":
    main()
