/* The message layer of the simulated members. The hard thing: up to tens of thousands of members answer one datagram
 * within a second, so a member at rest costs some hundred bytes and no allocation, and an answer that is due at once is
 * sent from one shared buffer; only what has to wait (delays, retransmissions) is copied, into one heap for all. */
#include "tools/member/fleet.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/container.h"
#include "base/heap.h"
#include "tools/member/prng.h"
#include "tools/member/resource.h"

#include <stdlib.h>

enum {
    /* RFC 7252 §4.8: transmission parameters, with the default values. */
    ACK_TIMEOUT_US = 2000000,
    ACK_SPREAD_US = 1000000, /* ACK_TIMEOUT * (ACK_RANDOM_FACTOR - 1) */
    MAX_RETRANSMIT = 4,
    EXCHANGE_LIFETIME_S = 247,
    NON_LIFETIME_S = 145,
    PIGGYBACK_MAX_US = 1000000, /* what takes longer is acknowledged at once and answered separately (§5.2.2) */
    REORDER_US = 20000,
    SEEN_LEN = 16,       /* remembered requests of one kind a member, to begin with */
    SEEN_CON_MAX = 1024, /* Confirmable ones that were taken up: none gives way before its time below this */
    OBSERVERS_MAX = 64,
    CONFIRMABLES_MAX = 64, /* unacknowledged messages a member */
    WAITING_MAX = 1 << 19, /* messages of all members that wait for their time */
    CONFIRMABLE_EVERY = 8, /* notifications: is the observer still there (RFC 7641 §4.5) */
    OVERSIZED_LEN = 60000,
    UNICAST = 0,
};

#define SECOND_US UINT64_C(1000000)

/* A request that was taken up, for deduplication by source endpoint and Message ID (RFC 7252 §4.5). */
struct seen {
    struct cg_addr from;
    uint16_t mid;
    uint16_t destination; /* UNICAST, or the group's index + 1: another endpoint, thus another space of Message IDs */
    uint64_t until_us;    /* 0: empty */
    uint64_t reply_at_us; /* when the reply goes out the first time */
    uint8_t *reply;       /* owned: the ACK to a Confirmable request; NULL: none */
    size_t reply_len;
};

/* Made with the first request. */
struct seen_ring {
    struct seen *list; /* owned */
    uint32_t len;
    uint32_t next; /* the oldest, which gives way */
};

struct observer {
    struct observer *next;
    struct cg_addr from;
    struct cg_token token;
    struct cg_shield_request *protection; /* owned; NULL: plain */
    uint16_t mid;                         /* of the last notification, for a Reset */
    uint32_t notified;                    /* how often */
};

/* A message that waits for its time, or to be sent again. */
struct waiting {
    struct cg_deadline deadline; /* the heap knows this */
    struct waiting *next;        /* of the member's unacknowledged ones */
    struct observer *observer;   /* borrowed: a Confirmable notification's; else NULL */
    struct cg_addr to;
    uint32_t member;
    uint16_t mid;
    bool confirmable;
    uint8_t tries; /* transmissions so far */
    uint64_t timeout_us;
    size_t len;
    uint8_t bytes[];
};

struct member {
    struct cg_prng prng;
    struct cg_light light;
    uint16_t mid;
    uint32_t observe; /* the last sequence number */
    uint32_t observers_len;
    uint32_t confirmables_len;
    struct observer *observers;   /* owned */
    struct waiting *confirmables; /* the heap's too */
    struct seen_ring taken;  /* Confirmable requests that were taken up, which are repeated until they are answered */
    struct seen_ring others; /* the rest, which anybody can send as many of as he likes */
    uint8_t *last;           /* owned: the last protected answer, to be replayed (--misbehave replay) */
    size_t last_len;
};

struct cg_fleet {
    const struct cg_member_options *options;
    const struct cg_fleet_port *port;
    struct cg_shield *shield; /* NULL: plain members */
    struct member *members;
    struct cg_heap heap;
    struct cg_buf representation;
    struct cg_fleet_counts counts;
    uint8_t oversized[OVERSIZED_LEN];
    uint8_t datagram[CG_DATAGRAM_MAX];
    uint8_t sealed[CG_DATAGRAM_MAX];
};

/* What just came in for one member. */
struct arrival {
    struct cg_fleet *fleet;
    struct member *member;
    const struct cg_addr *from;
    uint16_t destination;
    uint64_t now_us;
    struct cg_shield_request *protection; /* of the request; NULL: it came plain */
};

