/* Sorted, opened, told, answered. The hard thing is the order: signatures are checked by threads, and hearers are to
 * hear in the order in which requests came; so what is opened waits for those before it. Nothing that is not verified
 * changes anything but counts, and nothing is told of a request but once. */
#include "inbound/inbound.h"

#include "base/log.h"
#include "exchange/gateway.h"
#include "inbound/budget.h"
#include "inbound/report.h"
#include "inbound/tally.h"
#include "legs/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

enum { SILENT_LOG_US = 60 * 1000000 };

/* A member's request, from its look on. */
struct cg_inbound_alert {
    struct cg_inbound *inbound;
    struct cg_inbound_call *call; /* NULL: nobody waits for the reply */
    struct cg_incoming *incoming;
    struct cg_addr from;
    uint64_t arrival_us;
    size_t size;
    char group[CG_NAME_MAX + 1];
    bool is_open; /* or has failed to, for the reason `err` */
    int err;
    bool is_accepted;               /* or its answer proves its sender in another way */
    struct cg_inbound_alert **list; /* that it stands in; NULL: in none */
    struct cg_inbound_alert *prev, *next;
};

struct cg_inbound {
    struct cg_gateway *gateway;
    struct cg_alert_hearer *hearers;
    /* utlist heads: those that are being opened or wait for such before them, in the order in which they came; and
     * those whose answer is being sealed. */
    struct cg_inbound_alert *line, *answers;
    struct cg_alert_tally tally;
    struct cg_alert_budget budget;
    uint64_t silent_until_us; /* the log has said that answers cannot be protected */
};

/* The gateway's time may be of a while ago, when nothing else has happened. */
static uint64_t now_of(const struct cg_inbound_alert *alert) {
    uint64_t now_us = cg_gateway_now(alert->inbound->gateway);
    return now_us > alert->arrival_us ? now_us : alert->arrival_us;
}

/* ---- Replies ---- */

static void say(struct cg_inbound_call *call, const struct cg_inbound_reply *reply) { call->reply(call, reply); }

static void say_nothing(struct cg_inbound_call *call, enum cg_inbound_saying saying, bool is_proven) {
    say(call, &(const struct cg_inbound_reply){.saying = saying, .is_proven = is_proven});
}

/* What anybody may be told (RFC 8613 §8.2), with Max-Age 0. */
struct refusal {
    enum cg_alert_fate fate;
    uint8_t code; /* 0: nothing is said */
    const char *why;
};

static struct refusal refusal_of(int err) {
    switch (err) {
    case CG_E_UNAUTHORIZED:
    case CG_E_KEY: return (struct refusal){CG_ALERT_FOREIGN, CG_CODE(4, 1), "Security context not found"};
    case CG_E_BAD_REQUEST: return (struct refusal){CG_ALERT_UNPROTECTED, CG_CODE(4, 1), ""};
    case CG_E_BAD_OPTION: return (struct refusal){CG_ALERT_MALFORMED, CG_CODE(4, 2), "Failed to decode COSE"};
    case CG_E_OUTER_BLOCKS: return (struct refusal){CG_ALERT_MALFORMED, CG_CODE(4, 13), ""};
    case CG_E_FORMAT: return (struct refusal){CG_ALERT_MALFORMED, CG_CODE(4, 0), ""};
    case CG_E_VERIFY: return (struct refusal){CG_ALERT_FORGED, CG_CODE(4, 0), "Decryption failed"};
    case CG_E_REPLAY: return (struct refusal){CG_ALERT_REPLAYED, 0, ""};
    default: return (struct refusal){CG_ALERT_OVERLOAD, 0, ""};
    }
}

/* No larger than what it answers, since anybody may have written the address into that; and so many a second. */
static void refuse(struct cg_inbound *inbound, struct cg_inbound_call *call, const struct refusal *refusal, size_t size,
                   uint64_t now_us) {
    static const uint8_t no_age[] = {0xd0, CG_OPT_MAX_AGE - 13}; /* an empty value is 0 */
    enum { REST = 4 + sizeof no_age + 1 };
    struct cg_inbound_reply reply = {.saying = CG_INBOUND_ANSWER, .code = refusal->code};
    if (call == NULL) return;
    if (refusal->code == 0 || !cg_alert_budget_refuse(&inbound->budget, now_us)) {
        say_nothing(call, CG_INBOUND_IGNORE, false);
        return;
    }
    reply.options = cg_slice_of(no_age, sizeof no_age);
    if (refusal->why[0] != 0 && REST + strlen(refusal->why) <= size) reply.payload = cg_slice_str(refusal->why);
    say(call, &reply);
}

