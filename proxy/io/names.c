/* Names that are always fresh, without anybody waiting for them. The hard thing is that getaddrinfo may block for many
 * seconds and cannot be stopped: on the pool that checks signatures it would delay answers and, at the end, the end. So
 * look-ups have threads of their own, a few at a time and one a name, which nobody joins; the last of a table and its
 * threads to go frees what they share. */
#include "io/names.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "io/endpoint.h"

enum {
    LOOKUPS_AT_ONCE = 4,
    REFRESH_MS = 60000,
    RETRY_MS = 5000,
    TICKS = 4,           /* a retry interval */
    REMIND_MS = 3600000, /* a failure that lasts is told again */
    HOST_MAX = 255,      /* bytes (RFC 7252 §5.10: Uri-Host) */
};

/* What a name is to stand for. */
struct purpose {
    char mark; /* in keys */
    bool (*fits)(const struct cg_addr *addr);
    const char *key, *found, *refused, *misses; /* for people */
};

struct name {
    struct cg_resolved resolved;
    const struct purpose *purpose;
    char key[HOST_MAX + 2]; /* the purpose's mark, and the host */
    unsigned generation;    /* of the latest snapshot of which a target has it */
    bool busy;
    uint64_t due_ms;                                 /* of the loop's clock */
    uint64_t told_ms;                                /* when a failure was last logged */
    char told[sizeof((struct cg_resolved *)0)->why]; /* which; empty: none since the last answer */
    UT_hash_handle hh;
};

/* What the threads share with the table; goes with the last of them. */
struct mailbox {
    pthread_mutex_t mutex; /* guards all below */
    unsigned references;
    uv_async_t *async; /* NULL: closed, nobody reads any more */
    struct lookup *done;
};

struct lookup {
    struct lookup *next;
    struct mailbox *mailbox;
    struct name *name; /* the loop's: the thread does not look */
    cg_lookup_fn run;
    void *ctx;
    char host[HOST_MAX + 1];
    const char *error;
    struct cg_addr found[CG_NAMES_ADDRESSES];
    size_t count;
};

struct cg_names {
    struct cg_names_options options;
    struct name *by_key; /* uthash head */
    struct mailbox *mailbox;
    unsigned running;
    unsigned generation; /* of the latest snapshot */
    uv_loop_t *uv;       /* NULL: not open */
    uv_async_t async;
    uv_timer_t timer;
};

static bool is_one_host(const struct cg_addr *addr) {
    return !cg_addr_is_multicast(addr) && !cg_addr_is_unspecified(addr);
}

static const struct purpose of_group = {.mark = 'g',
                                        .fits = cg_addr_is_multicast,
                                        .key = "group",
                                        .found = "the name stands for this group",
                                        .refused = "requests to this group are refused",
                                        .misses = "not multicast"};
static const struct purpose of_hop = {.mark = 'h',
                                      .fits = is_one_host,
                                      .key = "next_hop",
                                      .found = "the next hop is at this address",
                                      .refused = "requests to this next hop are refused",
                                      .misses = "no host's"};

static const char *host_of(const struct name *name) { return name->key + 1; }

/* On a thread of its own */

/* Its zone, if any, is the mapping's interface. */
static bool addr_from_info(struct cg_addr *addr, const struct addrinfo *info) {
    cg_endpoint_to_addr(addr, (const union cg_endpoint *)info->ai_addr);
    addr->scope = 0;
    return addr->family != CG_FAMILY_NONE;
}

static const char *look_up(void *ctx, const char *host, struct cg_addr found[CG_NAMES_ADDRESSES], size_t *count) {
    (void)ctx;
    struct addrinfo *list, hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_IDN};
    int error = getaddrinfo(host, NULL, &hints, &list);
    if (error != 0) return error == EAI_SYSTEM ? "the system's resolver cannot be used" : gai_strerror(error);
    *count = 0;
    for (const struct addrinfo *info = list; info != NULL && *count < CG_NAMES_ADDRESSES; info = info->ai_next) {
        if (addr_from_info(&found[*count], info)) ++*count;
    }
    freeaddrinfo(list);
    return NULL;
}

/* With the mutex held, which this gives up. */
static void leave_mailbox(struct mailbox *mailbox) {
    bool last = --mailbox->references == 0;
    CG_CHECK(pthread_mutex_unlock(&mailbox->mutex) == 0);
    if (!last) return;
    pthread_mutex_destroy(&mailbox->mutex);
    free(mailbox);
}

