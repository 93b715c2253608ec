/* Opening an answer: whose is it, has it been seen, does it verify. The hard thing: around a rekey an answer may be
 * under one of several epochs, so further attempts may follow the first; and nothing that is not verified may change
 * anything but the counts of failures. */
#include "group_oscore/binding.h"
#include "legs/engine.h"
#include "base/container.h"

#include "oscore/classes.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    OLD_EPOCH_US = 500 * 1000000,
    REQUESTS_MAX = 2 * CG_TIED_REQUESTS, /* that an answer is tried with: the group's and those of one member */
    ATTEMPTS_MAX = 12,                   /* each request with the epochs in which it may be answered */
};

/* TURN_LATER: it may be forged and has to wait; TURN_HAS_COME: it has waited. */
enum turn { TURN_NOW, TURN_LATER, TURN_HAS_COME };

/* What it may be: an answer to this request, under this epoch. */
struct attempt {
    struct cg_tied_request *request; /* a reference */
    struct cg_epoch *epoch;          /* a reference */
};

/* One answer on its way. */
struct group_opening {
    struct cg_crypto_job verifying;
    struct cg_oscore_opening op;
    struct cg_binding *binding;
    struct attempt tries[ATTEMPTS_MAX]; /* the first is tried first */
    unsigned attempt, attempts;
    int reason;                     /* why the attempts so far have failed; 0: none has */
    struct cg_tied_member *member;  /* whose answer it claims to be, in the latest attempt */
    struct cg_tied_member *charged; /* on whose account the verification runs; NULL: on nobody's */
    struct cg_waiting waiting;      /* while its turn is later */
    enum turn turn;
    uint64_t job; /* the gateway's */
    struct cg_addr from;
    bool at_home; /* from where the member is known to be */
    bool forged;  /* a verification has failed */
    bool has_kid;
    struct cg_slice kid, gid; /* as the answer says; in `sealed` */
    size_t sealed_len;
    uint8_t *plain;   /* room for what is inside: behind the copy */
    uint8_t sealed[]; /* a copy of the datagram: what further attempts read */
};

static void free_opening(struct group_opening *o) {
    for (unsigned i = 0; i < o->attempts; i++) {
        cg_tied_request_unref(o->tries[i].request);
        cg_epoch_unref(o->tries[i].epoch);
    }
    free(o);
}

static const struct attempt *attempt_of(const struct group_opening *o) { return &o->tries[o->attempt]; }
static uint64_t now_of(const struct group_opening *o) { return cg_engine_now(o->binding->group->services->engine); }

/* Which epochs */

static bool has_gid(const struct cg_epoch *epoch, struct cg_slice gid) {
    return epoch != NULL && cg_slice_equal(cg_oscore_context_id(epoch->context), gid);
}

static void try_epoch(struct group_opening *o, struct cg_tied_request *request, struct cg_epoch *epoch) {
    for (unsigned i = 0; i < o->attempts; i++) {
        if (o->tries[i].request == request && o->tries[i].epoch == epoch) return;
    }
    if (o->attempts == ATTEMPTS_MAX) return;
    o->tries[o->attempts++] = (struct attempt){cg_tied_request_ref(request), cg_epoch_ref(epoch)};
}

static bool is_too_old(const struct cg_group_oscore *group, const struct cg_epoch *epoch) {
    return epoch->retired_us != 0 && cg_engine_now(group->services->engine) - epoch->retired_us > OLD_EPOCH_US;
}

/* Nothing is opened with them any more (R54), and an observation's request may be answered for months. */
static void let_go_of_old_keys(const struct cg_group_oscore *group, struct cg_tied_request *request) {
    if (request->epoch == NULL || !is_too_old(group, request->epoch)) return;
    cg_epoch_unref(request->epoch);
    request->epoch = NULL;
}

/* The request's own epoch. In pairwise mode the keys depend on the gateway's credential as well, which may have changed
 * under the same Gid (RFC 10021 §2.6.3.1): a member may have either. */
static void try_request_epoch(struct group_opening *o, struct cg_tied_request *request,
                              const struct cg_oscore_option *option) {
    struct cg_epoch *current = o->binding->group->current;
    if (request->epoch != NULL) try_epoch(o, request, request->epoch);
    if (!option->group && has_gid(current, cg_tied_gid(request))) try_epoch(o, request, current);
}

