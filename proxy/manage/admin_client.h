/* The client by which access to the admin side begins, and is recovered when everybody is locked out: one with the role
 * admin, and a new token of its own. */
#ifndef CG_MANAGE_ADMIN_CLIENT_H
#define CG_MANAGE_ADMIN_CLIENT_H

#include "manage/tokens.h"

struct cg_admin_client {
    char name[CG_NAME_MAX + 1];
    bool is_new; /* it is to be made */
};

/* The first of "admin", "admin-2", … that is an admin already and has room for a token, or that nobody is. `config` has
 * the settings file's clients, at the least. `item`, `tokens`: what is stored of that name, and how many tokens. False:
 * a hundred of them are somebody else. */
struct cg_admin_stock {
    const struct cg_config *config;
    const struct cg_item *(*item)(void *ctx, const char *name);
    size_t (*tokens)(void *ctx, const char *name);
    void *ctx;
};
bool cg_admin_client_find(struct cg_admin_client *client, const struct cg_admin_stock *stock);
/* Its document. NULL: no memory. */
json_t *cg_admin_client_document(void);

/* A change that makes it a token, which is asked for like any other (manage.h): the caller's storage, still until
 * `done`. */
struct cg_admin_token {
    struct cg_change change;
    const struct cg_gateway *gateway;
    struct cg_admin_client client;
    struct cg_fresh_token token; /* from `plan` on */
    const char *label;           /* static */
    char target[CG_NAME_MAX + 48];
    void (*done)(struct cg_admin_token *token); /* the change says what came of it */
};
/* `operation` and `label` are static. Then cg_manage_change(manage, &token->change). */
void cg_admin_token_init(struct cg_admin_token *token, const struct cg_gateway *gateway, const char *operation,
                         const char *label);
void cg_admin_token_fini(struct cg_admin_token *token); /* wipes it */

#endif