static uint32_t index_of(const struct cg_fleet *fleet, const struct member *member) {
    return (uint32_t)(member - fleet->members);
}

static uint16_t fresh_mid(struct member *member) { return member->mid++; }

/* --- sending --- */

/* Through the faulty network. */
static void emit(struct cg_fleet *fleet, struct member *member, const struct cg_addr *to, struct cg_slice datagram) {
    uint32_t index = index_of(fleet, member);
    int copies = cg_prng_chance(&member->prng, fleet->options->duplicate) ? 2 : 1;
    while (copies-- > 0) {
        if (cg_prng_chance(&member->prng, fleet->options->loss)) {
            fleet->counts.lost++;
            continue;
        }
        fleet->counts.sent++;
        fleet->port->send(fleet->port->ctx, index, to, datagram);
    }
}

static void unlink_confirmable(struct member *member, struct waiting *waiting) {
    struct waiting **at = &member->confirmables;
    while (*at != waiting) at = &(*at)->next;
    *at = waiting->next;
    member->confirmables_len--;
}

static void drop_waiting(struct cg_fleet *fleet, struct waiting *waiting) {
    if (waiting->confirmable) unlink_confirmable(&fleet->members[waiting->member], waiting);
    cg_heap_remove(&fleet->heap, &waiting->deadline);
    free(waiting);
}

static uint16_t mid_of(const uint8_t *datagram) { return (uint16_t)(datagram[2] << 8 | datagram[3]); }

/* Sends the bytes when it is time; a Confirmable message again until it is acknowledged. Returns what waits, NULL if
 * nothing does. */
static struct waiting *transmit(const struct arrival *in, const struct cg_addr *to, struct cg_slice datagram,
                                bool confirmable, uint64_t at_us) {
    struct cg_fleet *fleet = in->fleet;
    struct member *member = in->member;
    confirmable = confirmable && member->confirmables_len < CONFIRMABLES_MAX;
    if (!confirmable && at_us <= in->now_us) {
        emit(fleet, member, to, datagram);
        return NULL;
    }
    struct waiting *waiting = NULL;
    if (fleet->heap.len < WAITING_MAX) waiting = malloc(sizeof *waiting + datagram.len);
    if (waiting == NULL) {
        fleet->counts.overloaded++;
        return NULL;
    }
    *waiting =
        (struct waiting){.to = *to, .member = index_of(fleet, member), .confirmable = confirmable, .len = datagram.len};
    memcpy(waiting->bytes, datagram.data, datagram.len);
    if (confirmable) {
        waiting->mid = mid_of(datagram.data);
        waiting->timeout_us = ACK_TIMEOUT_US + cg_prng_below(&member->prng, ACK_SPREAD_US);
        waiting->next = member->confirmables;
        member->confirmables = waiting;
        member->confirmables_len++;
    }
    cg_heap_set(&fleet->heap, &waiting->deadline, at_us);
    return waiting;
}

static void send_empty(const struct arrival *in, enum cg_type type, uint16_t mid) {
    struct cg_msg_writer writer;
    uint8_t bytes[8];
    cg_msg_begin(&writer, bytes, sizeof bytes, type, CG_EMPTY, mid, (struct cg_token){0});
    emit(in->fleet, in->member, in->from, cg_slice_of(bytes, writer.len));
}

/* How long --delay and --reorder hold a message back. */
static uint64_t hold_us(const struct arrival *in) {
    const struct cg_member_options *options = in->fleet->options;
    uint64_t span = (uint64_t)(options->delay_max_ms - options->delay_min_ms) * 1000;
    uint64_t hold = (uint64_t)options->delay_min_ms * 1000;
    if (span > 0) hold += cg_prng_below(&in->member->prng, span + 1);
    if (options->reorder) hold += cg_prng_below(&in->member->prng, REORDER_US);
    return hold;
}

/* --- observers (RFC 7641 §4) --- */

static bool same_token(struct cg_token a, struct cg_token b) {
    return cg_slice_equal(cg_slice_of(a.bytes, a.len), cg_slice_of(b.bytes, b.len));
}

static struct observer *find_observer(struct member *member, const struct cg_addr *from, struct cg_token token) {
    for (struct observer *o = member->observers; o != NULL; o = o->next)
        if (same_token(o->token, token) && cg_addr_equal(&o->from, from)) return o;
    return NULL;
}

