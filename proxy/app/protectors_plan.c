/* What a snapshot's protectors are to be, and how they become it. The hard thing is what must survive a reload: a
 * group's running casts (its epochs), a relay's replay windows, and every sender's numbers; and that a reload takes
 * effect for all of them or for none. */
#include "app/protectors.h"

#include <stdlib.h>
#include <utlist.h>

#include "app/key_digest.h"
#include "app/protector_entries.h"
#include "base/check.h"
#include "base/log.h"
#include "builtin.h"
#include "settings/security_group.h"

#define DIGEST_LEN CG_GROUP_DIGEST_LEN

/* Until a plan is adopted only it knows what is new in it. */

struct planned_group {
    struct cg_named_group *entry;
    struct cg_group_keys current, next; /* their peers and params are gone: what they were needed for is made */
    bool has_next;
};

struct cg_protectors_plan {
    bool is_whole; /* security groups that it does not have are not the snapshot's; else they are as they were */
    struct planned_group *groups;
    size_t group_count;
    struct cg_named_group *new_groups; /* uthash heads: what the protectors do not have yet */
    struct cg_relay_entry *new_relays;
    struct planned_checker *checkers; /* utlist */
};

/* What a relay is to check with from now on. */
struct planned_checker {
    struct cg_relay_entry *entry;
    struct cg_oscore_context *context;
    uint8_t digest[DIGEST_LEN];
    struct planned_checker *next;
};

/* Security groups */

/* The group of that name, which may be in the plan only. NULL: no memory. */
static struct cg_named_group *plan_name(struct cg_protectors *protectors, struct cg_protectors_plan *plan,
                                        const char *name) {
    struct cg_named_group *entry;
    HASH_FIND_STR(protectors->groups, name, entry);
    if (entry == NULL) HASH_FIND_STR(plan->new_groups, name, entry);
    if (entry != NULL) return entry;
    entry = cg_named_group_new(&protectors->group_services, name);
    if (entry == NULL) return NULL;
    HASH_ADD_STR(plan->new_groups, name, entry);
    if (CG_HASH_HAS(hh, entry)) return entry;
    cg_named_group_free(entry);
    return NULL;
}

/* One epoch's keys, as the group takes them: views into the file's, but for the array of peers. */
struct epoch_keys {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_group_peer *peers; /* owned */
};

/* False: no memory. */
static bool fill_keys(struct epoch_keys *views, struct cg_group_keys *to, const struct cg_security_group *file) {
    if (file == NULL) return true;
    cg_security_group_params(file, &file->self, &views->params, &views->own);
    views->peers = calloc(file->peer_count + 1, sizeof *views->peers);
    if (views->peers == NULL || !cg_key_digest(to->digest, file)) return false;
    if (cg_security_group_sender_id(file, &file->self, &to->sender) < 0) return false;
    for (size_t i = 0; i < file->peer_count; i++) {
        const struct cg_security_party *peer = &file->peers[i];
        views->peers[i] = (struct cg_group_peer){.kid = peer->id, .cred = peer->cred, .address = peer->address};
    }
    to->params = &views->params;
    to->peers = views->peers;
    to->peer_count = file->peer_count;
    return true;
}

static void drop_views(struct epoch_keys *views, struct cg_group_keys *keys) {
    free(views->peers);
    keys->params = NULL;
    keys->peers = NULL;
    keys->peer_count = 0;
}

static int plan_group(struct cg_protectors *protectors, struct cg_protectors_plan *plan,
                      const struct cg_security_keys *keys, struct cg_problem *problem) {
    struct cg_named_group *entry = plan_name(protectors, plan, keys->name);
    if (entry == NULL) return cg_problem_no_memory(problem);
    struct planned_group *planned = &plan->groups[plan->group_count++];
    struct epoch_keys current = {0}, next = {0};
    const char *why = "the system has no memory left";
    int err = CG_E_NO_MEMORY;
    planned->entry = entry;
    planned->has_next = keys->next_keys != NULL;
    if (fill_keys(&current, &planned->current, keys->keys) && fill_keys(&next, &planned->next, keys->next_keys)) {
        err = cg_group_oscore_prepare(entry->group, &planned->current, planned->has_next ? &planned->next : NULL, &why);
    }
    drop_views(&current, &planned->current);
    drop_views(&next, &planned->next);
    return err < 0 ? cg_problem_set(problem, err, "security group %s: %s", entry->name, why) : CG_OK;
}

static int plan_groups(struct cg_protectors *protectors, struct cg_protectors_plan *plan,
                       const struct cg_config *config, struct cg_problem *problem) {
    int err = CG_OK;
    plan->groups = calloc(config->security_group_count + 1, sizeof *plan->groups);
    if (plan->groups == NULL) return cg_problem_no_memory(problem);
    for (size_t i = 0; err == CG_OK && i < config->security_group_count; i++) {
        err = plan_group(protectors, plan, &config->security_groups[i], problem);
    }
    return err;
}

