/* Whoever may write to the state folder may make a token: that is what being locked out is mended by. The hard thing is
 * to do it without a gateway: what is stored is read and written here, under the folder's lock, as the gateway would.
 */
#include "app/new_admin_token.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/serve.h"
#include "app/settings_file.h"
#include "manage/admin_client.h"
#include "store/beside.h"
#include "store/lock.h"

/* What is stored of clients and tokens. */
struct holdings {
    struct cg_item **items;
    size_t count, room;
};

static bool hear(void *ctx, struct cg_item *item) {
    struct holdings *held = ctx;
    if (held->count == held->room) {
        size_t room = 2 * held->room + 16;
        struct cg_item **items = realloc(held->items, room * sizeof *items);
        if (items == NULL) {
            cg_item_unref(item);
            return false;
        }
        held->items = items;
        held->room = room;
    }
    held->items[held->count++] = item;
    return true;
}

static const struct cg_item *held_client(void *ctx, const char *name) {
    const struct holdings *held = ctx;
    for (size_t i = 0; i < held->count; i++)
        if (held->items[i]->kind == CG_ITEM_CLIENT && strcmp(held->items[i]->name, name) == 0) return held->items[i];
    return NULL;
}

static size_t held_tokens(void *ctx, const char *name) {
    const struct holdings *held = ctx;
    size_t count = 0;
    for (size_t i = 0; i < held->count; i++)
        count += held->items[i]->kind == CG_ITEM_TOKEN && cg_client_token_is_of(held->items[i], name);
    return count;
}

/* ---- Alone ---- */

/* The document is used up. */
static struct cg_item *item_of(enum cg_item_kind kind, const char *name, json_t *document) {
    char *text = document == NULL ? NULL : json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
    struct cg_item *item = text == NULL ? NULL : cg_item_new(kind, name, cg_slice_str(text), CG_SLICE_NONE);
    json_decref(document);
    free(text);
    return item;
}

static int commit(struct cg_items_file *file, const struct cg_admin_client *client, struct cg_fresh_token *token,
                  struct cg_problem *problem) {
    const struct cg_token_terms terms = {.client = client->name,
                                         .label = "new admin token",
                                         .made_s = (int64_t)time(NULL),
                                         .expires_s = CG_PASS_FOR_EVER};
    char target[CG_NAME_MAX + 16];
    uint64_t revision;
    cg_fresh_token_name(token, client->name);
    snprintf(target, sizeof target, "clients/%s", client->name);
    struct cg_item *of_token = item_of(CG_ITEM_TOKEN, token->id, cg_fresh_token_document(token, &terms));
    struct cg_item *of_client = item_of(CG_ITEM_CLIENT, client->name, cg_admin_client_document());
    const struct cg_edit edits[] = {{CG_ITEM_TOKEN, token->id, of_token}, {CG_ITEM_CLIENT, client->name, of_client}};
    const struct cg_items_commit what = {
        .edits = edits,
        .count = client->is_new ? 2 : 1,
        .deed = {.at_ms = terms.made_s * 1000,
                 .who = "-",
                 .from = "local",
                 .operation = "new-admin-token",
                 .target = target,
                 .result = "done",
                 .detail = ""},
        .undo = CG_UNDO_NEVER,
        .revision = &revision,
    };
    int err =
        of_token == NULL || of_client == NULL ? cg_problem_no_memory(problem) : cg_items_commit(file, &what, problem);
    cg_item_unref(of_token);
    cg_item_unref(of_client);
    return err;
}

static int make_in(struct cg_items_file *file, const struct cg_config *config, struct cg_admin_client *client,
                   struct cg_fresh_token *token, struct cg_problem *problem) {
    struct holdings held = {0};
    const struct cg_admin_stock stock = {.config = config, .item = held_client, .tokens = held_tokens, .ctx = &held};
    int err = cg_items_load(file, hear, &held, problem);
    if (err == CG_OK && !cg_admin_client_find(client, &stock))
        err = cg_problem_set(problem, CG_E_CONFLICT, "no client's name is left for an admin");
    if (err == CG_OK) err = commit(file, client, token, problem);
    for (size_t i = 0; i < held.count; i++) cg_item_unref(held.items[i]);
    free(held.items);
    return err;
}

static int make_alone(const struct cg_config *config, struct cg_admin_client *client, struct cg_fresh_token *token,
                      struct cg_problem *problem) {
    struct cg_state_lock lock;
    if (cg_state_lock_init(&lock, config->state) < 0) return cg_problem_no_memory(problem);
    struct cg_items_file *file = cg_items_file_new(config->state, &lock);
    int err = file == NULL ? cg_problem_no_memory(problem) : make_in(file, config, client, token, problem);
    cg_items_file_free(file);
    cg_state_lock_fini(&lock);
    return err;
}

/* ---- Both ---- */

static int ask_gateway(const char *folder, struct cg_admin_client *client, struct cg_fresh_token *token,
                       struct cg_problem *problem) {
    struct cg_buf reply;
    cg_buf_init(&reply, 0);
    int err = cg_control_ask(folder, cg_slice_str("{\"command\":\"new-admin-token\"}"), &reply, problem);
    json_t *answer = err == CG_OK ? json_loadb((const char *)reply.data, reply.len, 0, NULL) : NULL;
    const char *name = json_string_value(json_object_get(answer, "client"));
    const char *text = json_string_value(json_object_get(answer, "token"));
    if (name != NULL && text != NULL) {
        snprintf(client->name, sizeof client->name, "%s", name);
        snprintf(token->text, sizeof token->text, "%s", text);
    } else if (err == CG_OK) {
        err = cg_problem_set(problem, CG_E_STORE, "the gateway's answer has no token");
    }
    json_decref(answer);
    if (reply.data != NULL) sodium_memzero(reply.data, reply.len);
    cg_buf_fini(&reply);
    return err;
}

int cg_new_admin_token_print(const char *file) {
    struct cg_config *config = cg_settings_load_or_print(file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    struct cg_problem problem = {0};
    struct cg_admin_client client = {0};
    struct cg_fresh_token token;
    cg_fresh_token_make(&token, cg_role_names[CG_ROLE_ADMIN]);
    int err = ask_gateway(config->state, &client, &token, &problem);
    if (err == CG_E_NOT_FOUND) err = make_alone(config, &client, &token, &problem);
    if (err == CG_OK) {
        printf("%s\n", token.text);
        fprintf(stderr, "castgate: this is a token of client \"%s\", which is an admin; it is shown here only\n",
                client.name);
    } else {
        fprintf(stderr, "castgate: %s\n", problem.detail);
    }
    cg_fresh_token_wipe(&token);
    cg_config_unref(config);
    return err == CG_OK && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
