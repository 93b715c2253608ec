/* Questions to the store, in slices. The hard thing: there may be ten thousand groups, and the thread that answers is
 * the one that gives numbers; so no question is longer than a slice, and only what has changed is told. */
#include "app/claims.h"

#include <string.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"

enum { PAUSE_MS = 2000, FIRST_MS = 1 };

/* ---- What answers mean ---- */

enum cg_key_state cg_claims_judge(const struct cg_store_look *look) {
    if (look->err == CG_OK) return CG_KEY_SENDS;
    switch (look->failure.refusal) {
    case CG_STORE_UNCLAIMED: return CG_KEY_UNCLAIMED;
    case CG_STORE_SPENT: return CG_KEY_SPENT;
    case CG_STORE_EXHAUSTED: return CG_KEY_EXHAUSTED;
    case CG_STORE_UNAVAILABLE:
    case CG_STORE_TOO_FAST: break;
    }
    return CG_KEY_UNKNOWN;
}

const char *cg_claims_reason(enum cg_key_state state) {
    switch (state) {
    case CG_KEY_UNCLAIMED:
        return "its key is not claimed: castgate-keys claim, if it has never sent from here or anywhere; "
               "else " CG_STORE_WAYS_OUT;
    case CG_KEY_SPENT: return "its key is spent, because the state folder is or was a copy: " CG_STORE_WAYS_OUT;
    case CG_KEY_EXHAUSTED: return "its key has no sequence numbers left: " CG_STORE_WAYS_OUT;
    case CG_KEY_SENDS:
    case CG_KEY_UNKNOWN: break;
    }
    return NULL;
}

enum cg_key_state cg_claims_state(const struct cg_claims *claims, const char *name) {
    const struct cg_named_group *group;
    HASH_FIND_STR(claims->protectors->groups, name, group);
    return group == NULL ? CG_KEY_UNKNOWN : group->state;
}

/* ---- Asking ---- */

static void tell(const struct cg_named_group *group, enum cg_key_state before) {
    const char *reason = cg_claims_reason(group->state);
    bool is_good_news = reason == NULL && cg_claims_reason(before) != NULL;
    if (reason == NULL && !is_good_news) return;
    struct cg_log_line line;
    cg_log_begin(&line, is_good_news ? CG_LOG_INFO : CG_LOG_ERROR, "key");
    cg_log_str(&line, "security_group", group->name);
    cg_log_str(&line, "msg", is_good_news ? "it can send again" : reason);
    cg_log_end(&line);
}

static void take(const struct cg_claims *claims, const struct cg_store_look *look) {
    struct cg_named_group *group;
    const char *name = look->ctx; /* of a group, which keeps its place for ever */
    HASH_FIND_STR(claims->protectors->groups, name, group);
    bool is_current = memcmp(group->sender.bytes, look->sender.bytes, sizeof look->sender.bytes) == 0;
    enum cg_key_state before = group->state, now = cg_claims_judge(look);
    if (!is_current || now == CG_KEY_UNKNOWN || now == before) return;
    group->state = now;
    tell(group, before);
}

static void on_timer(uv_timer_t *timer);

static void ask_in(struct cg_claims *claims, uint64_t ms) {
    if (claims->asking || uv_is_closing((uv_handle_t *)&claims->timer)) return;
    CG_CHECK(uv_timer_start(&claims->timer, on_timer, ms, 0) == 0);
}

static bool has_unknown(const struct cg_claims *claims) {
    const struct cg_named_group *group, *next;
    HASH_ITER(hh, claims->protectors->groups, group, next) {
        if (group->state == CG_KEY_UNKNOWN && cg_group_oscore_current(group->group) != NULL) return true;
    }
    return false;
}

static void on_answered(struct cg_store_job *job) {
    struct cg_claims *claims = job->ctx;
    claims->asking = false;
    for (size_t i = 0; job->err == CG_OK && i < job->count; i++) take(claims, &claims->looks[i]);
    ask_in(claims, job->err == CG_OK && has_unknown(claims) ? FIRST_MS : PAUSE_MS);
}

static struct cg_named_group *next_group(const struct cg_claims *claims, const char *name) {
    struct cg_named_group *group = NULL;
    if (name[0] != '\0') HASH_FIND_STR(claims->protectors->groups, name, group);
    group = group == NULL ? NULL : group->hh.next;
    return group != NULL ? group : claims->protectors->groups;
}

/* Each group once at the most. Returns how many questions there are. */
static size_t choose(struct cg_claims *claims) {
    size_t count = 0;
    const struct cg_named_group *first = next_group(claims, claims->latest), *group = first;
    while (group != NULL && count < CG_CLAIMS_SLICE) {
        strcpy(claims->latest, group->name);
        if (cg_group_oscore_current(group->group) != NULL)
            claims->looks[count++] =
                (struct cg_store_look){.sender = group->sender, .ctx = (void *)(uintptr_t)group->name};
        group = next_group(claims, group->name);
        if (group == first) break;
    }
    return count;
}

static void on_timer(uv_timer_t *timer) {
    struct cg_claims *claims = CG_CONTAINER(timer, struct cg_claims, timer);
    struct cg_store_thread *thread = claims->protectors->store;
    size_t count = thread == NULL ? 0 : choose(claims);
    if (count == 0) {
        ask_in(claims, PAUSE_MS);
        return;
    }
    claims->asking = true;
    claims->job = (struct cg_store_job){
        .operation = CG_STORE_LOOK, .looks = claims->looks, .count = count, .done = on_answered, .ctx = claims};
    struct cg_store *store = cg_store_thread_store(thread);
    store->ops->submit(store, &claims->job);
}

void cg_claims_open(struct cg_claims *claims, struct cg_protectors *protectors, uv_loop_t *uv) {
    *claims = (struct cg_claims){.protectors = protectors};
    CG_CHECK(uv_timer_init(uv, &claims->timer) == 0);
    ask_in(claims, FIRST_MS);
}

void cg_claims_hurry(struct cg_claims *claims) { ask_in(claims, FIRST_MS); }

void cg_claims_close(struct cg_claims *claims) { uv_close((uv_handle_t *)&claims->timer, NULL); }