static void forget_observer(struct cg_fleet *fleet, struct member *member, struct observer *observer) {
    for (struct waiting *w = member->confirmables, *next; w != NULL; w = next) {
        next = w->next;
        if (w->observer == observer) drop_waiting(fleet, w);
    }
    struct observer **at = &member->observers;
    while (*at != observer) at = &(*at)->next;
    *at = observer->next;
    member->observers_len--;
    free(observer->protection);
    free(observer);
}

/* Registers, or renews; false when there is no room: the response is then an ordinary one. */
static bool observe(struct member *member, const struct cg_addr *from, struct cg_token token,
                    const struct cg_shield_request *protection) {
    struct observer *known = find_observer(member, from, token);
    if (known != NULL && protection == NULL) return true;
    if (known != NULL) { /* renewed: notifications answer the latest registration */
        *known->protection = *protection;
        return true;
    }
    if (member->observers_len == OBSERVERS_MAX) return false;
    struct observer *observer = calloc(1, sizeof *observer);
    if (observer == NULL) return false;
    if (protection != NULL) {
        observer->protection = malloc(sizeof *protection);
        if (observer->protection == NULL) {
            free(observer);
            return false;
        }
        *observer->protection = *protection;
    }
    observer->from = *from;
    observer->token = token;
    observer->next = member->observers;
    member->observers = observer;
    member->observers_len++;
    return true;
}

static uint32_t next_observe(struct member *member) { return member->observe = (member->observe + 1) & 0xffffff; }

/* --- building messages --- */

struct head {
    enum cg_type type;
    uint16_t mid;
    struct cg_token token;
    bool has_observe;
    uint32_t observe;
};

/* Into the shared buffer. */
static struct cg_slice build(struct cg_fleet *fleet, const struct head *head,
                             const struct cg_resource_response *response) {
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, fleet->datagram, sizeof fleet->datagram, head->type, response->code, head->mid, head->token);
    if (response->has_etag) cg_msg_put_opt(&writer, CG_OPT_ETAG, cg_slice_of(response->etag, sizeof response->etag));
    if (head->has_observe) cg_msg_put_uint(&writer, CG_OPT_OBSERVE, head->observe);
    if (response->has_format) cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, response->format);
    if (response->has_max_age) cg_msg_put_uint(&writer, CG_OPT_MAX_AGE, response->max_age);
    if (response->has_block2) cg_msg_put_uint(&writer, CG_OPT_BLOCK2, response->block2);
    if (response->has_size2) cg_msg_put_uint(&writer, CG_OPT_SIZE2, response->size2);
    cg_msg_put_payload(&writer, response->payload);
    int len = cg_msg_end(&writer);
    CG_CHECK(len > 0);
    return cg_slice_of(fleet->datagram, (size_t)len);
}

/* The message as it goes out: sealed when the request was. Empty when it cannot be sealed. */
static struct cg_slice protect(struct cg_fleet *fleet, const struct member *member,
                               struct cg_shield_request *protection, struct cg_slice plain) {
    if (protection == NULL) return plain;
    uint32_t index = index_of(fleet, member);
    int len = cg_shield_seal(fleet->shield, index, protection, plain, fleet->sealed, sizeof fleet->sealed);
    if (len < 0) return CG_SLICE_NONE;
    memcpy(fleet->datagram, fleet->sealed, (size_t)len);
    return cg_slice_of(fleet->datagram, (size_t)len);
}

/* --- wrong answers (--misbehave) --- */

static void misbehave_early(const struct arrival *in, uint16_t request_mid, struct head *head,
                            struct cg_resource_response *response) {
    struct cg_prng *prng = &in->member->prng;
    switch (in->fleet->options->misbehave) {
    case CG_MISBEHAVE_OVERSIZED:
        response->has_block2 = response->has_size2 = false;
        response->payload = cg_slice_of(in->fleet->oversized, sizeof in->fleet->oversized);
        break;
    case CG_MISBEHAVE_CON:
        if (head->type == CG_NON) head->type = CG_CON;
        break;
    case CG_MISBEHAVE_WRONG_TOKEN:
        for (size_t i = 0; i < head->token.len; i++) head->token.bytes[i] = (uint8_t)cg_prng_next(prng);
        break;
    case CG_MISBEHAVE_LATE: response->delay_ms += in->fleet->options->misbehave_number; break;
    case CG_MISBEHAVE_REQUEST_MID:
        if (head->type == CG_NON) head->mid = request_mid;
        break;
    default: break;
    }
}

