/* A group's keys, and who gets which of them. The hard thing: every file is put together from what its party may know,
 * never by taking away from everything, so that what is forgotten here is missing there and not leaked. */
#include "tools/keys/keyring.h"

#include "base/check.h"
#include "base/text.h"
#include "oscore/context.h"
#include "oscore/derive.h"
#include "settings/secret.h"
#include "tools/keys/keypair.h"

#include <sodium.h>
#include <stdio.h>
#include <strings.h>

enum {
    GID_PREFIX_LEN = 4,
    GENERATION_LEN = 2,
    SALT_LEN = 8,
    HEX_BYTES_MAX = CG_CRED_MAX,
    ID_HEX_MAX = 2 * CG_OSCORE_ID_MAX + 1,
    KNOW_ALL_MAX = 256, /* members; 256 files with 256 credentials are 10 MB */
};

static const char gateway_id[] = "c1";

static int fail(char *error, const char *about, const char *sentence) {
    (void)snprintf(error, CG_KEYS_ERROR_MAX, "%.512s: %.256s", about, sentence);
    return CG_E_BAD_REQUEST;
}

/* --- JSON
 * ---------------------------------------------------------------------------------------------------------------- */

static json_t *hex_json(const uint8_t *bytes, size_t len) {
    char hex[2 * CG_KEYPAIR_CRED_MAX + 1];
    CG_CHECK(len <= CG_KEYPAIR_CRED_MAX);
    sodium_bin2hex(hex, sizeof hex, bytes, len);
    json_t *json = json_string(hex);
    sodium_memzero(hex, sizeof hex);
    return json;
}

static size_t hex_bytes(const json_t *json, uint8_t *to, size_t cap) {
    size_t len = 0;
    if (json == NULL) return 0;
    int err = cg_hex_parse(cg_slice_str(json_string_value(json)), to, cap, &len);
    CG_CHECK(err == CG_OK); /* the document is valid */
    return len;
}

/* Sets a key; json_object_set_new takes a value that could not be made as an error. */
static bool set(json_t *object, const char *key, json_t *value) { return json_object_set_new(object, key, value) == 0; }

/* Sets a key to what it is in another object; nothing when it is not there. */
static bool copy(json_t *object, const json_t *from, const char *key) {
    json_t *value = json_object_get(from, key);
    return value == NULL || json_object_set(object, key, value) == 0;
}

static bool copy_all(json_t *object, const json_t *from, const char *const *keys, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!copy(object, from, keys[i])) return false;
    return true;
}

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static int number_of(const json_t *object, const char *key) {
    return (int)json_integer_value(json_object_get(object, key)); /* null: 0, which is CG_COSE_NONE */
}

static json_t *algorithm_json(int alg) { return alg == CG_COSE_NONE ? json_null() : json_integer(alg); }

/* --- what is common
 * ------------------------------------------------------------------------------------------------------ */

static enum cg_hash hash_of(const json_t *common) {
    const char *hkdf = text_of(common, "hkdf");
    return hkdf != NULL && strcmp(hkdf, "sha512") == 0 ? CG_SHA512 : CG_SHA256;
}

static size_t key_len(int alg) {
    const struct cg_cose_cipher *cipher = alg == CG_COSE_NONE ? NULL : cg_cose_cipher(alg);
    return cipher == NULL ? 0 : cipher->key_len;
}

/* As many bytes as the longest key that is derived from it. */
static size_t secret_len(const json_t *common) {
    size_t aead = key_len(number_of(common, "alg_aead")), enc = key_len(number_of(common, "alg_group_enc"));
    size_t longest = aead > enc ? aead : enc;
    return longest < 16 ? 16 : longest;
}

static size_t id_max(const json_t *common) {
    const struct cg_oscore_params params = {
        .alg_aead = number_of(common, "alg_aead"),
        .alg_group_enc = number_of(common, "alg_group_enc"),
    };
    return cg_oscore_sender_id_max(&params);
}

static enum cg_cose_curve curve_of(const json_t *common) {
    int signature = number_of(common, "alg_signature");
    return signature == CG_COSE_NONE ? CG_CURVE_X25519 : cg_cose_signature_curve(signature);
}

/* The algorithm that credentials name (RFC 10021 §2.4). */
static int credential_alg(const json_t *common) {
    int signature = number_of(common, "alg_signature");
    return signature == CG_COSE_NONE ? number_of(common, "alg_pairwise_key_agreement") : signature;
}

