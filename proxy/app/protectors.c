/* The one place that knows which protectors there are: what they share, from its beginning to its end. The hard thing
 * is that it lives longer than the settings that asked for it; how reloads change what each of them is,
 * protectors_plan.c tells. */
#include "app/protectors.h"

#include <sodium.h>
#include <unistd.h>

#include "app/protector_entries.h"
#include "base/log.h"
#include "exchange/gateway.h"
#include "store/sqlite.h"

/* Sequence numbers that run out */

static void warn_low(const char *group) {
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_WARNING, "sequence-numbers");
    cg_log_str(&line, "security_group", group);
    cg_log_str(&line, "msg",
               "four fifths of the gateway's numbers are used; without numbers nothing is sent: " CG_STORE_WAYS_OUT);
    cg_log_end(&line);
}

static void on_low(void *ctx, const struct cg_sender_id *id) {
    const struct cg_protectors *protectors = ctx;
    const struct cg_named_group *group, *next;
    HASH_ITER(hh, protectors->groups, group, next) {
        if (memcmp(group->sender.bytes, id->bytes, sizeof id->bytes) == 0) warn_low(group->name);
    }
}

static void put_cold(const struct cg_protectors *protectors, struct cg_buf *to) {
    const struct cg_named_group *group, *next;
    cg_buf_put_str(to,
                   "# HELP castgate_cold_members Members of a security group that have yet to take a request which is "
                   "sent with the gateway's present key.\n# TYPE castgate_cold_members gauge\n");
    HASH_ITER(hh, protectors->groups, group, next) {
        if (cg_group_oscore_current(group->group) == NULL) continue;
        cg_buf_printf(to, "castgate_cold_members{security_group=\"%s\"} %zu\n", group->name,
                      cg_group_oscore_cold(group->group));
    }
}

size_t cg_protectors_cold(const struct cg_protectors *protectors) {
    const struct cg_named_group *group, *next;
    size_t count = 0;
    HASH_ITER(hh, protectors->groups, group, next) count += cg_group_oscore_cold(group->group);
    return count;
}

void cg_protectors_metrics(const struct cg_protectors *protectors, struct cg_buf *to) {
    const struct cg_named_group *group, *next;
    put_cold(protectors, to);
    cg_buf_put_str(to, "# HELP castgate_sequence_numbers_used_ratio How much of a security group's sequence numbers is "
                       "used; none are left at 1.\n# TYPE castgate_sequence_numbers_used_ratio gauge\n");
    HASH_ITER(hh, protectors->groups, group, next) {
        if (cg_group_oscore_current(group->group) == NULL) continue;
        cg_buf_printf(to, "castgate_sequence_numbers_used_ratio{security_group=\"%s\"} %.9g\n", group->name,
                      (double)cg_senders_used(&protectors->senders, &group->sender) / (double)CG_SENDER_NUMBERS);
    }
}

static void warn_of_group(const struct cg_protectors *protectors, const struct cg_named_group *group,
                          struct cg_mistakes *warnings) {
    char pointer[CG_NAME_MAX + 32];
    const uint64_t used = cg_senders_used(&protectors->senders, &group->sender);
    const size_t cold = cg_group_oscore_cold(group->group);
    snprintf(pointer, sizeof pointer, "/security-groups/%s", group->name);
    if (used >= CG_SENDER_LOW)
        cg_warnings_add(warnings, "numbers-running-out", pointer,
                        "security group %s: %.0f %% of the gateway's numbers are used; without numbers nothing is sent",
                        group->name, (double)used * 100 / (double)CG_SENDER_NUMBERS);
    if (cold > 0)
        cg_warnings_add(warnings, "cold-members", pointer,
                        "security group %s: %zu members have yet to take a request under the present key, so their "
                        "first command may take longer (\"warm\")",
                        group->name, cold);
}

void cg_protectors_warn(const struct cg_protectors *protectors, struct cg_mistakes *warnings) {
    const struct cg_named_group *group, *next;
    HASH_ITER(hh, protectors->groups, group, next) {
        if (cg_group_oscore_current(group->group) != NULL) warn_of_group(protectors, group, warnings);
    }
}

/* Life */

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
    protectors->store = cg_store_thread_open(uv, backend, &cg_store_watch, problem);
    if (protectors->store == NULL) return CG_E_STORE;
    protectors->senders.store = cg_store_thread_store(protectors->store);
    return CG_OK;
}

struct cg_state_lock *cg_protectors_lock(struct cg_protectors *protectors, const char *state) {
    if (protectors->lock.file == NULL && cg_state_lock_init(&protectors->lock, state) < 0) return NULL;
    return &protectors->lock;
}

/* Nothing is touched yet; what was relayed is read when the first checked request comes. */
static int open_state(struct cg_protectors *protectors, const char *state) {
    if (protectors->relayed.folder != NULL) return CG_OK;
    if (cg_protectors_lock(protectors, state) == NULL) return CG_E_NO_MEMORY;
    int err = cg_relayed_file_init(&protectors->relayed, state, &protectors->lock);
    if (err == CG_OK) cg_windows_open(&protectors->windows, &protectors->relayed.place, &protectors->pool.crypto);
    return err;
}

static bool needs_store(const struct cg_protectors *protectors, const struct cg_config *config) {
    bool needs = protectors->groups != NULL;
    for (size_t i = 0; !needs && i < config->client_count; i++) needs = config->clients[i].oscore.file != NULL;
    return needs;
}

int cg_protectors_open(struct cg_protectors *protectors, uv_loop_t *uv, struct cg_gateway *gateway,
                       const struct cg_config *config, struct cg_problem *problem) {
    int err = start_pool(protectors, uv, gateway, problem);
    if (err < 0) return err;
    if (open_state(protectors, config->state) < 0) return cg_problem_no_memory(problem);
    if (protectors->store != NULL || !needs_store(protectors, config)) return CG_OK;
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
    if (store != NULL) {
        cg_store_thread_close(store, closed, ctx);
    } else if (closed != NULL) {
        closed(ctx);
    }
}

void cg_protectors_fini(struct cg_protectors *protectors) {
    cg_protector_entries_free(&protectors->groups, &protectors->relays);
    if (protectors->group_services.engine != NULL) cg_crypto_pool_fini(&protectors->pool);
    cg_windows_fini(&protectors->windows);
    cg_relayed_file_fini(&protectors->relayed);
    if (protectors->lock.file != NULL) cg_state_lock_fini(&protectors->lock);
    cg_senders_fini(&protectors->senders);
}