/* What a member has that was asked under the prepared keys is these. */
static void choose_prepared(struct group_opening *o, struct cg_tied_request *request,
                            const struct cg_oscore_option *option) {
    struct cg_epoch *mine = request->epoch;
    if (!option->has_kid_context || has_gid(mine, option->kid_context)) try_epoch(o, request, mine);
}

/* A Gid in the answer decides. Without one it is under the latest epoch or the request's, and the latest is tried
 * first; under another than the request's it must bring a Partial IV, and the first one its Gid (RFC 10021 §7.3,
 * §13.4.1). What was accepted under one epoch is a repetition under all that have its key material. */
static void choose_epochs(struct group_opening *o, struct cg_tied_request *request,
                          const struct cg_oscore_option *option) {
    const struct cg_group_oscore *group = o->binding->group;
    struct cg_slice gid = cg_tied_gid(request);
    if (cg_tied_is_ahead(group, request)) {
        choose_prepared(o, request, option);
        return;
    }
    if (option->has_kid_context) {
        if (cg_slice_equal(gid, option->kid_context)) {
            try_request_epoch(o, request, option);
        } else if (has_gid(group->current, option->kid_context)) {
            try_epoch(o, request, group->current);
        } else if (has_gid(group->next, option->kid_context)) {
            try_epoch(o, request, group->next);
        }
        return;
    }
    bool may_be_newer = option->piv.len > 0;
    if (may_be_newer && group->current != NULL && !has_gid(group->current, gid)) try_epoch(o, request, group->current);
    try_request_epoch(o, request, option);
    if (may_be_newer && group->next != NULL && !has_gid(group->next, gid)) try_epoch(o, request, group->next);
}

/* Which requests */

/* Those that it may answer, the latest first. */
struct choice {
    struct cg_tied_request *requests[REQUESTS_MAX + 1];
    unsigned count;
};

static void choose(struct choice *choice, struct cg_tied_request *request) {
    unsigned at = choice->count;
    for (unsigned i = 0; i < choice->count; i++) {
        if (choice->requests[i] == request) return;
    }
    while (at > 0 && choice->requests[at - 1]->number < request->number) at--;
    memmove(&choice->requests[at + 1], &choice->requests[at], (choice->count - at) * sizeof *choice->requests);
    choice->requests[at] = request;
    if (choice->count < REQUESTS_MAX) choice->count++;
}

static void choose_all(struct choice *choice, struct cg_tied_request *list) {
    for (; list != NULL; list = list->older) choose(choice, list);
}

static void choose_alone(struct choice *choice, const struct cg_tied_member *member) {
    if (member != NULL && member->alone != NULL) choose_all(choice, member->alone->requests);
}

/* Whoever has this kid, in any epoch. */
static void choose_by_kid(struct choice *choice, const struct group_opening *o) {
    const struct cg_epoch *epoch;
    DL_FOREACH(o->binding->group->epochs, epoch) {
        const struct cg_oscore_peer *peer = cg_oscore_peer_find(epoch->context, o->kid);
        if (peer != NULL) choose_alone(choice, cg_ties_find(o->binding->ties, cg_oscore_peer_fingerprint(peer)));
    }
}

/* Whoever was there last; of several behind one translated address the one with this port, if one has it. */
static void choose_by_address(struct choice *choice, const struct group_opening *o) {
    const struct cg_ties *ties = o->binding->ties;
    const struct cg_tied_member *member;
    const uint32_t hash = cg_ties_host_hash(&o->from);
    for (uint32_t at = hash; (member = cg_ties_next_at(ties, &o->from, &at)) != NULL;) {
        if (!cg_addr_equal(&member->alone->at, &o->from)) continue;
        choose_alone(choice, member);
        return;
    }
    for (uint32_t at = hash; (member = cg_ties_next_at(ties, &o->from, &at)) != NULL;) choose_alone(choice, member);
}

/* The latest request is tried first, since that is what members answer once they have heard it (RFC 8613 §4.1.3.5.1).
 */
static void choose_attempts(struct group_opening *o, const struct cg_oscore_option *option) {
    const struct cg_binding *binding = o->binding;
    struct choice choice = {.count = 0};
    choose(&choice, binding->request);
    choose_all(&choice, binding->ties->requests);
    if (binding->ties->alone_count > 0 && o->has_kid) choose_by_kid(&choice, o);
    if (binding->ties->alone_count > 0 && !o->has_kid) choose_by_address(&choice, o);
    for (unsigned i = 0; i < choice.count; i++) {
        let_go_of_old_keys(binding->group, choice.requests[i]);
        choose_epochs(o, choice.requests[i], option);
    }
}

