/* Bearer tokens that are made here: shown once, stored as hashes, each an item of its own with its client's name. They
 * are named so that a client's are side by side. */
#ifndef CG_MANAGE_TOKENS_H
#define CG_MANAGE_TOKENS_H

#include "manage/manage.h"

#define CG_TOKENS_MAX      16 /* stored ones of a client */
#define CG_TOKEN_LABEL_MAX 128

struct cg_fresh_token {
    char id[24];     /* its item's name */
    char text[48];   /* secret: what the client sends */
    char sha256[65]; /* hexadecimal */
};

/* 256 bits that nobody can guess, for that client. */
void cg_fresh_token_make(struct cg_fresh_token *token, const char *client);
/* Another client's: gives it the name that fits. */
void cg_fresh_token_name(struct cg_fresh_token *token, const char *client);
void cg_fresh_token_wipe(struct cg_fresh_token *token);

struct cg_token_terms {
    const char *client;
    const char *label; /* for people; "": none */
    int64_t made_s;    /* Unix time */
    int64_t expires_s; /* CG_PASS_FOR_EVER: never */
};
/* The item's document, without what only the client may have. NULL: no memory. */
json_t *cg_fresh_token_document(const struct cg_fresh_token *token, const struct cg_token_terms *terms);

/* A plan's (manage.h): one more token of a client that is there. CG_E_CONFLICT, with the change's problem: it has as
 * many as may be. */
int cg_client_token_plan(struct cg_change *change, const struct cg_manage *manage, const struct cg_fresh_token *token,
                         const struct cg_token_terms *terms) CG_MUST_CHECK;

/* The client's stored token behind `after` ("": the first). NULL: none. */
const struct cg_item *cg_client_token_next(const struct cg_manage *manage, const char *client, const char *after);
size_t cg_client_token_count(const struct cg_manage *manage, const char *client);
/* Whether it may be that client's: for who has items and no manage. */
bool cg_client_token_is_of(const struct cg_item *item, const char *client);
/* NULL: the client has none of that name. */
const struct cg_item *cg_client_token_find(const struct cg_manage *manage, const char *client, const char *id);

#endif
