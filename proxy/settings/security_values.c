/* The values of a security group's file, each with its rule. The hard thing: no message may show a secret, and nothing
 * may be copied on the way from the JSON text into locked memory. */
#include "settings/rows.h"
#include "settings/security_reader.h"

#include "oscore/ccs.h"
#include "oscore/key.h"

#include "base/check.h"
#include "base/container.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

static struct cg_group_reader *whole(struct cg_reader *reader) {
    return CG_CONTAINER(reader, struct cg_group_reader, reader);
}

/* Room in the group's arena or, for a secret, in its locked memory, which was made large enough for all that a file can
 * have. */
static uint8_t *room(struct cg_group_reader *r, size_t len, bool secret) {
    if (!secret) {
        uint8_t *at = cg_arena_alloc(&r->group->arena, len + 1);
        if (at == NULL) r->reader.out_of_memory = true;
        return at;
    }
    CG_CHECK(r->group->locked.len - r->locked_used >= len);
    uint8_t *at = r->group->locked.data + r->locked_used;
    r->locked_used += len;
    return at;
}

/* Hexadecimal text of `min` to `max` bytes; leaves *to alone with a mistake. */
static void read_hex(struct cg_group_reader *r, const struct cg_at *at, const json_t *json, size_t min, size_t max,
                     bool secret, struct cg_slice *to) {
    const char *text = json_is_string(json) ? json_string_value(json) : NULL;
    size_t len = text == NULL ? 0 : strlen(text);
    if (text == NULL || len % 2 != 0 || len / 2 < min || len / 2 > max ||
        strspn(text, "0123456789abcdefABCDEF") != len) {
        if (min == max)
            cg_mistake_at(&r->reader, at, "must be a string of %zu bytes in hexadecimal", max);
        else
            cg_mistake_at(&r->reader, at, "must be a string of %zu to %zu bytes in hexadecimal", min, max);
        return;
    }
    uint8_t *bytes = room(r, len / 2, secret);
    if (bytes == NULL) return;
    size_t count;
    int err = cg_hex_parse(cg_slice_of(text, len), bytes, len / 2, &count);
    CG_CHECK(err == CG_OK && count == len / 2);
    *to = cg_slice_of(bytes, count);
}

/* ---- Common ---- */

static void read_public(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                        void *target) {
    read_hex(whole(reader), at, json, row->min, row->max, false, (void *)((char *)target + row->offset));
}

static void read_secret(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                        void *target) {
    read_hex(whole(reader), at, json, row->min, row->max, true, (void *)((char *)target + row->offset));
}

static void read_algorithm(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                           const json_t *json, void *target) {
    if (json_is_null(json)) return;
    json_int_t number = json_integer_value(json); /* 0, which COSE reserves, when it is none */
    if (number == 0 || number < INT32_MIN || number > INT32_MAX) {
        cg_mistake_at(reader, at, "must be the number of a COSE algorithm, or null where it is not used");
        whole(reader)->algorithms_fit = false;
        return;
    }
    *(int *)(void *)((char *)target + row->offset) = (int)number;
}

static void read_hkdf(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                      void *target) {
    (void)row;
    struct cg_security_group *group = target;
    const char *text = json_is_string(json) ? json_string_value(json) : "";
    group->hkdf = strcmp(text, "sha512") == 0 ? CG_SHA512 : CG_SHA256;
    if (group->hkdf == CG_SHA512 || strcmp(text, "sha256") == 0) return;
    cg_mistake_at(reader, at, "must be \"sha256\" or \"sha512\"");
    whole(reader)->algorithms_fit = false;
}

static void read_elements(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                          const json_t *json, void *target) {
    (void)row;
    json_int_t count = json_integer_value(json);
    if (count != 4 && count != 5)
        cg_mistake_at(reader, at, "must be 5 or, for members that take RFC 9338 3.3 literally, 4");
    ((struct cg_security_group *)target)->countersign_four = count == 4;
}

