/* The state folder, made and copied. The hard thing: a sender's first use is explicit, so nothing here claims a key
 * that nobody said is new. */
#include "app/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/serve.h"
#include "app/settings_file.h"
#include "settings/security_group.h"
#include "store/beside.h"
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

/* What the file names, prepared keys as well. */
static int claim_all(const struct cg_config *config, struct cg_store_backend *backend, struct cg_problem *problem) {
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < config->security_group_count; i++) {
        const struct cg_security_keys *group = &config->security_groups[i];
        err = claim(backend, group->keys, problem);
        if (err == CG_OK && group->next_keys != NULL) err = claim(backend, group->next_keys, problem);
    }
    return err;
}

static int claim_new_keys(const struct cg_config *config, struct cg_problem *problem) {
    struct cg_store_backend *backend = cg_sqlite_new(config->state, NULL);
    if (backend == NULL) return cg_problem_no_memory(problem);
    int err = claim_all(config, backend, problem);
    backend->ops->free(backend);
    return err;
}

/* A store begins without any key: one that was used before, with a folder that is lost, would begin at 0 again. Only
 * somebody who knows can say that keys are new. */
static int init_state(const struct cg_config *config, enum cg_state_claims claims, struct cg_problem *problem) {
    int err = cg_sqlite_init_state(config->state, problem);
    return err < 0 || claims == CG_CLAIM_NOTHING ? err : claim_new_keys(config, problem);
}

/* What to do next, for who has keys. */
static void tell_state_made(const struct cg_config *config, enum cg_state_claims claims) {
    printf("%s: made\n", config->state);
    if (config->security_group_count == 0) return;
    if (claims == CG_CLAIM_NEW_KEYS)
        printf("the keys of %zu security group%s are claimed: never to have sent is what you said of them\n",
               config->security_group_count, config->security_group_count == 1 ? "" : "s");
    else
        puts("no key is claimed. Keys that have never sent, here or anywhere, are claimed by castgate-keys claim, or "
             "all at once\nby --init-state --new-keys instead of --init-state; of others " CG_STORE_WAYS_OUT);
}

int cg_state_make(const char *file, enum cg_state_claims claims) {
    struct cg_config *config = cg_settings_load_or_print(file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    struct cg_problem problem = {0};
    int err = init_state(config, claims, &problem);
    if (err < 0)
        fprintf(stderr, "castgate: %s\n", problem.detail);
    else
        tell_state_made(config, claims);
    cg_config_unref(config);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cg_state_back_up(const char *file, const char *to) {
    struct cg_config *config = cg_settings_load_or_print(file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    struct cg_problem problem = {0};
    int err = cg_sqlite_backup(config->state, to, &problem);
    if (err < 0)
        fprintf(stderr, "castgate: %s\n", problem.detail);
    else
        printf("%s: made; its keys are marked spent. Who goes on from it: " CG_STORE_WAYS_OUT "\n", to);
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