/* Random bytes, or the answer with its end cut off or a few bytes changed; always at least one byte. */
static struct cg_slice spoil(struct cg_prng *prng, uint8_t *datagram, size_t len) {
    size_t changes = 1 + cg_prng_below(prng, 4);
    switch (cg_prng_below(prng, 3)) {
    case 0:
        len = 1 + cg_prng_below(prng, 64);
        for (size_t i = 0; i < len; i++) datagram[i] = (uint8_t)cg_prng_next(prng);
        break;
    case 1: len = 1 + cg_prng_below(prng, len); break;
    default:
        while (changes-- > 0) datagram[cg_prng_below(prng, len)] = (uint8_t)cg_prng_next(prng);
    }
    return cg_slice_of(datagram, len);
}

/* Under a false identity (shield.h). */
static struct cg_slice lie(const struct arrival *in, struct cg_slice plain) {
    struct cg_fleet *fleet = in->fleet;
    uint32_t index = index_of(fleet, in->member);
    int len = cg_shield_lie(fleet->shield, index, in->protection, plain, fleet->sealed, sizeof fleet->sealed);
    if (len < 0) return CG_SLICE_NONE;
    memcpy(fleet->datagram, fleet->sealed, (size_t)len);
    return cg_slice_of(fleet->datagram, (size_t)len);
}

/* The answer before this one, as an answer to this request: under its token and Message ID. */
static struct cg_slice replay(const struct arrival *in, struct cg_slice datagram) {
    struct member *member = in->member;
    uint8_t *kept = malloc(datagram.len), *old = member->last;
    size_t old_len = member->last_len, head_len = 4 + (size_t)(datagram.data[0] & 15);
    if (kept == NULL) return CG_SLICE_NONE;
    memcpy(kept, datagram.data, datagram.len);
    member->last = kept;
    member->last_len = datagram.len;
    if (old == NULL) return datagram;
    if (old_len >= head_len) {
        memcpy(in->fleet->datagram + head_len, old + head_len, old_len - head_len);
        in->fleet->datagram[1] = old[1];
        datagram.len = old_len;
    }
    free(old);
    return datagram;
}

/* What protected members get wrong when they protect. */
static struct cg_slice protect_answer(const struct arrival *in, struct cg_slice plain) {
    if (in->protection == NULL) return plain;
    enum cg_misbehave kind = in->fleet->options->misbehave;
    if (kind == CG_MISBEHAVE_UNPROTECTED) return plain;
    if (kind == CG_MISBEHAVE_STRANGER || kind == CG_MISBEHAVE_IMPOSTOR) return lie(in, plain);
    struct cg_slice sealed = protect(in->fleet, in->member, in->protection, plain);
    if (sealed.len == 0) return sealed;
    if (kind == CG_MISBEHAVE_FLIP) in->fleet->datagram[sealed.len - 1] ^= 1;
    if (kind == CG_MISBEHAVE_TRUNCATE) sealed.len--;
    return kind == CG_MISBEHAVE_REPLAY ? replay(in, sealed) : sealed;
}

/* --- answering --- */

static bool fails(const struct arrival *in) {
    const struct cg_member_options *options = in->fleet->options;
    return index_of(in->fleet, in->member) >= options->count - options->fail_count;
}

/* RFC 7252 §8.2, RFC 10020 "Response Suppression", RFC 7967 §2. */
static bool is_suppressed(const struct arrival *in, const struct cg_resource_request *request,
                          const struct cg_resource_response *response) {
    unsigned class = response->code >> 5;
    if (request->has_no_response && (request->no_response & (1u << (class - 1)))) return true;
    if (in->destination == UNICAST) return false;
    if (response->nothing) return true;
    if (request->has_no_response || in->fleet->options->answer_errors || fails(in)) return false;
    return class != 2;
}

static void remember_reply(struct seen *seen, struct cg_slice reply, uint64_t at_us) {
    if (seen == NULL) return;
    seen->reply = malloc(reply.len);
    if (seen->reply == NULL) return;
    memcpy(seen->reply, reply.data, reply.len);
    seen->reply_len = reply.len;
    seen->reply_at_us = at_us;
}

