/* The clients and how each proves itself. The hard thing: a hash must lead to one client only, so no two may share one.
 */
#include "settings/psk.h"
#include "settings/rows.h"

#include "base/text.h"

enum { SHA256_LEN = 32 };

static void print_hash(struct cg_out *out, const char *key, const uint8_t hash[SHA256_LEN]) {
    struct cg_buf hex;
    cg_buf_init(&hex, 0);
    cg_buf_put_hex(&hex, cg_slice_of(hash, SHA256_LEN));
    cg_buf_put_u8(&hex, 0);
    if (hex.failed) out->buf->failed = true;
    if (!hex.failed) cg_out_text(out, key, (const char *)hex.data);
    cg_buf_fini(&hex);
}

static void print_token(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_client *client = target;
    if (client->has_token) print_hash(out, row->key, client->token_sha256);
}

static void print_certificate(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_client *client = target;
    if (client->has_certificate) print_hash(out, row->key, client->certificate_sha256);
}

#define HASH_JSON "'type': 'string', 'pattern': '^[0-9a-fA-F]{64}$'"
const struct cg_kind cg_kind_token = {.print = print_token, .json = HASH_JSON};
const struct cg_kind cg_kind_certificate = {.print = print_certificate, .json = HASH_JSON};

/* What no two clients may share, each of its own kind: the same hash may stand for a token and a certificate. */
struct proofs {
    struct cg_seen *tokens, *certificates;
    struct cg_psks psks;
};

static bool read_hash(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct cg_seen **seen,
                      uint8_t hash[SHA256_LEN]) {
    if (json == NULL) return false;
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return false;
    size_t len;
    if (cg_hex_parse(cg_slice_str(text), hash, SHA256_LEN, &len) < 0 || len != SHA256_LEN) {
        cg_mistake_at(reader, at, "must be a SHA-256 hash: 64 hexadecimal digits");
        return false;
    }
    const char *first = cg_seen_before(reader, seen, cg_slice_of(hash, SHA256_LEN), at);
    if (first != NULL) cg_mistake_at(reader, at, "is the same as %s: it must lead to one client", first);
    return first == NULL;
}

static void check_name(struct cg_reader *reader, const struct cg_at *at, const char *name) {
    if (strcmp(name, "anonymous") == 0) {
        cg_mistake_at(reader, at, "\"anonymous\" stands for clients that are not known: choose another name");
    } else if (!cg_name_is_valid(name)) {
        cg_mistake_at(reader, at, "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and begins with a letter or digit");
    }
}

static void read_client(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct proofs *seen,
                        struct cg_client *client) {
    struct cg_at child;
    check_name(reader, at, at->key);
    if (!cg_read_object(reader, at, &cg_client_rows, json, client)) return;
    const json_t *token = cg_read_member(at, json, "token_sha256", &child);
    client->has_token = read_hash(reader, &child, token, &seen->tokens, client->token_sha256);
    const json_t *certificate = cg_read_member(at, json, "certificate_sha256", &child);
    client->has_certificate = read_hash(reader, &child, certificate, &seen->certificates, client->certificate_sha256);
    const json_t *psk = cg_read_member(at, json, "psk", &child);
    if (psk != NULL) cg_psk_read(&seen->psks, reader, &child, psk, &client->psk);
    if (json_object_size(json) == 0)
        cg_mistake_at(reader, at, "needs \"token_sha256\", \"certificate_sha256\" or \"psk\"");
}

void cg_read_clients(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    if (!json_is_object(json)) {
        cg_mistake_at(reader, at, "must be an object of clients by name");
        return;
    }
    struct cg_config *config = reader->config;
    config->clients = cg_keep_array(reader, json_object_size(json), sizeof *config->clients);
    if (config->clients == NULL) return;
    struct proofs seen = {0};
    cg_psks_init(&seen.psks, reader, json);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value) {
        struct cg_client *client = &config->clients[config->client_count];
        struct cg_at child = {.up = at, .key = name};
        client->name = cg_keep_text(reader, cg_slice_str(name));
        if (client->name == NULL) break;
        config->client_count++;
        read_client(reader, &child, value, &seen, client);
    }
    cg_seen_clear(&seen.tokens);
    cg_seen_clear(&seen.certificates);
    cg_psks_fini(&seen.psks);
    if (!cg_config_index_clients(config)) reader->out_of_memory = true;
}