/* ---- The end of one ---- */

static void leave_list(struct cg_inbound_alert *alert) {
    if (alert->list != NULL) DL_DELETE(*alert->list, alert);
    alert->list = NULL;
}

static void enter_list(struct cg_inbound_alert *alert, struct cg_inbound_alert **list) {
    alert->list = list;
    DL_APPEND(*list, alert);
}

static void free_alert(struct cg_inbound_alert *alert) {
    leave_list(alert);
    if (alert->call != NULL) alert->call->alert = NULL;
    alert->incoming->server->ops->release(alert->incoming);
    free(alert);
}

static struct cg_inbound_call *take_call(struct cg_inbound_alert *alert) {
    struct cg_inbound_call *call = alert->call;
    if (call != NULL) call->alert = NULL;
    alert->call = NULL;
    return call;
}

static void end_silently(struct cg_inbound_alert *alert, enum cg_inbound_saying saying) {
    struct cg_inbound_call *call = take_call(alert);
    if (call != NULL) say_nothing(call, saying, alert->is_accepted);
    free_alert(alert);
}

static void log_no_answer(const struct cg_inbound_alert *alert, const struct cg_problem *problem) {
    struct cg_inbound *inbound = alert->inbound;
    uint64_t now_us = now_of(alert);
    if (now_us < inbound->silent_until_us) return;
    inbound->silent_until_us = now_us + SILENT_LOG_US;
    cg_log(CG_LOG_ERROR, "alert", "security group %s: a member's request cannot be answered: %s", alert->group,
           problem == NULL ? "no memory" : problem->detail);
}

/* Without an answer what was accepted is acknowledged at least; a challenge that cannot be made leaves nothing to say.
 */
static void end_sealed(struct cg_inbound_alert *alert, int err, const struct cg_problem *problem) {
    const struct cg_msg *answer = &alert->incoming->answer;
    if (err < 0) {
        log_no_answer(alert, problem);
        end_silently(alert, alert->is_accepted ? CG_INBOUND_ACKNOWLEDGE : CG_INBOUND_IGNORE);
        return;
    }
    struct cg_inbound_call *call = take_call(alert);
    if (call != NULL) {
        say(call, &(const struct cg_inbound_reply){.saying = CG_INBOUND_ANSWER,
                                                   .is_proven = alert->is_accepted,
                                                   .code = answer->code,
                                                   .options = answer->options,
                                                   .payload = answer->payload});
    }
    free_alert(alert);
}

static void go_on_sealing(struct cg_inbound_alert *alert, int err, const struct cg_problem *problem) {
    if (err == CG_PENDING) {
        enter_list(alert, &alert->inbound->answers);
    } else {
        end_sealed(alert, err, problem);
    }
}

static void on_sealed(struct cg_incoming *incoming, int err, const struct cg_problem *problem) {
    end_sealed(incoming->ctx, err, problem);
}

/* ---- What is verified ---- */

/* NULL: the settings have the group no more, or do not take requests of its members. */
static const struct cg_security_keys *keys_of(const struct cg_inbound *inbound, const char *group) {
    const struct cg_alert_settings *alerts = &cg_gateway_config(inbound->gateway)->alerts;
    for (size_t i = 0; i < alerts->group_count; i++) {
        if (strcmp(alerts->groups[i].keys->name, group) == 0) return alerts->groups[i].keys;
    }
    return NULL;
}

static const char *name_of(const struct cg_security_keys *keys, struct cg_slice identity) {
    const struct cg_member *member =
        keys == NULL ? NULL : cg_members_of(&keys->members, identity, cg_member_hash(identity));
    return member == NULL ? NULL : member->name;
}

