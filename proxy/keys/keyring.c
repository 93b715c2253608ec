/* A group's keys: made, given to more, and all made anew. The hard thing: nothing that was ever used comes back, no
 * Gid, no Sender ID under a Gid, no secret. */
#include "keys/keyring.h"

#include "base/check.h"
#include "settings/json_load.h"
#include "settings/secret.h"
#include "keys/document.h"
#include "keys/given.h"
#include "keys/keypair.h"

#include <sodium.h>
#include <stdio.h>
#include <strings.h>

enum {
    GID_PREFIX_LEN = 4,
    GENERATION_LEN = 2,
    SALT_LEN = 8,
    KNOW_ALL_MAX = 256, /* members; 256 files with 256 credentials are 10 MB */
};

static const char gateway_id[] = "c1";

static int fail(char *error, const char *about, const char *sentence) {
    (void)snprintf(error, CG_KEYS_ERROR_MAX, "%.512s: %.256s", about, sentence);
    return CG_E_BAD_REQUEST;
}

static json_t *algorithm_json(int alg) { return alg == CG_COSE_NONE ? json_null() : json_integer(alg); }

/* ---- What is common ---- */

/* As many bytes as the longest key that is derived from it. */
static size_t secret_len(const json_t *common) {
    size_t aead = cg_keys_key_len(cg_keys_number(common, "alg_aead")),
           enc = cg_keys_key_len(cg_keys_number(common, "alg_group_enc"));
    size_t longest = aead > enc ? aead : enc;
    return longest < 16 ? 16 : longest;
}

static size_t id_max(const json_t *common) {
    const struct cg_oscore_params params = {
        .alg_aead = cg_keys_number(common, "alg_aead"),
        .alg_group_enc = cg_keys_number(common, "alg_group_enc"),
    };
    return cg_oscore_sender_id_max(&params);
}

/* The algorithm that credentials name (RFC 10021 §2.4). */
static int credential_alg(const json_t *common) {
    int signature = cg_keys_number(common, "alg_signature");
    return signature == CG_COSE_NONE ? cg_keys_number(common, "alg_pairwise_key_agreement") : signature;
}

static bool set_random(json_t *object, const char *key, size_t len) {
    uint8_t bytes[CG_COSE_KEY_MAX];
    CG_CHECK(len <= sizeof bytes);
    randombytes_buf(bytes, len);
    bool ok = cg_keys_set(object, key, cg_keys_hex(bytes, len));
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
    int err = cg_keypair_new(&pair, cg_keys_curve(common));
    if (err == CG_OK) {
        size_t len = cg_keypair_cred(&pair, credential_alg(common), cred);
        bool ok = cg_keys_set(owner, "private_key", cg_keys_hex(pair.private_key, sizeof pair.private_key)) &&
                  cg_keys_set(holder, cred_key, cg_keys_hex(cred, len));
        err = ok ? CG_OK : CG_E_NO_MEMORY;
    }
    sodium_memzero(&pair, sizeof pair);
    return err;
}

static bool fill_common(json_t *common, const struct cg_keyring_options *options) {
    uint8_t gid[GID_PREFIX_LEN + GENERATION_LEN] = {0};
    randombytes_buf(gid, GID_PREFIX_LEN);
    return cg_keys_set(common, "alg_aead", algorithm_json(options->alg_aead)) &&
           cg_keys_set(common, "alg_group_enc", algorithm_json(options->alg_group_enc)) &&
           cg_keys_set(common, "alg_signature", algorithm_json(options->alg_signature)) &&
           cg_keys_set(common, "alg_pairwise_key_agreement", algorithm_json(options->alg_agreement)) &&
           cg_keys_set(common, "hkdf", json_string(options->hkdf == CG_SHA512 ? "sha512" : "sha256")) &&
           (options->countersign_elements == 5 ||
            cg_keys_set(common, "countersign_elements", json_integer(options->countersign_elements))) &&
           cg_keys_set(common, "gid", cg_keys_hex(gid, sizeof gid)) && renew_secrets(common);
}

/* ---- Members ---- */

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