static int stage_group(const struct planned_group *planned, struct cg_problem *problem) {
    struct cg_named_group *entry = planned->entry;
    const char *why = "the system has no memory left";
    int err = cg_group_oscore_stage(entry->group, &planned->current, planned->has_next ? &planned->next : NULL, &why);
    entry->staged_sender = planned->current.sender;
    entry->staged = err == CG_OK;
    return err < 0 ? cg_problem_set(problem, err, "security group %s: %s", entry->name, why) : CG_OK;
}

/* What is remembered of an epoch across a commit: zero for none. */
static void note(uint8_t digest[DIGEST_LEN], const uint8_t *epoch) {
    memset(digest, 0, DIGEST_LEN);
    if (epoch != NULL) memcpy(digest, epoch, DIGEST_LEN);
}

static void log_change(const struct cg_named_group *entry, const char *event, const uint8_t before[DIGEST_LEN],
                       const uint8_t *now) {
    if (now == NULL || memcmp(before, now, DIGEST_LEN) == 0) return;
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, event);
    cg_log_str(&line, "security_group", entry->name);
    cg_log_end(&line);
}

static void commit_group(struct cg_named_group *entry) {
    uint8_t current[DIGEST_LEN], next[DIGEST_LEN];
    note(current, cg_group_oscore_current(entry->group));
    note(next, cg_group_oscore_next(entry->group));
    if (entry->staged && memcmp(entry->sender.bytes, entry->staged_sender.bytes, sizeof entry->sender.bytes) != 0)
        entry->state = CG_KEY_UNKNOWN;
    if (entry->staged) entry->sender = entry->staged_sender;
    entry->staged = false;
    cg_group_oscore_commit(entry->group); /* where the settings have it no more nothing is staged */
    log_change(entry, "keys-activated", current, cg_group_oscore_current(entry->group));
    log_change(entry, "keys-prepared", next, cg_group_oscore_next(entry->group));
}

/* Relays */

static int make_checker(const struct cg_security_group *file, struct cg_oscore_context **made,
                        struct cg_problem *problem) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_oscore_context *checker;
    const char *why = "the system has no memory left";
    cg_security_group_params(file, NULL, &params, &own);
    int err = cg_oscore_checker_new(&checker, &params, file->signature_encryption_key, &why);
    if (err < 0) return cg_problem_set(problem, err, "check_signature: %s", why);
    for (size_t i = 0; err == CG_OK && i < file->peer_count; i++) {
        struct cg_oscore_peer *peer;
        err = cg_oscore_peer_add(checker, file->peers[i].id, file->peers[i].cred, CG_OSCORE_WINDOW_NEW, &peer, &why);
    }
    if (err < 0) {
        cg_oscore_context_unref(checker);
        return cg_problem_set(problem, err, "check_signature: %s", why);
    }
    *made = checker;
    return CG_OK;
}

/* The relay that checks with this file, which may be in the plan only. NULL: no memory. */
static struct cg_relay_entry *plan_relay(struct cg_protectors *protectors, struct cg_protectors_plan *plan,
                                         const char *file) {
    struct cg_relay_entry *entry;
    HASH_FIND_STR(protectors->relays, file, entry);
    if (entry == NULL) HASH_FIND_STR(plan->new_relays, file, entry);
    if (entry != NULL) return entry;
    entry = cg_relay_entry_new(&protectors->relay_services, file);
    if (entry == NULL) return NULL;
    HASH_ADD_KEYPTR(hh, plan->new_relays, entry->file, strlen(entry->file), entry);
    if (CG_HASH_HAS(hh, entry)) return entry;
    cg_relay_entry_free(entry);
    return NULL;
}

static const uint8_t *planned_digest(const struct cg_protectors_plan *plan, const struct cg_relay_entry *entry) {
    const struct planned_checker *planned;
    LL_FOREACH(plan->checkers, planned) {
        if (planned->entry == entry) return planned->digest;
    }
    return entry->digest;
}

/* Nothing, where the relay checks with these keys already. */
static int plan_checker(struct cg_protectors_plan *plan, struct cg_relay_entry *entry,
                        const struct cg_security_group *keys, struct cg_problem *problem) {
    uint8_t digest[DIGEST_LEN];
    if (!cg_key_digest(digest, keys)) return cg_problem_no_memory(problem);
    if (memcmp(digest, planned_digest(plan, entry), DIGEST_LEN) == 0) return CG_OK;
    struct planned_checker *planned = calloc(1, sizeof *planned);
    if (planned == NULL) return cg_problem_no_memory(problem);
    planned->entry = entry;
    memcpy(planned->digest, digest, DIGEST_LEN);
    int err = make_checker(keys, &planned->context, problem);
    if (err < 0) {
        free(planned);
    } else {
        LL_PREPEND(plan->checkers, planned); /* what is read later is newer */
    }
    return err;
}

