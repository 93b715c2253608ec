/* Requests opened, and handed on. The hard thing: a request may only be told of when there is a number to answer it
 * with, and the store gives numbers later, at times; so a request that is opened may wait, while its peer is held. And
 * nothing is spent, neither numbers nor words, for what anybody could have sent. */
#include "fronts/coap/shield.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "fronts/coap/figure.h"
#include "fronts/coap/oscore_refusals.h"
#include "fronts/coap/oscore_whose.h"
#include "fronts/coap/shielded.h"

enum {
    LAYERS_MAX = 2,        /* that are taken off a request: of the last hop, and of the client behind it */
    WAITING_MAX = 256,     /* opened requests that wait for a number, all in all */
    SMALL = 32,            /* bytes that protection takes off a request, at the most that counts for proofs */
    CHALLENGES_BURST = 10, /* of one client, to repetitions */
    CHALLENGES_RATE = 1,   /* a second */
};

struct counts {
    uint64_t opened, challenged, waited, unanswerable;
};

struct cg_coap_shield {
    struct cg_coap_shield_options options;
    struct cg_oscore_clients clients;
    struct entry *by_outer; /* uthash head */
    struct visit *visits;   /* utlist head: those that wait */
    size_t visit_count;
    struct cg_oscore_refusals refusals;
    struct counts counts;
};

/* A peer, by which clients came. */
struct entry {
    struct cg_coap_peer *outer; /* a transport's, or one of `first` of another entry */
    struct cg_coap_shielded *first;
    UT_hash_handle hh;
};

/* A request by a client, opened. */
struct visit {
    struct cg_coap_opened opened;
    struct cg_coap_shield *shield;
    struct cg_coap_shielded *shielded;
    struct cg_sender_wait wait;
    uint64_t piv;      /* its own number */
    bool is_challenge; /* it is to be answered so, and the front hears nothing of it */
    bool has_met;      /* a challenge */
    struct visit *prev, *next;
    size_t room;
    uint8_t bytes[]; /* its token, and what was inside */
};

static const struct cg_config *config_of(const struct cg_coap_shield *shield) {
    return shield->options.config(shield->options.of);
}

static uint64_t now_us(const struct cg_coap_shield *shield) { return shield->options.now_us(shield->options.of); }

/* ---- Peers that are clients ---- */

static struct entry *find_entry(const struct cg_coap_shield *shield, const struct cg_coap_peer *outer) {
    struct entry *entry;
    HASH_FIND_PTR(shield->by_outer, &outer, entry);
    return entry;
}

static struct entry *make_entry(struct cg_coap_shield *shield, struct cg_coap_peer *outer) {
    struct entry *entry = find_entry(shield, outer);
    if (entry != NULL) return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->outer = outer;
    HASH_ADD_PTR(shield->by_outer, outer, entry);
    if (CG_HASH_HAS(hh, entry)) return entry;
    free(entry);
    return NULL;
}

/* NULL: no memory. */
static struct cg_coap_shielded *shielded_of(struct cg_coap_shield *shield, struct cg_coap_peer *outer,
                                            struct cg_oscore_client *client) {
    struct entry *entry = make_entry(shield, outer);
    struct cg_coap_shielded *shielded = entry == NULL ? NULL : entry->first;
    if (entry == NULL) return NULL;
    while (shielded != NULL && shielded->client != client) shielded = shielded->next;
    if (shielded != NULL) return shielded;
    shielded = cg_coap_shielded_new(&shield->options, outer, client);
    if (shielded != NULL) LL_PREPEND(entry->first, shielded);
    return shielded;
}

/* ---- Visits ---- */

static struct visit *new_visit(struct cg_coap_shield *shield, const struct cg_coap_request *request) {
    const struct cg_coap_message *message = &request->message;
    size_t room = CG_OSCORE_OPEN_ROOM(message->options.len + message->payload.len + 16);
    struct visit *visit = malloc(sizeof *visit + message->token.len + room);
    if (visit == NULL) return NULL;
    *visit = (struct visit){.shield = shield, .opened.request = *request, .room = room};
    if (message->token.len > 0) memcpy(visit->bytes, message->token.data, message->token.len);
    return visit;
}