static void *lookup_main(void *arg) {
    struct lookup *lookup = arg;
    struct mailbox *mailbox = lookup->mailbox;
    lookup->error = lookup->run(lookup->ctx, lookup->host, lookup->found, &lookup->count);
    CG_CHECK(pthread_mutex_lock(&mailbox->mutex) == 0);
    if (mailbox->async != NULL) {
        lookup->next = mailbox->done;
        mailbox->done = lookup;
        CG_CHECK(uv_async_send(mailbox->async) == 0);
    } else {
        free(lookup);
    }
    leave_mailbox(mailbox);
    return NULL;
}

static bool start_thread(struct lookup *lookup) {
    pthread_attr_t detached;
    pthread_t thread;
    if (pthread_attr_init(&detached) != 0) return false;
    CG_CHECK(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) == 0);
    int error = pthread_create(&thread, &detached, lookup_main, lookup);
    pthread_attr_destroy(&detached);
    return error == 0;
}

/* On the loop: what came of it */

static void log_name(enum cg_log_level level, const struct name *name, const char *key, const char *value,
                     const char *msg) {
    struct cg_log_line line;
    cg_log_begin(&line, level, "name");
    cg_log_str(&line, "host", host_of(name));
    cg_log_str(&line, key, value);
    cg_log_str(&line, "msg", msg);
    cg_log_end(&line);
}

static void take_address(struct name *name, const struct cg_addr *addr) {
    char text[CG_ADDR_TEXT_MAX];
    bool is_new = !cg_addr_equal(&name->resolved.addr, addr);
    name->resolved.addr = *addr;
    cg_addr_emit_ip(addr, text);
    if (is_new) log_name(CG_LOG_INFO, name, name->purpose->key, text, name->purpose->found);
    if (!is_new && name->told[0] != 0)
        log_name(CG_LOG_INFO, name, name->purpose->key, text, "the name can be looked up again");
    name->told[0] = 0;
}

/* A failure that stays the same is told once an hour. */
static void tell_failure(struct cg_names *names, struct name *name, const char *why, const char *msg) {
    uint64_t now_ms = uv_now(names->uv);
    if (strncmp(name->told, why, sizeof name->told - 1) == 0 && now_ms - name->told_ms < REMIND_MS) return;
    snprintf(name->told, sizeof name->told, "%s", why);
    name->told_ms = now_ms;
    log_name(CG_LOG_WARNING, name, "error", why, msg);
}

/* Whatever else it stands for, it is no group any more (RFC 10020 §2.1.1), or no next hop. */
static void refuse(struct cg_names *names, struct name *name, const struct lookup *lookup) {
    char ip[CG_ADDR_TEXT_MAX] = "no address";
    if (lookup->count > 0) cg_addr_emit_ip(&lookup->found[0], ip);
    name->resolved.addr = (struct cg_addr){0};
    snprintf(name->resolved.why, sizeof name->resolved.why, "the name stands for %s, which is %s", ip,
             name->purpose->misses);
    tell_failure(names, name, name->resolved.why, name->purpose->refused);
}

static void keep_what_is(struct cg_names *names, struct name *name, const char *error) {
    if (name->resolved.addr.family != CG_FAMILY_NONE) {
        tell_failure(names, name, error, "the last known address stays in use");
        return;
    }
    snprintf(name->resolved.why, sizeof name->resolved.why, "the name cannot be looked up (%s)", error);
    tell_failure(names, name, error, name->purpose->refused);
}

static void take(struct cg_names *names, const struct lookup *lookup) {
    struct name *name = lookup->name;
    size_t at = 0;
    name->busy = false;
    names->running--;
    if (lookup->error != NULL) {
        keep_what_is(names, name, lookup->error);
    } else {
        while (at < lookup->count && !name->purpose->fits(&lookup->found[at])) at++;
        if (at < lookup->count) {
            take_address(name, &lookup->found[at]);
        } else {
            refuse(names, name, lookup);
        }
    }
    bool known = name->resolved.addr.family != CG_FAMILY_NONE;
    name->due_ms = uv_now(names->uv) + (known ? names->options.refresh_ms : names->options.retry_ms);
}

/* On the loop: what is due */

static bool start_lookup(struct cg_names *names, struct name *name) {
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL) return false;
    *lookup = (struct lookup){
        .mailbox = names->mailbox, .name = name, .run = names->options.lookup, .ctx = names->options.ctx};
    strcpy(lookup->host, host_of(name));
    CG_CHECK(pthread_mutex_lock(&names->mailbox->mutex) == 0);
    names->mailbox->references++;
    CG_CHECK(pthread_mutex_unlock(&names->mailbox->mutex) == 0);
    if (start_thread(lookup)) return true;
    CG_CHECK(pthread_mutex_lock(&names->mailbox->mutex) == 0);
    leave_mailbox(names->mailbox);
    free(lookup);
    return false;
}

