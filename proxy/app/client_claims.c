/* Questions to the store, in slices. The hard thing: whose numbers a context uses takes key derivations to know, and
 * there may be ten thousand clients; so a turn derives a few, and remembers whose they are. */
#include "app/client_claims.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "exchange/gateway.h"
#include "settings/client_oscore.h"

enum {
    PAUSE_MS = 2000,
    FIRST_MS = 1,
    DERIVED_MAX = 8,     /* a turn */
    LOOKED_AT_MAX = 1024 /* clients a turn, most of which may have no such key */
};

/* ---- What answers mean ---- */

static const char *reason_of(enum cg_key_state state) {
    switch (state) {
    case CG_KEY_UNCLAIMED:
        return "the key of its OSCORE context is not claimed, so it gets no answers: castgate-keys claim, if it has "
               "never sent from here or anywhere; else a new context (castgate-keys client)";
    case CG_KEY_SPENT:
        return "the key of its OSCORE context is spent, because the state folder is or was a copy: a new context "
               "(castgate-keys client)";
    case CG_KEY_EXHAUSTED:
        return "the key of its OSCORE context has no sequence numbers left: a new context (castgate-keys client)";
    case CG_KEY_SENDS:
    case CG_KEY_UNKNOWN: break;
    }
    return NULL;
}

const char *cg_client_claims_reason(const struct cg_client_claims *claims, const struct cg_client *client) {
    const struct cg_client_key *key;
    if (claims->refused == 0 || client->oscore.file == NULL) return NULL;
    HASH_FIND_STR(claims->keys, client->name, key);
    bool is_it = key != NULL && memcmp(key->digest, client->oscore.digest, sizeof key->digest) == 0;
    return is_it ? reason_of(key->state) : NULL;
}

static void tell(const struct cg_client_key *key, enum cg_key_state before) {
    const char *reason = reason_of(key->state);
    bool is_good_news = reason == NULL && reason_of(before) != NULL;
    if (reason == NULL && !is_good_news) return;
    struct cg_log_line line;
    cg_log_begin(&line, is_good_news ? CG_LOG_INFO : CG_LOG_ERROR, "key");
    cg_log_str(&line, "client", key->name);
    cg_log_str(&line, "msg", is_good_news ? "it can be answered again" : reason);
    cg_log_end(&line);
}

static void set_state(struct cg_client_claims *claims, struct cg_client_key *key, enum cg_key_state state) {
    claims->refused -= reason_of(key->state) != NULL;
    claims->refused += reason_of(state) != NULL;
    key->state = state;
}

/* ---- Keys that are known ---- */

static struct cg_client_key *new_key(struct cg_client_claims *claims, const char *name) {
    struct cg_client_key *key = calloc(1, sizeof *key);
    if (key == NULL) return NULL;
    strcpy(key->name, name);
    HASH_ADD_STR(claims->keys, name, key);
    if (CG_HASH_HAS(hh, key)) return key;
    free(key);
    return NULL;
}

static void drop_key(struct cg_client_claims *claims, struct cg_client_key *key) {
    set_state(claims, key, CG_KEY_UNKNOWN);
    HASH_DEL(claims->keys, key);
    free(key);
}

/* NULL: no memory; it is tried again in the next pass. */
static struct cg_client_key *key_of(struct cg_client_claims *claims, const struct cg_client *client, size_t *derived) {
    struct cg_client_key *key;
    HASH_FIND_STR(claims->keys, client->name, key);
    if (key == NULL) key = new_key(claims, client->name);
    if (key == NULL) return NULL;
    key->pass = claims->pass;
    bool is_known = memcmp(key->digest, client->oscore.digest, sizeof key->digest) == 0;
    if (is_known) return key;
    ++*derived;
    if (cg_client_oscore_sender_id(&client->oscore, &key->sender) < 0) return NULL;
    memcpy(key->digest, client->oscore.digest, sizeof key->digest);
    set_state(claims, key, CG_KEY_UNKNOWN);
    return key;
}

