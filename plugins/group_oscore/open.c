/* Opening an answer: whose is it, has it been seen, does it verify. The hard thing: around a rekey an answer may be
 * under one of several epochs, so further attempts may follow the first; and nothing that is not verified may change
 * anything but the counts of failures. */
#include "group_oscore/binding.h"

#include "oscore/classes.h"

#include <stdlib.h>

/* Chains half as long as uthash has them: where ten thousand answer, each entry passed on the way is a cache miss. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 5U

enum { OLD_EPOCH_US = 500 * 1000000, ATTEMPTS_MAX = 3 };

/* One answer on its way. */
struct group_opening {
    struct cg_crypto_job verifying; /* first member */
    struct cg_oscore_opening op;
    struct cg_binding *binding;
    struct cg_epoch *epochs[ATTEMPTS_MAX]; /* references; the first is tried first */
    unsigned attempt, attempts;
    int reason;                       /* why the attempts so far have failed; 0: none has */
    struct cg_member_answers *forged; /* under whose kid a verification has failed; NULL: none has */
    struct cg_member_answers *member; /* while it is being verified: whose answer it claims to be */
    struct cg_source *source;
    uint64_t job; /* the gateway's */
    struct cg_addr from;
    bool has_kid;
    struct cg_slice kid, gid; /* as the answer says; in `sealed` */
    size_t sealed_len;
    uint8_t *plain;   /* room for what is inside: behind the copy */
    uint8_t sealed[]; /* a copy of the datagram: what further attempts read */
};

static void free_opening(struct group_opening *o) {
    for (unsigned i = 0; i < o->attempts; i++) cg_epoch_unref(o->epochs[i]);
    free(o);
}

/* Which epochs */

static bool has_gid(const struct cg_epoch *epoch, struct cg_slice gid) {
    return epoch != NULL && cg_slice_equal(cg_oscore_context_id(epoch->context), gid);
}

static void try_epoch(struct group_opening *o, struct cg_epoch *epoch) {
    for (unsigned i = 0; i < o->attempts; i++) {
        if (o->epochs[i] == epoch) return;
    }
    if (o->attempts < ATTEMPTS_MAX) o->epochs[o->attempts++] = cg_epoch_ref(epoch);
}

static bool is_too_old(const struct cg_group_oscore *group, const struct cg_epoch *epoch) {
    return epoch->retired_us != 0 && cg_gateway_now(group->services->gateway) - epoch->retired_us > OLD_EPOCH_US;
}

/* The request's own epoch. In pairwise mode the keys depend on the gateway's credential as well, which may have changed
 * under the same Gid (RFC 10021 §2.6.3.1): a member may have either. */
static void try_request_epoch(struct group_opening *o, const struct cg_oscore_option *option) {
    struct cg_epoch *mine = o->binding->epoch, *current = o->binding->group->current;
    try_epoch(o, mine);
    if (!option->group && has_gid(current, cg_oscore_context_id(mine->context))) try_epoch(o, current);
}

/* A Gid in the answer decides. Without one it is under the latest epoch or the request's, and the latest is tried
 * first; under another than the request's it must bring a Partial IV, and the first one its Gid (RFC 10021 §7.3,
 * §13.4.1). What was accepted under one epoch is a repetition under all that have its key material. */
static void choose_epochs(struct group_opening *o, const struct cg_oscore_option *option) {
    const struct cg_group_oscore *group = o->binding->group;
    struct cg_epoch *mine = o->binding->epoch;
    struct cg_slice gid = cg_oscore_context_id(mine->context);
    if (option->has_kid_context) {
        if (has_gid(mine, option->kid_context)) {
            try_request_epoch(o, option);
        } else if (has_gid(group->current, option->kid_context)) {
            try_epoch(o, group->current);
        } else if (has_gid(group->next, option->kid_context)) {
            try_epoch(o, group->next);
        }
        return;
    }
    bool may_be_newer = option->piv.len > 0;
    if (may_be_newer && group->current != NULL && !has_gid(group->current, gid)) try_epoch(o, group->current);
    try_request_epoch(o, option);
    if (may_be_newer && group->next != NULL && !has_gid(group->next, gid)) try_epoch(o, group->next);
}

/* Limits */

