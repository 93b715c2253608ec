/* Stored tokens, which are items of their own, so that one can be made and revoked without touching its client. The
 * hard thing: two may have been made for clients that the settings file has meanwhile given the same token, or that it
 * has not any more; such a token is no reason for not starting, it only leads nowhere. */
#include "settings/passes.h"
#include "settings/rows.h"

#include "base/calendar.h"

enum { LABEL_MAX = 128 };

/* ---- Documents ---- */

static bool read_moment(struct cg_reader *reader, const struct cg_at *at, const json_t *json, int64_t *s) {
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return false;
    if (cg_calendar_parse(cg_slice_str(text), s) == CG_OK) return true;
    cg_mistake_at(reader, at, "must be a date and time such as \"2026-11-29T12:00:00Z\"");
    return false;
}

static bool read_expiry(struct cg_reader *reader, const struct cg_at *at, const json_t *json, int64_t *s) {
    *s = CG_PASS_FOR_EVER;
    return json == NULL || json_is_null(json) || read_moment(reader, at, json, s);
}

static bool check_label(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    const char *text = json == NULL ? "" : cg_read_text(reader, at, json);
    if (text == NULL) return false;
    if (strlen(text) <= LABEL_MAX) return true;
    cg_mistake_at(reader, at, "must be at most %d bytes", LABEL_MAX);
    return false;
}

static const json_t *read_needed(struct cg_reader *reader, const struct cg_at *at, const json_t *json, const char *key,
                                 struct cg_at *child) {
    const json_t *value = cg_read_member(at, json, key, child);
    if (value == NULL) cg_mistake_missing(reader, at, key, "needs \"%s\"", key);
    return value;
}

bool cg_token_read(struct cg_reader *reader, const struct cg_at *at, const char *id, const json_t *json,
                   struct cg_token_read *token) {
    struct cg_at child;
    const json_t *value;
    int64_t ignored;
    *token = (struct cg_token_read){0};
    if (!cg_read_object(reader, at, &cg_token_rows, json, NULL)) return false;
    value = read_needed(reader, at, json, "sha256", &child);
    bool good = value != NULL && cg_pass_read_hash(reader, &child, value, &token->pass);
    value = read_needed(reader, at, json, "client", &child);
    token->client = value == NULL ? NULL : cg_read_text(reader, &child, value);
    value = read_needed(reader, at, json, "made", &child);
    good &= value != NULL && read_moment(reader, &child, value, &ignored);
    value = cg_read_member(at, json, "expires", &child);
    good &= read_expiry(reader, &child, value, &token->pass.expires_s);
    value = cg_read_member(at, json, "label", &child);
    good &= check_label(reader, &child, value);
    token->pass.id = cg_keep_text(reader, cg_slice_str(id));
    return good && token->client != NULL && token->pass.id != NULL;
}

/* ---- Whose ---- */

static bool is_taken(struct cg_reader *reader, struct cg_seen **seen, const struct cg_token_read *token) {
    const struct cg_pass *pass;
    const struct cg_at at = {.key = token->pass.id};
    const struct cg_slice sha256 = cg_slice_of(token->pass.sha256, sizeof token->pass.sha256);
    return cg_config_client_by_token(reader->config, token->pass.sha256, &pass) != NULL ||
           cg_seen_before(reader, seen, sha256, &at) != NULL;
}

static const char *refuse(struct cg_reader *reader, struct cg_seen **seen, const struct cg_client *client,
                          const struct cg_token_read *token, size_t more) {
    if (client == NULL) return "its client is not there";
    if (client->token_count + more >= CG_PASSES_MAX) return "its client has as many tokens as may be";
    return is_taken(reader, seen, token) ? "a client has the same token already" : NULL;
}

/* Room for what the client has, and these. */
static bool make_room(struct cg_reader *reader, struct cg_client *client, size_t more) {
    struct cg_pass *passes = cg_keep_array(reader, client->token_count + more, sizeof *passes);
    if (passes == NULL) return false;
    if (client->token_count > 0) memcpy(passes, client->tokens, client->token_count * sizeof *passes);
    client->tokens = passes;
    return true;
}

/* How many more each client gets, by its number; *whose: each token's client. NULL: no memory. */
static size_t *count_more(struct cg_reader *reader, struct cg_token_read *tokens, size_t count, uint32_t *whose) {
    struct cg_config *config = reader->config;
    struct cg_seen *seen = NULL;
    size_t *more = cg_arena_zalloc(&reader->scratch, (config->client_count + 1) * sizeof *more);
    if (more == NULL) return NULL;
    for (size_t i = 0; i < count; i++) {
        const struct cg_client *client = cg_config_client_by_name(config, tokens[i].client);
        tokens[i].why = refuse(reader, &seen, client, &tokens[i], client == NULL ? 0 : more[client->number]);
        if (tokens[i].why != NULL) continue;
        whose[i] = client->number;
        more[client->number]++;
    }
    cg_seen_clear(&seen);
    return more;
}

void cg_tokens_join(struct cg_reader *reader, struct cg_token_read *tokens, size_t count) {
    struct cg_config *config = reader->config;
    uint32_t *whose = cg_arena_zalloc(&reader->scratch, (count + 1) * sizeof *whose);
    size_t *more = whose == NULL ? NULL : count_more(reader, tokens, count, whose);
    bool whole = more != NULL;
    for (size_t i = 0; whole && i < config->client_count; i++)
        if (more[i] > 0) whole = make_room(reader, &config->clients[i], more[i]);
    for (size_t i = 0; whole && i < count; i++) {
        if (tokens[i].why != NULL) continue;
        struct cg_client *client = &config->clients[whose[i]];
        client->tokens[client->token_count++] = tokens[i].pass;
    }
    if (!whole || (count > 0 && !cg_config_index_clients(config))) reader->out_of_memory = true;
}
