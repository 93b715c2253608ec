"""The list of what an installation is made of (castgate.spdx.json): valid as SPDX 2.3, complete, true of the files, and made again the same."""

import hashlib
import json
import os
import re
import subprocess
from collections import Counter

import pytest

from conftest import BUILD
from test_install import install

DOCUMENT = "usr/share/doc/castgate/castgate.spdx.json"
SPDX_ID = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")
# What SPDX 2.3 makes mandatory (its clauses 6 to 8 and 11), and what castgate needs of its relationship types.
DOCUMENT_FIELDS = {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"}
PACKAGE_FIELDS = {"name", "SPDXID", "downloadLocation"}
FILE_FIELDS = {"fileName", "SPDXID", "checksums"}
RELATIONSHIPS = {"DESCRIBES", "CONTAINS", "DYNAMIC_LINK", "STATIC_LINK", "DEPENDS_ON"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1764403200")
        install("/usr", root)
    return root


@pytest.fixture(scope="module")
def document(installed):
    return json.loads((installed / DOCUMENT).read_text())


def related(document, kind):
    """{identifier: identifiers that it has this relation to}"""
    found = {}
    for row in document["relationships"]:
        if row["relationshipType"] == kind:
            found.setdefault(row["spdxElementId"], set()).add(row["relatedSpdxElement"])
    return found


def needed(path):
    text = subprocess.run(["readelf", "--dynamic", path], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))


def owners_of(libraries):
    """The package that has each. Which of the two folders it is registered in, differs; they are one."""
    folder = subprocess.run(["gcc", "-print-multiarch"], check=True, capture_output=True, text=True).stdout.strip()
    places = [f"{lib}/{folder}/{library}" for lib in ("/lib", "/usr/lib") for library in libraries]
    found = subprocess.run(["dpkg-query", "--search", *places], capture_output=True, text=True).stdout
    return {os.path.basename(path): package for package, path in re.findall(r"^(\S+?):\S* (/\S+)$", found, re.M)}


def version_of(package):
    command = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_field_that_spdx_requires_is_there(document):
    assert DOCUMENT_FIELDS <= document.keys() and document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0"
    assert document["creationInfo"]["created"] == "2025-11-29T08:00:00Z" and document["creationInfo"]["creators"]
    assert re.fullmatch(r"[a-z]+:[^#\s]+", document["documentNamespace"])
    for package in document["packages"]:
        assert PACKAGE_FIELDS <= package.keys() and package["filesAnalyzed"] == ("packageVerificationCode" in package)
    for file in document["files"]:
        assert FILE_FIELDS <= file.keys() and file["fileName"].startswith("./")
        assert "SHA1" in {sum["algorithm"] for sum in file["checksums"]}


def test_identifiers_are_unique_and_relations_lead_somewhere(document):
    count = Counter([document["SPDXID"], *(one["SPDXID"] for one in document["packages"] + document["files"])])
    assert max(count.values()) == 1 and all(SPDX_ID.fullmatch(identifier) for identifier in count)
    ends = {row[end] for row in document["relationships"] for end in ("spdxElementId", "relatedSpdxElement")}
    assert ends == set(count), "each element is related to some other"
    assert {row["relationshipType"] for row in document["relationships"]} <= RELATIONSHIPS
    assert related(document, "DESCRIBES") == {"SPDXRef-DOCUMENT": {"SPDXRef-Package-castgate"}}


def test_every_installed_file_is_in_it_as_it_is(installed, document):
    there = {"./" + str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert there - {"./" + DOCUMENT} == {file["fileName"] for file in document["files"]}
    sums = []
    for file in document["files"]:
        data = (installed / file["fileName"]).read_bytes()
        for sum in file["checksums"]:
            assert hashlib.new(sum["algorithm"], data).hexdigest() == sum["checksumValue"], file["fileName"]
        sums.append(hashlib.sha1(data).hexdigest())
    (castgate,) = (package for package in document["packages"] if package["name"] == "castgate")
    code = castgate["packageVerificationCode"]
    assert code["packageVerificationCodeValue"] == hashlib.sha1("".join(sorted(sums)).encode()).hexdigest()
    assert code["packageVerificationCodeExcludedFiles"] == ["./" + DOCUMENT]


def test_every_linked_library_is_in_it(installed, document):
    """By the package that dpkg says it is from, with the version that is installed."""
    names = {package["SPDXID"]: package for package in document["packages"]}
    linked = related(document, "DYNAMIC_LINK")
    programs = {file["fileName"]: file["SPDXID"] for file in document["files"] if "/bin/" in file["fileName"]}
    assert {os.path.basename(name) for name in programs} >= {"castgate", "castgate-keys", "castgate-member", "castgatectl"}
    libraries = {program: needed(installed / program) for program in programs}
    owners = owners_of(set.union(*libraries.values()))
    for program, identifier in programs.items():
        assert {names[one]["name"] for one in linked[identifier]} == {owners[library] for library in libraries[program]}, program
    for package in (names[one] for one in set.union(*linked.values())):
        assert package["versionInfo"] == version_of(package["name"])


def test_what_castgate_uses_has_its_licence(document):
    """Whoever links something new says in scripts/sbom.py under which licence it is. The sanitizers are in no release."""
    direct = set.union(*related(document, "DYNAMIC_LINK").values(), *related(document, "STATIC_LINK").values())
    unknown = [package["name"] for package in document["packages"]
               if package["SPDXID"] in direct and package["licenseDeclared"] == "NOASSERTION"]
    assert [name for name in unknown if not re.match(r"lib(a|ub)san|libgcc", name)] == []


def test_what_is_built_in_is_in_it(installed, document):
    contained = related(document, "CONTAINS")["SPDXRef-Package-castgate"] | related(document, "STATIC_LINK")["SPDXRef-Package-castgate"]
    packages = {package["name"].split()[0]: package for package in document["packages"] if package["SPDXID"] in contained}
    assert packages.keys() == {"htm", "uthash-dev"}
    assert packages["htm"]["licenseDeclared"] == "Apache-2.0 AND MIT" and "Jason Miller" in packages["htm"]["copyrightText"]
    assert {path.name for path in (installed / "usr/share/doc/castgate").glob("LICENSE*")} == {"LICENSE", "LICENSE.htm", "LICENSE.preact"}


def test_the_same_installation_gives_the_same_bytes(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764403200")
    install("/usr", tmp_path)
    assert (tmp_path / DOCUMENT).read_bytes() == (installed / DOCUMENT).read_bytes()
