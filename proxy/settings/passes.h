/* Digests of what clients show: bearer tokens and certificates. Internal to settings/. */
#ifndef CG_SETTINGS_PASSES_H
#define CG_SETTINGS_PASSES_H

#include "settings/reader.h"

/* A hash, or a list of them, to passes that do not expire; each leads to one client (`what`). Returns how many. NULL:
 * none. */
size_t cg_passes_read(struct cg_reader *reader, const struct cg_at *at, const json_t *json, enum cg_unique what,
                      struct cg_pass **passes);

/* One hash. False: with a mistake. */
bool cg_pass_read_hash(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                       struct cg_pass *pass) CG_MUST_CHECK;

/* A stored token (model/item.h), and whose. */
struct cg_token_read {
    const char *client; /* borrowed from the document */
    struct cg_pass pass;
    const char *why; /* it is not in use, a sentence; NULL: it is */
};

/* The document of one; `id` is its name. False: with mistakes, or for want of memory. */
bool cg_token_read(struct cg_reader *reader, const struct cg_at *at, const char *id, const json_t *json,
                   struct cg_token_read *token) CG_MUST_CHECK;
/* Gives each to its client, which are all there and indexed (and are once more then). One whose client is not there,
 * whose digest somebody has already, or that is one too many for its client, is left out, and says why. */
void cg_tokens_join(struct cg_reader *reader, struct cg_token_read *tokens, size_t count);

#endif