static json_t *name_json(const json_t *document, const struct cg_keyring_options *options,
                         const struct cg_keyring_member *wish, const char *id) {
    const char *group_name = cg_keys_text(document, "name");
    const char *stem = options->name != NULL ? options->name : group_name != NULL ? group_name : "member";
    return wish != NULL && wish->name != NULL ? json_string(wish->name) : json_sprintf("%s-%s", stem, id);
}

/* CG_OK as well where none is wanted. */
static int set_address(json_t *member, const struct cg_keyring_options *options, const struct cg_keyring_member *wish,
                       uint32_t n, char *error) {
    char text[CG_ADDR_TEXT_MAX];
    const char *address = wish == NULL ? NULL : wish->address;
    if (wish == NULL && options->first.family != CG_FAMILY_NONE) {
        if (!nth_address(&options->first, n, text))
            return fail(error, "--addresses", "there are not so many from this one on");
        address = text;
    }
    if (address != NULL && !cg_keys_set(member, "address", json_string(address))) return CG_E_NO_MEMORY;
    bool says_so = wish != NULL && wish->is_unicast_only;
    return says_so && !cg_keys_set(member, "multicast", json_false()) ? CG_E_NO_MEMORY : CG_OK;
}

static int fill_member(json_t *member, const json_t *document, const struct cg_keyring_options *options, const char *id,
                       uint32_t n, char *error) {
    const struct cg_keyring_member *wish = options->each == NULL ? NULL : &options->each[n];
    if (!cg_keys_set(member, "sender_id", json_string(id))) return CG_E_NO_MEMORY;
    int err = make_pair(json_object_get(document, "common"), member, member, "cred");
    if (err == CG_OK && !cg_keys_set(member, "name", name_json(document, options, wish, id))) err = CG_E_NO_MEMORY;
    return err == CG_OK ? set_address(member, options, wish, n, error) : err;
}

static int add_member(json_t *document, const struct cg_keyring_options *options, const char *id, uint32_t n,
                      char *error) {
    json_t *member = json_object();
    int err = fill_member(member, document, options, id, n, error);
    if (err == CG_OK && json_array_append(json_object_get(document, "members"), member) != 0) err = CG_E_NO_MEMORY;
    json_decref(member);
    return err;
}

int cg_keyring_add(json_t *document, const struct cg_keyring_options *options, char error[CG_KEYS_ERROR_MAX]) {
    size_t max_len = id_max(json_object_get(document, "common"));
    json_t *given = cg_given_read(document);
    int err = given == NULL ? CG_E_NO_MEMORY : CG_OK;
    uint32_t made = 0;
    for (uint32_t n = 0; err == CG_OK && made < options->members; n++) {
        char id[CG_ID_HEX_MAX];
        if (!cg_given_nth(n, max_len, id)) {
            err = fail(error, "--members", "there are not so many Sender IDs of the length that the algorithms allow");
        } else if (json_object_get(given, id) == NULL) {
            err = cg_given_note(given, id) ? add_member(document, options, id, made++, error) : CG_E_NO_MEMORY;
        }
    }
    if (err == CG_OK && !cg_given_keep(document, given)) err = CG_E_NO_MEMORY;
    json_decref(given);
    return err;
}

int cg_keyring_new(json_t **document, const struct cg_keyring_options *options, char error[CG_KEYS_ERROR_MAX]) {
    cg_json_wipe();
    *document = NULL;
    if (sodium_init() < 0) return CG_E_INTERNAL;
    bool all = options->peers == CG_KEYS_PEERS_ALL ||
               (options->peers == CG_KEYS_PEERS_BY_SIZE && options->members <= KNOW_ALL_MAX);
    json_t *made = json_object(), *common = json_object(), *manager = json_object(), *gateway = json_object();
    bool ok = (options->name == NULL || cg_keys_set(made, "name", json_string(options->name))) &&
              cg_keys_set(made, "member_peers", json_string(all ? "all" : "gateway")) &&
              json_object_set(made, "common", common) == 0 && json_object_set(made, "group_manager", manager) == 0 &&
              json_object_set(made, "gateway", gateway) == 0 && cg_keys_set(made, "members", json_array()) &&
              cg_keys_set(gateway, "sender_id", json_string(gateway_id)) && fill_common(common, options);
    int err = ok ? CG_OK : CG_E_NO_MEMORY;
    if (ok && cg_keys_curve(common) == CG_CURVE_NONE)
        err = fail(error, "--alg-signature", "must be -8 (EdDSA), -19 (Ed25519), -7 (ES256) or -9 (ESP256)");
    if (err == CG_OK) err = make_pair(common, manager, common, "gm_cred");
    if (err == CG_OK) err = make_pair(common, gateway, gateway, "cred");
    json_decref(common);
    json_decref(manager);
    json_decref(gateway);
    if (err == CG_OK) err = cg_keyring_add(made, options, error);
    if (err == CG_OK)
        *document = made;
    else
        json_decref(made);
    return err;
}