static bool set_random(json_t *object, const char *key, size_t len) {
    uint8_t bytes[CG_COSE_KEY_MAX];
    CG_CHECK(len <= sizeof bytes);
    randombytes_buf(bytes, len);
    bool ok = set(object, key, hex_json(bytes, len));
    sodium_memzero(bytes, sizeof bytes);
    return ok;
}

static bool renew_secrets(json_t *common) {
    return set_random(common, "master_secret", secret_len(common)) && set_random(common, "master_salt", SALT_LEN);
}

/* A pair whose private key goes into `owner` and whose credential into `holder`. */
static int make_pair(const json_t *common, json_t *owner, json_t *holder, const char *cred_key) {
    struct cg_keypair pair;
    uint8_t cred[CG_KEYPAIR_CRED_MAX];
    int err = cg_keypair_new(&pair, curve_of(common));
    if (err == CG_OK) {
        size_t len = cg_keypair_cred(&pair, credential_alg(common), cred);
        bool ok = set(owner, "private_key", hex_json(pair.private_key, sizeof pair.private_key)) &&
                  set(holder, cred_key, hex_json(cred, len));
        err = ok ? CG_OK : CG_E_NO_MEMORY;
    }
    sodium_memzero(&pair, sizeof pair);
    return err;
}

static bool fill_common(json_t *common, const struct cg_keys_options *options) {
    uint8_t gid[GID_PREFIX_LEN + GENERATION_LEN] = {0};
    randombytes_buf(gid, GID_PREFIX_LEN);
    return set(common, "alg_aead", algorithm_json(options->alg_aead)) &&
           set(common, "alg_group_enc", algorithm_json(options->alg_group_enc)) &&
           set(common, "alg_signature", algorithm_json(options->alg_signature)) &&
           set(common, "alg_pairwise_key_agreement", algorithm_json(options->alg_agreement)) &&
           set(common, "hkdf", json_string(options->hkdf == CG_SHA512 ? "sha512" : "sha256")) &&
           (options->countersign_elements == 5 ||
            set(common, "countersign_elements", json_integer(options->countersign_elements))) &&
           set(common, "gid", hex_json(gid, sizeof gid)) && renew_secrets(common);
}

/* --- members
 * ------------------------------------------------------------------------------------------------------------- */

/* The n-th Sender ID in the order in which they are given: 11 to ff, then two bytes, or 00 to 10 where one is all there
 * may be. False: none left. */
static bool nth_id(uint32_t n, size_t max_len, char id[ID_HEX_MAX]) {
    enum { FIRST = 0x11, SINGLE = 0x100 - FIRST };
    uint32_t rest = n - SINGLE;
    if (n < SINGLE) {
        (void)snprintf(id, ID_HEX_MAX, "%02x", (unsigned)(FIRST + n));
    } else if (max_len >= 2) {
        (void)snprintf(id, ID_HEX_MAX, "%04x", (unsigned)(rest & 0xffff));
        return rest <= 0xffff;
    } else {
        (void)snprintf(id, ID_HEX_MAX, "%02x", (unsigned)(rest & 0xff));
        return rest < FIRST;
    }
    return true;
}

static bool note_id(json_t *used, const char *id) {
    char lower[ID_HEX_MAX];
    size_t len = strlen(id);
    CG_CHECK(len < sizeof lower);
    for (size_t i = 0; i <= len; i++) lower[i] = cg_ascii_lower(id[i]);
    return set(used, lower, json_true());
}

/* The Sender IDs of all who are in the group. */
static bool note_present(json_t *ids, const json_t *document) {
    json_t *member;
    size_t i;
    if (!note_id(ids, text_of(json_object_get(document, "gateway"), "sender_id"))) return false;
    json_array_foreach(json_object_get(document, "members"), i, member) {
        if (!note_id(ids, text_of(member, "sender_id"))) return false;
    }
    return true;
}

/* The Sender IDs that were given since the group has its Gid, as the keys of an object: no other may have them before
 * the next Gid, also when their owners are gone (RFC 10021 §12.2.2). */
static json_t *given_ids(const json_t *document) {
    json_t *given = json_object(), *id;
    size_t i;
    bool ok = given != NULL && note_present(given, document);
    json_array_foreach(json_object_get(document, "given_ids"), i, id) {
        ok = ok && note_id(given, json_string_value(id));
    }
    if (ok) return given;
    json_decref(given);
    return NULL;
}

