/* Keys on their way into the store and out of it. The hard thing: what is secret is in locked memory or in JSON that is
 * wiped, and in nothing that grows by being copied. */
#include "manage/sealed_keys.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys/document.h"
#include "settings/security_group.h"

/* ---- In public ---- */

static json_t *algorithm(int alg) { return alg == CG_COSE_NONE ? json_null() : json_integer(alg); }

static bool put_common(json_t *to, const struct cg_security_group *group) {
    return cg_keys_set(to, "managed", json_boolean(group->file == CG_GROUP_FILE_MANAGER)) &&
           cg_keys_set(to, "gid", cg_keys_hex(group->gid.data, group->gid.len)) &&
           cg_keys_set(to, "alg_aead", algorithm(group->alg_aead)) &&
           cg_keys_set(to, "alg_group_enc", algorithm(group->alg_group_enc)) &&
           cg_keys_set(to, "alg_signature", algorithm(group->alg_signature)) &&
           cg_keys_set(to, "alg_pairwise_key_agreement", algorithm(group->alg_agreement)) &&
           cg_keys_set(to, "hkdf", json_string(group->hkdf == CG_SHA512 ? "sha512" : "sha256")) &&
           cg_keys_set(to, "sender_id", cg_keys_hex(group->self.id.data, group->self.id.len));
}

/* By what the rest of the program knows the member, too. */
static bool put_credential(json_t *to, struct cg_slice cred) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, cred.data, cred.len);
    return cg_keys_set(to, "credential", cg_keys_hex(hash, sizeof hash));
}

static bool put_member(json_t *members, const struct cg_security_party *party) {
    char address[CG_ADDR_TEXT_MAX];
    json_t *member = json_object();
    bool ok = cg_keys_set(member, "id", cg_keys_hex(party->id.data, party->id.len)) &&
              (party->name == NULL || cg_keys_set(member, "name", json_string(party->name)));
    if (ok && party->address.family != CG_FAMILY_NONE) {
        (void)cg_addr_emit(&party->address, address);
        ok = cg_keys_set(member, "address", json_string(address));
    }
    if (party->is_unicast_only) ok = ok && cg_keys_set(member, "multicast", json_false());
    ok = ok && put_credential(member, party->cred);
    return json_array_append_new(members, member) == 0 && ok;
}

static json_t *describe(const char *name, const struct cg_security_group *group) {
    json_t *document = json_object(), *members = json_array();
    bool ok = cg_keys_set(document, "group", json_string(name)) && put_common(document, group) &&
              json_object_set(document, "members", members) == 0;
    for (size_t i = 0; ok && i < group->peer_count; i++) ok = put_member(members, &group->peers[i]);
    json_decref(members);
    if (ok) return document;
    json_decref(document);
    return NULL;
}

/* ---- Sealing ---- */

enum { ABOUT_MAX = 96 };

/* What is sealed for an item opens for no other. */
static struct cg_slice about(enum cg_item_kind kind, const char *name, char text[ABOUT_MAX]) {
    (void)snprintf(text, ABOUT_MAX, "%s/%s", cg_item_collections[kind], name);
    return cg_slice_str(text);
}

static int no_seal(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_CONFLICT,
                          "there is no key to seal secrets with, so keys can be neither kept nor opened: name a key "
                          "file by \"seal_key\" in the settings file (or give the systemd credential castgate.seal), "
                          "and start the gateway anew");
}

static int seal_text(struct cg_sealed_keys *made, const json_t *keys, const struct cg_seal *seal,
                     struct cg_problem *problem) {
    struct cg_secret_text text;
    char room[ABOUT_MAX];
    if (seal == NULL) return no_seal(problem);
    if (cg_secret_print(&text, keys) < 0) return cg_problem_no_memory(problem);
    int err = text.len > CG_SETTINGS_FILE_MAX
                  ? cg_problem_set(problem, CG_E_INVALID, "the group's keys are larger than 16 MiB")
                  : cg_seal_close(seal, about(CG_ITEM_KEYS, made->name, room), cg_secret_slice(&text), &made->sealed);
    cg_secret_free(&text);
    if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(problem);
    return err < 0 && problem->err == 0 ? cg_problem_set(problem, err, "the keys cannot be sealed") : err;
}