/* CG_OK, also with `is_challenge`; else as of oscore/open.h. */
static int open_visit(struct visit *visit, const struct cg_oscore_client *client) {
    struct cg_coap_request *request = &visit->opened.request;
    const struct cg_coap_message *outer = &request->message;
    const struct cg_msg sealed = {
        .type = CG_NON, .code = outer->code, .options = outer->options, .payload = outer->payload};
    struct cg_oscore_opened opened;
    struct cg_msg plain;
    uint8_t *data = visit->bytes + outer->token.len;
    int err = cg_oscore_open_request(client->context, &sealed, data, visit->room, &plain, &opened);
    visit->is_challenge = err == CG_E_REPLAY && opened.challenge;
    if (err < 0 && !visit->is_challenge) return err;
    visit->opened.binding = opened.binding;
    visit->piv = opened.number;
    request->size = request->size > SMALL ? request->size - SMALL : 0;
    request->message = (struct cg_coap_message){.token = cg_slice_of(visit->bytes, outer->token.len)};
    if (visit->is_challenge) return CG_OK;
    request->message.code = plain.code;
    request->message.options = plain.options;
    request->message.payload = plain.payload;
    visit->has_met = opened.echoed;
    return CG_OK;
}

static void challenge(struct visit *visit) {
    uint8_t storage[CG_OSCORE_CHALLENGE_LEN];
    struct cg_msg plain = {0};
    struct cg_oscore_client *client = visit->shielded->client;
    cg_oscore_challenge(client->peer, storage, &plain);
    cg_oscore_client_asked(client, cg_coap_peer_addr(visit->shielded->outer));
    const struct cg_coap_message response = {
        .code = plain.code, .token = visit->opened.request.message.token, .options = plain.options};
    visit->shield->counts.challenged++;
    cg_coap_shielded_answer(visit->shielded, &visit->opened, &response);
}

/* The peer, and all that was made of it, may be gone by it. */
static void go(struct visit *visit) {
    if (visit->is_challenge) {
        challenge(visit);
        return;
    }
    int err = cg_coap_shielded_tell(visit->shielded, &cg_coap_shield_ops, visit->shield, &visit->opened);
    if (err < 0) {
        visit->shield->counts.unanswerable++; /* no memory: the client asks again, or does not */
    } else {
        visit->shield->counts.opened++;
    }
}

static void log_unanswerable(const struct visit *visit, const struct cg_problem *problem) {
    const struct cg_client *client = cg_oscore_client_in(visit->shielded->client, config_of(visit->shield));
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_ERROR, "key");
    cg_log_str(&line, "client", client == NULL ? "" : client->name);
    cg_log_str(&line, "file", client == NULL ? "" : client->oscore.file);
    cg_log_str(&line, "msg", problem->detail);
    cg_log_end(&line);
}

/* Nothing can be said to the client that it would believe, so nothing is done for it. */
static void turn_away(struct visit *visit, const struct cg_problem *problem) {
    const struct cg_coap_message response = {.code = cg_err_info(CG_E_STORE)->coap_code,
                                             .token = visit->opened.request.message.token};
    struct cg_coap_peer *outer = visit->shielded->outer;
    visit->shield->counts.unanswerable++;
    log_unanswerable(visit, problem);
    if (!visit->opened.is_late) {
        cg_coap_peer_answer(outer, &response);
    } else if (cg_coap_peer_send(outer, &response, visit->opened.request.type) < 0) {
        return; /* it is over, whether or not that goes */
    }
}

/* ---- Numbers ---- */

static void on_number(struct cg_sender_wait *wait, int err, uint64_t number, const struct cg_problem *problem) {
    struct visit *visit = CG_CONTAINER(wait, struct visit, wait);
    struct cg_coap_shielded *shielded = visit->shielded;
    DL_DELETE2(visit->shield->visits, visit, prev, next);
    visit->shield->visit_count--;
    visit->opened.number = number;
    /* Its hold keeps the peer until all is said. */
    if (err == CG_OK) {
        go(visit);
    } else {
        turn_away(visit, problem);
    }
    shielded->waiting--;
    cg_coap_peer_release_for(shielded->outer, visit->opened.request.message.token);
    free(visit);
}

