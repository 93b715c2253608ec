"""castgate as a service: what conf/README.md has an operator type, over copies of /usr, /etc and /var/lib that nobody else sees. There
is no systemd to talk to; systemctl is one that does what the installed unit says."""

import os
import re
import subprocess

import pytest

from conftest import BUILD, TOP, in_namespace
from documents import Reader, blocks

# Everything writable is a copy in memory; devices are those that every user may use.
ENTER = """
mount --make-rprivate / && mount -t tmpfs none "$LAYERS"
for folder in usr etc var/lib; do
    mkdir -p "$LAYERS/$folder/upper" "$LAYERS/$folder/work"
    mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$LAYERS/$folder/upper,workdir=$LAYERS/$folder/work" "/$folder"
done
mount -t tmpfs -o mode=755 none /dev
mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && mknod -m 666 /dev/random c 1 8
"""

SUDO = """#!/bin/bash
if [ "$1" = -u ]; then user=$2 && shift 2 && exec setpriv --reuid "$user" --regid "$user" --clear-groups --bounding-set=-all "$@"; fi
exec "$@"
"""

SYSTEMCTL = """#!/bin/bash -e
[ "$*" = daemon-reload ] && exit
[ "$*" = 'enable --now castgate' ]
says() { sed -n "s/^$1=//p" /usr/lib/systemd/system/castgate.service; }
umask "$(says UMask)"
sudo -u "$(says User)" $(says ExecStart) &
"""


@pytest.fixture
def operator(tmp_path):
    (tmp_path / "layers").mkdir()
    reader = Reader(tmp_path, LAYERS=str(tmp_path / "layers"))
    for name, text in (("sudo", SUDO), ("systemctl", SYSTEMCTL)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return reader


@pytest.mark.skipif(os.geteuid() != 0, reason="needs mounts")
@in_namespace
def test_service(operator):
    """Installed, keys made, started by its unit: three members answer, and nobody else can read the keys."""
    commands = "".join(block.commands for block in blocks("conf/README.md", "sh"))
    ran = operator.type(f"""unshare -m bash -e <<'END'
{ENTER}
{commands}
castgate-member --keys /var/lib/castgate/keys/group.json --numbers "$LAYERS/numbers" --count 3 &
curl -sS --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/floor3/status
stat -c 'keys: %a %U' /var/lib/castgate/keys/gateway.json
sudo -u castgate castgate --status
END""", TOP)
    assert ran.status == 0, ran.output
    assert ran.output.count("Castgate-Member: ") == 3, ran.output
    assert "keys: 600 castgate" in ran.output and '"ready":true' in ran.output


def test_mistakes_in_the_settings_do_not_start_it_again_and_again(tmp_path):
    (tmp_path / "castgate.json").write_text("{")
    done = subprocess.run([BUILD / "castgate", "-c", tmp_path / "castgate.json"], capture_output=True, timeout=60)
    assert f"RestartPreventExitStatus={done.returncode}\n" in (TOP / "conf/castgate.service.in").read_text()


def test_unit_says_where_all_is():
    """What the page calls the settings and the state is what the unit uses."""
    unit = (TOP / "conf/castgate.service.in").read_text()
    page = (TOP / "conf/README.md").read_text()
    assert set(re.findall(r"-c (\S+)", unit)) == {"/etc/castgate/castgate.json"} and "`/etc/castgate/castgate.json`" in page
    assert "StateDirectory=castgate\n" in unit and "`/var/lib/castgate`" in page
