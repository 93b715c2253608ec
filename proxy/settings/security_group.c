/* A security group's file to its struct: the order of reading, what must be there at all, and what the rest of the
 * program gets from it. The rules for each value are in security_values.c. The hard thing: whether a credential fits
 * depends on the algorithms, so these are judged first, and where they are wrong nothing is said about what rests on
 * them. */
#include "settings/rows.h"
#include "settings/security_reader.h"

#include "base/check.h"
#include "base/text.h"

#include <sodium.h>
#include <stdlib.h>

static const struct cg_row member_rows[] = {CG_ROW_OWN("common"), CG_ROW_OWN("self"), CG_ROW_OWN("peers")};
static const struct cg_row checker_rows[] = {CG_ROW_OWN("common"), CG_ROW_OWN("peers")};
static const struct cg_row manager_rows[] = {
    CG_ROW_OWN("name"),    CG_ROW_OWN("common"),       CG_ROW_OWN("group_manager"), CG_ROW_OWN("gateway"),
    CG_ROW_OWN("members"), CG_ROW_OWN("member_peers"), CG_ROW_OWN("given_ids"),
};
static const struct cg_rows rows_of[] = {
    [CG_GROUP_FILE_MEMBER] = {CG_ROWS(member_rows)},
    [CG_GROUP_FILE_CHECKER] = {CG_ROWS(checker_rows)},
    [CG_GROUP_FILE_MANAGER] = {CG_ROWS(manager_rows)},
};

static const char *const kind_names[] = {
    [CG_GROUP_FILE_MEMBER] = "a member's file (gateway.json, member-ID.json)",
    [CG_GROUP_FILE_CHECKER] = "a signature checker's file (checker.json)",
    [CG_GROUP_FILE_MANAGER] = "the whole group's file (group.json)",
};

static enum cg_group_file kind_of(const json_t *json) {
    if (json_object_get(json, "members") != NULL) return CG_GROUP_FILE_MANAGER;
    if (json_object_get(json_object_get(json, "common"), "signature_encryption_key") != NULL)
        return CG_GROUP_FILE_CHECKER;
    return CG_GROUP_FILE_MEMBER;
}

/* Of those with somebody's private key. */
static enum cg_group_file private_kind_of(const json_t *json) {
    return kind_of(json) == CG_GROUP_FILE_MANAGER ? CG_GROUP_FILE_MANAGER : CG_GROUP_FILE_MEMBER;
}

/* The value of a key that has to be there, or NULL with a mistake. */
static const json_t *must_have(struct cg_group_reader *r, const struct cg_at *up, const json_t *object, const char *key,
                               struct cg_at *at) {
    const json_t *json = cg_read_member(up, object, key, at);
    if (json == NULL) cg_mistake_missing(&r->reader, up, key, "needs \"%s\"", key);
    return json;
}

static void read_peers(struct cg_group_reader *r, const struct cg_at *at, const json_t *json) {
    if (!json_is_object(json)) {
        cg_mistake_at(&r->reader, at, "must be an object: Sender IDs and their credentials");
        return;
    }
    size_t count = 0;
    const char *id;
    json_t *value;
    json_object_foreach((json_t *)json, id, value) {
        struct cg_at child = {.up = at, .key = id};
        cg_read_peer(r, &child, value, &r->group->peers[count++]);
    }
}

static void read_members(struct cg_group_reader *r, const struct cg_at *at, const json_t *json) {
    if (!json_is_array(json)) {
        cg_mistake_at(&r->reader, at, "must be an array of members");
        return;
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct cg_at child = {.up = at, .index = i};
        cg_read_party(r, &child, json_array_get(json, i), &r->group->peers[i]);
    }
}

static bool is_sender_id(const json_t *json) {
    uint8_t id[CG_OSCORE_ID_MAX];
    size_t len;
    return json_is_string(json) && cg_hex_parse(cg_slice_str(json_string_value(json)), id, sizeof id, &len) == CG_OK;
}

/* Nothing here needs them: they are castgate-keys' own. */
static void read_given_ids(struct cg_group_reader *r, const struct cg_at *at, const json_t *json) {
    if (!json_is_array(json)) cg_mistake_at(&r->reader, at, "must be an array of Sender IDs");
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct cg_at child = {.up = at, .index = i};
        if (!is_sender_id(json_array_get(json, i)))
            cg_mistake_at(&r->reader, &child, "must be a Sender ID in hexadecimal, of at most %d bytes",
                          CG_OSCORE_ID_MAX);
    }
}

