/* What stands between the administration of security groups and the protectors that use them. */
#include "app/groups.h"

#include "app/program.h"

/* ---- The seal ---- */

void cg_app_groups_open_seal(struct cg_app_groups *groups, const struct cg_config *config) {
    struct cg_problem problem = {0};
    if (groups->seal != NULL) return;
    int err = cg_seal_open(config->seal_key, config->key_files_may_be_shared, &groups->seal, &problem);
    if (err < 0 && (err != CG_E_NOT_FOUND || config->seal_key != NULL))
        cg_log(CG_LOG_ERROR, "seal", "%s: stored security groups' keys stay sealed", problem.detail);
}

int cg_app_groups_unseal(void *ctx, const struct cg_item *item, struct cg_buf *secret) {
    const struct cg_app_groups *groups = ctx;
    return cg_sealed_open(groups->seal, item, secret);
}

/* ---- What is asked of the rest ---- */

static struct cg_store *find_store(void *ctx) { return cg_program_store(ctx); }

static struct cg_config *find_config(void *ctx) {
    const struct cg_program *program = ctx;
    return cg_gateway_config(program->loop.gateway);
}

static const struct cg_named_group *find_group(const struct cg_program *program, const char *name) {
    const struct cg_named_group *group;
    HASH_FIND_STR(program->protectors.groups, name, group);
    return group;
}

static bool has_proven(void *ctx, const char *name, enum cg_keyring_epoch epoch, struct cg_slice identity) {
    const struct cg_named_group *group = find_group(ctx, name);
    enum cg_group_which which = epoch == CG_KEYRING_NEXT ? CG_GROUP_NEXT : CG_GROUP_CURRENT;
    return group != NULL && cg_group_oscore_is_proven(group->group, which, identity);
}

static void find_numbers(void *ctx, const char *name, struct cg_group_numbers *numbers) {
    static const char *const states[] = {[CG_KEY_UNKNOWN] = "unknown",
                                         [CG_KEY_SENDS] = "sends",
                                         [CG_KEY_UNCLAIMED] = "unclaimed",
                                         [CG_KEY_SPENT] = "spent",
                                         [CG_KEY_EXHAUSTED] = "exhausted"};
    const struct cg_program *program = ctx;
    const struct cg_named_group *group = find_group(program, name);
    *numbers = (struct cg_group_numbers){.state = states[CG_KEY_UNKNOWN]};
    if (group == NULL || cg_group_oscore_current(group->group) == NULL) return;
    numbers->state = states[group->state];
    numbers->used = cg_senders_used(&program->protectors.senders, &group->sender);
}

/* ---- Life ---- */

static bool open_hook(struct cg_program *program) {
    struct cg_app_groups *groups = &program->groups;
    groups->worker = cg_worker_new();
    if (groups->worker == NULL) return false;
    cg_worker_open(groups->worker, &program->loop.uv);
    groups->hook = cg_rekey_hook_new(program->manage, groups->seal, groups->worker);
    return groups->hook != NULL;
}

bool cg_app_groups_open(struct cg_program *program) {
    struct cg_app_groups *groups = &program->groups;
    if (!open_hook(program)) return false;
    const struct cg_groups_options options = {.manage = program->manage,
                                              .worker = program->worker,
                                              .seal = groups->seal,
                                              .hook = groups->hook,
                                              .store = find_store,
                                              .config = find_config,
                                              .has_proven = has_proven,
                                              .numbers = find_numbers,
                                              .ctx = program};
    groups->groups = cg_groups_new(&options);
    return groups->groups != NULL;
}

void cg_app_groups_close(struct cg_app_groups *groups, void (*closed)(void *ctx), void *ctx) {
    if (groups->hook != NULL) cg_rekey_hook_stop(groups->hook);
    if (groups->worker != NULL)
        cg_worker_close(groups->worker, closed, ctx);
    else
        closed(ctx);
}

void cg_app_groups_fini(struct cg_app_groups *groups) {
    cg_groups_free(groups->groups);
    cg_worker_free(groups->worker);
    cg_rekey_hook_free(groups->hook);
    cg_seal_free(groups->seal);
    *groups = (struct cg_app_groups){0};
}
