/* Tokens and certificates by their digests, as clients' own settings have them: one, or several. */
#include "settings/passes.h"
#include "settings/rows.h"

#include "base/text.h"

enum { SHA256_LEN = sizeof((struct cg_pass *)0)->sha256 };

/* ---- Printing ---- */

static void print_hash(struct cg_out *out, const char *key, const struct cg_pass *pass) {
    struct cg_buf hex;
    cg_buf_init(&hex, 0);
    cg_buf_put_hex(&hex, cg_slice_of(pass->sha256, SHA256_LEN));
    cg_buf_put_u8(&hex, 0);
    if (hex.failed) out->buf->failed = true;
    if (!hex.failed) cg_out_text(out, key, (const char *)hex.data);
    cg_buf_fini(&hex);
}

/* Stored tokens are items of their own. */
static size_t count_own(const struct cg_pass *passes, size_t count) {
    size_t own = 0;
    for (size_t i = 0; i < count; i++) own += passes[i].id == NULL;
    return own;
}

static void print_passes(struct cg_out *out, const char *key, const struct cg_pass *passes, size_t count) {
    size_t own = count_own(passes, count);
    if (own == 0) return;
    if (own > 1) cg_out_open(out, key, '[');
    for (size_t i = 0; i < count; i++)
        if (passes[i].id == NULL) print_hash(out, own > 1 ? NULL : key, &passes[i]);
    if (own > 1) cg_out_close(out, ']');
}

static void print_tokens(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_client *client = target;
    print_passes(out, row->key, client->tokens, client->token_count);
}

static void print_certificates(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_client *client = target;
    print_passes(out, row->key, client->certificates, client->certificate_count);
}

#define HASH_JSON "'type': 'string', 'pattern': '^[0-9a-fA-F]{64}$'"
#define PASSES_JSON                                                                                                    \
    "'oneOf': [{" HASH_JSON "}, {'type': 'array', 'minItems': 1, 'maxItems': 64, 'items': {" HASH_JSON "}}]"
const struct cg_kind cg_kind_token = {.print = print_tokens, .json = PASSES_JSON};
const struct cg_kind cg_kind_certificate = {.print = print_certificates, .json = PASSES_JSON};
const struct cg_kind cg_kind_hash = {.json = HASH_JSON};
const struct cg_kind cg_kind_moment = {.json = "'type': 'string', 'format': 'date-time'"};

/* ---- Reading ---- */

static bool read_hash(struct cg_reader *reader, const struct cg_at *at, const json_t *json, uint8_t hash[SHA256_LEN]) {
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return false;
    size_t len;
    if (cg_hex_parse(cg_slice_str(text), hash, SHA256_LEN, &len) == CG_OK && len == SHA256_LEN) return true;
    cg_mistake_at(reader, at, "must be a SHA-256 hash: 64 hexadecimal digits");
    return false;
}

bool cg_pass_read_hash(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct cg_pass *pass) {
    *pass = (struct cg_pass){.expires_s = CG_PASS_FOR_EVER};
    return read_hash(reader, at, json, pass->sha256);
}

static bool read_pass(struct cg_reader *reader, const struct cg_at *at, const json_t *json, enum cg_unique what,
                      struct cg_pass *pass) {
    if (!cg_pass_read_hash(reader, at, json, pass)) return false;
    const char *first = cg_unique_before(reader, what, cg_slice_of(pass->sha256, SHA256_LEN), at);
    if (first != NULL) cg_mistake_at(reader, at, "is the same as %s: it must lead to one client", first);
    return first == NULL;
}

static size_t read_list(struct cg_reader *reader, const struct cg_at *at, const json_t *json, enum cg_unique what,
                        struct cg_pass *passes) {
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct cg_at child = {.up = at, .index = i};
        count += read_pass(reader, &child, json_array_get(json, i), what, &passes[count]);
    }
    return count;
}

static bool is_list(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    if (!cg_read_is_array(reader, at, json, CG_PASSES_MAX)) return false;
    if (json_array_size(json) > 0) return true;
    cg_mistake_at(reader, at, "must be a hash or a list of at least one");
    return false;
}

size_t cg_passes_read(struct cg_reader *reader, const struct cg_at *at, const json_t *json, enum cg_unique what,
                      struct cg_pass **passes) {
    bool is_several = json_is_array(json);
    if (json == NULL || (is_several && !is_list(reader, at, json))) return 0;
    *passes = cg_keep_array(reader, is_several ? json_array_size(json) : 1, sizeof **passes);
    if (*passes == NULL) return 0;
    return is_several ? read_list(reader, at, json, what, *passes) : read_pass(reader, at, json, what, *passes);
}
