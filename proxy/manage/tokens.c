/* Tokens as items. The hard thing is to find a client's among all there are: their names begin with a digest of the
 * client's, which others may share, so its document has the last word. */
#include "manage/tokens.h"

#include <sodium.h>
#include <stdio.h>

#include "base/calendar.h"
#include "base/text.h"
#include "settings/json_load.h"

enum { RANDOM = 32, ID_RANDOM = 6, PREFIX = 9 /* "0123abcd-" */ };

static const char mark[] = "cg_"; /* so that searches for leaked secrets find it */

static void hex_of(char *to, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

/* What all names of the client's tokens begin with. */
static void prefix_of(char prefix[PREFIX + 1], const char *client) {
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, (const uint8_t *)client, strlen(client));
    hex_of(prefix, digest, 4);
    strcpy(prefix + 8, "-");
}

void cg_fresh_token_name(struct cg_fresh_token *token, const char *client) {
    uint8_t id[ID_RANDOM];
    randombytes_buf(id, sizeof id);
    prefix_of(token->id, client);
    hex_of(token->id + PREFIX, id, sizeof id);
}

void cg_fresh_token_make(struct cg_fresh_token *token, const char *client) {
    uint8_t secret[RANDOM], digest[crypto_hash_sha256_BYTES];
    randombytes_buf(secret, sizeof secret);
    strcpy(token->text, mark);
    size_t len = sizeof mark - 1;
    len += cg_base64url_emit(token->text + len, cg_slice_of(secret, sizeof secret));
    token->text[len] = '\0';
    crypto_hash_sha256(digest, (const uint8_t *)token->text, len);
    hex_of(token->sha256, digest, sizeof digest);
    sodium_memzero(secret, sizeof secret);
    cg_fresh_token_name(token, client);
}

void cg_fresh_token_wipe(struct cg_fresh_token *token) { sodium_memzero(token, sizeof *token); }

json_t *cg_fresh_token_document(const struct cg_fresh_token *token, const struct cg_token_terms *terms) {
    char made[CG_CALENDAR_MAX], expires[CG_CALENDAR_MAX];
    cg_calendar_emit_s(made, terms->made_s);
    cg_calendar_emit_s(expires, terms->expires_s);
    return json_pack("{s:s,s:s,s:s,s:s*,s:s*}", "client", terms->client, "made", made, "sha256", token->sha256,
                     "expires", terms->expires_s == CG_PASS_FOR_EVER ? NULL : expires, "label",
                     terms->label[0] == '\0' ? NULL : terms->label);
}

bool cg_client_token_is_of(const struct cg_item *item, const char *client) {
    json_t *document = cg_json_load(item->document, 0, NULL);
    const char *whose = json_string_value(json_object_get(document, "client"));
    bool is_its = whose != NULL && strcmp(whose, client) == 0;
    json_decref(document);
    return is_its;
}

const struct cg_item *cg_client_token_next(const struct cg_manage *manage, const char *client, const char *after) {
    char prefix[PREFIX + 1];
    prefix_of(prefix, client);
    const struct cg_item *item = cg_manage_next(manage, CG_ITEM_TOKEN, strcmp(after, prefix) > 0 ? after : prefix);
    while (item != NULL && strncmp(item->name, prefix, PREFIX) == 0) {
        if (cg_client_token_is_of(item, client)) return item;
        item = cg_manage_next(manage, CG_ITEM_TOKEN, item->name);
    }
    return NULL;
}

const struct cg_item *cg_client_token_find(const struct cg_manage *manage, const char *client, const char *id) {
    const struct cg_item *item = cg_manage_find(manage, CG_ITEM_TOKEN, id);
    return item != NULL && cg_client_token_is_of(item, client) ? item : NULL;
}

size_t cg_client_token_count(const struct cg_manage *manage, const char *client) {
    size_t count = 0;
    const struct cg_item *item = cg_client_token_next(manage, client, "");
    for (; item != NULL; item = cg_client_token_next(manage, client, item->name)) count++;
    return count;
}

int cg_client_token_plan(struct cg_change *change, const struct cg_manage *manage, const struct cg_fresh_token *token,
                         const struct cg_token_terms *terms) {
    if (cg_client_token_count(manage, terms->client) >= CG_TOKENS_MAX) {
        return cg_problem_set(&change->problem, CG_E_CONFLICT,
                              "client \"%s\" has %d tokens, and that is as many as may be: revoke one first",
                              terms->client, CG_TOKENS_MAX);
    }
    json_t *document = cg_fresh_token_document(token, terms);
    if (document == NULL) return cg_problem_no_memory(&change->problem);
    int err = cg_change_put(change, CG_ITEM_TOKEN, token->id, document, CG_SLICE_NONE);
    json_decref(document);
    return err < 0 ? cg_problem_no_memory(&change->problem) : CG_OK;
}
