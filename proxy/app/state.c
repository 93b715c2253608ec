/* The state folder, made and copied. The hard thing: a sender's first use is explicit, so nothing here claims a key
 * that nobody said is new. */
#include "app/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/serve.h"
#include "app/settings_file.h"
#include "settings/client_oscore.h"
#include "settings/security_group.h"
#include "store/beside.h"
#include "store/folder.h"
#include "store/items.h"
#include "store/seal.h"
#include "store/sqlite.h"

static int claim(struct cg_store_backend *backend, const struct cg_security_group *keys, struct cg_problem *problem) {
    struct cg_sender_id id;
    struct cg_store_failure failure;
    int err = cg_security_group_sender_id(keys, &keys->self, &id);
    if (err < 0) return cg_problem_no_memory(problem);
    err = backend->ops->claim(backend, &id, &failure);
    if (err < 0) *problem = failure.problem;
    return err;
}

static int claim_client(struct cg_store_backend *backend, const struct cg_client *client, struct cg_problem *problem) {
    struct cg_sender_id id;
    struct cg_store_failure failure;
    if (client->oscore.file == NULL) return CG_OK;
    int err = cg_client_oscore_sender_id(&client->oscore, &id);
    if (err < 0) return cg_problem_no_memory(problem);
    err = backend->ops->claim(backend, &id, &failure);
    if (err < 0) *problem = failure.problem;
    return err;
}

/* What the file names, prepared keys as well. */
static int claim_all(const struct cg_config *config, struct cg_store_backend *backend, struct cg_problem *problem) {
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < config->security_group_count; i++) {
        const struct cg_security_keys *group = &config->security_groups[i];
        err = claim(backend, group->keys, problem);
        if (err == CG_OK && group->next_keys != NULL) err = claim(backend, group->next_keys, problem);
    }
    for (size_t i = 0; err == CG_OK && i < config->client_count; i++)
        err = claim_client(backend, &config->clients[i], problem);
    return err;
}

static int claim_new_keys(const struct cg_config *config, struct cg_problem *problem) {
    struct cg_store_backend *backend = cg_sqlite_new(config->state, NULL);
    if (backend == NULL) return cg_problem_no_memory(problem);
    int err = claim_all(config, backend, problem);
    backend->ops->free(backend);
    return err;
}

/* ---- What was done, and what is next ---- */

enum { KEYS_LISTED = 10 };

static void list_key(const char *group, const char *which, const char *file) {
    printf("  %s%s (%s)\n", group, which, file);
}

static void list_clients(const struct cg_config *config) {
    size_t count = 0;
    for (size_t i = 0; i < config->client_count; i++) {
        const struct cg_client *client = &config->clients[i];
        if (client->oscore.file == NULL || count++ >= KEYS_LISTED) continue;
        printf("  client %s (%s)\n", client->name, client->oscore.file);
    }
    if (count > KEYS_LISTED) printf("  and those of %zu more clients\n", count - KEYS_LISTED);
}

static bool names_keys(const struct cg_config *config) {
    bool names = config->security_group_count > 0;
    for (size_t i = 0; !names && i < config->client_count; i++) names = config->clients[i].oscore.file != NULL;
    return names;
}

static void list_keys(const struct cg_config *config) {
    for (size_t i = 0; i < config->security_group_count && i < KEYS_LISTED; i++) {
        const struct cg_security_keys *group = &config->security_groups[i];
        list_key(group->name, "", group->file);
        if (group->next_keys != NULL) list_key(group->name, ", the next epoch's", group->next_file);
    }
    if (config->security_group_count > KEYS_LISTED)
        printf("  and those of %zu more security groups\n", config->security_group_count - KEYS_LISTED);
    list_clients(config);
}

static void tell_unclaimed(const struct cg_config *config) {
    puts("no key is claimed; without that none of these sends:");
    list_keys(config);
    printf("next, for each key that has never sent, here or anywhere: castgate-keys claim FILE --state %s\n"
           "(all at once: --init-state --new-keys instead of --init-state); of others " CG_STORE_WAYS_OUT "\n",
           config->state);
}