static void acknowledge(const struct arrival *in, uint16_t mid, struct seen *seen) {
    uint8_t ack[] = {0x60, CG_EMPTY, (uint8_t)(mid >> 8), (uint8_t)mid};
    remember_reply(seen, cg_slice_of(ack, sizeof ack), in->now_us);
    send_empty(in, CG_ACK, mid);
}

/* Sends the answer as many times as a member that behaves, or misbehaves, would. */
static void send_answer(const struct arrival *in, const struct head *head, struct cg_slice datagram, uint64_t at_us) {
    const struct cg_member_options *options = in->fleet->options;
    uint32_t times = options->misbehave == CG_MISBEHAVE_REPEAT ? options->misbehave_number : 1;
    bool garbage = options->misbehave == CG_MISBEHAVE_GARBAGE;
    if (garbage) datagram = spoil(&in->member->prng, in->fleet->datagram, datagram.len);
    for (uint32_t i = 0; i < times; i++) {
        (void)transmit(in, in->from, datagram, head->type == CG_CON && !garbage, at_us);
        if (head->type == CG_ACK || i + 1 == times) continue;
        uint16_t mid = fresh_mid(in->member);
        in->fleet->datagram[2] = (uint8_t)(mid >> 8);
        in->fleet->datagram[3] = (uint8_t)mid;
    }
}

static void answer(const struct arrival *in, const struct cg_msg *msg, struct seen *seen, struct head *head,
                   struct cg_resource_response *response) {
    head->type = msg->type == CG_CON ? CG_ACK : CG_NON;
    head->mid = msg->mid;
    head->token = msg->token;
    if (msg->type == CG_NON) head->mid = fresh_mid(in->member);
    misbehave_early(in, msg->mid, head, response);
    uint64_t hold = hold_us(in) + (uint64_t)response->delay_ms * 1000;
    if (head->type == CG_ACK && hold > PIGGYBACK_MAX_US) {
        acknowledge(in, msg->mid, seen);
        head->type = CG_CON;
        head->mid = fresh_mid(in->member);
    }
    struct cg_slice datagram = protect_answer(in, build(in->fleet, head, response));
    if (datagram.len == 0) return;
    if (head->type == CG_ACK) remember_reply(seen, datagram, in->now_us + hold);
    send_answer(in, head, datagram, in->now_us + hold);
    if (in->protection == NULL || in->fleet->options->misbehave != CG_MISBEHAVE_REPEAT_PIV) return;
    head->mid = fresh_mid(in->member);
    response->payload = cg_slice_str("another answer");
    datagram = lie(in, build(in->fleet, head, response));
    if (datagram.len > 0) send_answer(in, head, datagram, in->now_us + hold);
}

/* --- notifications --- */

/* The unacknowledged notification of this observer, if there is one. */
static struct waiting *find_unacknowledged(const struct member *member, const struct observer *observer) {
    struct waiting *w = member->confirmables;
    while (w != NULL && w->observer != observer) w = w->next;
    return w;
}

/* A notification that was not acknowledged is replaced by the new one, which goes on with its retransmissions
 * (RFC 7641 §4.5.2). */
static void notify(const struct arrival *in, struct observer *observer, const struct cg_resource_response *response) {
    struct member *member = in->member;
    struct waiting *old = find_unacknowledged(member, observer);
    observer->notified++;
    bool confirmable = old != NULL || observer->notified % CONFIRMABLE_EVERY == 0;
    struct head head = {.type = confirmable ? CG_CON : CG_NON,
                        .mid = fresh_mid(member),
                        .token = observer->token,
                        .has_observe = true,
                        .observe = next_observe(member)};
    observer->mid = head.mid;
    struct cg_slice datagram = protect(in->fleet, member, observer->protection, build(in->fleet, &head, response));
    if (datagram.len == 0) return;
    struct waiting *fresh = transmit(in, &observer->from, datagram, confirmable, in->now_us + hold_us(in));
    if (fresh != NULL && fresh->confirmable) fresh->observer = observer;
    if (old == NULL) return;
    if (fresh != NULL && fresh->confirmable) {
        fresh->tries = old->tries;
        fresh->timeout_us = old->timeout_us;
    }
    drop_waiting(in->fleet, old);
}

static void notify_all(const struct arrival *in) {
    struct cg_resource_response response;
    cg_resource_light(&response, in->fleet->options, &in->member->light);
    for (struct observer *o = in->member->observers; o != NULL; o = o->next) notify(in, o, &response);
}

/* --- receiving --- */