static void end_pass(struct cg_client_claims *claims) {
    struct cg_client_key *key, *next;
    HASH_ITER(hh, claims->keys, key, next) {
        if (key->pass != claims->pass) drop_key(claims, key);
    }
    claims->pass++;
    claims->next = 0;
    claims->hurries = false;
}

/* ---- Asking ---- */

static void on_timer(uv_timer_t *timer);

static void ask_in(struct cg_client_claims *claims, uint64_t ms) {
    if (claims->asking || uv_is_closing((uv_handle_t *)&claims->timer)) return;
    CG_CHECK(uv_timer_start(&claims->timer, on_timer, ms, 0) == 0);
}

static void take(struct cg_client_claims *claims, const struct cg_store_look *look) {
    struct cg_client_key *key = look->ctx;
    enum cg_key_state before = key->state, now = cg_claims_judge(look);
    if (now == CG_KEY_UNKNOWN || now == before) return;
    set_state(claims, key, now);
    tell(key, before);
}

static void on_answered(struct cg_store_job *job) {
    struct cg_client_claims *claims = job->ctx;
    claims->asking = false;
    for (size_t i = 0; job->err == CG_OK && i < job->count; i++) take(claims, &claims->looks[i]);
    ask_in(claims, job->err == CG_OK && claims->hurries ? FIRST_MS : PAUSE_MS);
}

/* Those of the next clients; `next` is 0 when all had their turn. Returns how many questions there are. */
static size_t choose(struct cg_client_claims *claims) {
    const struct cg_config *config = cg_gateway_config(claims->gateway);
    size_t count = 0, derived = 0, looked_at = 0;
    while (claims->next < config->client_count && count < CG_CLAIMS_SLICE && derived < DERIVED_MAX &&
           looked_at++ < LOOKED_AT_MAX) {
        const struct cg_client *client = &config->clients[claims->next++];
        struct cg_client_key *key = client->oscore.file == NULL ? NULL : key_of(claims, client, &derived);
        if (key != NULL) claims->looks[count++] = (struct cg_store_look){.sender = key->sender, .ctx = key};
    }
    if (claims->next >= config->client_count) end_pass(claims);
    return count;
}

static void on_timer(uv_timer_t *timer) {
    struct cg_client_claims *claims = CG_CONTAINER(timer, struct cg_client_claims, timer);
    struct cg_store_thread *thread = claims->protectors->store;
    size_t count = thread == NULL ? 0 : choose(claims);
    if (count == 0) {
        ask_in(claims, thread != NULL && claims->hurries ? FIRST_MS : PAUSE_MS);
        return;
    }
    claims->asking = true;
    claims->job = (struct cg_store_job){
        .operation = CG_STORE_LOOK, .looks = claims->looks, .count = count, .done = on_answered, .ctx = claims};
    struct cg_store *store = cg_store_thread_store(thread);
    store->ops->submit(store, &claims->job);
}

void cg_client_claims_open(struct cg_client_claims *claims, struct cg_protectors *protectors,
                           struct cg_gateway *gateway, uv_loop_t *uv) {
    *claims = (struct cg_client_claims){.protectors = protectors, .gateway = gateway, .hurries = true};
    CG_CHECK(uv_timer_init(uv, &claims->timer) == 0);
    ask_in(claims, FIRST_MS);
}

void cg_client_claims_hurry(struct cg_client_claims *claims) {
    claims->next = 0;
    claims->hurries = true;
    ask_in(claims, FIRST_MS);
}

void cg_client_claims_close(struct cg_client_claims *claims) { uv_close((uv_handle_t *)&claims->timer, NULL); }

void cg_client_claims_fini(struct cg_client_claims *claims) {
    struct cg_client_key *key, *next;
    HASH_ITER(hh, claims->keys, key, next) drop_key(claims, key);
}