/* ---- Rekeying ---- */

static int evict(json_t *document, const char *id, char *error) {
    json_t *members = json_object_get(document, "members"), *member;
    size_t i;
    if (strcasecmp(cg_keys_text(json_object_get(document, "gateway"), "sender_id"), id) == 0)
        return fail(error, id, "is the gateway, which cannot be evicted");
    json_array_foreach(members, i, member) {
        if (strcasecmp(cg_keys_text(member, "sender_id"), id) != 0) continue;
        (void)json_array_remove(members, i); /* it is there */
        return CG_OK;
    }
    return fail(error, id, "is no member's Sender ID");
}

static int next_gid(json_t *common, const json_t *before, char *error) {
    uint8_t gid[CG_OSCORE_ID_CONTEXT_MAX];
    size_t len = cg_keys_bytes(json_object_get(json_object_get(before, "common"), "gid"), gid, sizeof gid);
    if (len != GID_PREFIX_LEN + GENERATION_LEN)
        return fail(error, "/common/gid",
                    "has no generation number of 2 bytes behind a prefix of 4: not made by castgate-keys");
    unsigned generation = (unsigned)gid[len - 2] << 8 | gid[len - 1];
    if (generation == UINT16_MAX)
        return fail(error, "/common/gid", "all of the group's Gids were used; make a new group");
    generation++;
    gid[len - 2] = (uint8_t)(generation >> 8);
    gid[len - 1] = (uint8_t)generation;
    return cg_keys_set(common, "gid", cg_keys_hex(gid, len)) ? CG_OK : CG_E_NO_MEMORY;
}

int cg_keyring_rekey(json_t *document, const struct cg_keyring_options *options, const json_t *before,
                     char error[CG_KEYS_ERROR_MAX]) {
    json_t *common = json_object_get(document, "common");
    for (size_t i = 0; i < options->evict_count; i++) {
        int err = evict(document, options->evict[i], error);
        if (err != CG_OK) return err;
    }
    int err = next_gid(common, before, error);
    if (err != CG_OK) return err;
    return renew_secrets(common) && cg_given_forget(document) ? CG_OK : CG_E_NO_MEMORY;
}

/* ---- Another Sender ID ---- */

/* From c2 on, where members' IDs are far, and then wherever there is one. */
static bool find_free_id(const json_t *given, size_t max_len, char id[CG_ID_HEX_MAX]) {
    enum { FIRST = 0xc2 - 0x11, ALL = 0x100 + 0x10000 };
    for (uint32_t i = 0; i < ALL; i++)
        if (cg_given_nth((FIRST + i) % ALL, max_len, id) && json_object_get(given, id) == NULL) return true;
    return false;
}

int cg_keyring_new_sender_id(json_t *document, const json_t *before, char error[CG_KEYS_ERROR_MAX]) {
    char id[CG_ID_HEX_MAX];
    json_t *given = cg_given_read(document), *gateway = json_object_get(document, "gateway");
    int err = given == NULL || !cg_given_note(given, cg_keys_text(json_object_get(before, "gateway"), "sender_id"))
                  ? CG_E_NO_MEMORY
                  : CG_OK;
    if (err == CG_OK && !find_free_id(given, id_max(json_object_get(document, "common")), id))
        err = fail(error, "new-sender-id", "all Sender IDs of the length that the algorithms allow were given; rekey");
    if (err == CG_OK && !(cg_given_note(given, id) && cg_given_keep(document, given) &&
                          cg_keys_set(gateway, "sender_id", json_string(id))))
        err = CG_E_NO_MEMORY;
    json_decref(given);
    return err;
}