static bool keep_given(json_t *document, const json_t *given) {
    json_t *list = json_array(), *value;
    const char *id;
    json_object_foreach((json_t *)given, id, value) {
        if (json_array_append_new(list, json_string(id)) != 0) {
            json_decref(list);
            return false;
        }
    }
    return set(document, "given_ids", list);
}

/* A new Gid begins with those who are there. */
static bool forget_given(json_t *document) {
    (void)json_object_del(document, "given_ids");
    json_t *given = given_ids(document);
    bool ok = given != NULL && keep_given(document, given);
    json_decref(given);
    return ok;
}

/* The address of the n-th that is made; false when there are not so many. */
static bool nth_address(const struct cg_addr *first, uint32_t n, char text[CG_ADDR_TEXT_MAX]) {
    struct cg_addr addr = *first;
    if (addr.family == CG_FAMILY_IPV4) {
        uint64_t ip = (uint64_t)addr.ip[0] << 24 | (uint64_t)addr.ip[1] << 16 | (uint64_t)addr.ip[2] << 8 | addr.ip[3];
        ip += n;
        if (ip > UINT32_MAX) return false;
        for (int i = 0; i < 4; i++) addr.ip[i] = (uint8_t)(ip >> (24 - 8 * i));
    } else {
        if (n > (uint32_t)(UINT16_MAX - addr.port)) return false;
        addr.port = (uint16_t)(addr.port + n);
    }
    (void)cg_addr_emit(&addr, text);
    return true;
}

static int add_member(json_t *document, const struct cg_keys_options *options, const char *id, uint32_t n,
                      char *error) {
    const char *group_name = text_of(document, "name");
    const char *name = options->name != NULL ? options->name : group_name != NULL ? group_name : "member";
    json_t *member = json_object();
    char address[CG_ADDR_TEXT_MAX];
    if (!set(member, "sender_id", json_string(id))) goto failed;
    int err = make_pair(json_object_get(document, "common"), member, member, "cred");
    if (err != CG_OK) goto out;
    if (!set(member, "name", json_sprintf("%s-%s", name, id))) goto failed;
    if (options->first.family != CG_FAMILY_NONE) {
        if (!nth_address(&options->first, n, address)) {
            err = fail(error, "--addresses", "there are not so many from this one on");
            goto out;
        }
        if (!set(member, "address", json_string(address))) goto failed;
    }
    if (json_array_append(json_object_get(document, "members"), member) == 0) goto out;
failed:
    err = CG_E_NO_MEMORY;
out:
    json_decref(member);
    return err;
}

int cg_keyring_add(json_t *document, const struct cg_keys_options *options, char error[CG_KEYS_ERROR_MAX]) {
    size_t max_len = id_max(json_object_get(document, "common"));
    json_t *given = given_ids(document);
    int err = given == NULL ? CG_E_NO_MEMORY : CG_OK;
    uint32_t made = 0;
    for (uint32_t n = 0; err == CG_OK && made < options->members; n++) {
        char id[ID_HEX_MAX];
        if (!nth_id(n, max_len, id)) {
            err = fail(error, "--members", "there are not so many Sender IDs of the length that the algorithms allow");
        } else if (json_object_get(given, id) == NULL) {
            err = note_id(given, id) ? add_member(document, options, id, made++, error) : CG_E_NO_MEMORY;
        }
    }
    if (err == CG_OK && !keep_given(document, given)) err = CG_E_NO_MEMORY;
    json_decref(given);
    return err;
}

int cg_keyring_new(json_t **document, const struct cg_keys_options *options, char error[CG_KEYS_ERROR_MAX]) {
    cg_secret_json_wipes();
    *document = NULL;
    if (sodium_init() < 0) return CG_E_INTERNAL;
    bool all = options->peers == CG_KEYS_PEERS_ALL ||
               (options->peers == CG_KEYS_PEERS_BY_SIZE && options->members <= KNOW_ALL_MAX);
    json_t *made = json_object(), *common = json_object(), *manager = json_object(), *gateway = json_object();
    bool ok = (options->name == NULL || set(made, "name", json_string(options->name))) &&
              set(made, "member_peers", json_string(all ? "all" : "gateway")) && set(made, "common", common) &&
              set(made, "group_manager", manager) && set(made, "gateway", gateway) &&
              set(made, "members", json_array()) && set(gateway, "sender_id", json_string(gateway_id)) &&
              fill_common(common, options);
    int err = ok ? CG_OK : CG_E_NO_MEMORY;
    if (ok && curve_of(common) == CG_CURVE_NONE)
        err = fail(error, "--alg-signature", "must be -8 (EdDSA), -19 (Ed25519), -7 (ES256) or -9 (ESP256)");
    if (err == CG_OK) err = make_pair(common, manager, common, "gm_cred");
    if (err == CG_OK) err = make_pair(common, gateway, gateway, "cred");
    if (err == CG_OK) err = cg_keyring_add(made, options, error);
    if (err == CG_OK)
        *document = made;
    else
        json_decref(made);
    return err;
}

