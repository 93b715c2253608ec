#!/usr/bin/env python3
"""What an installation is made of, as SPDX 2.3 in JSON: the files that were installed, the libraries that their programs are linked with, and by
those in turn, the page's vendored files, and headers that became a part of the programs. Nothing is listed by hand that can be asked for: ldd
and readelf say what is linked, dpkg-query which package it is from. `cmake --install` calls it last:

    sbom.py --source TOP --version 0.1.0 --header /usr/include/uthash.h --output /usr/share/doc/castgate/castgate.spdx.json LIST

LIST has the installed files, one a line, as they will be found; until then, as --output, they are below $DESTDIR. The same build gives
the same bytes: the time is SOURCE_DATE_EPOCH, and the document's name a digest of what is in it."""

import argparse
import hashlib
import json
import os
import re
import subprocess
import time
import urllib.parse
import uuid
from pathlib import Path

LICENCE = "BSD-2-Clause"
# Of what castgate itself uses, by the name of Debian's source package; of everything else /usr/share/doc/PACKAGE/copyright tells.
LICENCES = {
    "curl": "curl", "glibc": "LGPL-2.1-or-later", "gnutls28": "LGPL-2.1-or-later", "jansson": "MIT", "libcbor": "MIT",
    "libmicrohttpd": "LGPL-2.1-or-later", "libsodium": "ISC", "libuv1": "MIT", "openssl": "Apache-2.0", "sqlite3": "blessing",
    "uthash": "BSD-1-Clause",
}
UNKNOWN = "NOASSERTION"


def output_of(*command):
    """What it prints, whatever its status: of several things that were asked for it may not know one."""
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, check=False).stdout


def spdx_id(kind, name):
    return f"SPDXRef-{kind}-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def digest(algorithm, data):
    return hashlib.new(algorithm, data).hexdigest()


def is_elf(path):
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def purl_reference(purl):
    return {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}


class Linked:
    """What programs are linked with: needed[file] are the libraries that it names itself, by their paths."""

    def __init__(self, programs):
        said = output_of("ldd", *programs) if programs else ""
        where = dict(re.findall(r"^\s*(\S+) => (/\S+) ", said, re.M))
        where.update({os.path.basename(path): path for path in re.findall(r"^\s*(/\S+) \(0x", said, re.M)})
        self.needed, self.libraries = {}, sorted(set(where.values()))
        said = output_of("readelf", "--wide", "--dynamic", *programs, *self.libraries) if programs else ""
        for part in re.split(r"^File: ", said, flags=re.M)[1:]:
            file, names = part.splitlines()[0], re.findall(r"\(NEEDED\)\s+Shared library: \[(.*)\]", part)
            lost = [name for name in names if name not in where]
            if lost:
                raise SystemExit(f"sbom.py: {file} needs {', '.join(lost)}, which ldd does not find")
            self.needed[file] = sorted({where[name] for name in names})


class Debian:
    """Which packages files are from."""

    def __init__(self, files):
        # What is in /lib today may be registered in /usr/lib, and the other way round.
        spellings = {name: path for path in files for name in (path, "/usr" + path, path.removeprefix("/usr"))}
        self.package_of = {}
        for package, path in re.findall(r"^(\S+): (/.*)$", output_of("dpkg-query", "--search", *spellings), re.M):
            self.package_of.setdefault(spellings[path], package)
        fields = "${binary:Package}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${Homepage}\n"
        rows = output_of("dpkg-query", "--show", f"--showformat={fields}", *sorted(set(self.package_of.values()))).splitlines()
        self.packages = {row.split("\t")[0]: row.split("\t")[1:] for row in rows} if self.package_of else {}

    def describe(self, path):
        """The package that this file is from, as SPDX has it; the file alone where no package has it."""
        owner = self.package_of.get(path)
        if owner not in self.packages:
            return {"name": os.path.basename(path), "SPDXID": spdx_id("Package", os.path.basename(path)),
                    "versionInfo": UNKNOWN, "licenseDeclared": UNKNOWN}
        name, version, architecture, source, source_version, home = self.packages[owner]
        purl = f"pkg:deb/debian/{name}@{urllib.parse.quote(version, safe='~')}?arch={architecture}"
        package = {"name": name, "SPDXID": spdx_id("Package", name), "versionInfo": version,
                   "licenseDeclared": LICENCES.get(source, UNKNOWN), "licenseComments": f"/usr/share/doc/{name}/copyright",
                   "sourceInfo": f"Debian's source package {source} {source_version}", "supplier": "Organization: Debian",
                   "externalRefs": [purl_reference(purl)]}
        return {**package, "homepage": home} if home else package


def library_package(described):
    return {"downloadLocation": UNKNOWN, "filesAnalyzed": False, "licenseConcluded": UNKNOWN, "copyrightText": UNKNOWN,
            "primaryPackagePurpose": "LIBRARY", **described}