/* Limits */

/* May it be verified now? Asked once, for all attempts; what comes from the queue was asked before. */
static bool may_begin(struct group_opening *o) {
    const struct cg_binding *binding = o->binding;
    const struct cg_group_services *services = binding->group->services;
    o->at_home = cg_epoch_is_home(o->op.peer, &o->from);
    return o->turn == TURN_HAS_COME || cg_forgeries_allow(&binding->ties->forgeries, &services->later.failures,
                                                          now_of(o), &o->member->account, &o->from, o->at_home);
}

static int begin_verifying(struct group_opening *o) {
    if (o->charged != NULL) return CG_OK;
    if (!may_begin(o)) {
        o->turn = TURN_LATER;
        return CG_E_ATTEMPTS;
    }
    o->charged = o->member;
    cg_forgeries_begin(&o->binding->ties->forgeries, &o->charged->account, o->at_home);
    return CG_OK;
}

/* The opening is over. That it verified under no epoch counts once. */
static void end_verifying(struct group_opening *o, int err) {
    struct cg_forgeries *forgeries = &o->binding->ties->forgeries;
    struct cg_group_services *services = o->binding->group->services;
    if (o->charged == NULL) return;
    if (err < 0 && o->forged) {
        cg_forgeries_fail(forgeries, &services->later.failures, now_of(o), &o->charged->account, &o->from, o->at_home);
    } else {
        cg_forgeries_end(forgeries, &o->charged->account, o->at_home);
    }
    o->charged = NULL;
}

/* Attempts */

/* Evicted members stay out, also where the request went out while they were members (R55). */
static bool is_evicted(const struct group_opening *o) {
    const struct cg_group_oscore *group = o->binding->group;
    if (attempt_of(o)->epoch == group->current) return false; /* the peer is one of its */
    struct cg_slice fingerprint = cg_oscore_peer_fingerprint(o->op.peer);
    if (group->current == NULL || cg_epoch_find(group->current, fingerprint) != NULL) return false;
    return group->next == NULL || cg_epoch_find(group->next, fingerprint) == NULL;
}

/* A decryption in pairwise mode costs no more than the datagram itself: only signatures are limited. */
static int check_before_verifying(struct group_opening *o, bool has_signature) {
    if (is_evicted(o)) return CG_E_EVICTED;
    o->member = cg_ties_member(o->binding->ties, cg_oscore_peer_fingerprint(o->op.peer));
    if (o->member == NULL) return CG_E_NO_MEMORY;
    const struct cg_oscore_answers *answers = cg_tied_answers(o->member, attempt_of(o)->request, now_of(o));
    if (answers == NULL) return CG_E_SENDER; /* it has answered a later request */
    if (cg_oscore_open_is_repeat(&o->op, answers)) return CG_E_REPLAY;
    return has_signature ? begin_verifying(o) : CG_OK;
}

/* What is wrong with it, in terms of the group. */
static int refusal_of(const struct cg_epoch *epoch, int err) {
    bool no_such_mode = err == CG_E_BAD_OPTION && epoch->retired_us != 0; /* the pairwise keys are deleted */
    return err == CG_E_UNAUTHORIZED || no_such_mode ? CG_E_SENDER : err;
}

static int prepare(struct group_opening *o, const struct cg_msg *sealed) {
    const struct attempt *attempt = attempt_of(o);
    const struct cg_epoch *epoch = attempt->epoch;
    if (is_too_old(o->binding->group, epoch)) return CG_E_SENDER;
    int err = cg_oscore_open_response_prepare(&o->op, epoch->context, sealed, &attempt->request->binding);
    if (err < 0) return refusal_of(epoch, err);
    int refused = check_before_verifying(o, err == CG_PENDING);
    if (refused == CG_OK) return err;
    cg_oscore_open_cancel(&o->op);
    return refused;
}

