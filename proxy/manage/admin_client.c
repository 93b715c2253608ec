/* Access recovered. The hard thing is that it must work whatever has been made of the clients: one that is not there
 * any more, has another role, or is the settings file's, which cannot be changed from here. */
#include "manage/admin_client.h"

#include <stdio.h>
#include <time.h>

#include "base/container.h"
#include "exchange/gateway.h"
#include "settings/json_load.h"

enum { TRIES = 100 };

static bool has_role_alone(const struct cg_item *item) {
    json_t *document = cg_json_load(item->document, 0, NULL);
    const char *role = json_string_value(json_object_get(document, "role"));
    bool has = role != NULL && strcmp(role, cg_role_names[CG_ROLE_ADMIN]) == 0 && json_object_size(document) == 1;
    json_decref(document);
    return has;
}

static bool will_do(struct cg_admin_client *client, const struct cg_admin_stock *stock) {
    const struct cg_client *known = cg_config_client_by_name(stock->config, client->name);
    const struct cg_item *item = stock->item(stock->ctx, client->name);
    client->is_new = known == NULL && item == NULL;
    if (client->is_new) return true;
    bool is_admin = known != NULL ? known->role == CG_ROLE_ADMIN : has_role_alone(item);
    return is_admin && stock->tokens(stock->ctx, client->name) < CG_TOKENS_MAX;
}

bool cg_admin_client_find(struct cg_admin_client *client, const struct cg_admin_stock *stock) {
    strcpy(client->name, cg_role_names[CG_ROLE_ADMIN]);
    for (unsigned i = 2; !will_do(client, stock); i++) {
        if (i > TRIES) return false;
        snprintf(client->name, sizeof client->name, "%s-%u", cg_role_names[CG_ROLE_ADMIN], i);
    }
    return true;
}

json_t *cg_admin_client_document(void) { return json_pack("{s:s}", "role", cg_role_names[CG_ROLE_ADMIN]); }

/* ---- As a change ---- */

static const struct cg_item *stored_item(void *ctx, const char *name) {
    const struct cg_manage **manage = ctx;
    return cg_manage_find(*manage, CG_ITEM_CLIENT, name);
}

static size_t stored_tokens(void *ctx, const char *name) {
    const struct cg_manage **manage = ctx;
    return cg_client_token_count(*manage, name);
}

static int put_client(struct cg_change *change, const char *name) {
    json_t *document = cg_admin_client_document();
    int err = document == NULL ? CG_E_NO_MEMORY : cg_change_put(change, CG_ITEM_CLIENT, name, document, CG_SLICE_NONE);
    json_decref(document);
    return err < 0 ? cg_problem_no_memory(&change->problem) : CG_OK;
}

static int plan(struct cg_change *change, const struct cg_manage *manage) {
    struct cg_admin_token *token = CG_CONTAINER(change, struct cg_admin_token, change);
    const struct cg_admin_stock stock = {
        .config = cg_gateway_config(token->gateway), .item = stored_item, .tokens = stored_tokens, .ctx = &manage};
    if (!cg_admin_client_find(&token->client, &stock))
        return cg_problem_set(&change->problem, CG_E_CONFLICT, "no client's name is left for an admin");
    const struct cg_token_terms terms = {.client = token->client.name,
                                         .label = token->label,
                                         .made_s = (int64_t)time(NULL),
                                         .expires_s = CG_PASS_FOR_EVER};
    if (token->client.is_new && put_client(change, token->client.name) < 0) return change->problem.err;
    cg_fresh_token_name(&token->token, token->client.name);
    snprintf(token->target, sizeof token->target, "clients/%s", token->client.name);
    return cg_client_token_plan(change, manage, &token->token, &terms);
}

static void on_done(struct cg_change *change) {
    struct cg_admin_token *token = CG_CONTAINER(change, struct cg_admin_token, change);
    token->done(token);
}

void cg_admin_token_init(struct cg_admin_token *token, const struct cg_gateway *gateway, const char *operation,
                         const char *label) {
    *token = (struct cg_admin_token){.gateway = gateway, .label = label};
    cg_fresh_token_make(&token->token, cg_role_names[CG_ROLE_ADMIN]);
    snprintf(token->target, sizeof token->target, "clients");
    token->change = (struct cg_change){.plan = plan,
                                       .done = on_done,
                                       .author = {.who = "-", .from = "local"},
                                       .operation = operation,
                                       .target = token->target,
                                       .undo = CG_UNDO_NEVER};
}

void cg_admin_token_fini(struct cg_admin_token *token) {
    cg_change_fini(&token->change);
    cg_fresh_token_wipe(&token->token);
}