/* --- rekeying
 * ------------------------------------------------------------------------------------------------------------ */

static int evict(json_t *document, const char *id, json_t *gone, char *error) {
    json_t *members = json_object_get(document, "members"), *member;
    size_t i;
    if (strcasecmp(text_of(json_object_get(document, "gateway"), "sender_id"), id) == 0)
        return fail(error, id, "is the gateway, which cannot be evicted");
    json_array_foreach(members, i, member) {
        if (strcasecmp(text_of(member, "sender_id"), id) != 0) continue;
        if (json_array_append(gone, json_object_get(member, "sender_id")) != 0) return CG_E_NO_MEMORY;
        (void)json_array_remove(members, i); /* it is there */
        return CG_OK;
    }
    return fail(error, id, "is no member's Sender ID");
}

static int next_gid(json_t *common, char *error) {
    uint8_t gid[CG_OSCORE_ID_CONTEXT_MAX];
    size_t len = hex_bytes(json_object_get(common, "gid"), gid, sizeof gid);
    if (len != GID_PREFIX_LEN + GENERATION_LEN)
        return fail(error, "/common/gid",
                    "has no generation number of 2 bytes behind a prefix of 4: not made by castgate-keys");
    unsigned generation = (unsigned)gid[len - 2] << 8 | gid[len - 1];
    if (generation == UINT16_MAX)
        return fail(error, "/common/gid", "all of the group's Gids were used; make a new group");
    generation++;
    gid[len - 2] = (uint8_t)(generation >> 8);
    gid[len - 1] = (uint8_t)generation;
    return set(common, "gid", hex_json(gid, len)) ? CG_OK : CG_E_NO_MEMORY;
}

int cg_keyring_rekey(json_t *document, const struct cg_keys_options *options, json_t *gone,
                     char error[CG_KEYS_ERROR_MAX]) {
    json_t *common = json_object_get(document, "common");
    for (size_t i = 0; i < options->evict_count; i++) {
        int err = evict(document, options->evict[i], gone, error);
        if (err != CG_OK) return err;
    }
    int err = next_gid(common, error);
    if (err != CG_OK) return err;
    return renew_secrets(common) && forget_given(document) ? CG_OK : CG_E_NO_MEMORY;
}

/* --- the parties' files
 * -------------------------------------------------------------------------------------------------- */

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const public_common[] = {
    "alg_aead", "alg_group_enc",        "alg_signature", "alg_pairwise_key_agreement",
    "hkdf",     "countersign_elements", "gid",           "gm_cred",
};
static const char *const member_secrets[] = {"master_secret", "master_salt"};
static const char *const own_keys[] = {"sender_id", "private_key", "cred", "name"};

static bool put_member_common(json_t *file, const json_t *document) {
    json_t *common = json_object_get(document, "common"), *copied = json_object();
    return set(file, "common", copied) && copy_all(copied, common, public_common, COUNT(public_common)) &&
           copy_all(copied, common, member_secrets, COUNT(member_secrets));
}

static bool put_self(json_t *file, const json_t *party) {
    json_t *self = json_object();
    return set(file, "self", self) && copy_all(self, party, own_keys, COUNT(own_keys));
}

/* Under its Sender ID the credential alone or, `described`, with name and address. */
static bool put_peer(json_t *peers, const json_t *party, bool described) {
    static const char *const keys[] = {"cred", "name", "address"};
    const char *id = text_of(party, "sender_id");
    if (!described) return json_object_set(peers, id, json_object_get(party, "cred")) == 0;
    json_t *peer = json_object();
    return set(peers, id, peer) && copy_all(peer, party, keys, COUNT(keys));
}

