/* The library takes bytes and does not care where they are kept: castgate-keys writes JSON with hexadecimal digits, a
 * device would have them in its flash. Whoever reads member-ID.json is that member, so the file is for its owner only;
 * what is decoded of it here is wiped, jansson's text is not. */
#include "group.h"

#include <err.h>
#include <jansson.h>
#include <sodium.h>

struct reader {
    uint8_t room[16384]; /* for two credentials of 4096 bytes, and the rest */
    size_t used;
    bool failed;
};

/* What a string of hexadecimal digits stands for. */
static struct cg_slice bytes_of(struct reader *reader, const json_t *object, const char *key) {
    const char *text = json_string_value(key == NULL ? object : json_object_get(object, key));
    uint8_t *to = reader->room + reader->used;
    size_t len = 0, cap = sizeof reader->room - reader->used;
    if (text == NULL || sodium_hex2bin(to, cap, text, strlen(text), NULL, &len, NULL) != 0) reader->failed = true;
    reader->used += len;
    return cg_slice_of(to, len);
}

/* 0, CG_COSE_NONE, where it is not set. */
static int number_of(const json_t *object, const char *key) {
    return (int)json_integer_value(json_object_get(object, key));
}

static enum cg_hash hash_of(const json_t *common) {
    const char *name = json_string_value(json_object_get(common, "hkdf"));
    return name != NULL && strcmp(name, "sha512") == 0 ? CG_SHA512 : CG_SHA256;
}

static struct cg_oscore_context *new_context(struct reader *reader, const json_t *file, const char **why) {
    const json_t *common = json_object_get(file, "common"), *self = json_object_get(file, "self");
    const struct cg_oscore_sender_params sender = {
        .id = bytes_of(reader, self, "sender_id"),
        .private_key = bytes_of(reader, self, "private_key"),
        .cred = bytes_of(reader, self, "cred"),
    };
    const struct cg_oscore_params params = {
        .group = true,
        .alg_aead = number_of(common, "alg_aead"),
        .alg_group_enc = number_of(common, "alg_group_enc"),
        .alg_signature = number_of(common, "alg_signature"),
        .alg_agreement = number_of(common, "alg_pairwise_key_agreement"),
        .hkdf = hash_of(common),
        .master_secret = bytes_of(reader, common, "master_secret"),
        .master_salt = bytes_of(reader, common, "master_salt"),
        .has_id_context = true,
        .id_context = bytes_of(reader, common, "gid"),
        .gm_cred = bytes_of(reader, common, "gm_cred"),
        .sender = &sender,
    };
    struct cg_oscore_context *context = NULL;
    if (!reader->failed && cg_oscore_context_new(&context, &params, why) != CG_OK) reader->failed = true;
    return context;
}

/* "peers": {ID: credential, ...}; the gateway's file also has names and addresses. */
static void add_peer(struct reader *reader, struct cg_oscore_context *context, const char *id, const json_t *peer,
                     enum cg_oscore_window_state window, const char **why) {
    const size_t used = reader->used;
    json_t *text = json_string(id);
    const struct cg_slice kid = bytes_of(reader, text, NULL);
    const struct cg_slice cred = bytes_of(reader, peer, json_is_object(peer) ? "cred" : NULL);
    json_decref(text);
    if (!reader->failed && cg_oscore_peer_add(context, kid, cred, window, NULL, why) != CG_OK) reader->failed = true;
    reader->used = used;
}

struct cg_oscore_context *group_load(const char *file, enum cg_oscore_window_state windows) {
    static struct reader reader;
    json_error_t where;
    json_t *json = json_load_file(file, JSON_REJECT_DUPLICATES, &where), *peer;
    const char *id, *why = "this is no member's file of castgate-keys";
    if (json == NULL) errx(1, "%s: %s", file, where.text);
    struct cg_oscore_context *context = new_context(&reader, json, &why);
    json_object_foreach(json_object_get(json, "peers"), id, peer) {
        if (context != NULL) add_peer(&reader, context, id, peer, windows, &why);
    }
    json_decref(json);
    sodium_memzero(&reader.room, sizeof reader.room);
    if (reader.failed) errx(1, "%s: %s", file, why);
    return context;
}

struct cg_oscore_peer *group_peer(const struct cg_oscore_context *context, const char *id) {
    uint8_t kid[CG_OSCORE_ID_MAX];
    size_t len;
    struct cg_oscore_peer *peer = NULL;
    if (sodium_hex2bin(kid, sizeof kid, id, strlen(id), NULL, &len, NULL) == 0)
        peer = cg_oscore_peer_find(context, cg_slice_of(kid, len));
    if (peer == NULL) errx(1, "%s is no member of the group", id);
    return peer;
}