static void log_accepted(const struct cg_alert *alert) {
    struct cg_log_line line;
    char from[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&alert->from, from);
    cg_log_begin(&line, CG_LOG_INFO, "alert");
    cg_log_str(&line, "group", alert->group);
    cg_log_str(&line, "member", alert->member);
    cg_log_str(&line, "from", from);
    cg_log_str(&line, "method", cg_method_name(alert->method));
    cg_log_slice(&line, "path", alert->path);
    cg_log_u64(&line, "number", alert->number);
    cg_log_u64(&line, "bytes", alert->payload.len);
    cg_log_end(&line);
}

static void tell(struct cg_inbound *inbound, const struct cg_alert *alert) {
    struct cg_alert_hearer *hearer;
    cg_alert_count(&inbound->tally, alert->group, CG_ALERT_ACCEPTED);
    log_accepted(alert);
    LL_FOREACH(inbound->hearers, hearer) hearer->hear(hearer, alert);
}

/* Protected, unless its sender has no use for it. */
static void answer(struct cg_inbound_alert *alert, uint8_t code) {
    struct cg_problem problem = {0};
    alert->is_accepted = true;
    if (alert->call == NULL || cg_report_wants_no(&alert->incoming->request, code)) {
        end_silently(alert, CG_INBOUND_ACKNOWLEDGE);
        return;
    }
    const struct cg_server_ops *ops = alert->incoming->server->ops;
    int err = ops->seal(alert->incoming, code, CG_SLICE_NONE, CG_SLICE_NONE, &problem);
    go_on_sealing(alert, err, &problem);
}

static void accept(struct cg_inbound_alert *alert, const char *member) {
    struct cg_inbound *inbound = alert->inbound;
    const struct cg_incoming *incoming = alert->incoming;
    struct cg_buf text;
    struct cg_alert report = {.group = alert->group,
                              .member = member,
                              .kid = incoming->kid,
                              .from = alert->from,
                              .number = incoming->number,
                              .arrival_us = alert->arrival_us};
    cg_buf_init(&text, 0);
    uint8_t code = cg_report_read(&report, &incoming->request, &text);
    cg_alert_budget_tell(incoming, now_of(alert));
    if (code == 0) {
        tell(inbound, &report);
        code = CG_CODE(2, 4);
    } else {
        cg_alert_count_refused(&inbound->tally, alert->group, CG_ALERT_MALFORMED, &alert->from, member,
                               alert->arrival_us);
    }
    cg_buf_fini(&text);
    answer(alert, code);
}

static void challenge(struct cg_inbound_alert *alert, const char *member) {
    struct cg_inbound *inbound = alert->inbound;
    struct cg_problem problem = {0};
    bool may = cg_alert_budget_challenge(&inbound->budget, alert->incoming, now_of(alert));
    enum cg_alert_fate fate = may ? CG_ALERT_CHALLENGED : CG_ALERT_OVERLOAD;
    if (may) {
        cg_alert_count(&inbound->tally, alert->group, fate);
    } else {
        cg_alert_count_refused(&inbound->tally, alert->group, fate, &alert->from, member, alert->arrival_us);
    }
    if (!may || alert->call == NULL) {
        end_silently(alert, CG_INBOUND_IGNORE);
        return;
    }
    int err = alert->incoming->server->ops->challenge(alert->incoming, &problem);
    go_on_sealing(alert, err, &problem);
}

static void turn_down(struct cg_inbound_alert *alert, const char *member) {
    struct cg_inbound *inbound = alert->inbound;
    struct refusal refusal = refusal_of(alert->err);
    cg_alert_count_refused(&inbound->tally, alert->group, refusal.fate, &alert->from, member, alert->arrival_us);
    refuse(inbound, take_call(alert), &refusal, alert->size, now_of(alert));
    free_alert(alert);
}

/* Its turn has come. */
static void conclude(struct cg_inbound_alert *alert) {
    const struct cg_security_keys *keys = keys_of(alert->inbound, alert->group);
    const char *member = name_of(keys, alert->incoming->identity);
    if (member == NULL) alert->err = CG_E_UNAUTHORIZED; /* by settings that came meanwhile */
    if (alert->err == CG_OK) {
        accept(alert, member);
    } else if (alert->err == CG_E_REPLAY && alert->incoming->is_window_lost) {
        challenge(alert, member);
    } else {
        turn_down(alert, member);
    }
}

static void advance(struct cg_inbound *inbound) {
    struct cg_inbound_alert *first;
    while ((first = inbound->line) != NULL && first->is_open) {
        leave_list(first);
        conclude(first);
    }
}