static bool put_members(json_t *peers, const json_t *document, const json_t *without, bool described) {
    size_t i;
    json_t *member;
    json_array_foreach(json_object_get(document, "members"), i,
                       member) if (member != without && !put_peer(peers, member, described)) return false;
    return true;
}

static bool fill_gateway(json_t *file, const json_t *document) {
    json_t *peers = json_object();
    return put_member_common(file, document) && put_self(file, json_object_get(document, "gateway")) &&
           set(file, "peers", peers) && put_members(peers, document, NULL, true);
}

static bool fill_member(json_t *file, const json_t *document, const json_t *member) {
    json_t *peers = json_object();
    const char *whose = text_of(document, "member_peers");
    bool all = whose == NULL || strcmp(whose, "all") == 0;
    return put_member_common(file, document) && put_self(file, member) && set(file, "peers", peers) &&
           put_peer(peers, json_object_get(document, "gateway"), false) &&
           (!all || put_members(peers, document, member, false));
}

/* RFC 10021 §2.1.8. */
static json_t *signature_encryption_key(const json_t *common) {
    uint8_t secret[CG_OSCORE_SECRET_MAX], salt[CG_OSCORE_SECRET_MAX], gid[CG_OSCORE_ID_CONTEXT_MAX], info[CG_INFO_MAX];
    uint8_t key[CG_COSE_KEY_MAX];
    struct cg_slice ikm =
        cg_slice_of(secret, hex_bytes(json_object_get(common, "master_secret"), secret, sizeof secret));
    struct cg_slice master_salt =
        cg_slice_of(salt, hex_bytes(json_object_get(common, "master_salt"), salt, sizeof salt));
    struct cg_slice id_context = cg_slice_of(gid, hex_bytes(json_object_get(common, "gid"), gid, sizeof gid));
    int alg = number_of(common, "alg_group_enc");
    size_t info_len = cg_info_key(info, CG_SLICE_NONE, &id_context, alg, "SEKey", key_len(alg));
    int err = cg_hkdf(hash_of(common), master_salt, ikm, cg_slice_of(info, info_len), key, key_len(alg));
    json_t *json = err == CG_OK ? hex_json(key, key_len(alg)) : NULL;
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(salt, sizeof salt);
    sodium_memzero(key, sizeof key);
    return json;
}

static bool fill_checker(json_t *file, const json_t *document) {
    json_t *common = json_object_get(document, "common"), *copied = json_object(), *peers = json_object();
    return set(file, "common", copied) && set(file, "peers", peers) &&
           copy_all(copied, common, public_common, COUNT(public_common)) &&
           set(copied, "signature_encryption_key", signature_encryption_key(common)) &&
           put_peer(peers, json_object_get(document, "gateway"), false) && put_members(peers, document, NULL, false);
}

void cg_keyring_member_file(const char *id, char name[CG_KEYRING_NAME_MAX]) {
    (void)snprintf(name, CG_KEYRING_NAME_MAX, "member-%.16s.json", id);
}

bool cg_keyring_file(json_t *document, size_t index, char name[CG_KEYRING_NAME_MAX], json_t **file) {
    enum { GROUP, GATEWAY, MEMBERS };
    json_t *members = json_object_get(document, "members");
    size_t count = json_array_size(members);
    const json_t *common = json_object_get(document, "common");
    bool has_checker = number_of(common, "alg_group_enc") != CG_COSE_NONE && curve_of(common) != CG_CURVE_X25519;
    if (index == GROUP) {
        (void)snprintf(name, CG_KEYRING_NAME_MAX, "group.json");
        *file = json_incref(document);
        return true;
    }
    bool ok;
    if (index > MEMBERS + count || (index == MEMBERS + count && !has_checker)) return false;
    *file = json_object();
    if (index == GATEWAY) {
        (void)snprintf(name, CG_KEYRING_NAME_MAX, "gateway.json");
        ok = fill_gateway(*file, document);
    } else if (index < MEMBERS + count) {
        const json_t *member = json_array_get(members, index - MEMBERS);
        cg_keyring_member_file(text_of(member, "sender_id"), name);
        ok = fill_member(*file, document, member);
    } else {
        (void)snprintf(name, CG_KEYRING_NAME_MAX, "checker.json");
        ok = fill_checker(*file, document);
    }
    if (!ok) {
        json_decref(*file);
        *file = NULL;
    }
    return true;
}