static void start_what_is_due(struct cg_names *names) {
    uint64_t now_ms = uv_now(names->uv);
    for (struct name *name = names->by_key; name != NULL && names->running < LOOKUPS_AT_ONCE; name = name->hh.next) {
        if (name->busy || name->generation != names->generation || name->due_ms > now_ms) continue;
        if (!start_lookup(names, name)) return; /* the next tick tries again */
        name->busy = true;
        names->running++;
    }
}

static void on_tick(uv_timer_t *timer) { start_what_is_due(timer->data); }

static void on_done(uv_async_t *async) {
    struct cg_names *names = async->data;
    CG_CHECK(pthread_mutex_lock(&names->mailbox->mutex) == 0);
    struct lookup *done = names->mailbox->done;
    names->mailbox->done = NULL;
    CG_CHECK(pthread_mutex_unlock(&names->mailbox->mutex) == 0);
    while (done != NULL) {
        struct lookup *next = done->next;
        take(names, done);
        free(done);
        done = next;
    }
    start_what_is_due(names);
}

/* Snapshots */

/* A name that a target of the snapshot has. */
struct planned_name {
    struct name *name;
    bool is_new; /* the table does not have it yet: it is the plan's */
    UT_hash_handle hh;
};

struct cg_names_plan {
    struct planned_name *by_key; /* uthash head */
    bool is_whole;               /* other names are not the snapshot's */
};

/* Its length, without the NUL. */
static size_t put_key(char key[HOST_MAX + 2], const struct purpose *purpose, struct cg_slice host) {
    CG_CHECK(host.len <= HOST_MAX);
    key[0] = purpose->mark;
    memcpy(key + 1, host.data, host.len);
    key[1 + host.len] = '\0';
    return 1 + host.len;
}

static struct name *new_name(const struct purpose *purpose, struct cg_slice host) {
    struct name *name = calloc(1, sizeof *name);
    if (name == NULL) return NULL;
    name->purpose = purpose;
    (void)put_key(name->key, purpose, host);
    strcpy(name->resolved.why, "the name has not been looked up yet");
    return name;
}

static void free_planned(struct planned_name *planned) {
    if (planned->is_new) free(planned->name);
    free(planned);
}

/* NULL: no memory. */
static const struct cg_resolved *plan_name(const struct cg_names *names, struct cg_names_plan *plan,
                                           const struct purpose *purpose, struct cg_slice host) {
    struct planned_name *planned;
    char key[HOST_MAX + 2];
    const size_t len = put_key(key, purpose, host);
    HASH_FIND(hh, plan->by_key, key, len, planned);
    if (planned != NULL) return &planned->name->resolved;
    planned = calloc(1, sizeof *planned);
    if (planned == NULL) return NULL;
    HASH_FIND(hh, names->by_key, key, len, planned->name);
    planned->is_new = planned->name == NULL;
    if (planned->is_new) planned->name = new_name(purpose, host);
    if (planned->name != NULL) HASH_ADD_KEYPTR(hh, plan->by_key, planned->name->key, len, planned);
    if (CG_HASH_HAS(hh, planned)) return &planned->name->resolved;
    free_planned(planned);
    return NULL;
}

/* False: no memory. */
static bool plan_target(const struct cg_names *names, struct cg_names_plan *plan, struct cg_target *target) {
    if (cg_target_is_hop(target)) { /* which looks its group up itself */
        struct cg_next_hop *next_hop = &target->next_hop;
        if (next_hop->addr.family != CG_FAMILY_NONE) return true;
        next_hop->resolved = plan_name(names, plan, &of_hop, cg_slice_str(next_hop->host));
        return next_hop->resolved != NULL;
    }
    if (target->host.len == 0) return true;
    target->resolved = plan_name(names, plan, &of_group, target->host);
    return target->resolved != NULL;
}

/* False: no memory. */
static bool plan_mapping(const struct cg_names *names, struct cg_names_plan *plan, struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (!plan_target(names, plan, &mapping->targets[i])) return false;
    }
    return true;
}