static const struct cg_kind kind_public = {.read = read_public}, kind_secret = {.read = read_secret},
                            kind_algorithm = {.read = read_algorithm}, kind_hkdf = {.read = read_hkdf},
                            kind_elements = {.read = read_elements};

#define PLACE(field)             CG_ROW_PLACE(struct cg_security_group, field)
#define BYTES(field, min_, max_) PLACE(field), .min = (min_), .max = (max_)

static const struct cg_row common_rows[] = {
    {.key = "hkdf", .kind = &kind_hkdf},
    {"alg_aead", &kind_algorithm, PLACE(alg_aead)},
    {"alg_group_enc", &kind_algorithm, PLACE(alg_group_enc)},
    {"alg_signature", &kind_algorithm, PLACE(alg_signature)},
    {"alg_pairwise_key_agreement", &kind_algorithm, PLACE(alg_agreement)},
    {.key = "countersign_elements", .kind = &kind_elements},
    {"gid", &kind_public, BYTES(gid, 1, CG_GID_MAX)},
    {"gm_cred", &kind_public, BYTES(gm_cred, 1, CG_CRED_MAX)},
    {"master_secret", &kind_secret, BYTES(master_secret, CG_MASTER_SECRET_MIN, CG_OSCORE_SECRET_MAX)},
    {"master_salt", &kind_secret, BYTES(master_salt, 0, CG_OSCORE_SECRET_MAX)},
    {"signature_encryption_key", &kind_secret, BYTES(signature_encryption_key, 1, CG_COSE_KEY_MAX)},
};
static const struct cg_rows all_common_rows = {CG_ROWS(common_rows)};

static void CG_PRINTF(4, 5)
    misfit(struct cg_group_reader *r, const struct cg_at *common, const char *key, const char *format, ...) {
    char sentence[256];
    struct cg_at at = {.up = common, .key = key};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    cg_mistake_at(&r->reader, key == NULL ? common : &at, "%s", sentence);
    r->algorithms_fit = false;
}

static void check_group_mode(struct cg_group_reader *r, const struct cg_at *at) {
    const struct cg_security_group *group = r->group;
    int enc = group->alg_group_enc, signature = group->alg_signature;
    if (enc >= -65531 && enc <= -65529)
        misfit(r, at, "alg_group_enc", "AES-CBC must not be used (RFC 10021 2.1.6)");
    else if (enc != CG_COSE_NONE && cg_cose_cipher(enc) == NULL)
        misfit(
            r, at, "alg_group_enc",
            "is not known here; known are 1 to 3 (AES-GCM), 10 to 13 and 30 to 33 (AES-CCM), 24 (ChaCha20/Poly1305), "
            "-65534 to -65532 (AES-CTR)");
    if (signature != CG_COSE_NONE && cg_cose_signature_curve(signature) == CG_CURVE_NONE)
        misfit(r, at, "alg_signature", "must be -8 (EdDSA), -19 (Ed25519), -7 (ES256) or -9 (ESP256)");
}

static void check_pairwise_mode(struct cg_group_reader *r, const struct cg_at *at) {
    const struct cg_security_group *group = r->group;
    const struct cg_cose_cipher *aead = group->alg_aead == CG_COSE_NONE ? NULL : cg_cose_cipher(group->alg_aead);
    if (group->alg_aead != CG_COSE_NONE && (aead == NULL || aead->tag_len == 0))
        misfit(r, at, "alg_aead",
               "must be an AEAD that is known here: 1 to 3 (AES-GCM), 10 to 13 and 30 to 33 (AES-CCM), 24 "
               "(ChaCha20/Poly1305)");
    int fitting = group->hkdf == CG_SHA256 ? CG_COSE_ECDH_SS_HKDF_256 : CG_COSE_ECDH_SS_HKDF_512;
    if (group->alg_agreement != CG_COSE_NONE && group->alg_agreement != fitting)
        misfit(r, at, "alg_pairwise_key_agreement", "must be %d with \"hkdf\": \"%s\"", fitting,
               group->hkdf == CG_SHA256 ? "sha256" : "sha512");
}