static void describe(const struct cg_oscore_context *context, const struct cg_oscore_opened *verified,
                     const struct cg_msg *plain, struct cg_opened *opened) {
    opened->code = plain->code;
    opened->options = plain->options;
    opened->payload = plain->payload;
    opened->verified = CASTGATE_VERIFIED_SOURCE;
    opened->has_kid = true;
    opened->kid = cg_oscore_peer_id(verified->peer);
    opened->identity = cg_oscore_peer_fingerprint(verified->peer);
    opened->overtaken = !verified->latest;
    opened->has_number = verified->has_number;
    opened->number = verified->number;
    opened->generation = cg_oscore_generation(context);
    if (!cg_oscore_is_challenge(plain, &opened->echo)) opened->echo = CG_SLICE_NONE;
}

/* Where its credential verified last, also for what the latest epoch is asked. */
static void note_address(const struct group_opening *o, struct cg_oscore_peer *peer) {
    const struct cg_epoch *current = o->binding->group->current;
    cg_epoch_note_address(peer, &o->from);
    if (current != NULL && current != attempt_of(o)->epoch)
        cg_epoch_note_address(cg_epoch_find(current, cg_oscore_peer_fingerprint(peer)), &o->from);
}

/* A member that answers has taken what was sent with that key, and one that challenges has not. */
static void note_warmth(const struct group_opening *o, const struct cg_opened *opened) {
    const struct cg_group_oscore *group = o->binding->group;
    const struct cg_epoch *asked = attempt_of(o)->request->epoch;
    struct cg_epoch *const known[] = {group->current, group->next};
    if (asked == NULL) return;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i] == NULL || !cg_epoch_same_sender(known[i], asked)) continue;
        cg_epoch_set_warmth(known[i], opened->identity, opened->echo.len > 0 ? CG_COLD : CG_WARM);
    }
}

static int open_verified(struct group_opening *o, struct cg_opened *opened) {
    struct cg_msg plain;
    struct cg_oscore_opened verified;
    size_t room = CG_OSCORE_OPEN_ROOM(o->sealed_len);
    if (is_evicted(o)) { /* maybe since it was submitted */
        cg_oscore_open_cancel(&o->op);
        return CG_E_EVICTED;
    }
    const struct attempt *attempt = attempt_of(o);
    const struct cg_oscore_answers *before = cg_tied_answers(o->member, attempt->request, now_of(o));
    if (before == NULL) { /* a later request was answered meanwhile */
        cg_oscore_open_cancel(&o->op);
        return CG_E_REPLAY;
    }
    struct cg_oscore_answers answers = *before;
    int err = cg_oscore_open_finish(&o->op, &answers, o->plain, room, &plain, &verified);
    if (err != CG_OK) return err;
    describe(attempt->epoch->context, &verified, &plain, opened);
    bool is_older = cg_ties_accept(o->binding->ties, o->member, attempt->request, &answers, &o->from, now_of(o));
    if (is_older) opened->overtaken = true;
    note_address(o, verified.peer);
    note_warmth(o, opened);
    cg_epoch_prove_held(verified.peer);
    return CG_OK;
}

static int finish(struct group_opening *o, struct cg_opened *opened) {
    int err = open_verified(o, opened);
    if (err == CG_E_VERIFY) o->forged = true;
    return err;
}

static void run_verifying(struct cg_crypto_job *job) {
    cg_oscore_verify_run(&CG_CONTAINER(job, struct group_opening, verifying)->op.job);
}

static void on_verified(struct cg_crypto_job *job);

/* Why no epoch opened it: of several reasons the one that says most about a message that was genuine. */
static void note_reason(struct group_opening *o, int err) {
    bool better = o->reason == 0 || o->reason == CG_E_SENDER || (o->reason == CG_E_VERIFY && err != CG_E_SENDER);
    if (better) o->reason = err;
}

/* Goes through the epochs until one opens it: CG_OK with *opened, CG_PENDING with a job submitted, or why none does. */
static int advance(struct group_opening *o, struct cg_opened *opened) {
    struct cg_msg sealed;
    int err = cg_msg_parse(&sealed, cg_slice_of(o->sealed, o->sealed_len));
    if (err < 0) return err;
    note_reason(o, CG_E_SENDER);
    for (; o->attempt < o->attempts; o->attempt++) {
        err = prepare(o, &sealed);
        if (o->turn == TURN_LATER) return err;
        if (err == CG_PENDING) break;
        if (err == CG_OK) err = finish(o, opened);
        if (err == CG_OK) return CG_OK;
        note_reason(o, err);
    }
    if (o->attempt == o->attempts) return o->reason;
    o->verifying = (struct cg_crypto_job){.run = run_verifying, .done = on_verified};
    struct cg_crypto *crypto = o->binding->group->services->crypto;
    crypto->ops->submit(crypto, &o->binding->lane, &o->verifying);
    return CG_PENDING;
}