static struct seen *find_in(const struct seen_ring *ring, const struct arrival *in, uint16_t mid) {
    for (struct seen *s = ring->list; s < ring->list + ring->len; s++)
        if (s->until_us > in->now_us && s->mid == mid && s->destination == in->destination &&
            cg_addr_equal(&s->from, in->from))
            return s;
    return NULL;
}

static struct seen *find_seen(const struct arrival *in, uint16_t mid) {
    struct seen *seen = find_in(&in->member->taken, in, mid);
    return seen != NULL ? seen : find_in(&in->member->others, in, mid);
}

/* More room, behind the newest: the ring begins anew with its oldest. False: no memory. */
static bool grow(struct seen_ring *ring, uint32_t len) {
    struct seen *list = calloc(len, sizeof *list);
    if (list == NULL) return false;
    for (uint32_t i = 0; i < ring->len; i++) list[i] = ring->list[(ring->next + i) % ring->len];
    free(ring->list);
    *ring = (struct seen_ring){.list = list, .len = len, .next = ring->len};
    return true;
}

static struct seen *make_seen(struct seen_ring *ring, uint32_t max, uint64_t now_us) {
    if (ring->len == 0 && !grow(ring, SEEN_LEN)) return NULL;
    if (ring->list[ring->next].until_us > now_us && ring->len < max) (void)grow(ring, 2 * ring->len);
    struct seen *seen = &ring->list[ring->next];
    ring->next = (ring->next + 1) % ring->len;
    free(seen->reply);
    return seen;
}

enum fate { REFUSED, TAKEN };

/* NULL: out of memory; then nothing is remembered. */
static struct seen *remember(const struct arrival *in, const struct cg_msg *msg, enum fate fate) {
    struct member *member = in->member;
    bool kept = msg->type == CG_CON && fate == TAKEN;
    struct seen *seen =
        kept ? make_seen(&member->taken, SEEN_CON_MAX, in->now_us) : make_seen(&member->others, SEEN_LEN, in->now_us);
    if (seen == NULL) return NULL;
    uint64_t lifetime_s = msg->type == CG_CON ? EXCHANGE_LIFETIME_S : NON_LIFETIME_S;
    *seen = (struct seen){.from = *in->from,
                          .mid = msg->mid,
                          .destination = in->destination,
                          .until_us = in->now_us + lifetime_s * SECOND_US};
    return seen;
}

/* A Reset, but never to a group message (RFC 7252 §8.1). */
static void reject(const struct arrival *in, uint16_t mid) {
    if (in->destination == UNICAST) send_empty(in, CG_RST, mid);
}

static void on_duplicate(const struct arrival *in, const struct seen *seen) {
    if (seen->reply == NULL || in->now_us < seen->reply_at_us) return;
    emit(in->fleet, in->member, in->from, cg_slice_of(seen->reply, seen->reply_len));
}

static void serve(const struct arrival *in, const struct cg_resource_request *request, struct cg_token token,
                  struct head *head, struct cg_resource_response *response) {
    struct cg_fleet *fleet = in->fleet;
    struct member *member = in->member;
    if (fails(in)) {
        cg_resource_refuse(response, fleet->options->fail_code, "");
        return;
    }
    cg_resource_serve(response, request, fleet->options, index_of(fleet, member), &member->light,
                      &fleet->representation);
    if (!response->observable || !request->has_observe) return;
    if (request->observe == 0 && observe(member, in->from, token, in->protection)) {
        head->has_observe = true;
        head->observe = next_observe(member);
    } else if (request->observe == 1) {
        struct observer *observer = find_observer(member, in->from, token);
        if (observer != NULL) forget_observer(fleet, member, observer);
    }
}

static void on_plain_request(const struct arrival *in, const struct cg_msg *msg, struct seen *seen) {
    in->fleet->counts.requests++;
    struct cg_resource_request request;
    struct cg_resource_response response;
    struct head head = {0};
    int err = cg_resource_parse(&request, msg);
    if (err == CG_E_BAD_OPTION && msg->type == CG_NON) { /* rejected, not answered (§5.4.1) */
        reject(in, msg->mid);
        return;
    }
    if (err != CG_OK)
        cg_resource_refuse(&response, cg_err_info(err)->coap_code, cg_err_info(err)->text);
    else
        serve(in, &request, msg->token, &head, &response);
    if (!is_suppressed(in, &request, &response))
        answer(in, msg, seen, &head, &response);
    else if (msg->type == CG_CON)
        acknowledge(in, msg->mid, seen);
    if (response.changed) notify_all(in);
}

