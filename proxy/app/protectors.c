/* The one place that knows which protectors there are. The hard thing is what must survive a reload: a group's running
 * casts (its epochs), a relay's replay windows, and every sender's numbers; and that a reload takes effect for all of
 * them or for none. */
#include "app/protectors.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#include "base/check.h"
#include "base/log.h"
#include "builtin.h"
#include "exchange/gateway.h"
#include "settings/security_group.h"
#include "store/sqlite.h"

#define DIGEST_LEN CG_GROUP_DIGEST_LEN

/* A security group by name. One that the settings have no more keeps its place, without keys: answers may still be on
 * their way. */
struct cg_named_group {
    char name[CG_NAME_MAX + 1];
    struct cg_group_oscore *group;
    struct cg_sender_id sender, staged_sender; /* whose numbers its current keys use */
    bool staged;
    UT_hash_handle hh;
};

/* A relay by the file that it checks with. The file may change: the relay stays. Its replay windows are everybody's. */
struct cg_relay_entry {
    char *file; /* owned; empty: checks nothing */
    struct cg_relay *relay;
    uint8_t digest[DIGEST_LEN]; /* of the checker in use; zero: none */
    struct cg_oscore_context *staged;
    uint8_t staged_digest[DIGEST_LEN];
    UT_hash_handle hh;
};

/* What two key files have to agree in to be the same keys */

/* Straight into the hash: keys in a buffer that grows would leave copies behind. */
static void put_field(crypto_hash_sha256_state *to, struct cg_slice field) {
    uint64_t len = field.len;
    crypto_hash_sha256_update(to, (const uint8_t *)&len, sizeof len);
    if (field.len > 0) crypto_hash_sha256_update(to, field.data, field.len);
}

static void put_keys(crypto_hash_sha256_state *to, const struct cg_security_group *keys,
                     const struct cg_sender_id *sender) {
    const int algorithms[] = {keys->alg_aead,      keys->alg_group_enc, keys->alg_signature,
                              keys->alg_agreement, (int)keys->hkdf,     keys->countersign_four};
    put_field(to, cg_slice_of(algorithms, sizeof algorithms));
    put_field(to, cg_slice_of(sender->bytes, sizeof sender->bytes));
    put_field(to, keys->signature_encryption_key);
    put_field(to, keys->gid);
    put_field(to, keys->gm_cred);
    put_field(to, keys->self.cred);
    for (size_t i = 0; i < keys->peer_count; i++) {
        put_field(to, keys->peers[i].id);
        put_field(to, keys->peers[i].cred);
    }
}

/* False: no memory. */
static bool make_digest(uint8_t digest[DIGEST_LEN], const struct cg_security_group *keys) {
    crypto_hash_sha256_state hash;
    struct cg_sender_id sender = {0};
    bool sends = keys->file != CG_GROUP_FILE_CHECKER;
    if (sends && cg_security_group_sender_id(keys, &keys->self, &sender) < 0) return false;
    crypto_hash_sha256_init(&hash);
    put_keys(&hash, keys, &sender);
    crypto_hash_sha256_final(&hash, digest);
    sodium_memzero(&hash, sizeof hash);
    return true;
}

/* What a snapshot's protectors are to be. Until it is adopted only the plan knows what is new in it. */

struct planned_group {
    struct cg_named_group *entry;
    struct cg_group_keys current, next; /* their peers and params are gone: what they were needed for is made */
    bool has_next;
};