/* The relay of a mapping, with the checker that it is to have. */
static int plan_relay_of(struct cg_protectors *protectors, struct cg_protectors_plan *plan,
                         const struct cg_mapping *mapping, struct cg_relay_entry **relay, struct cg_problem *problem) {
    CG_CHECK((mapping->check_signature == NULL) == (mapping->checker_keys == NULL)); /* or it would check nothing */
    *relay = plan_relay(protectors, plan, mapping->check_signature == NULL ? "" : mapping->check_signature);
    if (*relay == NULL) return cg_problem_no_memory(problem);
    return mapping->checker_keys == NULL ? CG_OK : plan_checker(plan, *relay, mapping->checker_keys, problem);
}

static void stage_checkers(struct cg_protectors_plan *plan) {
    struct planned_checker *planned;
    LL_FOREACH(plan->checkers, planned) {
        if (planned->entry->staged != NULL) continue; /* an older one of the same file */
        planned->entry->staged = planned->context;
        memcpy(planned->entry->staged_digest, planned->digest, DIGEST_LEN);
        planned->context = NULL;
    }
}

static void commit_relay(struct cg_relay_entry *entry) {
    if (entry->staged == NULL) return;
    cg_relay_set_checker(entry->relay, entry->staged);
    memcpy(entry->digest, entry->staged_digest, DIGEST_LEN);
    entry->staged = NULL;
}

/* Snapshots */

static int plan_mapping(struct cg_protectors *protectors, struct cg_protectors_plan *plan, struct cg_mapping *mapping,
                        struct cg_problem *problem) {
    struct cg_named_group *group;
    struct cg_relay_entry *relay = NULL;
    int err;
    switch (mapping->security) {
    case CG_SECURITY_NONE: mapping->protector = cg_protector_none(); break;
    case CG_SECURITY_GROUP:
        group = plan_name(protectors, plan, mapping->keys->name);
        if (group == NULL) return cg_problem_no_memory(problem);
        mapping->protector = cg_group_oscore_protector(group->group);
        break;
    case CG_SECURITY_RELAY:
        err = plan_relay_of(protectors, plan, mapping, &relay, problem);
        if (err < 0) return err;
        mapping->protector = cg_relay_protector(relay->relay);
        break;
    }
    return CG_OK;
}

static int plan_mappings(struct cg_protectors *protectors, struct cg_protectors_plan *plan, struct cg_config *config,
                         struct cg_problem *problem) {
    int err = CG_OK;
    struct cg_mapping *mapping;
    for (uint32_t next = 0; err == CG_OK && (mapping = cg_config_next_own_mapping(config, &next)) != NULL;) {
        err = plan_mapping(protectors, plan, mapping, problem);
    }
    return err;
}

static int plan_alerts(struct cg_protectors *protectors, struct cg_protectors_plan *plan, struct cg_config *config,
                       struct cg_problem *problem) {
    for (size_t i = 0; i < config->alerts.group_count; i++) {
        struct cg_alert_group *group = &config->alerts.groups[i];
        const struct cg_named_group *entry = plan_name(protectors, plan, group->keys->name);
        if (entry == NULL) return cg_problem_no_memory(problem);
        group->server = cg_group_oscore_server(entry->group);
    }
    return CG_OK;
}

static void commit_groups(struct cg_protectors *protectors) {
    struct cg_named_group *group, *next_group;
    HASH_ITER(hh, protectors->groups, group, next_group) commit_group(group);
}

void cg_protectors_commit(struct cg_protectors *protectors, const struct cg_protectors_plan *plan) {
    if (plan->is_whole) commit_groups(protectors);
    struct cg_relay_entry *relay, *next_relay;
    HASH_ITER(hh, protectors->relays, relay, next_relay) commit_relay(relay);
}

static void discard_relay(struct cg_relay_entry *entry) {
    if (entry->staged != NULL) cg_oscore_context_unref(entry->staged);
    entry->staged = NULL;
}

void cg_protectors_discard(struct cg_protectors *protectors) {
    struct cg_named_group *group, *next_group;
    HASH_ITER(hh, protectors->groups, group, next_group) {
        cg_group_oscore_discard(group->group);
        group->staged = false;
    }
    struct cg_relay_entry *relay, *next_relay;
    HASH_ITER(hh, protectors->relays, relay, next_relay) discard_relay(relay);
}