/* What a server says to a request that it cannot open (RFC 8613 §8.2; the strings are the standard's). */
static void refusal(struct cg_resource_response *response, int err) {
    const char *diagnostic = "";
    switch (err) {
    case CG_E_BAD_OPTION: diagnostic = "Failed to decode COSE"; break;
    case CG_E_UNAUTHORIZED: diagnostic = "Security context not found"; break;
    case CG_E_REPLAY: diagnostic = "Replay detected"; break;
    case CG_E_VERIFY: diagnostic = "Decryption failed"; break;
    case CG_E_BAD_REQUEST: diagnostic = "Protected requests only"; break;
    default: break;
    }
    cg_resource_refuse(response, cg_err_info(err)->coap_code, diagnostic);
    response->has_max_age = true; /* nobody is to keep it */
    response->max_age = 0;
}

/* To a group RFC 10021 §7 recommends silence. */
static bool tells_refusals(const struct arrival *in) {
    return in->destination == UNICAST || in->fleet->options->answer_errors;
}

/* What did not open: a plain error where one may be given, a challenge where the window is lost. */
static void refuse_sealed(const struct arrival *in, const struct cg_msg *msg, int err) {
    struct cg_fleet *fleet = in->fleet;
    struct seen *seen = remember(in, msg, REFUSED);
    struct head head = {.type = msg->type == CG_CON ? CG_ACK : CG_NON, .mid = msg->mid, .token = msg->token};
    if (head.type == CG_NON) head.mid = fresh_mid(in->member);
    struct cg_slice datagram = CG_SLICE_NONE;
    if (in->protection->challenge) {
        int len = cg_shield_challenge(fleet->shield, index_of(fleet, in->member), in->protection, head.type, head.mid,
                                      head.token, fleet->datagram, sizeof fleet->datagram);
        if (len > 0) datagram = cg_slice_of(fleet->datagram, (size_t)len);
    } else if (tells_refusals(in)) {
        struct cg_resource_response response;
        refusal(&response, err);
        datagram = build(fleet, &head, &response);
    }
    if (datagram.len == 0) return;
    if (head.type == CG_ACK) remember_reply(seen, datagram, in->now_us);
    emit(fleet, in->member, in->from, datagram);
}

static void on_sealed_request(const struct arrival *in, const struct cg_msg *msg) {
    struct cg_shield_request protection;
    struct arrival shielded = *in;
    struct cg_msg plain;
    shielded.protection = &protection;
    int err = cg_shield_open(in->fleet->shield, index_of(in->fleet, in->member), msg, &plain, &protection);
    if (err < 0) {
        refuse_sealed(&shielded, msg, err);
        return;
    }
    plain.type = msg->type;
    plain.mid = msg->mid;
    plain.token = msg->token;
    on_plain_request(&shielded, &plain, remember(in, msg, TAKEN));
}

/* Shielded members act on nothing that did not verify (R27). */
static void on_request(const struct arrival *in, const struct cg_msg *msg) {
    struct seen *seen = find_seen(in, msg->mid);
    if (seen != NULL) {
        on_duplicate(in, seen);
    } else if (in->fleet->shield == NULL) {
        on_plain_request(in, msg, remember(in, msg, TAKEN));
    } else {
        on_sealed_request(in, msg);
    }
}

static void on_ack_or_reset(const struct arrival *in, const struct cg_msg *msg) {
    struct member *member = in->member;
    struct waiting *w = member->confirmables;
    while (w != NULL && (w->mid != msg->mid || !cg_addr_equal(&w->to, in->from))) w = w->next;
    if (w != NULL) drop_waiting(in->fleet, w);
    if (msg->type == CG_ACK) return;
    struct observer *o = member->observers;
    while (o != NULL && (o->notified == 0 || o->mid != msg->mid || !cg_addr_equal(&o->from, in->from))) o = o->next;
    if (o != NULL) forget_observer(in->fleet, member, o);
}