static struct cg_member_answers *answers_of(struct cg_binding *binding, const struct cg_oscore_peer *peer) {
    struct cg_slice fingerprint = cg_oscore_peer_fingerprint(peer);
    struct cg_member_answers *entry;
    unsigned hash;
    memcpy(&hash, fingerprint.data, sizeof hash); /* a part of a SHA-256 already */
    HASH_FIND_BYHASHVALUE(hh, binding->members, fingerprint.data, fingerprint.len, hash, entry);
    if (entry != NULL) return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    memcpy(entry->fingerprint, fingerprint.data, sizeof entry->fingerprint);
    HASH_ADD_BYHASHVALUE(hh, binding->members, fingerprint, sizeof entry->fingerprint, hash, entry);
    if (CG_HASH_HAS(hh, entry)) return entry;
    free(entry);
    return NULL;
}

static struct cg_source *source_of(struct cg_binding *binding, const struct cg_addr *from) {
    struct cg_source *source;
    unsigned hash;
    HASH_VALUE(from, sizeof *from, hash);
    HASH_FIND_BYHASHVALUE(hh, binding->sources, from, sizeof *from, hash, source);
    if (source != NULL) return source;
    source = calloc(1, sizeof *source);
    if (source == NULL) return NULL;
    source->from = *from;
    HASH_ADD_BYHASHVALUE(hh, binding->sources, from, sizeof source->from, hash, source);
    if (CG_HASH_HAS(hh, source)) return source;
    free(source);
    return NULL;
}

/* The table has those only whose answers are being verified, and at most CG_FAILURES_CAST others. */
static void drop_blameless(struct cg_binding *binding, struct cg_source *source) {
    if (source->running > 0 || source->failures > 0) return;
    HASH_DEL(binding->sources, source);
    free(source);
}

static bool may_try(const struct cg_binding *binding, const struct cg_member_answers *member,
                    const struct cg_source *source) {
    return binding->failures < CG_FAILURES_CAST && member->failures + member->running < CG_FAILURES_KID &&
           source->failures + source->running < CG_FAILURES_SOURCE;
}

/* An attempt begins, and ends: only one that may be made is begun. */
static int begin_attempt(struct group_opening *o) {
    struct cg_binding *binding = o->binding;
    o->member = answers_of(binding, o->op.peer);
    o->source = source_of(binding, &o->from);
    if (o->member == NULL || o->source == NULL) return CG_E_NO_MEMORY;
    if (!may_try(binding, o->member, o->source)) {
        drop_blameless(binding, o->source);
        return CG_E_ATTEMPTS;
    }
    o->member->running++;
    o->source->running++;
    return CG_OK;
}

static void end_attempt(struct group_opening *o, bool failed) {
    o->member->running--;
    o->source->running--;
    drop_blameless(o->binding, o->source);
    if (failed && o->forged == NULL) o->forged = o->member;
}

/* It verified under no epoch: that counts once. */
static void blame(const struct group_opening *o) {
    if (o->forged == NULL) return;
    o->forged->failures++;
    o->binding->failures++;
    struct cg_source *source = source_of(o->binding, &o->from);
    if (source != NULL) source->failures++;
}

/* Attempts */

/* Evicted members stay out, also where the request went out while they were members (R55). */
static bool is_evicted(const struct group_opening *o) {
    const struct cg_group_oscore *group = o->binding->group;
    if (o->epochs[o->attempt] == group->current) return false; /* the peer is one of its */
    struct cg_slice fingerprint = cg_oscore_peer_fingerprint(o->op.peer);
    if (group->current == NULL || cg_epoch_find(group->current, fingerprint) != NULL) return false;
    return group->next == NULL || cg_epoch_find(group->next, fingerprint) == NULL;
}

static int check_before_verifying(struct group_opening *o) {
    if (is_evicted(o)) return CG_E_EVICTED;
    int err = begin_attempt(o);
    if (err < 0) return err;
    if (!cg_oscore_open_is_repeat(&o->op, &o->member->answers)) return CG_OK;
    end_attempt(o, false);
    return CG_E_REPLAY;
}

/* What is wrong with it, in terms of the group. */
static int refusal_of(const struct cg_epoch *epoch, int err) {
    bool no_such_mode = err == CG_E_BAD_OPTION && epoch->retired_us != 0; /* the pairwise keys are deleted */
    return err == CG_E_UNAUTHORIZED || no_such_mode ? CG_E_SENDER : err;
}