static void refuse(const struct group_opening *o, struct cg_opened *opened) {
    bool is_other_epoch = o->gid.len > 0 && !cg_slice_equal(o->gid, cg_tied_gid(o->binding->request));
    *opened = (struct cg_opened){.has_kid = o->has_kid, .kid = o->kid, .gid = o->gid, .is_other_epoch = is_other_epoch};
}

static void deliver(struct group_opening *o, int err, struct cg_opened *opened) {
    struct cg_binding *binding = o->binding;
    end_verifying(o, err);
    if (err < 0) refuse(o, opened);
    cg_engine_opened(binding->group->services->engine, o->job, err, opened);
    free_opening(o);
    cg_binding_end_job(binding);
}

/* Those that wait */

static struct group_opening *opening_of(struct cg_waiting *waiting) {
    return CG_CONTAINER(waiting, struct group_opening, waiting);
}

static void deliver_waiting(struct cg_waiting *waiting, int err) {
    struct cg_opened opened = {0};
    deliver(opening_of(waiting), err, &opened);
}

/* Its turn has come: CG_PENDING, or why it is refused. */
static int begin_waited(struct cg_later *later, struct group_opening *o) {
    struct cg_opened opened = {0};
    struct cg_forgeries *forgeries = &o->binding->ties->forgeries;
    const uint64_t now_us = cg_engine_now(o->binding->group->services->engine);
    const bool at_home = o->at_home; /* as it was when it began to wait */
    o->turn = TURN_HAS_COME;
    o->reason = 0; /* why it would be refused if its turn did not come */
    int err = cg_later_allow(forgeries, at_home, now_us) ? advance(o, &opened) : CG_E_ATTEMPTS;
    if (err != CG_PENDING) return err;
    cg_later_begin(forgeries, at_home, now_us);
    later->running = &o->waiting;
    return CG_PENDING;
}

/* Begins with the next one that can be begun with. The others are refused, but not here: this may be called where a
 * cast ends. */
static void begin_next(struct cg_later *later) {
    struct cg_waiting *waiting;
    while (later->running == NULL && (waiting = cg_later_take(later)) != NULL) {
        int err = begin_waited(later, opening_of(waiting));
        if (err == CG_PENDING) return;
        opening_of(waiting)->reason = err;
        cg_later_displace(later, waiting);
    }
}

static void refuse_displaced(struct cg_later *later) {
    struct cg_waiting *waiting;
    while ((waiting = cg_later_take_displaced(later)) != NULL) deliver_waiting(waiting, opening_of(waiting)->reason);
}

/* It may be forged: CG_PENDING, or why it cannot wait. Where nobody waits it is its turn. */
static int wait_for_turn(struct group_opening *o) {
    struct cg_group_services *services = o->binding->group->services;
    struct cg_later *later = &services->later;
    const struct cg_whence whence = {.from = o->from, .at_home = o->at_home, .owner = o->binding};
    size_t bytes = sizeof *o + o->sealed_len + CG_OSCORE_OPEN_ROOM(o->sealed_len);
    if (later->running == NULL) return begin_waited(later, o);
    o->reason = CG_E_ATTEMPTS;
    const uint64_t now_us = cg_engine_now(services->engine);
    int err = cg_later_add(later, &o->waiting, &o->binding->ties->forgeries, &whence, bytes, now_us);
    return err < 0 ? err : CG_PENDING;
}

void cg_group_open_none(struct cg_binding *binding) {
    struct cg_later *later = &binding->group->services->later;
    struct cg_waiting *waiting;
    while ((waiting = cg_later_take_of(later, &binding->ties->forgeries, binding)) != NULL)
        deliver_waiting(waiting, CG_E_STOPPING);
}

/* The end of a verification */

static int go_on(struct group_opening *o, struct cg_opened *opened) {
    int err = finish(o, opened);
    if (err == CG_OK) return CG_OK;
    note_reason(o, err);
    o->attempt++;
    return advance(o, opened);
}