struct cg_protectors_plan {
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

static void free_group(struct cg_named_group *entry) {
    cg_group_oscore_free(entry->group);
    free(entry);
}

static struct cg_named_group *new_group(struct cg_group_services *services, const char *name) {
    struct cg_named_group *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->group = cg_group_oscore_new(services);
    if (entry->group == NULL) {
        free(entry);
        return NULL;
    }
    memcpy(entry->name, name, strlen(name) + 1);
    return entry;
}

/* The group of that name, which may be in the plan only. NULL: no memory. */
static struct cg_named_group *plan_name(struct cg_protectors *protectors, struct cg_protectors_plan *plan,
                                        const char *name) {
    struct cg_named_group *entry;
    HASH_FIND_STR(protectors->groups, name, entry);
    if (entry == NULL) HASH_FIND_STR(plan->new_groups, name, entry);
    if (entry != NULL) return entry;
    entry = new_group(&protectors->group_services, name);
    if (entry == NULL) return NULL;
    HASH_ADD_STR(plan->new_groups, name, entry);
    if (CG_HASH_HAS(hh, entry)) return entry;
    free_group(entry);
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
    if (views->peers == NULL || !make_digest(to->digest, file)) return false;
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

static void free_relay(struct cg_relay_entry *entry) {
    cg_relay_free(entry->relay);
    free(entry->file);
    free(entry);
}

static struct cg_relay_entry *new_relay(const struct cg_relay_services *services, const char *file) {
    struct cg_relay_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->file = strdup(file);
    entry->relay = cg_relay_new(services);
    if (entry->file != NULL && entry->relay != NULL) return entry;
    free_relay(entry);
    return NULL;
}

/* The relay that checks with this file, which may be in the plan only. NULL: no memory. */
static struct cg_relay_entry *plan_relay(struct cg_protectors *protectors, struct cg_protectors_plan *plan,
                                         const char *file) {
    struct cg_relay_entry *entry;
    HASH_FIND_STR(protectors->relays, file, entry);
    if (entry == NULL) HASH_FIND_STR(plan->new_relays, file, entry);
    if (entry != NULL) return entry;
    entry = new_relay(&protectors->relay_services, file);
    if (entry == NULL) return NULL;
    HASH_ADD_KEYPTR(hh, plan->new_relays, entry->file, strlen(entry->file), entry);
    if (CG_HASH_HAS(hh, entry)) return entry;
    free_relay(entry);
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
    if (!make_digest(digest, keys)) return cg_problem_no_memory(problem);
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
    for (size_t i = 0; err == CG_OK && i < config->mapping_count; i++) {
        err = plan_mapping(protectors, plan, &config->mappings[i], problem);
    }
    return err;
}

static void commit(struct cg_protectors *protectors) {
    struct cg_named_group *group, *next_group;
    HASH_ITER(hh, protectors->groups, group, next_group) commit_group(group);
    struct cg_relay_entry *relay, *next_relay;
    HASH_ITER(hh, protectors->relays, relay, next_relay) commit_relay(relay);
}

static void discard(struct cg_protectors *protectors) {
    struct cg_named_group *group, *next_group;
    HASH_ITER(hh, protectors->groups, group, next_group) {
        cg_group_oscore_discard(group->group);
        group->staged = false;
    }
}

static void free_entries(struct cg_named_group **groups, struct cg_relay_entry **relays) {
    struct cg_named_group *group, *next_group;
    HASH_ITER(hh, *groups, group, next_group) {
        HASH_DEL(*groups, group);
        free_group(group);
    }
    struct cg_relay_entry *relay, *next_relay;
    HASH_ITER(hh, *relays, relay, next_relay) {
        HASH_DEL(*relays, relay);
        free_relay(relay);
    }
}

static void drop_keys(struct cg_config *config) {
    for (size_t i = 0; i < config->security_group_count; i++) {
        struct cg_security_keys *keys = &config->security_groups[i];
        cg_security_group_free(keys->keys);
        cg_security_group_free(keys->next_keys);
        keys->keys = keys->next_keys = NULL;
    }
    for (size_t i = 0; i < config->mapping_count; i++) {
        cg_security_group_free(config->mappings[i].checker_keys);
        config->mappings[i].checker_keys = NULL;
    }
}

int cg_protectors_plan(struct cg_protectors *protectors, struct cg_config *config, struct cg_protectors_plan **made,
                       struct cg_problem *problem) {
    struct cg_protectors_plan *plan = *made = calloc(1, sizeof *plan);
    int err = plan == NULL ? cg_problem_no_memory(problem) : plan_mappings(protectors, plan, config, problem);
    if (err == CG_OK) err = plan_groups(protectors, plan, config, problem);
    drop_keys(config);
    return err;
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
    free_entries(&plan->new_groups, &plan->new_relays);
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
        free_group(group);
        return false;
    }
    HASH_ITER(hh, plan->new_relays, relay, next_relay) {
        HASH_DEL(plan->new_relays, relay);
        relay->hh.tbl = NULL;
        HASH_ADD_KEYPTR(hh, protectors->relays, relay->file, strlen(relay->file), relay);
        if (CG_HASH_HAS(hh, relay)) continue;
        free_relay(relay);
        return false;
    }
    return true;
}

int cg_protectors_adopt(struct cg_protectors *protectors, struct cg_protectors_plan *plan, struct cg_problem *problem) {
    int err = add_new(protectors, plan) ? CG_OK : cg_problem_no_memory(problem);
    for (size_t i = 0; err == CG_OK && i < plan->group_count; i++) err = stage_group(&plan->groups[i], problem);
    if (err < 0) {
        discard(protectors);
        return err;
    }
    stage_checkers(plan);
    commit(protectors);
    return CG_OK;
}

int cg_protectors_attach(struct cg_protectors *protectors, struct cg_config *config, struct cg_problem *problem) {
    struct cg_protectors_plan *plan;
    int err = cg_protectors_plan(protectors, config, &plan, problem);
    if (err == CG_OK) err = cg_protectors_adopt(protectors, plan, problem);
    cg_protectors_plan_free(plan);
    return err;
}

/* Life */

static void warn_low(const char *group) {
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_WARNING, "sequence-numbers");
    cg_log_str(&line, "security_group", group);
    cg_log_str(&line, "msg",
               "four fifths of the gateway's numbers are used: rekey the group, or take a new Sender ID; "
               "without numbers nothing is sent");
    cg_log_end(&line);
}

static void on_low(void *ctx, const struct cg_sender_id *id) {
    const struct cg_protectors *protectors = ctx;
    const struct cg_named_group *group, *next;
    HASH_ITER(hh, protectors->groups, group, next) {
        if (memcmp(group->sender.bytes, id->bytes, sizeof id->bytes) == 0) warn_low(group->name);
    }
}