static int prepare(struct group_opening *o, const struct cg_msg *sealed) {
    const struct cg_epoch *epoch = o->epochs[o->attempt];
    if (is_too_old(o->binding->group, epoch)) return CG_E_SENDER;
    int err = cg_oscore_open_response_prepare(&o->op, epoch->context, sealed, &o->binding->request);
    if (err < 0) return refusal_of(epoch, err);
    int refused = check_before_verifying(o);
    if (refused == CG_OK) return err;
    cg_oscore_open_cancel(&o->op);
    return refused;
}

static void describe(const struct cg_oscore_opened *verified, const struct cg_msg *plain, struct cg_opened *opened) {
    opened->code = plain->code;
    opened->options = plain->options;
    opened->payload = plain->payload;
    opened->verified = CASTGATE_VERIFIED_SOURCE;
    opened->has_kid = true;
    opened->kid = cg_oscore_peer_id(verified->peer);
    opened->identity = cg_oscore_peer_fingerprint(verified->peer);
    opened->overtaken = !verified->latest;
    if (!cg_oscore_is_challenge(plain, &opened->echo)) opened->echo = CG_SLICE_NONE;
}

static int open_verified(struct group_opening *o, struct cg_opened *opened) {
    struct cg_msg plain;
    struct cg_oscore_opened verified;
    size_t room = CG_OSCORE_OPEN_ROOM(o->sealed_len);
    if (is_evicted(o)) { /* maybe since it was submitted */
        cg_oscore_open_cancel(&o->op);
        return CG_E_EVICTED;
    }
    int err = cg_oscore_open_finish(&o->op, &o->member->answers, o->plain, room, &plain, &verified);
    if (err == CG_OK) describe(&verified, &plain, opened);
    return err;
}

static int finish(struct group_opening *o, struct cg_opened *opened) {
    int err = open_verified(o, opened);
    end_attempt(o, err == CG_E_VERIFY);
    return err;
}

static void run_verifying(struct cg_crypto_job *job) { cg_oscore_verify_run(&((struct group_opening *)job)->op.job); }

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
    blame(o);
    *opened = (struct cg_opened){.has_kid = o->has_kid, .kid = o->kid, .gid = o->gid};
}

static void deliver(struct group_opening *o, int err, struct cg_opened *opened) {
    struct cg_binding *binding = o->binding;
    if (err < 0) refuse(o, opened);
    cg_gateway_opened(binding->group->services->gateway, o->job, err, opened);
    free_opening(o);
    cg_binding_end_job(binding);
}

static void on_verified(struct cg_crypto_job *job) {
    struct group_opening *o = (struct group_opening *)job;
    struct cg_opened opened = {0};
    int err;
    if (job->cancelled) {
        cg_oscore_open_cancel(&o->op);
        end_attempt(o, false);
        err = CG_E_STOPPING;
    } else {
        err = finish(o, &opened);
        if (err < 0) {
            note_reason(o, err);
            o->attempt++;
            err = advance(o, &opened);
        }
    }
    if (err != CG_PENDING) deliver(o, err, &opened);
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
    o->gid = option->has_kid_context ? option->kid_context : cg_oscore_context_id(o->binding->epoch->context);
    return CG_OK;
}

/* What a member says that cannot open the request (RFC 8613 §8.2): shown among the rejected, believed by nobody. */
static void tell_unprotected(const struct cg_msg *msg, struct cg_opened *opened) {
    opened->code = msg->code;
    opened->options = msg->options;
    opened->payload = msg->payload;
}

int cg_group_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                  struct cg_opened *opened) {
    struct cg_group_oscore *group = (struct cg_group_oscore *)protector;
    struct cg_oscore_option option = {0};
    struct group_opening *o = new_opening(opening, job);
    if (o == NULL) return CG_E_NO_MEMORY;
    int err = read_option(o, &option);
    if (err == CG_OK) {
        choose_epochs(o, &option);
        err = advance(o, opened);
    }
    if (err == CG_PENDING) {
        opening->binding->jobs++;
        return CG_PENDING;
    }
    /* What is lent to the caller lives until the next call. */
    if (group->lent != NULL) free_opening(group->lent);
    group->lent = o;
    if (err < 0) refuse(o, opened);
    if (err == CG_E_UNPROTECTED) tell_unprotected(opening->msg, opened);
    return err;
}

void cg_group_opening_free(struct group_opening *o) {
    if (o != NULL) free_opening(o);
}