static void wait_for_number(struct visit *visit) {
    struct cg_coap_shield *shield = visit->shield;
    DL_APPEND2(shield->visits, visit, prev, next);
    shield->visit_count++;
    shield->counts.waited++;
    visit->opened.is_late = true;
    visit->shielded->waiting++;
    cg_coap_peer_hold_for(visit->shielded->outer, visit->opened.request.message.token);
    cg_coap_peer_expect(visit->shielded->outer);
}

/* A sender without a store never has any. */
static int take_number(struct visit *visit, struct cg_problem *problem) {
    struct cg_coap_shield *shield = visit->shield;
    visit->wait = (struct cg_sender_wait){.ready = on_number, .ctx = visit};
    if (shield->options.senders->store == NULL) return cg_problem_set(problem, CG_E_STORE, "there is no store");
    int err = cg_sender_take(visit->shielded->client->sender, &visit->wait, &visit->opened.number, problem);
    if (err != CG_PENDING || shield->visit_count < WAITING_MAX) return err;
    cg_sender_cancel(&visit->wait);
    return cg_problem_set(problem, CG_E_OVERLOAD, "too many requests wait for sequence numbers");
}

/* ---- Requests ---- */

/* What the client has sent since is always told: whoever repeats what it sent before must not be in its way. */
static bool may_challenge(const struct cg_coap_shield *shield, struct cg_oscore_client *client, uint64_t piv) {
    if (piv >= client->challenged) {
        client->challenged = piv + 1;
        return true;
    }
    cg_allowance_fill(&client->challenges, CHALLENGES_BURST, CHALLENGES_RATE, now_us(shield));
    if (client->challenges.left < 1) return false;
    client->challenges.left -= 1;
    return true;
}

static void prove_if_met(struct cg_coap_peer *peer, struct cg_oscore_client *client) {
    bool proves = cg_oscore_client_met(client, cg_coap_peer_addr(peer));
    if (proves && cg_coap_peer_proof(peer) != CG_COAP_PROVEN) cg_coap_peer_prove(peer);
}

/* It is verified; frees it, unless it waits. */
static void receive(struct visit *visit, struct cg_coap_peer *peer, struct cg_oscore_client *client) {
    struct cg_problem problem = {0};
    visit->shielded = shielded_of(visit->shield, peer, client);
    int err = visit->shielded == NULL ? cg_problem_no_memory(&problem) : take_number(visit, &problem);
    if (err == CG_PENDING) {
        wait_for_number(visit);
        return;
    }
    if (err == CG_OK) {
        go(visit);
    } else if (visit->shielded != NULL) {
        turn_away(visit, &problem);
    } else {
        cg_coap_peer_ignore(peer);
    }
    free(visit);
}

static void take(struct cg_coap_shield *shield, struct cg_coap_peer *peer, const struct cg_coap_request *request,
                 const struct cg_client *known) {
    struct cg_oscore_client *client = cg_oscore_clients_get(&shield->clients, &known->oscore);
    struct visit *visit = client == NULL ? NULL : new_visit(shield, request);
    if (visit == NULL) {
        cg_oscore_refuse(&shield->refusals, peer, request, CG_E_NO_MEMORY, now_us(shield));
        return;
    }
    int err = open_visit(visit, client);
    if (visit->has_met) prove_if_met(peer, client);
    if (err < 0) {
        cg_oscore_refuse(&shield->refusals, peer, request, err, now_us(shield));
        free(visit);
    } else if (visit->is_challenge && !may_challenge(shield, client, visit->piv)) {
        cg_coap_peer_ignore(peer);
        free(visit);
    } else {
        receive(visit, peer, client);
    }
}

/* ---- What the shield hears ---- */

static void on_request(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request) {
    struct cg_coap_shield *shield = ctx;
    const struct cg_client *client = NULL;
    if (request->reached == CG_COAP_BY_UNICAST) client = cg_oscore_whose(config_of(shield), peer, &request->message);
    if (client == NULL) {
        shield->options.ops->request(shield->options.ctx, peer, request);
    } else if (cg_coap_shielded_layers(peer) == LAYERS_MAX) {
        cg_oscore_refuse(&shield->refusals, peer, request, CG_E_FORBIDDEN, now_us(shield));
    } else {
        take(shield, peer, request, client);
    }
}