static void name_anew(char name[CG_SEALED_KEYS_NAME]) {
    uint8_t dice[(CG_SEALED_KEYS_NAME - 1) / 2];
    randombytes_buf(dice, sizeof dice);
    sodium_bin2hex(name, CG_SEALED_KEYS_NAME, dice, sizeof dice);
}

static int fill(struct cg_sealed_keys *made, const char *group, const json_t *keys,
                const struct cg_security_group *read, const struct cg_seal *seal, struct cg_problem *problem) {
    made->document = describe(group, read);
    if (made->document == NULL) return cg_problem_no_memory(problem);
    int err = cg_security_group_sender_id(read, &read->self, &made->sender);
    if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(problem);
    if (err < 0) return cg_problem_set(problem, err, "the keys cannot be used");
    return seal_text(made, keys, seal, problem);
}

int cg_sealed_keys_make(struct cg_sealed_keys *made, const char *group, const char *name, const json_t *keys,
                        const struct cg_seal *seal, struct cg_mistakes *mistakes, struct cg_problem *problem) {
    struct cg_security_group *read;
    *made = (struct cg_sealed_keys){0};
    if (sodium_init() < 0) return cg_problem_no_memory(problem);
    if (name == NULL) {
        name_anew(made->name);
    } else {
        (void)snprintf(made->name, sizeof made->name, "%s", name);
    }
    int err = cg_security_group_read(keys, CG_GROUP_FILE_OF_MEMBERS, &read, mistakes);
    if (err == CG_E_FORMAT) return cg_problem_set(problem, CG_E_INVALID, "these keys cannot be used");
    if (err < 0) return cg_problem_no_memory(problem);
    err = fill(made, group, keys, read, seal, problem);
    cg_security_group_free(read);
    if (err < 0) cg_sealed_keys_fini(made);
    return err;
}

void cg_sealed_keys_fini(struct cg_sealed_keys *made) {
    json_decref(made->document);
    cg_buf_fini(&made->sealed);
    *made = (struct cg_sealed_keys){0};
}

/* ---- Opening ---- */

int cg_sealed_open(const struct cg_seal *seal, const struct cg_item *item, struct cg_buf *secret) {
    char room[ABOUT_MAX];
    if (item->sealed.len == 0) return CG_E_NOT_FOUND;
    if (seal == NULL) return CG_E_STORE;
    /* Not copied about as it grows. */
    if (cg_buf_reserve(secret, item->sealed.len) == NULL) return CG_E_NO_MEMORY;
    return cg_seal_open_sealed(seal, about(item->kind, item->name, room), item->sealed, secret);
}

void cg_sealed_wipe(struct cg_buf *secret) {
    if (secret->data != NULL) sodium_memzero(secret->data, secret->cap);
    cg_buf_fini(secret);
}

static int explain(int err, struct cg_problem *problem) {
    switch (err) {
    case CG_E_NO_MEMORY: return cg_problem_no_memory(problem);
    case CG_E_STORE: return no_seal(problem);
    case CG_E_KEY_REFUSED:
        return cg_problem_set(problem, CG_E_CONFLICT,
                              "the group's keys were sealed with another key than the gateway has now (\"seal_key\"): "
                              "bring that one back, or delete the group and make it anew");
    default: return cg_problem_set(problem, CG_E_STORE, "the group's keys are not in the store");
    }
}

int cg_sealed_keys_open(const struct cg_seal *seal, const struct cg_item *item, json_t **keys,
                        struct cg_problem *problem) {
    struct cg_buf secret;
    struct cg_mistakes mistakes;
    *keys = NULL;
    cg_buf_init(&secret, 0);
    int err = cg_sealed_open(seal, item, &secret);
    if (err == CG_OK) {
        cg_mistakes_init(&mistakes);
        *keys = cg_secret_json(cg_buf_slice(&secret), &mistakes);
        if (*keys == NULL) err = CG_E_NO_MEMORY; /* nothing else can be wrong with what was sealed here */
        cg_mistakes_fini(&mistakes);
    }
    cg_sealed_wipe(&secret);
    return err < 0 ? explain(err, problem) : CG_OK;
}