/* An algorithm may stand alone: it says so in every message, and its mode is not used (RFC 10021 §2.1.1). */
static void check_modes(struct cg_group_reader *r, const struct cg_at *at) {
    const struct cg_security_group *group = r->group;
    bool group_mode = group->alg_group_enc != CG_COSE_NONE && group->alg_signature != CG_COSE_NONE;
    bool pairwise_mode = group->alg_aead != CG_COSE_NONE && group->alg_agreement != CG_COSE_NONE;
    if (!group_mode && !pairwise_mode)
        misfit(r, at, NULL,
               "sets up neither the group mode (alg_group_enc and alg_signature) nor the pairwise mode (alg_aead and "
               "alg_pairwise_key_agreement)");
    else if (!group_mode && group->file == CG_GROUP_FILE_CHECKER)
        misfit(r, at, NULL, "a checker needs the group mode: alg_group_enc and alg_signature");
}

static void check_algorithms(struct cg_group_reader *r, const struct cg_at *at) {
    const struct cg_security_group *group = r->group;
    if (!r->algorithms_fit) return; /* one of them is no number */
    check_group_mode(r, at);
    check_pairwise_mode(r, at);
    if (!r->algorithms_fit) return;
    check_modes(r, at);
    struct cg_oscore_params params;
    cg_security_group_params(group, NULL, &params, NULL);
    r->id_max = cg_oscore_sender_id_max(&params);
    r->curve = cg_cose_signature_curve(group->alg_signature);
}

static void check_secrets(struct cg_group_reader *r, const struct cg_at *at, const json_t *json) {
    const struct cg_security_group *group = r->group;
    bool checker = group->file == CG_GROUP_FILE_CHECKER;
    static const char *const members_only[] = {"master_secret", "master_salt"};
    for (size_t i = 0; i < 2; i++) {
        struct cg_at child;
        if (checker && cg_read_member(at, json, members_only[i], &child) != NULL)
            cg_mistake_at(&r->reader, &child, "a checker must not know it");
    }
    struct cg_at child;
    const json_t *key = cg_read_member(at, json, "signature_encryption_key", &child);
    if (key != NULL && !checker)
        cg_mistake_at(&r->reader, &child, "belongs in a checker's file only: members derive it");
    size_t len = group->signature_encryption_key.len;
    if (checker && r->algorithms_fit && len > 0 && len != cg_cose_cipher(group->alg_group_enc)->key_len)
        cg_mistake_at(&r->reader, &child, "must have as many bytes as a key of alg_group_enc, which is %u",
                      (unsigned)cg_cose_cipher(group->alg_group_enc)->key_len);
}

void cg_read_common(struct cg_group_reader *r, const struct cg_at *at, const json_t *json) {
    static const char *const needed[] = {"gid", "gm_cred"};
    r->group->hkdf = CG_SHA256; /* the default, as in RFC 8613 3.2 */
    r->algorithms_fit = true;
    if (!cg_read_object(&r->reader, at, &all_common_rows, json, r->group)) {
        r->algorithms_fit = false;
        return;
    }
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (json_object_get(json, needed[i]) == NULL) cg_mistake_at(&r->reader, at, "needs \"%s\"", needed[i]);
    if (r->group->file != CG_GROUP_FILE_CHECKER && json_object_get(json, "master_secret") == NULL)
        cg_mistake_at(&r->reader, at, "needs \"master_secret\"");
    check_algorithms(r, at);
    check_secrets(r, at, json);
}

/* ---- Parties ---- */

static const char *curve_name(enum cg_cose_curve curve) {
    switch (curve) {
    case CG_CURVE_P256: return "P-256";
    case CG_CURVE_X25519: return "X25519";
    case CG_CURVE_ED25519: return "Ed25519";
    case CG_CURVE_NONE: break;
    }
    return "none";
}