static void on_verified(struct cg_crypto_job *job) {
    struct group_opening *o = CG_CONTAINER(job, struct group_opening, verifying);
    struct cg_later *later = &o->binding->group->services->later;
    struct cg_opened opened = {0};
    bool cancelled = job->cancelled, has_waited = later->running == &o->waiting;
    int err = CG_E_STOPPING;
    if (cancelled) {
        cg_oscore_open_cancel(&o->op);
    } else {
        err = go_on(o, &opened);
    }
    if (err == CG_PENDING) return;
    deliver(o, err, &opened);
    if (!has_waited) return;
    later->running = NULL;
    begin_next(later);
    if (!cancelled) refuse_displaced(later);
}

/* The beginning */

static struct group_opening *new_opening(const struct cg_opening *opening, uint64_t job) {
    struct cg_slice bytes = opening->datagram;
    struct group_opening *o = malloc(sizeof *o + bytes.len + CG_OSCORE_OPEN_ROOM(bytes.len));
    if (o == NULL) return NULL;
    *o =
        (struct group_opening){.binding = opening->binding, .job = job, .from = opening->from, .sealed_len = bytes.len};
    memcpy(o->sealed, bytes.data, bytes.len);
    o->plain = o->sealed + bytes.len;
    return o;
}

static int read_option(struct group_opening *o, struct cg_oscore_option *option) {
    struct cg_msg sealed;
    struct cg_slice value;
    int err = cg_msg_parse(&sealed, cg_slice_of(o->sealed, o->sealed_len));
    if (err < 0) return err;
    err = cg_oscore_find_option(&sealed, &value); /* the one reader: an option that occurs twice is none */
    if (err < 0) return err == CG_E_BAD_REQUEST ? CG_E_UNPROTECTED : err;
    err = cg_oscore_option_parse(option, value);
    if (err < 0) return err;
    o->has_kid = option->has_kid;
    o->kid = option->kid;
    o->gid = option->has_kid_context ? option->kid_context : cg_tied_gid(o->binding->request);
    return CG_OK;
}

/* What a member says that cannot open the request (RFC 8613 §8.2): shown among the rejected, believed by nobody. */
static void tell_unprotected(const struct cg_msg *msg, struct cg_opened *opened) {
    opened->code = msg->code;
    opened->options = msg->options;
    opened->payload = msg->payload;
}

/* 4.01 is what a member says that lacks the keys (RFC 8613 §8.2). While others are prepared it may have these; it is
 * only hearsay, so it decides no more than under which keys that member is asked next. */
static void take_hint(const struct cg_binding *binding, const struct cg_msg *msg) {
    const struct cg_group_oscore *group = binding->group;
    const struct cg_tied_request *request = binding->request;
    if (msg->code != CG_CODE(4, 1) || group->next == NULL || !request->for_one || request->stays) return;
    uint64_t now_us = cg_engine_now(group->services->engine);
    if (cg_tied_is_ahead(group, request)) {
        cg_epoch_deny_held(group->next, cg_tied_identity(request), now_us);
    } else if (request->epoch != NULL && cg_epoch_same_sender(request->epoch, group->current)) {
        cg_epoch_suppose_held(group->next, cg_tied_identity(request), now_us);
    }
}

int cg_group_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                  struct cg_opened *opened) {
    struct cg_group_oscore *group = cg_group_oscore_of(protector);
    struct cg_oscore_option option = {0};
    struct group_opening *o = new_opening(opening, job);
    if (o == NULL) return CG_E_NO_MEMORY;
    int err = read_option(o, &option);
    if (err == CG_OK) {
        choose_attempts(o, &option);
        err = advance(o, opened);
        if (o->turn == TURN_LATER) err = wait_for_turn(o);
    }
    if (err == CG_PENDING) {
        opening->binding->jobs++;
        return CG_PENDING;
    }
    /* What is lent to the caller lives until the next call. */
    if (group->lent != NULL) free_opening(group->lent);
    group->lent = o;
    end_verifying(o, err);
    if (err < 0) refuse(o, opened);
    if (err == CG_E_UNPROTECTED) {
        tell_unprotected(opening->msg, opened);
        take_hint(opening->binding, opening->msg);
    }
    return err;
}

void cg_group_opening_free(struct group_opening *o) {
    if (o != NULL) free_opening(o);
}
