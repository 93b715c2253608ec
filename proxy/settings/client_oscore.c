/* A client's OSCORE file to what the snapshot keeps of it. The hard thing: no message may quote a secret, and what is
 * wrong with the values together shows only when a context is made of them. */
#include "settings/client_oscore.h"

#include "base/text.h"
#include "settings/rows.h"

#include <sodium.h>

enum { SECRET_MIN = 16 };

static const struct cg_row rows[] = {
    CG_ROW_OWN("alg_aead"),   CG_ROW_OWN("hkdf"),      CG_ROW_OWN("master_secret"), CG_ROW_OWN("master_salt"),
    CG_ROW_OWN("id_context"), CG_ROW_OWN("sender_id"), CG_ROW_OWN("recipient_id"),
};
static const struct cg_rows all_rows = {CG_ROWS(rows)};

enum need { OPTIONAL, NEEDED };

struct place {
    const char *key;
    enum need need;
    size_t min, max; /* bytes */
    uint8_t *bytes;
    struct cg_slice *value;
};

static void read_hex(struct cg_reader *reader, const json_t *json, const struct place *place) {
    const struct cg_at top = {0};
    struct cg_at at;
    const json_t *member = cg_read_member(&top, json, place->key, &at);
    if (member == NULL) {
        if (place->need == NEEDED) cg_mistake_missing(reader, &top, place->key, "needs \"%s\"", place->key);
        return;
    }
    const char *text = json_string_value(member);
    size_t len = 0;
    bool is_hex = text != NULL && cg_hex_parse(cg_slice_str(text), place->bytes, place->max, &len) == CG_OK;
    if (text != NULL && text[0] == '\0') is_hex = true;
    if (is_hex && len >= place->min) {
        *place->value = cg_slice_of(place->bytes, len);
    } else {
        cg_mistake_at(reader, &at, "must be a string of %zu to %zu bytes in hexadecimal", place->min, place->max);
    }
}

static void read_algorithms(struct cg_reader *reader, const json_t *json, struct cg_client_oscore *keys) {
    const struct cg_at top = {0};
    struct cg_at at;
    const json_t *alg = cg_read_member(&top, json, "alg_aead", &at);
    const struct cg_cose_cipher *cipher = NULL;
    keys->alg_aead = alg == NULL ? CG_COSE_AES_CCM_16_64_128 : (int)json_integer_value(alg);
    if (keys->alg_aead > 0 && keys->alg_aead < 256) cipher = cg_cose_cipher(keys->alg_aead);
    if (cipher == NULL || cipher->tag_len == 0)
        cg_mistake_at(reader, &at,
                      "must be the COSE number of an AEAD that is known here: 1 to 3 (AES-GCM), 10 to 13 "
                      "and 30 to 33 (AES-CCM), 24 (ChaCha20/Poly1305)");
    const json_t *hkdf = cg_read_member(&top, json, "hkdf", &at);
    const char *text = hkdf == NULL ? "sha256" : json_string_value(hkdf);
    keys->is_sha512 = text != NULL && strcmp(text, "sha512") == 0;
    if (!keys->is_sha512 && (text == NULL || strcmp(text, "sha256") != 0))
        cg_mistake_at(reader, &at, "must be \"sha256\" or \"sha512\"");
}

static void read_values(struct cg_reader *reader, const json_t *json, struct cg_client_oscore_file *file) {
    struct cg_client_oscore *keys = &file->keys;
    uint8_t *locked = file->locked.data;
    const struct place places[] = {
        {"master_secret", NEEDED, SECRET_MIN, CG_CLIENT_SECRET_MAX, locked, &keys->master_secret},
        {"master_salt", OPTIONAL, 0, CG_CLIENT_SECRET_MAX, locked + CG_CLIENT_SECRET_MAX, &keys->master_salt},
        {"id_context", OPTIONAL, 0, sizeof file->id_context, file->id_context, &keys->id_context},
        {"sender_id", NEEDED, 0, sizeof file->sender_id, file->sender_id, &keys->sender_id},
        {"recipient_id", NEEDED, 0, sizeof file->recipient_id, file->recipient_id, &keys->recipient_id},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) read_hex(reader, json, &places[i]);
    keys->has_id_context = json_object_get(json, "id_context") != NULL;
    read_algorithms(reader, json, keys);
}

void cg_client_oscore_params(const struct cg_client_oscore *keys, struct cg_oscore_params *params,
                             struct cg_oscore_sender_params *own) {
    *own = (struct cg_oscore_sender_params){.id = keys->sender_id};
    *params = (struct cg_oscore_params){.alg_aead = keys->alg_aead,
                                        .alg_group_enc = CG_COSE_NONE,
                                        .alg_signature = CG_COSE_NONE,
                                        .alg_agreement = CG_COSE_NONE,
                                        .hkdf = keys->is_sha512 ? CG_SHA512 : CG_SHA256,
                                        .master_secret = keys->master_secret,
                                        .master_salt = keys->master_salt,
                                        .has_id_context = keys->has_id_context,
                                        .id_context = keys->id_context,
                                        .hop = true,
                                        .sender = own};
}