typedef void tell_fn(void *ctx, struct cg_coap_peer *peer, struct cg_slice token);

/* A token may be in use by itself, by clients, and by those whose requests these have protected. */
static void tell_all(struct cg_coap_shield *shield, struct cg_coap_peer *peer, struct cg_slice token, tell_fn *tell) {
    const struct entry *entry = find_entry(shield, peer);
    struct cg_coap_shielded *shielded = entry == NULL ? NULL : entry->first;
    for (; shielded != NULL; shielded = shielded->next) {
        if (cg_coap_shielded_has(shielded, token)) tell_all(shield, &shielded->peer, token, tell);
    }
    tell(shield->options.ctx, peer, token);
}

static void on_lost(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    tell_all(ctx, peer, token, ((struct cg_coap_shield *)ctx)->options.ops->lost);
}

static void on_acknowledged(void *ctx, struct cg_coap_peer *peer, struct cg_slice token) {
    tell_all(ctx, peer, token, ((struct cg_coap_shield *)ctx)->options.ops->acknowledged);
}

static void drop_visits(struct cg_coap_shield *shield, const struct cg_coap_shielded *shielded) {
    struct visit *visit, *next;
    DL_FOREACH_SAFE2(shield->visits, visit, next, next) {
        if (visit->shielded != shielded) continue;
        DL_DELETE2(shield->visits, visit, prev, next);
        shield->visit_count--;
        cg_sender_cancel(&visit->wait);
        free(visit);
    }
}

static void on_gone(void *ctx, struct cg_coap_peer *peer);

static void drop_shielded(struct cg_coap_shield *shield, struct cg_coap_shielded *shielded) {
    if (shielded->waiting > 0) drop_visits(shield, shielded);
    shielded->waiting = 0;
    on_gone(shield, &shielded->peer);
    cg_coap_shielded_free(shielded);
}

/* With those whose requests it has protected: LAYERS_MAX calls deep. */
static void on_gone(void *ctx, struct cg_coap_peer *peer) {
    struct cg_coap_shield *shield = ctx;
    struct entry *entry = find_entry(shield, peer);
    if (entry != NULL) {
        struct cg_coap_shielded *shielded, *next;
        HASH_DEL(shield->by_outer, entry);
        LL_FOREACH_SAFE(entry->first, shielded, next) drop_shielded(shield, shielded);
        free(entry);
    }
    shield->options.ops->gone(shield->options.ctx, peer);
}

const struct cg_coap_peer_ops cg_coap_shield_ops = {
    .request = on_request, .lost = on_lost, .acknowledged = on_acknowledged, .gone = on_gone};

/* ---- Figures ---- */

void cg_coap_shield_metrics(const struct cg_coap_shield *shield, struct cg_buf *to) {
    const struct counts *counts = &shield->counts;
    const struct cg_coap_figure counters[] = {
        {"oscore_opened_total", "Requests that CoAP clients protected for the gateway by OSCORE.", counts->opened},
        {"oscore_challenged_total", "Such requests that were answered by an Echo, since what came before is unknown.",
         counts->challenged},
        {"oscore_waited_total", "Those that waited for a sequence number.", counts->waited},
        {"oscore_unanswerable_total", "Those that were refused, as there was no sequence number for an answer.",
         counts->unanswerable},
    };
    cg_coap_figure_put_counters(to, counters, sizeof counters / sizeof *counters);
    cg_oscore_refusals_metrics(&shield->refusals, to);
}

/* ---- Opening and closing ---- */

struct cg_coap_shield *cg_coap_shield_new(const struct cg_coap_shield_options *options) {
    struct cg_coap_shield *shield = calloc(1, sizeof *shield);
    if (shield == NULL) return NULL;
    shield->options = *options;
    shield->clients.senders = options->senders;
    return shield;
}

void cg_coap_shield_tidy(struct cg_coap_shield *shield) { cg_oscore_clients_tidy(&shield->clients, config_of(shield)); }

void cg_coap_shield_free(struct cg_coap_shield *shield) {
    if (shield == NULL) return;
    CG_CHECK(shield->by_outer == NULL && shield->visits == NULL);
    cg_oscore_clients_fini(&shield->clients);
    free(shield);
}
