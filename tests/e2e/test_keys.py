"""castgate-keys as its users run it: who gets which file with what in it, and what happens to files that are there. R11, R13, R22, R54, R55."""

import json
import os
import stat
import subprocess
import time

import pytest

from conftest import BUILD


def run(*arguments, status=0):
    done = subprocess.run([BUILD / "castgate-keys", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return done


def load(folder):
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def keys(tmp_path):
    run("new", tmp_path / "keys", "--members", 3, "--name", "floor3", "--addresses", "127.1.0.1:5683")
    return tmp_path / "keys"


def holders(folder, secret):
    return {path.name for path in folder.iterdir() if secret in path.read_text()}


ALL = {"group.json", "gateway.json", "checker.json", "member-11.json", "member-12.json", "member-13.json"}


def test_files_and_modes(keys):
    assert set(load(keys)) == ALL
    assert mode(keys) == 0o700
    assert {mode(path) for path in keys.iterdir()} == {0o600}


def test_modes_do_not_depend_on_the_umask(tmp_path):
    for umask in (0, 0o277):
        folder = tmp_path / f"keys-{umask}"
        done = subprocess.run([BUILD / "castgate-keys", "new", folder, "--members", "1"], umask=umask, timeout=60)
        if done.returncode == 0:
            assert {mode(path) for path in folder.iterdir()} == {0o600}
        else:
            assert not folder.exists()


def test_everybody_has_what_he_needs_and_nothing_else(keys):
    files = load(keys)
    group = files["group.json"]
    assert holders(keys, group["group_manager"]["private_key"]) == {"group.json"}
    assert holders(keys, group["gateway"]["private_key"]) == {"group.json", "gateway.json"}
    assert [member["sender_id"] for member in group["members"]] == ["11", "12", "13"]
    for member in group["members"]:
        own = f"member-{member['sender_id']}.json"
        assert holders(keys, member["private_key"]) == {"group.json", own}
        assert files[own]["self"]["sender_id"] == member["sender_id"]
        assert set(files[own]["peers"]) == {"c1", "11", "12", "13"} - {member["sender_id"]}
        assert holders(keys, member["cred"]) == ALL
    assert files["gateway.json"]["self"]["sender_id"] == "c1"
    assert files["gateway.json"]["peers"]["12"] == {
        "cred": group["members"][1]["cred"], "name": "floor3-12", "address": "127.1.0.2:5683"}


def test_a_checker_knows_no_secret_but_one(keys):
    checker = json.loads((keys / "checker.json").read_text())
    common = json.loads((keys / "group.json").read_text())["common"]
    assert set(checker) == {"common", "peers"}
    assert "master_secret" not in checker["common"] and "master_salt" not in checker["common"]
    assert holders(keys, common["master_secret"]) == ALL - {"checker.json"}
    assert holders(keys, common["master_salt"]) == ALL - {"checker.json"}
    assert len(checker["common"]["signature_encryption_key"]) == 32
    assert holders(keys, checker["common"]["signature_encryption_key"]) == {"checker.json"}


@pytest.mark.parametrize("options, curve, absent", [
    ([], "Ed25519", None),
    (["--alg-signature", "-7"], "P-256", None),
    (["--hkdf", "sha512", "--alg-group-enc", "24"], "Ed25519", None),
    (["--no-pairwise"], "Ed25519", "alg_aead"),
    (["--no-group-mode"], "X25519", "alg_group_enc"),
])
def test_kinds_of_groups_R13(tmp_path, options, curve, absent):
    run("new", tmp_path / "keys", "--members", 1, *options)
    files = load(tmp_path / "keys")
    common, cred = files["gateway.json"]["common"], files["gateway.json"]["self"]["cred"]
    key = {"Ed25519": "a401010327200621", "P-256": "a50102032620012158", "X25519": "a4010103381a200421"}[curve]
    if "sha512" in options:
        assert common["alg_pairwise_key_agreement"] == -28
    assert cred.startswith("a108a101" + key)
    if absent:
        assert common[absent] is None
    assert ("checker.json" in files) == (common["alg_group_enc"] is not None)
    run("add", tmp_path / "keys")


def test_what_cannot_work_makes_nothing(tmp_path):
    for options in (["--alg-group-enc", "99"], ["--alg-signature", "-35"], ["--alg-pairwise", "-28"],
                    ["--alg-aead", "-65534"], ["--alg-group-enc", "-65531"], ["--name", "Floor 3"]):
        done = run("new", tmp_path / "keys", "--members", 1, *options, status=1)
        assert done.stderr.startswith("castgate-keys: ") and done.stdout == ""
        assert list(tmp_path.iterdir()) == []
    run("new", tmp_path / "keys", "--members", 0, status=2)
    run("new", tmp_path / "keys", status=2)


def test_nothing_is_overwritten(keys):
    before = snapshot(keys)
    assert "nothing is overwritten" in run("new", keys, "--members", 1, status=1).stderr
    assert snapshot(keys) == before
    assert list(keys.parent.iterdir()) == [keys]


def next_names(names):
    return {name.replace(".json", ".next.json") for name in names}


def current(folder):
    return {name: data for name, data in snapshot(folder).items() if ".next." not in name}


def test_joining_R54(keys):
    before, bytes_before = load(keys), snapshot(keys)
    done = run("add", keys, "--name", "lamp", "--addresses", "127.1.0.9")
    assert "new: member-14.next.json" in done.stdout and "prepared" in done.stdout
    assert current(keys) == bytes_before
    run("finish", keys)
    files = load(keys)
    assert set(files) == ALL | {"member-14.json"}
    old, new = before["group.json"], files["group.json"]
    assert new["members"][:3] == old["members"] and new["gateway"] == old["gateway"]
    joined = new["members"][3]
    assert (joined["sender_id"], joined["name"], joined["address"]) == ("14", "lamp-14", "127.1.0.9:5683")
    for name, file in files.items():
        if name not in ("group.json", "member-14.json"):
            assert "14" in file["peers"]
    # What protected the messages of before is in no file any more.
    assert holders(keys, old["common"]["master_secret"]) == set()
    assert {file["common"]["gid"] for file in files.values()} == {new["common"]["gid"]}
    assert new["common"]["gid"] == old["common"]["gid"][:8] + "0001"


def test_joining_without_rekey_is_said(keys):
    before = load(keys)["group.json"]["common"]
    assert "can read everything" in run("add", keys, "--no-rekey", "--members", 2).stdout
    after = load(keys)
    assert after["group.json"]["common"] == before
    assert set(after) == ALL | {"member-14.json", "member-15.json"}


def test_evicting_R55(keys):
    before, bytes_before = load(keys), snapshot(keys)
    done = run("rekey", keys, "--evict", 11, 13)
    assert "without: 11" in done.stdout and "castgate-keys claim" in done.stdout and "castgate-keys finish" in done.stdout
    assert current(keys) == bytes_before
    assert set(load(keys)) == ALL | next_names(ALL - {"member-11.json", "member-13.json"})
    assert {mode(path) for path in keys.iterdir()} == {0o600}
    prepared = snapshot(keys)
    assert "in use: Gid" in run("finish", keys).stdout
    files = load(keys)
    assert set(files) == ALL - {"member-11.json", "member-13.json"}
    assert snapshot(keys) == {name.replace(".next.", "."): data for name, data in prepared.items() if ".next." in name}
    secret = files["group.json"]["common"]["master_secret"]
    for evicted in (before["member-11.json"], before["member-13.json"]):
        assert holders(keys, evicted["self"]["cred"]) == set()
        assert secret not in json.dumps(evicted)
    assert files["member-12.json"]["self"] == before["member-12.json"]["self"]


def test_finishing_twice_does_nothing_more(keys):
    run("rekey", keys)
    run("finish", keys)
    after = snapshot(keys)
    assert "nothing to do" in run("finish", keys).stdout
    assert snapshot(keys) == after


def test_a_prepared_rekey_is_given_up_on_purpose_only(keys):
    """Somebody may have its keys by now: a second rekey does not take their place unasked, and never with their Gid."""
    run("add", keys)
    before = snapshot(keys)
    for command in (["rekey", keys], ["add", keys], ["add", keys, "--no-rekey"]):
        done = run(*command, status=1)
        assert "castgate-keys finish" in done.stderr and "--replace" in done.stderr
        assert snapshot(keys) == before
    gid = json.loads((keys / "group.next.json").read_text())["common"]["gid"]
    run("rekey", keys, "--evict", "12", "--replace")
    files = load(keys)
    assert set(files) == ALL | next_names(ALL - {"member-12.json"})
    assert current(keys) == {name: data for name, data in before.items() if ".next." not in name}
    other = files["group.next.json"]["common"]["gid"]
    assert gid.endswith("0001") and other.endswith("0002")


def test_a_full_disk_leaves_what_was_there(tmp_path):
    """At any point: nothing changes, and the same command works once there is room again."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", disk], check=True)
    try:
        keys = disk / "keys"
        run("new", keys, "--members", 3)
        before = snapshot(keys)
        for command in (["rekey", keys, "--evict", 12], ["finish", keys]):
            before = snapshot(keys)
            for room in (0, 1, 2, 3, 4):
                free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
                (disk / "filler").write_bytes(bytes(free - room * 4096))
                assert "No space left" in run(*command, status=1).stderr
                assert snapshot(keys) == before
                (disk / "filler").unlink()
            run(*command)
        assert set(load(keys)) == ALL - {"member-12.json"}
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_refused_changes_change_nothing(keys):
    before = snapshot(keys)
    assert "is the gateway" in run("rekey", keys, "--evict", "c1", status=1).stderr
    assert "no member's Sender ID" in run("rekey", keys, "--evict", 12, 99, status=1).stderr
    assert "a name is" in run("add", keys, "--name", "A B", status=1).stderr
    assert "is the same address" in run("add", keys, "--addresses", "127.1.0.2", status=1).stderr
    assert snapshot(keys) == before


def test_a_readable_or_damaged_group_file_is_refused(keys):
    path = keys / "group.json"
    path.chmod(0o640)
    assert "is open to its group or to others" in run("rekey", keys, status=1).stderr
    path.chmod(0o600)
    group = json.loads(path.read_text())
    secret = group["members"][0]["private_key"]
    group["members"][0]["private_key"] = group["members"][1]["private_key"]
    path.write_text(json.dumps(group))
    before = snapshot(keys)
    done = run("rekey", keys, status=1)
    assert "/members/0/private_key: is not the private key of" in done.stderr
    path.write_text(path.read_text()[:-40])
    done = run("rekey", keys, status=1)
    assert secret[:8] not in done.stderr and group["members"][1]["private_key"][:8] not in done.stderr
    assert {name: text for name, text in snapshot(keys).items() if name != "group.json"} == \
        {name: text for name, text in before.items() if name != "group.json"}


def test_two_at_once_do_not_mix(keys):
    runs = [subprocess.Popen([BUILD / "castgate-keys", "rekey", keys, "--replace"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE) for _ in range(4)]
    errors = [r.communicate(timeout=120)[1] for r in runs]
    assert any(r.returncode == 0 for r in runs)
    assert all(r.returncode == 0 or b"is being changed by another" in error for r, error in zip(runs, errors))
    assert_whole(keys)


def kill_after(seconds, *arguments):
    change = subprocess.Popen([BUILD / "castgate-keys", *map(str, arguments)], stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    change.kill()
    change.wait()


def assert_whole(folder):
    """Either epoch has all of its files, and they are of one Gid."""
    files = load(folder)
    assert not any(name.startswith(".") for name in files)
    for ending in (".json", ".next.json"):
        epoch = {name: file for name, file in files.items() if (".next." in name) == (ending == ".next.json")}
        if not epoch:
            continue
        group = epoch["group" + ending]
        parties = ["group", "gateway", "checker", *(f"member-{member['sender_id']}" for member in group["members"])]
        assert set(epoch) == {party + ending for party in parties}
        assert {file["common"]["gid"] for file in epoch.values()} == {group["common"]["gid"]}


def test_a_killed_change_is_old_or_new(tmp_path):
    keys = tmp_path / "keys"
    run("new", keys, "--members", 100)
    for i in range(8):
        before = snapshot(keys)
        kill_after(0.01 * i, "rekey", keys, "--evict", f"{0x11 + i:02x}", "--replace")
        run("finish", keys)  # completes it, or takes it back, or goes on where it was complete
        assert_whole(keys)
        if snapshot(keys) == before or (keys / "group.next.json").exists():
            continue
        assert not (keys / f"member-{0x11 + i:02x}.json").exists()


def test_a_killed_finish_is_repeated(tmp_path):
    keys = tmp_path / "keys"
    run("new", keys, "--members", 100)
    for i in range(8):
        run("rekey", keys)
        gid = json.loads((keys / "group.next.json").read_text())["common"]["gid"]
        kill_after(0.01 * i, "finish", keys)
        run("finish", keys)
        assert_whole(keys)
        assert json.loads((keys / "group.json").read_text())["common"]["gid"] == gid
        assert not (keys / "group.next.json").exists()


def test_large_groups_know_the_gateway_only(tmp_path):
    done = run("new", tmp_path / "keys", "--members", 300)
    assert "--member-peers all" in done.stdout
    files = load(tmp_path / "keys")
    assert set(files["member-11.json"]["peers"]) == {"c1"}
    assert len(files["gateway.json"]["peers"]) == 300


def test_several_groups_R22(tmp_path):
    for name in ("a", "b", "c"):
        run("new", tmp_path / name, "--members", 1)
    commons = [json.loads((tmp_path / name / "gateway.json").read_text())["common"] for name in ("a", "b", "c")]
    for key in ("gid", "master_secret", "master_salt", "gm_cred"):
        assert len({common[key] for common in commons}) == 3


def state_folder(tmp_path):
    """A state folder whose settings name no keys."""
    settings = tmp_path / "castgate.json"
    settings.write_text(json.dumps({"state": str(tmp_path / "state")}))
    subprocess.run([BUILD / "castgate", "-c", settings, "--init-state"], check=True, timeout=60, stdout=subprocess.DEVNULL)
    return tmp_path / "state"


def test_claiming(keys, tmp_path):
    state = state_folder(tmp_path)
    done = run("claim", keys / "gateway.json", "--state", state)
    assert "claimed" in done.stdout and "has never sent" in done.stdout
    run("claim", keys / "gateway.json", "--state", state)  # a claim is no reset, so it may be repeated
    run("claim", keys / "member-11.json", "--state", state)
    assert "wanted is a member's file" in run("claim", keys / "group.json", "--state", state, status=1).stderr
    assert "wanted is a member's file" in run("claim", keys / "checker.json", "--state", state, status=1).stderr
    assert run("claim", keys / "gateway.json", "--state", tmp_path / "nowhere", status=1).stderr
    os.chmod(keys / "gateway.json", 0o644)
    assert "is open to" in run("claim", keys / "gateway.json", "--state", state, status=1).stderr
    run("claim", keys / "gateway.json", "--state", state, "--shared")


def test_a_clients_context(tmp_path):
    """The same for both, but for whose Sender ID is which; what is there is never overwritten."""
    run("client", tmp_path / "d")
    assert (mode(tmp_path / "d"), {mode(path) for path in (tmp_path / "d").iterdir()}) == (0o700, {0o600})
    files = load(tmp_path / "d")
    gateway, client = files["gateway.json"], files["client.json"]
    assert set(files) == {"gateway.json", "client.json"}
    assert (gateway["sender_id"], gateway["recipient_id"]) == (client["recipient_id"], client["sender_id"])
    assert len(bytes.fromhex(client["sender_id"])) == 4 and client["recipient_id"] == "c1"
    for key in "master_secret", "master_salt", "alg_aead", "hkdf":
        assert gateway[key] == client[key]
    before = snapshot(tmp_path / "d")
    assert "nothing is overwritten" in run("client", tmp_path / "d", status=1).stderr and snapshot(tmp_path / "d") == before
    run("client", tmp_path / "e")
    assert load(tmp_path / "e")["client.json"]["sender_id"] != client["sender_id"]


@pytest.mark.parametrize("options,says", [
    (["--id", "c1"], "Sender ID"), (["--id", "0102030405060708"], "0 to 7 bytes"), (["--id", "x"], "0 to 7 bytes"), (["--alg-aead", "12", "--id", "0102"], "nonce"),
    (["--alg-aead", "77"], "AEAD"),
])
def test_a_clients_context_that_cannot_be(tmp_path, options, says):
    assert says.lower() in run("client", tmp_path / "d", *options, status=1).stderr.lower()
    assert not (tmp_path / "d").exists()