/* False, with a mistake: the CCS's key cannot be used with the group's algorithms (RFC 10021 2.4). */
static bool key_fits(struct cg_group_reader *r, const struct cg_at *at, const struct cg_ccs *ccs) {
    const struct cg_security_group *group = r->group;
    bool signs = group->alg_signature != CG_COSE_NONE;
    int alg = signs ? group->alg_signature : group->alg_agreement;
    if (r->curve == CG_CURVE_NONE && ccs->curve != CG_CURVE_ED25519)
        r->curve = ccs->curve; /* pairwise mode: the first decides */
    if (r->curve == CG_CURVE_NONE) {
        cg_mistake_at(&r->reader, at,
                      "its key is for signatures (Ed25519), but the group has the pairwise mode only: X25519 or P-256");
        return false;
    }
    if (ccs->curve != r->curve) {
        cg_mistake_at(&r->reader, at, "its key is of the curve %s, but the group's keys are of %s",
                      curve_name(ccs->curve), curve_name(r->curve));
        return false;
    }
    if (ccs->alg == CG_COSE_NONE || ccs->alg == alg || (signs && cg_cose_same_signature(ccs->alg, alg))) return true;
    cg_mistake_at(&r->reader, at, "its COSE_Key is for algorithm %d, but the group uses %d", ccs->alg, alg);
    return false;
}

/* The credential's key, if it can be used; false, with a mistake unless the algorithms were wrong anyway. */
static bool read_public_key(struct cg_group_reader *r, const struct cg_at *at, struct cg_slice cred,
                            struct cg_public_key *key) {
    struct cg_ccs ccs;
    int err = cg_ccs_parse(&ccs, cred);
    if (err == CG_E_KEY) {
        cg_mistake_at(&r->reader, at,
                      "its COSE_Key must be a public one, of Ed25519, P-256 or X25519, and nothing private");
    } else if (err != CG_OK) {
        cg_mistake_at(&r->reader, at,
                      "must be a CCS: an untagged CBOR map with the claim cnf (8), which holds a COSE_Key");
    } else if (r->algorithms_fit && key_fits(r, at, &ccs)) {
        if (cg_public_key_init(key, ccs.curve, ccs.x, ccs.y, ccs.y_is_odd) == CG_OK) return true;
        cg_mistake_at(&r->reader, at, "its public key is no valid point of the curve");
    }
    return false;
}

static void read_cred(struct cg_group_reader *r, const struct cg_at *at, const json_t *json, struct cg_slice *cred,
                      struct cg_public_key *key) {
    read_hex(r, at, json, 1, CG_CRED_MAX, false, cred);
    if (cred->len == 0 || !read_public_key(r, at, *cred, key)) return;
    const char *first = cg_seen_before(&r->reader, &r->creds, *cred, at);
    if (first != NULL) cg_mistake_at(&r->reader, at, "is the same credential as %s", first);
}

static void read_id(struct cg_group_reader *r, const struct cg_at *at, const char *text, struct cg_slice *id) {
    uint8_t key[1 + CG_OSCORE_ID_MAX]; /* the length, so that no key of the set is empty */
    size_t max = r->algorithms_fit ? r->id_max : CG_OSCORE_ID_MAX, len;
    if (cg_hex_parse(cg_slice_str(text), key + 1, max, &len) != CG_OK) {
        cg_mistake_at(&r->reader, at, "a Sender ID has at most %zu bytes with these algorithms, in hexadecimal", max);
        return;
    }
    key[0] = (uint8_t)len;
    uint8_t *bytes = room(r, len, false);
    if (bytes == NULL) return;
    memcpy(bytes, key + 1, len);
    *id = cg_slice_of(bytes, len);
    const char *first = cg_seen_before(&r->reader, &r->ids, cg_slice_of(key, 1 + len), at);
    if (first != NULL) cg_mistake_at(&r->reader, at, "is the same Sender ID as %s", first);
}

static const char *read_any_name(struct cg_group_reader *r, const struct cg_at *at, const json_t *json) {
    const char *text = cg_read_text(&r->reader, at, json);
    if (text == NULL) return NULL;
    if (!cg_name_is_valid(text)) {
        cg_mistake_at(&r->reader, at,
                      "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and begins with a letter or digit");
        return NULL;
    }
    struct cg_slice kept = cg_arena_copy(&r->group->arena, cg_slice_of(text, strlen(text) + 1));
    if (kept.data == NULL) r->reader.out_of_memory = true;
    return (const char *)kept.data;
}