static void tell_claimed(const struct cg_config *config, const char *file) {
    puts("claimed, as you said that they have never sent; their sequence numbers begin at 0:");
    list_keys(config);
    printf("next: castgate -c %s\n", file);
}

static void tell_made(const struct cg_config *config, const char *file, enum cg_state_claims claims) {
    if (!names_keys(config))
        printf("the settings name no keys to claim; next: castgate -c %s\n", file);
    else if (claims == CG_CLAIM_NEW_KEYS)
        tell_claimed(config, file);
    else
        tell_unclaimed(config);
}

/* A store begins without any key: one that was used before, with a folder that is lost, would begin at 0 again. Only
 * somebody who knows can say that keys are new. */
/* Where the settings name one that is not there. Before the store: what failed can be done again. */
static int make_seal_key(const struct cg_config *config, struct cg_problem *problem) {
    if (config->seal_key == NULL || access(config->seal_key, F_OK) == 0) return CG_OK;
    const int err = cg_seal_make(config->seal_key, problem);
    if (err < 0) return err;
    printf("%s: made, the key of stored secrets; keep a copy where the state folder's copies are not\n",
           config->seal_key);
    return CG_OK;
}

static int init_state(const struct cg_config *config, enum cg_state_claims claims, struct cg_problem *problem) {
    int err = make_seal_key(config, problem);
    if (err == CG_OK) err = cg_sqlite_init_state(config->state, problem);
    if (err < 0) return err;
    printf("%s: made, with an empty store of sequence numbers\n", config->state);
    return claims == CG_CLAIM_NOTHING ? CG_OK : claim_new_keys(config, problem);
}

int cg_state_make(const char *file, enum cg_state_claims claims) {
    struct cg_config *config = cg_settings_load_or_print(file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    struct cg_problem problem = {0};
    int err = init_state(config, claims, &problem);
    if (err < 0)
        fprintf(stderr, "castgate: %s\n", problem.detail);
    else
        tell_made(config, file, claims);
    cg_config_unref(config);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void tell_backup(const char *to) {
    struct cg_buf items;
    cg_buf_init(&items, 0);
    cg_buf_printf(&items, "%s" CG_ITEMS_COPY, to);
    cg_buf_put_u8(&items, '\0');
    printf("%s: made; its keys are marked spent. Who goes on from it: " CG_STORE_WAYS_OUT "\n", to);
    if (!items.failed && access((const char *)items.data, F_OK) == 0)
        printf("%s: made, what the admin side stores; to go on from both, put them in an empty state folder "
               "as " CG_FOLDER_DB " and " CG_ITEMS_FILE
               ". Its secrets are sealed as they were, and the key is not in it\n",
               (const char *)items.data);
    cg_buf_fini(&items);
}

int cg_state_back_up(const char *file, const char *to) {
    struct cg_config *config = cg_settings_load_or_print(file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    struct cg_problem problem = {0};
    int err = cg_sqlite_backup(config->state, to, &problem);
    if (err < 0)
        fprintf(stderr, "castgate: %s\n", problem.detail);
    else
        tell_backup(to);
    cg_config_unref(config);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int ask_status(const char *folder, struct cg_buf *reply, struct cg_problem *problem) {
    int err = cg_control_ask(folder, cg_slice_str("{\"command\":\"status\"}"), reply, problem);
    if (err != CG_E_NOT_FOUND) return err;
    return cg_problem_set(problem, err, "no gateway runs on the state folder %s", folder);
}

int cg_state_print_status(const char *file) {
    struct cg_config *config = cg_settings_load_or_print(file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    struct cg_problem problem = {0};
    struct cg_buf reply;
    cg_buf_init(&reply, 0);
    int err = ask_status(config->state, &reply, &problem);
    if (err < 0)
        fprintf(stderr, "castgate: %s\n", problem.detail);
    else
        printf("%.*s\n", (int)reply.len, (const char *)reply.data);
    bool ready = err == CG_OK && memmem(reply.data, reply.len, "\"ready\":true", 12) != NULL;
    cg_buf_fini(&reply);
    cg_config_unref(config);
    return ready ? EXIT_SUCCESS : EXIT_FAILURE;
}