int cg_names_plan(const struct cg_names *names, struct cg_config *config, struct cg_names_plan **made,
                  struct cg_problem *problem) {
    struct cg_names_plan *plan = *made = calloc(1, sizeof *plan);
    if (plan == NULL) return cg_problem_no_memory(problem);
    plan->is_whole = !config->derivation.is_derived;
    struct cg_mapping *mapping;
    for (uint32_t next = 0; (mapping = cg_config_next_own_mapping(config, &next)) != NULL;) {
        if (!plan_mapping(names, plan, mapping)) return cg_problem_no_memory(problem);
    }
    return CG_OK;
}

void cg_names_plan_free(struct cg_names_plan *plan) {
    if (plan == NULL) return;
    struct planned_name *planned, *next;
    HASH_ITER(hh, plan->by_key, planned, next) {
        HASH_DEL(plan->by_key, planned);
        free_planned(planned);
    }
    free(plan);
}

int cg_names_reserve(struct cg_names *names, struct cg_names_plan *plan, struct cg_problem *problem) {
    struct planned_name *planned, *next;
    HASH_ITER(hh, plan->by_key, planned, next) {
        struct name *name = planned->name;
        if (!planned->is_new) continue;
        HASH_ADD_KEYPTR(hh, names->by_key, name->key, planned->hh.keylen, name);
        if (!CG_HASH_HAS(hh, name)) return cg_problem_no_memory(problem);
        planned->is_new = false;
    }
    return CG_OK;
}

void cg_names_adopt(struct cg_names *names, const struct cg_names_plan *plan) {
    if (plan->is_whole) names->generation++;
    for (const struct planned_name *it = plan->by_key; it != NULL; it = it->hh.next) {
        if (plan->is_whole || it->name->generation != names->generation) it->name->due_ms = 0;
        it->name->generation = names->generation;
    }
}

int cg_names_attach(struct cg_names *names, struct cg_config *config, struct cg_problem *problem) {
    struct cg_names_plan *plan;
    int err = cg_names_plan(names, config, &plan, problem);
    if (err == CG_OK) err = cg_names_reserve(names, plan, problem);
    if (err == CG_OK) cg_names_adopt(names, plan);
    cg_names_plan_free(plan);
    return err;
}

/* Life */

struct cg_names *cg_names_new(const struct cg_names_options *options) {
    struct cg_names *names = calloc(1, sizeof *names);
    struct mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (names == NULL || mailbox == NULL || pthread_mutex_init(&mailbox->mutex, NULL) != 0) {
        free(names);
        free(mailbox);
        return NULL;
    }
    mailbox->references = 1;
    names->mailbox = mailbox;
    names->options = *options;
    if (names->options.lookup == NULL) names->options.lookup = look_up;
    if (names->options.refresh_ms == 0) names->options.refresh_ms = REFRESH_MS;
    if (names->options.retry_ms == 0) names->options.retry_ms = RETRY_MS;
    return names;
}

void cg_names_open(struct cg_names *names, uv_loop_t *uv) {
    if (names->by_key == NULL) return;
    if (names->uv == NULL) {
        names->uv = uv;
        CG_CHECK(uv_async_init(uv, &names->async, on_done) == 0);
        CG_CHECK(uv_timer_init(uv, &names->timer) == 0);
        names->async.data = names->timer.data = names;
        names->mailbox->async = &names->async; /* no thread is there yet */
        uint64_t tick_ms = names->options.retry_ms / TICKS + 1;
        CG_CHECK(uv_timer_start(&names->timer, on_tick, tick_ms, tick_ms) == 0);
    }
    start_what_is_due(names);
}

void cg_names_close(struct cg_names *names) {
    if (names->uv == NULL) return;
    CG_CHECK(pthread_mutex_lock(&names->mailbox->mutex) == 0);
    names->mailbox->async = NULL;
    struct lookup *done = names->mailbox->done;
    names->mailbox->done = NULL;
    CG_CHECK(pthread_mutex_unlock(&names->mailbox->mutex) == 0);
    while (done != NULL) {
        struct lookup *next = done->next;
        free(done);
        done = next;
    }
    uv_close((uv_handle_t *)&names->async, NULL);
    uv_close((uv_handle_t *)&names->timer, NULL);
    names->uv = NULL;
}

void cg_names_free(struct cg_names *names) {
    if (names == NULL) return;
    struct name *name, *next;
    HASH_ITER(hh, names->by_key, name, next) {
        HASH_DEL(names->by_key, name);
        free(name);
    }
    CG_CHECK(pthread_mutex_lock(&names->mailbox->mutex) == 0);
    leave_mailbox(names->mailbox);
    free(names);
}