/* The parts that only the manager's file has. */
static void read_manager(struct cg_group_reader *r, const struct cg_at *top, const json_t *json) {
    struct cg_at at;
    const json_t *part = cg_read_member(top, json, "name", &at);
    if (part != NULL) cg_read_group_name(r, &at, part);
    part = cg_read_member(top, json, "member_peers", &at);
    if (part != NULL) cg_read_member_peers(r, &at, part);
    part = cg_read_member(top, json, "given_ids", &at);
    if (part != NULL) read_given_ids(r, &at, part);
    part = must_have(r, top, json, "group_manager", &at);
    if (part != NULL) cg_read_group_manager(r, &at, part);
}

static void read_document(struct cg_group_reader *r, const json_t *json) {
    struct cg_security_group *group = r->group;
    const struct cg_at top = {0};
    struct cg_at at;
    bool manager = group->file == CG_GROUP_FILE_MANAGER;
    if (kind_of(json) != group->file && json_is_object(json)) {
        cg_mistake_at(&r->reader, &top, "is %s; wanted is %s", kind_names[kind_of(json)], kind_names[group->file]);
        return;
    }
    if (!cg_read_object(&r->reader, &top, &rows_of[group->file], json, group)) return;
    const json_t *part = must_have(r, &top, json, "common", &at);
    if (part != NULL) cg_read_common(r, &at, part);
    if (manager) read_manager(r, &top, json);
    if (group->file != CG_GROUP_FILE_CHECKER) {
        part = must_have(r, &top, json, manager ? "gateway" : "self", &at);
        if (part != NULL) cg_read_party(r, &at, part, &group->self);
    }
    part = must_have(r, &top, json, manager ? "members" : "peers", &at);
    if (part != NULL && manager) read_members(r, &at, part);
    if (part != NULL && !manager) read_peers(r, &at, part);
}

/* Memory for as many parties as the document lists, and for all secrets that it can have. */
static int make_room(struct cg_security_group *group, const json_t *json) {
    const json_t *peers = json_object_get(json, "peers"), *members = json_object_get(json, "members");
    size_t count = group->file == CG_GROUP_FILE_MANAGER ? json_array_size(members) : json_object_size(peers);
    if (count > CG_SECURITY_PEERS_MAX) return CG_E_TOO_BIG;
    size_t keys = group->file == CG_GROUP_FILE_MANAGER ? count + 2 : 1; /* the gateway's, the Group Manager's */
    int err = cg_secret_alloc(&group->locked, 2 * CG_OSCORE_SECRET_MAX + CG_COSE_KEY_MAX + keys * CG_PRIVATE_KEY_LEN);
    if (err != CG_OK) return err;
    group->peers = cg_arena_zalloc(&group->arena, (count + 1) * sizeof *group->peers);
    group->peer_count = count;
    return group->peers == NULL ? CG_E_NO_MEMORY : CG_OK;
}

static int read_group(struct cg_security_group *group, const json_t *json, struct cg_mistakes *mistakes) {
    struct cg_group_reader r = {.reader = {.mistakes = mistakes}, .group = group};
    size_t before = mistakes->count;
    int err = make_room(group, json);
    if (err == CG_E_TOO_BIG) {
        cg_mistakes_add(mistakes, "", "more than %d peers", CG_SECURITY_PEERS_MAX);
        return CG_E_FORMAT;
    }
    if (err != CG_OK) return err;
    cg_arena_init(&r.reader.scratch, SIZE_MAX, NULL);
    read_document(&r, json);
    cg_group_reader_fini(&r);
    if (r.reader.out_of_memory) return CG_E_NO_MEMORY; /* what looks like a mistake may be the want of it */
    return mistakes->count > before ? CG_E_FORMAT : CG_OK;
}

