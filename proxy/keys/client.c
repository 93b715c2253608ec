/* Two files with the IDs exchanged. The hard thing: the client's Sender ID has to be another one for each client of a
 * gateway, which nobody here knows; so it is random, and as long as it needs to be for thousands of them, where the
 * algorithm's nonce has room for that. */
#include "keys/client.h"

#include <sodium.h>
#include <stdio.h>

#include "base/text.h"
#include "keys/document.h"
#include "settings/client_oscore.h"

enum { SECRET_LEN = 16, SALT_LEN = 8, RANDOM_ID_LEN = 4, GATEWAY_ID = 0xc1 };

/* What both files are made of, as bytes. */
struct context {
    struct cg_client_oscore keys; /* the gateway's view; borrows the rest */
    uint8_t secret[SECRET_LEN], salt[SALT_LEN], gateway_id, client_id[CG_OSCORE_ID_MAX];
};

static int fail(char *error, const char *why) {
    (void)snprintf(error, CG_KEYS_ERROR_MAX, "%s", why);
    return CG_E_BAD_REQUEST;
}

/* Never the gateway's own. */
static size_t random_id(const struct cg_keys_client_options *options, uint8_t id[CG_OSCORE_ID_MAX]) {
    const struct cg_oscore_params params = {.alg_aead = options->alg_aead};
    size_t most = cg_oscore_sender_id_max(&params), len = most < RANDOM_ID_LEN ? most : RANDOM_ID_LEN;
    randombytes_buf(id, len);
    if (len > 0) id[0] &= 0x7f;
    return len;
}

static int take_id(struct context *context, const struct cg_keys_client_options *options, char *error) {
    size_t len = 0;
    if (options->id == NULL) {
        len = random_id(options, context->client_id);
    } else if (options->id[0] != '\0' &&
               cg_hex_parse(cg_slice_str(options->id), context->client_id, sizeof context->client_id, &len) != CG_OK) {
        return fail(error, "the client's Sender ID must be 0 to 7 bytes in hexadecimal");
    }
    context->keys.recipient_id = cg_slice_of(context->client_id, len);
    return CG_OK;
}

static int fill(struct context *context, const struct cg_keys_client_options *options, char *error) {
    const char *why = NULL;
    randombytes_buf(context->secret, sizeof context->secret);
    randombytes_buf(context->salt, sizeof context->salt);
    context->gateway_id = GATEWAY_ID;
    context->keys = (struct cg_client_oscore){.alg_aead = options->alg_aead,
                                              .is_sha512 = options->hkdf == CG_SHA512,
                                              .master_secret = cg_slice_of(context->secret, sizeof context->secret),
                                              .master_salt = cg_slice_of(context->salt, sizeof context->salt),
                                              .sender_id = cg_slice_of(&context->gateway_id, 1)};
    int err = take_id(context, options, error);
    if (err < 0) return err;
    err = cg_client_oscore_check(&context->keys, &why);
    return err == CG_E_KEY ? fail(error, why) : err;
}

static bool set_hex(json_t *file, const char *key, struct cg_slice bytes) {
    return cg_keys_set(file, key, cg_keys_hex(bytes.data, bytes.len));
}

/* NULL: no memory. */
static json_t *file_of(const struct cg_client_oscore *keys, struct cg_slice sender_id, struct cg_slice recipient_id) {
    json_t *file = json_object();
    bool is_whole = file != NULL && cg_keys_set(file, "alg_aead", json_integer(keys->alg_aead)) &&
                    cg_keys_set(file, "hkdf", json_string(keys->is_sha512 ? "sha512" : "sha256")) &&
                    set_hex(file, "master_secret", keys->master_secret) &&
                    set_hex(file, "master_salt", keys->master_salt) && set_hex(file, "sender_id", sender_id) &&
                    set_hex(file, "recipient_id", recipient_id);
    if (is_whole) return file;
    json_decref(file);
    return NULL;
}

int cg_keys_client_new(struct cg_keys_client *keys, const struct cg_keys_client_options *options,
                       char error[CG_KEYS_ERROR_MAX]) {
    struct context context;
    *keys = (struct cg_keys_client){.gateway = NULL};
    int err = fill(&context, options, error);
    if (err == CG_OK) {
        const struct cg_client_oscore *made = &context.keys;
        keys->gateway = file_of(made, made->sender_id, made->recipient_id);
        keys->client = file_of(made, made->recipient_id, made->sender_id);
        if (keys->gateway == NULL || keys->client == NULL) err = CG_E_NO_MEMORY;
    }
    sodium_memzero(&context, sizeof context);
    if (err < 0) cg_keys_client_fini(keys);
    return err;
}

void cg_keys_client_fini(struct cg_keys_client *keys) {
    json_decref(keys->gateway);
    json_decref(keys->client);
}