static void read_name(struct cg_group_reader *r, const struct cg_at *at, const json_t *json,
                      struct cg_security_party *party) {
    party->name = read_any_name(r, at, json);
    if (party->name == NULL) return;
    const char *first = cg_seen_before(&r->reader, &r->names, cg_slice_str(party->name), at);
    if (first != NULL) cg_mistake_at(&r->reader, at, "is the same name as %s", first);
}

static void read_address(struct cg_group_reader *r, const struct cg_at *at, const json_t *json,
                         struct cg_security_party *party) {
    const char *text = cg_read_text(&r->reader, at, json);
    struct cg_addr *addr = &party->address;
    if (text == NULL) return;
    if (cg_addr_parse(addr, cg_slice_str(text), CG_COAP_PORT) != CG_OK || addr->port == 0 ||
        cg_addr_is_multicast(addr) || cg_addr_is_unspecified(addr)) {
        cg_mistake_at(&r->reader, at,
                      "must be a member's unicast address, such as \"192.0.2.7\" or \"[2001:db8::7]:5683\"");
        return;
    }
    const char *first = cg_seen_before(&r->reader, &r->addresses, cg_slice_of(addr, sizeof *addr), at);
    if (first != NULL) cg_mistake_at(&r->reader, at, "is the same address as %s", first);
}

/* Whether group requests get there; who is asked by unicast instead has to be somewhere. */
static void read_multicast(struct cg_group_reader *r, const struct cg_at *at, const json_t *json,
                           struct cg_security_party *party) {
    if (!json_is_boolean(json)) {
        cg_mistake_at(&r->reader, at, "must be true or false");
        return;
    }
    party->is_unicast_only = json_is_false(json);
    bool is_nowhere = party->address.family == CG_FAMILY_NONE && !cg_is_mistaken(&r->reader, at->up, "address");
    if (party->is_unicast_only && is_nowhere) {
        cg_mistake_at(&r->reader, at, "false needs \"address\", where the member is asked by unicast");
    }
}

static void check_private_key(struct cg_group_reader *r, const struct cg_at *at, struct cg_slice raw,
                              const struct cg_public_key *public_key) {
    struct cg_private_key key;
    if (raw.len == 0 || public_key->curve == CG_CURVE_NONE) return;
    int err = cg_private_key_init(&key, raw, public_key);
    if (err == CG_OK)
        cg_private_key_fini(&key);
    else if (err == CG_E_KEY)
        cg_mistake_at(&r->reader, at, "is not the private key of \"cred\"");
    else
        r->reader.out_of_memory = true; /* OpenSSL may call it an algorithm that it has not */
}

/* Reads "private_key" and compares it with the public key. */
static void read_private_key(struct cg_group_reader *r, const struct cg_at *up, const json_t *json,
                             const struct cg_public_key *public_key, struct cg_slice *raw) {
    struct cg_at at;
    const json_t *value = cg_read_member(up, json, "private_key", &at);
    if (value == NULL) {
        cg_mistake_at(&r->reader, up, "needs \"private_key\"");
        return;
    }
    read_hex(r, &at, value, CG_PRIVATE_KEY_LEN, CG_PRIVATE_KEY_LEN, true, raw);
    check_private_key(r, &at, *raw, public_key);
}

static const struct cg_row party_rows[] = {
    CG_ROW_OWN("sender_id"), CG_ROW_OWN("private_key"), CG_ROW_OWN("cred"),
    CG_ROW_OWN("name"),      CG_ROW_OWN("address"),     CG_ROW_OWN("multicast"),
};
static const struct cg_rows all_party_rows = {CG_ROWS(party_rows)};

static const struct cg_row peer_rows[] = {CG_ROW_OWN("cred"), CG_ROW_OWN("name"), CG_ROW_OWN("address"),
                                          CG_ROW_OWN("multicast")};