int cg_security_group_read(const json_t *json, enum cg_group_file kind, struct cg_security_group **group,
                           struct cg_mistakes *mistakes) {
    *group = NULL;
    struct cg_security_group *made = calloc(1, sizeof *made);
    if (made == NULL) return CG_E_NO_MEMORY;
    made->file = kind == CG_GROUP_FILE_OF_MEMBERS ? private_kind_of(json) : kind;
    cg_arena_init(&made->arena, SIZE_MAX, NULL);
    int err = read_group(made, json, mistakes);
    if (err != CG_OK) {
        cg_security_group_free(made);
        return err;
    }
    *group = made;
    return CG_OK;
}

int cg_security_group_parse(struct cg_slice text, enum cg_group_file kind, struct cg_security_group **group,
                            struct cg_mistakes *mistakes) {
    size_t before = mistakes->count;
    *group = NULL;
    if (text.len > CG_SETTINGS_FILE_MAX) {
        cg_mistakes_add(mistakes, "", "is larger than 16 MiB");
        return CG_E_FORMAT;
    }
    json_t *json = cg_secret_json(text, mistakes);
    if (json == NULL) return mistakes->count > before ? CG_E_FORMAT : CG_E_NO_MEMORY;
    int err = cg_security_group_read(json, kind, group, mistakes);
    json_decref(json);
    return err;
}

int cg_security_group_load(const char *file, enum cg_group_file kind, bool may_be_shared,
                           struct cg_security_group **group, struct cg_mistakes *mistakes) {
    struct cg_secret_text text;
    *group = NULL;
    int err = cg_secret_read(&text, file, may_be_shared, mistakes);
    if (err != CG_OK) return err;
    err = cg_security_group_parse(cg_secret_slice(&text), kind, group, mistakes);
    cg_secret_free(&text);
    return err;
}

void cg_security_group_free(struct cg_security_group *group) {
    if (group == NULL) return;
    cg_secret_free(&group->locked);
    cg_arena_fini(&group->arena);
    free(group);
}

void cg_security_group_params(const struct cg_security_group *group, const struct cg_security_party *sender,
                              struct cg_oscore_params *params, struct cg_oscore_sender_params *own) {
    *params = (struct cg_oscore_params){
        .group = true,
        .alg_aead = group->alg_aead,
        .alg_group_enc = group->alg_group_enc,
        .alg_signature = group->alg_signature,
        .alg_agreement = group->alg_agreement,
        .hkdf = group->hkdf,
        .master_secret = group->master_secret,
        .master_salt = group->master_salt,
        .has_id_context = true,
        .id_context = group->gid,
        .gm_cred = group->gm_cred,
        .countersign_four = group->countersign_four,
    };
    if (sender == NULL) return;
    CG_CHECK(sender->private_key.len > 0);
    *own = (struct cg_oscore_sender_params){.id = sender->id, .private_key = sender->private_key, .cred = sender->cred};
    params->sender = own;
}

static void hash_part(crypto_hash_sha256_state *hash, struct cg_slice part) {
    const uint8_t len[2] = {(uint8_t)(part.len >> 8), (uint8_t)part.len}; /* all parts are bounded far below */
    crypto_hash_sha256_update(hash, len, sizeof len);
    crypto_hash_sha256_update(hash, part.data, part.len);
}

static void name_formerly(const struct cg_security_group *group, const struct cg_security_party *sender,
                          uint8_t name[CG_SENDER_ID_LEN]) {
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    hash_part(&hash, cg_slice_str("castgate Group OSCORE sender"));
    hash_part(&hash, group->master_secret);
    hash_part(&hash, group->master_salt);
    hash_part(&hash, group->gid);
    hash_part(&hash, sender->id);
    crypto_hash_sha256_final(&hash, name);
    sodium_memzero(&hash, sizeof hash);
}

int cg_security_group_sender_id(const struct cg_security_group *group, const struct cg_security_party *sender,
                                struct cg_sender_id *id) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_oscore_context *context;
    CG_CHECK(group->master_secret.len > 0);
    name_formerly(group, sender, id->former);
    cg_security_group_params(group, sender, &params, &own);
    int err = cg_oscore_context_new(&context, &params, NULL);
    if (err != CG_OK) return err == CG_E_NO_MEMORY ? err : CG_E_INTERNAL; /* the file was found to make one */
    err = cg_oscore_sender_fingerprint(context, id->bytes);
    cg_oscore_context_unref(context);
    return err;
}
