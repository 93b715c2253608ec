/* Who gets which of a group's keys. The hard thing: every file is put together from what its party may know, never by
 * taking away from everything, so that what is forgotten here is missing there and not leaked. */
#include "base/check.h"
#include "oscore/context.h"
#include "keys/document.h"
#include "keys/keyring.h"

#include <sodium.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const public_common[] = {
    "alg_aead", "alg_group_enc",        "alg_signature", "alg_pairwise_key_agreement",
    "hkdf",     "countersign_elements", "gid",           "gm_cred",
};
static const char *const member_secrets[] = {"master_secret", "master_salt"};
static const char *const own_keys[] = {"sender_id", "private_key", "cred", "name", "address", "multicast"};

static bool copy_all(json_t *object, const json_t *from, const char *const *keys, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!cg_keys_copy(object, from, keys[i])) return false;
    return true;
}

static bool put_member_common(json_t *file, const json_t *document) {
    json_t *common = json_object_get(document, "common"), *copied = json_object();
    return cg_keys_set(file, "common", copied) && copy_all(copied, common, public_common, COUNT(public_common)) &&
           copy_all(copied, common, member_secrets, COUNT(member_secrets));
}

static bool put_self(json_t *file, const json_t *party) {
    json_t *self = json_object();
    return cg_keys_set(file, "self", self) && copy_all(self, party, own_keys, COUNT(own_keys));
}

/* Under its Sender ID the credential alone or, `described`, with what else is known of it. */
static bool put_peer(json_t *peers, const json_t *party, bool described) {
    static const char *const keys[] = {"cred", "name", "address", "multicast"};
    const char *id = cg_keys_text(party, "sender_id");
    if (!described) return json_object_set(peers, id, json_object_get(party, "cred")) == 0;
    json_t *peer = json_object();
    return cg_keys_set(peers, id, peer) && copy_all(peer, party, keys, COUNT(keys));
}

static bool put_members(json_t *peers, const json_t *document, const json_t *without, bool described) {
    size_t i;
    json_t *member;
    json_array_foreach(json_object_get(document, "members"), i,
                       member) if (member != without && !put_peer(peers, member, described)) return false;
    return true;
}

/* In the file; NULL: no memory. */
static json_t *put_object(json_t *file, const char *key) {
    json_t *object = json_object();
    return cg_keys_set(file, key, object) ? object : NULL;
}

static bool fill_gateway(json_t *file, const json_t *document) {
    if (!put_member_common(file, document) || !put_self(file, json_object_get(document, "gateway"))) return false;
    json_t *peers = put_object(file, "peers");
    return peers != NULL && put_members(peers, document, NULL, true);
}

static bool fill_member(json_t *file, const json_t *document, const json_t *member) {
    const char *whose = cg_keys_text(document, "member_peers");
    bool all = whose == NULL || strcmp(whose, "all") == 0;
    if (!put_member_common(file, document) || !put_self(file, member)) return false;
    json_t *peers = put_object(file, "peers");
    return peers != NULL && put_peer(peers, json_object_get(document, "gateway"), false) &&
           (!all || put_members(peers, document, member, false));
}

/* RFC 10021 §2.1.8. */
static json_t *signature_encryption_key(const json_t *common) {
    uint8_t secret[CG_OSCORE_SECRET_MAX], salt[CG_OSCORE_SECRET_MAX], gid[CG_OSCORE_ID_CONTEXT_MAX], info[CG_INFO_MAX];
    uint8_t key[CG_COSE_KEY_MAX];
    struct cg_slice ikm =
        cg_slice_of(secret, cg_keys_bytes(json_object_get(common, "master_secret"), secret, sizeof secret));
    struct cg_slice master_salt =
        cg_slice_of(salt, cg_keys_bytes(json_object_get(common, "master_salt"), salt, sizeof salt));
    struct cg_slice id_context = cg_slice_of(gid, cg_keys_bytes(json_object_get(common, "gid"), gid, sizeof gid));
    int alg = cg_keys_number(common, "alg_group_enc");
    size_t info_len = cg_info_key(info, CG_SLICE_NONE, &id_context, alg, "SEKey", cg_keys_key_len(alg));
    int err = cg_hkdf(cg_keys_hash(common), master_salt, ikm, cg_slice_of(info, info_len), key, cg_keys_key_len(alg));
    json_t *json = err == CG_OK ? cg_keys_hex(key, cg_keys_key_len(alg)) : NULL;
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(salt, sizeof salt);
    sodium_memzero(key, sizeof key);
    return json;
}

static bool fill_checker(json_t *file, const json_t *document) {
    json_t *common = json_object_get(document, "common"), *copied = put_object(file, "common"),
           *peers = put_object(file, "peers");
    return copied != NULL && peers != NULL && copy_all(copied, common, public_common, COUNT(public_common)) &&
           cg_keys_set(copied, "signature_encryption_key", signature_encryption_key(common)) &&
           put_peer(peers, json_object_get(document, "gateway"), false) && put_members(peers, document, NULL, false);
}

/* ---- The files ---- */

enum { GROUP, GATEWAY, MEMBERS };

static const char *const endings[] = {[CG_KEYRING_CURRENT] = ".json", [CG_KEYRING_NEXT] = ".next.json"};

static void put_name(char name[CG_KEYRING_NAME_MAX], const char *party, enum cg_keyring_epoch epoch) {
    (void)snprintf(name, CG_KEYRING_NAME_MAX, "%s%s", party, endings[epoch]);
}

void cg_keyring_member_file(const char *id, enum cg_keyring_epoch epoch, char name[CG_KEYRING_NAME_MAX]) {
    (void)snprintf(name, CG_KEYRING_NAME_MAX, "member-%.16s%s", id, endings[epoch]);
}

static size_t member_count(const json_t *document) { return json_array_size(json_object_get(document, "members")); }

static const json_t *nth_member(const json_t *document, size_t index) {
    return json_array_get(json_object_get(document, "members"), index - MEMBERS);
}

/* What is signed can be checked. */
static bool has_checker(const json_t *document) {
    const json_t *common = json_object_get(document, "common");
    return cg_keys_number(common, "alg_group_enc") != CG_COSE_NONE && cg_keys_curve(common) != CG_CURVE_X25519;
}

bool cg_keyring_file_name(const json_t *document, size_t index, enum cg_keyring_epoch epoch,
                          char name[CG_KEYRING_NAME_MAX]) {
    size_t checker = MEMBERS + member_count(document);
    if (index > checker || (index == checker && !has_checker(document))) return false;
    if (index == GROUP)
        put_name(name, "group", epoch);
    else if (index == GATEWAY)
        put_name(name, "gateway", epoch);
    else if (index == checker)
        put_name(name, "checker", epoch);
    else
        cg_keyring_member_file(cg_keys_text(nth_member(document, index), "sender_id"), epoch, name);
    return true;
}

static bool fill_file(json_t *file, const json_t *document, size_t index) {
    if (index == GATEWAY) return fill_gateway(file, document);
    if (index == MEMBERS + member_count(document)) return fill_checker(file, document);
    return fill_member(file, document, nth_member(document, index));
}

json_t *cg_keyring_file(json_t *document, size_t index) {
    if (index == GROUP) return json_incref(document);
    json_t *file = json_object();
    if (fill_file(file, document, index)) return file;
    json_decref(file);
    return NULL;
}