/* ---- Whose it may be ---- */

/* What its member could not have meant, or what is too much: nothing is done for it. */
static bool is_no_good(const struct cg_inbound *inbound, const struct cg_incoming *incoming, uint64_t now_us,
                       struct refusal *refusal) {
    if (incoming->is_signed && incoming->has_pairwise_mode) {
        *refusal = (struct refusal){CG_ALERT_WRONG_MODE, CG_CODE(4, 2), "Pairwise mode required"};
        return true;
    }
    *refusal = refusal_of(CG_E_OVERLOAD);
    return !cg_alert_budget_allows(&inbound->budget, incoming, now_us);
}

/* A group whose request it may be; without `incoming`: why there is none. */
struct candidate {
    const struct cg_security_keys *keys; /* NULL: it is no group's */
    struct cg_incoming *incoming;
    const char *claims; /* whose kid it bears */
    bool is_seen;       /* it would be a replay there */
    struct refusal refusal;
};

static struct candidate look(const struct cg_inbound *inbound, const struct cg_alert_group *group,
                             const struct cg_addr *from, const struct cg_msg *outer, uint64_t now_us) {
    const struct cg_server_ops *ops = group->server->ops;
    struct candidate found = {.keys = group->keys};
    int err = ops->look(group->server, from, outer, &found.incoming);
    if (err == CG_E_UNAUTHORIZED) found.keys = NULL;
    found.is_seen = err == CG_E_REPLAY;
    if (err < 0) {
        found.refusal = refusal_of(err);
        return found;
    }
    found.claims = name_of(group->keys, found.incoming->identity);
    if (is_no_good(inbound, found.incoming, now_us, &found.refusal)) {
        ops->release(found.incoming);
        found.incoming = NULL;
    }
    return found;
}

/* Among the groups from that place on. Where Group Managers do not know of each other their Gids may coincide, so that
 * one group after another is tried (RFC 10021 Appendix C). */
static struct candidate find(const struct cg_inbound *inbound, size_t place, const struct cg_addr *from,
                             const struct cg_msg *outer, uint64_t now_us) {
    const struct cg_alert_settings *alerts = &cg_gateway_config(inbound->gateway)->alerts;
    struct candidate first = {.refusal = refusal_of(CG_E_UNAUTHORIZED)};
    for (; place < alerts->group_count && first.incoming == NULL; place++) {
        struct candidate found = look(inbound, &alerts->groups[place], from, outer, now_us);
        if (found.incoming != NULL || found.is_seen || first.keys == NULL) first = found;
    }
    return first;
}

static size_t place_behind(const struct cg_inbound *inbound, const char *group) {
    const struct cg_alert_settings *alerts = &cg_gateway_config(inbound->gateway)->alerts;
    size_t place = 0;
    while (place < alerts->group_count && strcmp(alerts->groups[place].keys->name, group) != 0) place++;
    return place + 1;
}

/* ---- Opening ---- */

static void on_opened(struct cg_incoming *incoming, int err);

static void take_candidate(struct cg_inbound_alert *alert, const struct candidate *candidate) {
    alert->incoming = candidate->incoming;
    alert->incoming->ctx = alert;
    alert->incoming->opened = on_opened;
    alert->incoming->sealed = on_sealed;
    snprintf(alert->group, sizeof alert->group, "%s", candidate->keys->name);
}

/* False: there is no further one, and *err is why it is not opened. */
static bool take_next_candidate(struct cg_inbound_alert *alert, int *err) {
    struct cg_inbound *inbound = alert->inbound;
    struct cg_incoming *former = alert->incoming;
    const struct candidate next =
        find(inbound, place_behind(inbound, alert->group), &alert->from, &former->outer, now_of(alert));
    if (next.is_seen) *err = CG_E_REPLAY;
    if (next.incoming == NULL) return false;
    take_candidate(alert, &next);
    former->server->ops->release(former);
    return true;
}

/* False: on_opened follows. */
static bool open_now(struct cg_inbound_alert *alert, int *err) {
    cg_alert_budget_begin(&alert->inbound->budget, alert->incoming);
    *err = alert->incoming->server->ops->open(alert->incoming);
    return *err != CG_PENDING;
}