/* NULL with *why, which is NULL where memory ran out. */
static struct cg_oscore_context *make_context(const struct cg_client_oscore *keys, const char **why) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_oscore_context *context;
    *why = NULL;
    cg_client_oscore_params(keys, &params, &own);
    int err = cg_oscore_context_new(&context, &params, why);
    if (err < 0) return NULL;
    err = cg_oscore_peer_add(context, keys->recipient_id, CG_SLICE_NONE, CG_OSCORE_WINDOW_LOST, NULL, why);
    if (err == CG_OK) return context;
    cg_oscore_context_unref(context);
    return NULL;
}

int cg_client_oscore_check(const struct cg_client_oscore *keys, const char **why) {
    struct cg_oscore_context *context = make_context(keys, why);
    if (context == NULL) return *why == NULL ? CG_E_NO_MEMORY : CG_E_KEY;
    cg_oscore_context_unref(context);
    return CG_OK;
}

int cg_client_oscore_sender_id(const struct cg_client_oscore *keys, struct cg_sender_id *id) {
    const char *why;
    struct cg_oscore_context *context = make_context(keys, &why);
    *id = (struct cg_sender_id){.former = {0}};
    if (context == NULL) return why == NULL ? CG_E_NO_MEMORY : CG_E_INTERNAL; /* the file was found to make one */
    int err = cg_oscore_sender_fingerprint(context, id->bytes);
    cg_oscore_context_unref(context);
    return err;
}

/* Of everything in it: whose key it is, whatever the file's name. */
static int put_digest(struct cg_client_oscore *keys, const struct cg_oscore_context *context) {
    crypto_hash_sha256_state hash;
    uint8_t all[32], sender[32];
    int err = cg_oscore_keys_fingerprint(context, all);
    if (err == CG_OK) err = cg_oscore_sender_fingerprint(context, sender);
    if (err < 0) return err;
    crypto_hash_sha256_init(&hash);
    crypto_hash_sha256_update(&hash, all, sizeof all);
    crypto_hash_sha256_update(&hash, sender, sizeof sender);
    crypto_hash_sha256_update(&hash, keys->recipient_id.data, keys->recipient_id.len);
    crypto_hash_sha256_final(&hash, keys->digest);
    return CG_OK;
}

static int check_together(struct cg_client_oscore *keys, struct cg_mistakes *mistakes) {
    const char *why;
    struct cg_oscore_context *context = make_context(keys, &why);
    if (context == NULL && why == NULL) return CG_E_NO_MEMORY;
    if (context == NULL) {
        cg_mistakes_add(mistakes, "", "%s", why);
        return CG_E_FORMAT;
    }
    int err = put_digest(keys, context);
    cg_oscore_context_unref(context);
    return err;
}

static int read_file(const json_t *json, struct cg_client_oscore_file *file, struct cg_mistakes *mistakes) {
    struct cg_reader reader = {.mistakes = mistakes};
    const struct cg_at top = {0};
    size_t before = mistakes->count;
    cg_arena_init(&reader.scratch, SIZE_MAX, NULL);
    if (cg_read_object(&reader, &top, &all_rows, json, file)) read_values(&reader, json, file);
    cg_arena_fini(&reader.scratch);
    if (mistakes->count > before) return CG_E_FORMAT;
    return reader.out_of_memory ? CG_E_NO_MEMORY : check_together(&file->keys, mistakes);
}

int cg_client_oscore_load(const char *name, bool may_be_shared, struct cg_client_oscore_file *file,
                          struct cg_mistakes *mistakes) {
    struct cg_secret_text text;
    size_t before = mistakes->count;
    *file = (struct cg_client_oscore_file){.keys.file = name};
    int err = cg_secret_read(&text, name, may_be_shared, mistakes);
    if (err < 0) return err;
    json_t *json = cg_secret_json(cg_secret_slice(&text), mistakes);
    cg_secret_free(&text);
    if (json == NULL) return mistakes->count > before ? CG_E_FORMAT : CG_E_NO_MEMORY;
    err = cg_secret_alloc(&file->locked, (size_t)2 * CG_CLIENT_SECRET_MAX);
    if (err == CG_OK) err = read_file(json, file, mistakes);
    json_decref(json);
    if (err < 0) cg_client_oscore_file_fini(file);
    return err;
}

void cg_client_oscore_file_fini(struct cg_client_oscore_file *file) { cg_secret_free(&file->locked); }