static void drop_keys(struct cg_config *config) {
    for (size_t i = 0; !config->derivation.is_derived && i < config->security_group_count; i++) {
        struct cg_security_keys *keys = &config->security_groups[i];
        cg_security_group_free(keys->keys);
        cg_security_group_free(keys->next_keys);
        keys->keys = keys->next_keys = NULL;
    }
    struct cg_mapping *mapping;
    for (uint32_t next = 0; (mapping = cg_config_next_own_mapping(config, &next)) != NULL;) {
        cg_security_group_free(mapping->checker_keys);
        mapping->checker_keys = NULL;
    }
}

int cg_protectors_plan(struct cg_protectors *protectors, struct cg_config *config, struct cg_protectors_plan **made,
                       struct cg_problem *problem) {
    struct cg_protectors_plan *plan = *made = calloc(1, sizeof *plan);
    int err = plan == NULL ? cg_problem_no_memory(problem) : plan_mappings(protectors, plan, config, problem);
    if (plan != NULL) plan->is_whole = !config->derivation.is_derived;
    if (err == CG_OK && plan->is_whole) err = plan_alerts(protectors, plan, config, problem);
    if (err == CG_OK && plan->is_whole) err = plan_groups(protectors, plan, config, problem);
    drop_keys(config);
    return err;
}

static bool is_new_key(const struct planned_group *planned) {
    const struct cg_named_group *entry = planned->entry;
    return cg_group_oscore_current(entry->group) == NULL ||
           memcmp(entry->sender.bytes, planned->current.sender.bytes, sizeof entry->sender.bytes) != 0;
}

int cg_protectors_new_keys(const struct cg_protectors_plan *plan, struct cg_store_look **looks, size_t *count) {
    *count = 0;
    *looks = calloc(plan->group_count + 1, sizeof **looks);
    if (*looks == NULL) return CG_E_NO_MEMORY;
    for (size_t i = 0; i < plan->group_count; i++) {
        struct planned_group *planned = &plan->groups[i];
        if (is_new_key(planned))
            (*looks)[(*count)++] =
                (struct cg_store_look){.sender = planned->current.sender, .ctx = planned->entry->name};
    }
    return CG_OK;
}

void cg_protectors_plan_free(struct cg_protectors_plan *plan) {
    if (plan == NULL) return;
    for (size_t i = 0; i < plan->group_count; i++) {
        cg_group_keys_fini(&plan->groups[i].current);
        cg_group_keys_fini(&plan->groups[i].next);
    }
    free(plan->groups);
    struct planned_checker *checker, *next_checker;
    LL_FOREACH_SAFE(plan->checkers, checker, next_checker) {
        if (checker->context != NULL) cg_oscore_context_unref(checker->context);
        free(checker);
    }
    cg_protector_entries_free(&plan->new_groups, &plan->new_relays);
    free(plan);
}

/* What is new becomes known, without keys at first, and stays so. False: no memory. */
static bool add_new(struct cg_protectors *protectors, struct cg_protectors_plan *plan) {
    struct cg_named_group *group, *next_group;
    struct cg_relay_entry *relay, *next_relay;
    HASH_ITER(hh, plan->new_groups, group, next_group) {
        HASH_DEL(plan->new_groups, group);
        group->hh.tbl = NULL;
        HASH_ADD_STR(protectors->groups, name, group);
        if (CG_HASH_HAS(hh, group)) continue;
        cg_named_group_free(group);
        return false;
    }
    HASH_ITER(hh, plan->new_relays, relay, next_relay) {
        HASH_DEL(plan->new_relays, relay);
        relay->hh.tbl = NULL;
        HASH_ADD_KEYPTR(hh, protectors->relays, relay->file, strlen(relay->file), relay);
        if (CG_HASH_HAS(hh, relay)) continue;
        cg_relay_entry_free(relay);
        return false;
    }
    return true;
}

int cg_protectors_stage(struct cg_protectors *protectors, struct cg_protectors_plan *plan, struct cg_problem *problem) {
    int err = add_new(protectors, plan) ? CG_OK : cg_problem_no_memory(problem);
    for (size_t i = 0; err == CG_OK && i < plan->group_count; i++) err = stage_group(&plan->groups[i], problem);
    if (err < 0) {
        cg_protectors_discard(protectors);
        return err;
    }
    stage_checkers(plan);
    return CG_OK;
}

int cg_protectors_attach(struct cg_protectors *protectors, struct cg_config *config, struct cg_problem *problem) {
    struct cg_protectors_plan *plan;
    int err = cg_protectors_plan(protectors, config, &plan, problem);
    if (err == CG_OK) err = cg_protectors_stage(protectors, plan, problem);
    if (err == CG_OK) cg_protectors_commit(protectors, plan);
    cg_protectors_plan_free(plan);
    return err;
}