/* It is not this group's, as far as its keys and modes say. */
static bool is_anothers(int err) { return err == CG_E_VERIFY || err == CG_E_BAD_OPTION || err == CG_E_UNAUTHORIZED; }

/* It keeps its place in the line, however many groups are tried. */
static void note_opened(struct cg_inbound_alert *alert, int err) {
    for (;;) {
        enum cg_alert_outcome outcome = err == CG_OK ? CG_ALERT_WAS_GOOD : CG_ALERT_WAS_BAD;
        cg_alert_budget_end(&alert->inbound->budget, alert->incoming, outcome, now_of(alert));
        if (!is_anothers(err) || !take_next_candidate(alert, &err)) break;
        if (!open_now(alert, &err)) return;
    }
    alert->is_open = true;
    alert->err = err;
}

static void on_opened(struct cg_incoming *incoming, int err) {
    struct cg_inbound_alert *alert = incoming->ctx;
    note_opened(alert, err);
    advance(alert->inbound);
}

/* ---- What comes ---- */

static struct cg_inbound_alert *new_alert(struct cg_inbound *inbound, struct cg_inbound_call *call,
                                          const struct cg_inbound_arrival *arrival, const struct candidate *candidate) {
    struct cg_inbound_alert *alert = calloc(1, sizeof *alert);
    if (alert == NULL) return NULL;
    alert->inbound = inbound;
    alert->call = call;
    alert->from = arrival->from;
    alert->arrival_us = arrival->now_us;
    alert->size = arrival->size;
    take_candidate(alert, candidate);
    call->alert = alert;
    return alert;
}

static void open_alert(struct cg_inbound *inbound, struct cg_inbound_alert *alert) {
    int err;
    enter_list(alert, &inbound->line);
    if (!open_now(alert, &err)) return;
    note_opened(alert, err);
    advance(inbound);
}

void cg_inbound_take(struct cg_inbound *inbound, struct cg_inbound_call *call,
                     const struct cg_inbound_arrival *arrival) {
    struct candidate found = {.refusal = refusal_of(CG_E_BAD_REQUEST)};
    struct cg_inbound_alert *alert = NULL;
    struct cg_slice value;
    call->alert = NULL;
    if (cg_msg_find(&arrival->msg, CG_OPT_OSCORE, &value))
        found = find(inbound, 0, &arrival->from, &arrival->msg, arrival->now_us);
    if (found.incoming != NULL) alert = new_alert(inbound, call, arrival, &found);
    if (alert != NULL) {
        open_alert(inbound, alert);
        return;
    }
    if (found.incoming != NULL) found.incoming->server->ops->release(found.incoming);
    const char *group = found.keys == NULL ? NULL : found.keys->name;
    cg_alert_count_refused(&inbound->tally, group, found.refusal.fate, &arrival->from, found.claims, arrival->now_us);
    refuse(inbound, call, &found.refusal, arrival->size, arrival->now_us);
}

void cg_inbound_forget(struct cg_inbound *inbound, struct cg_inbound_call *call) {
    (void)inbound;
    (void)take_call(call->alert);
}

/* ---- All of it ---- */

struct cg_inbound *cg_inbound_new(struct cg_gateway *gateway) {
    struct cg_inbound *inbound = calloc(1, sizeof *inbound);
    if (inbound != NULL) inbound->gateway = gateway;
    return inbound;
}

void cg_inbound_free(struct cg_inbound *inbound) {
    if (inbound == NULL) return;
    while (inbound->line != NULL) free_alert(inbound->line);
    while (inbound->answers != NULL) free_alert(inbound->answers);
    cg_alert_tally_fini(&inbound->tally);
    free(inbound);
}

void cg_inbound_add_hearer(struct cg_inbound *inbound, struct cg_alert_hearer *hearer) {
    hearer->next = NULL;
    LL_APPEND(inbound->hearers, hearer);
}

uint64_t cg_inbound_count(const struct cg_inbound *inbound, const char *group, enum cg_alert_fate fate) {
    return cg_alert_tally_get(&inbound->tally, group, fate);
}

void cg_inbound_metrics(const struct cg_inbound *inbound, struct cg_buf *to) {
    cg_alert_tally_metrics(&inbound->tally, to);
}