def vendored_packages(vendor):
    for row in json.loads((vendor / "vendor.json").read_text()):
        data = (vendor / row["file"]).read_bytes()
        if digest("sha256", data) != row["sha256"]:
            raise SystemExit(f"sbom.py: {vendor / row['file']} is not what vendor.json says")
        texts = "\n".join((vendor / name).read_text() for name in row["licence_files"])
        yield {"name": row["name"], "SPDXID": spdx_id("Package", "vendor-" + row["file"]), "versionInfo": row["version"],
               "downloadLocation": row["source"], "filesAnalyzed": False, "licenseConcluded": row["licence"],
               "licenseDeclared": row["licence"], "primaryPackagePurpose": "LIBRARY",
               "copyrightText": "\n".join(re.findall(r"^ *(Copyright .*\d{4}.*)$", texts, re.M)) or UNKNOWN,
               "checksums": [{"algorithm": "SHA256", "checksumValue": row["sha256"]}],
               "externalRefs": [purl_reference(f"pkg:npm/{row['name'].split()[0]}@{row['version']}")]}


def file_entry(name, data, is_program):
    return {"fileName": "." + name, "SPDXID": spdx_id("File", name), "fileTypes": ["BINARY" if is_program else "TEXT"],
            "checksums": [{"algorithm": kind.upper(), "checksumValue": digest(kind, data)} for kind in ("sha1", "sha256")],
            "licenseConcluded": LICENCE, "licenseInfoInFiles": [UNKNOWN], "copyrightText": UNKNOWN}


class Document:
    def __init__(self, version):
        self.version = version
        self.packages, self.files, self.relationships = {}, [], set()

    def relate(self, one, kind, other):
        self.relationships.add((one, kind, other))

    def add_package(self, package):
        self.packages[package["SPDXID"]] = package
        return package["SPDXID"]

    def as_json(self, created):
        rows = [dict(zip(("spdxElementId", "relationshipType", "relatedSpdxElement"), row)) for row in sorted(self.relationships)]
        body = {"packages": [self.packages[key] for key in sorted(self.packages)], "files": self.files, "relationships": rows}
        name = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps([created, body], sort_keys=True))
        head = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"castgate-{self.version}",
                "documentNamespace": f"urn:uuid:{name}",
                "creationInfo": {"created": created, "creators": [f"Tool: castgate-sbom-{self.version}"]}}
        return json.dumps({**head, **body}, indent=1, ensure_ascii=False) + "\n"


def own_package(version, files, excluded, copyright_text):
    sums = "".join(sorted(entry["checksums"][0]["checksumValue"] for entry in files))
    code = {"packageVerificationCodeValue": digest("sha1", sums.encode()), "packageVerificationCodeExcludedFiles": ["." + excluded]}
    return {"name": "castgate", "SPDXID": "SPDXRef-Package-castgate", "versionInfo": version, "downloadLocation": UNKNOWN,
            "filesAnalyzed": True, "packageVerificationCode": code, "licenseConcluded": LICENCE, "licenseDeclared": LICENCE,
            "licenseInfoFromFiles": [UNKNOWN], "copyrightText": copyright_text, "primaryPackagePurpose": "APPLICATION"}


def add_files(document, source, excluded, names, paths, programs):
    document.files = [file_entry(name, paths[name].read_bytes(), name in programs.values()) for name in names]
    copyright_text = re.search(r"^Copyright .*$", (source / "LICENSE").read_text(), re.M)[0]
    castgate = document.add_package(own_package(document.version, document.files, excluded, copyright_text))
    document.relate("SPDXRef-DOCUMENT", "DESCRIBES", castgate)
    for name in names:
        document.relate(castgate, "CONTAINS", spdx_id("File", name))
    return castgate


def add_libraries(document, debian, linked, programs):
    package_of = {path: document.add_package(library_package(debian.describe(path))) for path in linked.libraries}
    for path, needed in linked.needed.items():
        for package in {package_of[library] for library in needed}:
            if path in programs:
                document.relate(spdx_id("File", programs[path]), "DYNAMIC_LINK", package)
            elif package != package_of[path]:
                document.relate(package_of[path], "DEPENDS_ON", package)


def make(options):
    root = Path(os.environ.get("DESTDIR") or "/")
    listed = set(Path(options.list).read_text().splitlines()) - {"", options.output}
    paths = {name: root / name.lstrip("/") for name in listed}
    names = sorted(name for name in listed if not paths[name].is_symlink())
    programs = {str(paths[name]): name for name in names if is_elf(paths[name])}
    linked = Linked(programs)
    debian = Debian([*linked.libraries, *options.header])

    document = Document(options.version)
    castgate = add_files(document, options.source, options.output, names, paths, programs)
    for package in vendored_packages(options.source / "web/vendor"):
        document.relate(castgate, "CONTAINS", document.add_package(package))
    for header in options.header:
        document.relate(castgate, "STATIC_LINK", document.add_package(library_package(debian.describe(header))))
    add_libraries(document, debian, linked, programs)

    created = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH") or time.time()))
    output = root / options.output.lstrip("/")
    output.write_text(document.as_json(time.strftime("%Y-%m-%dT%H:%M:%SZ", created)))
    output.chmod(0o644)  # as what cmake installs, whatever the umask


def main():
    parser = argparse.ArgumentParser(description="The parts of an installation, as SPDX 2.3.")
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--header", action="append", default=[], help="of a library that is nothing but headers")
    parser.add_argument("--output", required=True, help="below $DESTDIR, as the files in LIST are")
    parser.add_argument("list")
    make(parser.parse_args())


if __name__ == "__main__":
    main()