static const struct cg_rows all_peer_rows = {CG_ROWS(peer_rows)};

/* The keys that a party's object has wherever it stands. */
static void read_party_object(struct cg_group_reader *r, const struct cg_at *up, const json_t *json,
                              struct cg_security_party *party, struct cg_public_key *key) {
    struct cg_at at;
    const json_t *value = cg_read_member(up, json, "cred", &at);
    if (value != NULL)
        read_cred(r, &at, value, &party->cred, key);
    else
        cg_mistake_at(&r->reader, up, "needs \"cred\"");
    value = cg_read_member(up, json, "name", &at);
    if (value != NULL) read_name(r, &at, value, party);
    value = cg_read_member(up, json, "address", &at);
    if (value != NULL) read_address(r, &at, value, party);
    value = cg_read_member(up, json, "multicast", &at);
    if (value != NULL) read_multicast(r, &at, value, party);
}

void cg_read_party(struct cg_group_reader *r, const struct cg_at *up, const json_t *json,
                   struct cg_security_party *party) {
    struct cg_public_key key = {0};
    struct cg_at at;
    if (!cg_read_object(&r->reader, up, &all_party_rows, json, party)) return;
    const json_t *value = cg_read_member(up, json, "sender_id", &at);
    const char *text = value == NULL ? NULL : cg_read_text(&r->reader, &at, value);
    if (value == NULL) cg_mistake_at(&r->reader, up, "needs \"sender_id\"");
    if (text != NULL) read_id(r, &at, text, &party->id);
    read_party_object(r, up, json, party, &key);
    read_private_key(r, up, json, &key, &party->private_key);
    cg_public_key_fini(&key);
}

void cg_read_peer(struct cg_group_reader *r, const struct cg_at *at, const json_t *json,
                  struct cg_security_party *party) {
    struct cg_public_key key = {0};
    read_id(r, at, at->key, &party->id);
    if (json_is_string(json)) {
        read_cred(r, at, json, &party->cred, &key);
    } else if (json_is_object(json)) {
        if (cg_read_object(&r->reader, at, &all_peer_rows, json, party)) read_party_object(r, at, json, party, &key);
    } else {
        cg_mistake_at(&r->reader, at, "must be a credential, or an object with \"cred\"");
    }
    cg_public_key_fini(&key);
}

/* ---- What only the manager's file has ---- */

static const struct cg_row manager_rows[] = {CG_ROW_OWN("private_key")};
static const struct cg_rows all_manager_rows = {CG_ROWS(manager_rows)};

void cg_read_group_manager(struct cg_group_reader *r, const struct cg_at *at, const json_t *json) {
    struct cg_security_group *group = r->group;
    struct cg_public_key key = {0};
    struct cg_at cred = {.up = at->up, .key = "common"}, gm_cred = {.up = &cred, .key = "gm_cred"};
    if (!cg_read_object(&r->reader, at, &all_manager_rows, json, group)) return;
    if (group->gm_cred.len > 0) (void)read_public_key(r, &gm_cred, group->gm_cred, &key);
    read_private_key(r, at, json, &key, &group->gm_private_key);
    cg_public_key_fini(&key);
}

void cg_read_group_name(struct cg_group_reader *r, const struct cg_at *at, const json_t *json) {
    (void)read_any_name(r, at, json);
}

void cg_read_member_peers(struct cg_group_reader *r, const struct cg_at *at, const json_t *json) {
    const char *text = json_is_string(json) ? json_string_value(json) : "";
    if (strcmp(text, "all") != 0 && strcmp(text, "gateway") != 0)
        cg_mistake_at(&r->reader, at, "must be \"all\" or \"gateway\": whose credentials the members' files hold");
}

void cg_group_reader_fini(struct cg_group_reader *r) {
    cg_seen_clear(&r->ids);
    cg_seen_clear(&r->creds);
    cg_seen_clear(&r->names);
    cg_seen_clear(&r->addresses);
    cg_arena_fini(&r->reader.scratch);
}