void cg_protectors_metrics(const struct cg_protectors *protectors, struct cg_buf *to) {
    const struct cg_named_group *group, *next;
    cg_buf_put_str(to, "# HELP castgate_sequence_numbers_used_ratio How much of a security group's sequence numbers is "
                       "used; none are left at 1.\n# TYPE castgate_sequence_numbers_used_ratio gauge\n");
    HASH_ITER(hh, protectors->groups, group, next) {
        if (cg_group_oscore_current(group->group) == NULL) continue;
        cg_buf_printf(to, "castgate_sequence_numbers_used_ratio{security_group=\"%s\"} %.9g\n", group->name,
                      (double)cg_senders_used(&protectors->senders, &group->sender) / (double)CG_SENDER_NUMBERS);
    }
}

void cg_protectors_init(struct cg_protectors *protectors) {
    *protectors = (struct cg_protectors){0};
    cg_senders_init(&protectors->senders, NULL);
    protectors->senders.low = on_low;
    protectors->senders.ctx = protectors;
    protectors->group_services.senders = &protectors->senders;
    cg_windows_init(&protectors->windows);
    protectors->relay_services.windows = &protectors->windows;
    randombytes_buf(&protectors->group_services.later.dice, sizeof protectors->group_services.later.dice);
}

static int start_pool(struct cg_protectors *protectors, uv_loop_t *uv, struct cg_gateway *gateway,
                      struct cg_problem *problem) {
    if (protectors->group_services.engine != NULL) return CG_OK;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = cores > 0 ? (unsigned)cores : 1;
    cg_crypto_pool_init(&protectors->pool, uv, threads);
    protectors->group_services.crypto = protectors->relay_services.crypto = &protectors->pool.crypto;
    protectors->group_services.engine = protectors->relay_services.engine = cg_gateway_engine(gateway);
    if (cg_crypto_pool_warm(&protectors->pool, threads) == CG_OK) return CG_OK;
    return cg_problem_set(problem, CG_E_NO_MEMORY, "there is no room for %u threads that sign and verify", threads);
}

static int open_store(struct cg_protectors *protectors, uv_loop_t *uv, const struct cg_config *config,
                      struct cg_problem *problem) {
    const struct cg_sqlite_options options = {
        .rate = config->sequence_rate, .require_clock = config->require_clock, .lock = &protectors->lock};
    struct cg_store_backend *backend = cg_sqlite_new(config->state, &options);
    if (backend == NULL) return cg_problem_no_memory(problem);
    protectors->store = cg_store_thread_open(uv, backend, problem);
    if (protectors->store == NULL) return CG_E_STORE;
    protectors->senders.store = cg_store_thread_store(protectors->store);
    return CG_OK;
}

/* Nothing is touched yet; what was relayed is read when the first checked request comes. */
static int open_state(struct cg_protectors *protectors, const char *state) {
    if (protectors->relayed.folder != NULL) return CG_OK;
    if (protectors->lock.file == NULL && cg_state_lock_init(&protectors->lock, state) < 0) return CG_E_NO_MEMORY;
    int err = cg_relayed_file_init(&protectors->relayed, state, &protectors->lock);
    if (err == CG_OK) cg_windows_open(&protectors->windows, &protectors->relayed.place, &protectors->pool.crypto);
    return err;
}

int cg_protectors_open(struct cg_protectors *protectors, uv_loop_t *uv, struct cg_gateway *gateway,
                       const struct cg_config *config, struct cg_problem *problem) {
    int err = start_pool(protectors, uv, gateway, problem);
    if (err < 0) return err;
    if (open_state(protectors, config->state) < 0) return cg_problem_no_memory(problem);
    if (protectors->groups == NULL || protectors->store != NULL) return CG_OK;
    return open_store(protectors, uv, config, problem);
}

struct cg_store *cg_protectors_store(struct cg_protectors *protectors, uv_loop_t *uv, const struct cg_config *config) {
    struct cg_problem unused;
    if (protectors->store == NULL && open_store(protectors, uv, config, &unused) < 0) return NULL;
    return cg_store_thread_store(protectors->store);
}

int cg_protectors_status(const struct cg_protectors *protectors, struct cg_problem *problem) {
    return protectors->store == NULL ? CG_OK : cg_store_thread_status(protectors->store, problem);
}

void cg_protectors_close(struct cg_protectors *protectors, cg_store_closed_fn closed, void *ctx) {
    struct cg_store_thread *store = protectors->store;
    if (protectors->group_services.engine != NULL) cg_crypto_pool_close(&protectors->pool);
    protectors->store = NULL;
    if (store != NULL)
        cg_store_thread_close(store, closed, ctx);
    else if (closed != NULL)
        closed(ctx);
}

void cg_protectors_fini(struct cg_protectors *protectors) {
    free_entries(&protectors->groups, &protectors->relays);
    if (protectors->group_services.engine != NULL) cg_crypto_pool_fini(&protectors->pool);
    cg_windows_fini(&protectors->windows);
    cg_relayed_file_fini(&protectors->relayed);
    if (protectors->lock.file != NULL) cg_state_lock_fini(&protectors->lock);
    cg_senders_fini(&protectors->senders);
}