static void on_datagram(const struct arrival *in, struct cg_slice datagram) {
    in->fleet->counts.received++;
    if (cg_prng_chance(&in->member->prng, in->fleet->options->loss)) {
        in->fleet->counts.lost++;
        return;
    }
    struct cg_msg msg;
    if (cg_msg_parse(&msg, datagram) != CG_OK) {
        if (msg.type == CG_CON) reject(in, msg.mid);
    } else if (in->destination != UNICAST && msg.type != CG_NON) {
        return; /* group messages are Non-confirmable (RFC 7252 §8.1) */
    } else if (msg.type == CG_ACK || msg.type == CG_RST) {
        on_ack_or_reset(in, &msg);
    } else if (cg_code_is_request(msg.code)) {
        on_request(in, &msg);
    } else if (msg.type == CG_CON) { /* a ping, or a response that nobody waits for */
        reject(in, msg.mid);
    }
}

void cg_fleet_receive(struct cg_fleet *fleet, uint32_t member, const struct cg_addr *from, struct cg_slice datagram,
                      uint64_t now_us) {
    CG_CHECK(member < fleet->options->count);
    struct arrival in = {fleet, &fleet->members[member], from, UNICAST, now_us, NULL};
    on_datagram(&in, datagram);
}

void cg_fleet_receive_group(struct cg_fleet *fleet, size_t group, const struct cg_addr *from, struct cg_slice datagram,
                            uint64_t now_us) {
    for (uint32_t i = 0; i < fleet->options->count; i++) {
        struct arrival in = {fleet, &fleet->members[i], from, (uint16_t)(group + 1), now_us, NULL};
        on_datagram(&in, datagram);
    }
}

/* --- time --- */

static void on_due(struct cg_fleet *fleet, struct waiting *w, uint64_t now_us) {
    struct member *member = &fleet->members[w->member];
    if (w->confirmable && w->tries > MAX_RETRANSMIT) { /* nobody there: an observer is forgotten */
        if (w->observer != NULL)
            forget_observer(fleet, member, w->observer);
        else
            drop_waiting(fleet, w);
        return;
    }
    emit(fleet, member, &w->to, cg_slice_of(w->bytes, w->len));
    if (!w->confirmable) {
        drop_waiting(fleet, w);
        return;
    }
    cg_heap_set(&fleet->heap, &w->deadline, now_us + (w->timeout_us << w->tries));
    w->tries++;
}

uint64_t cg_fleet_run(struct cg_fleet *fleet, uint64_t now_us) {
    for (;;) {
        struct cg_deadline *first = cg_heap_first(&fleet->heap);
        if (first == NULL) return UINT64_MAX;
        if (first->at_us > now_us) return first->at_us;
        on_due(fleet, CG_CONTAINER(first, struct waiting, deadline), now_us);
    }
}

struct cg_fleet_counts cg_fleet_counts(const struct cg_fleet *fleet) {
    return fleet->counts;
}

struct cg_fleet *cg_fleet_new(const struct cg_member_options *options, uint64_t seed, struct cg_shield *shield,
                              const struct cg_fleet_port *port) {
    struct cg_fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) return NULL;
    fleet->members = calloc(options->count, sizeof *fleet->members);
    if (fleet->members == NULL) {
        free(fleet);
        return NULL;
    }
    fleet->options = options;
    fleet->port = port;
    fleet->shield = shield;
    memset(fleet->oversized, 'x', sizeof fleet->oversized);
    cg_heap_init(&fleet->heap);
    cg_buf_init(&fleet->representation, 0);
    struct cg_prng seeds = {seed};
    for (uint32_t i = 0; i < options->count; i++) {
        struct member *member = &fleet->members[i];
        member->prng.state = cg_prng_next(&seeds);
        member->mid = (uint16_t)cg_prng_next(&member->prng);
        cg_light_init(&member->light);
    }
    return fleet;
}

static void free_ring(const struct seen_ring *ring) {
    for (uint32_t i = 0; i < ring->len; i++) free(ring->list[i].reply);
    free(ring->list);
}

static void free_member(struct member *member) {
    for (struct observer *o = member->observers, *next; o != NULL; o = next) {
        next = o->next;
        free(o->protection);
        free(o);
    }
    free_ring(&member->taken);
    free_ring(&member->others);
    free(member->last);
}

void cg_fleet_free(struct cg_fleet *fleet) {
    if (fleet == NULL) return;
    for (struct cg_deadline *d; (d = cg_heap_first(&fleet->heap)) != NULL;)
        drop_waiting(fleet, CG_CONTAINER(d, struct waiting, deadline));
    cg_heap_fini(&fleet->heap);
    for (uint32_t i = 0; i < fleet->options->count; i++) free_member(&fleet->members[i]);
    free(fleet->members);
    cg_buf_fini(&fleet->representation);
    free(fleet);
}
