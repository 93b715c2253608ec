/* Opening an answer: whose is it, has it been seen, does it verify. The hard thing: around a rekey an answer may be under one of two epochs,
 * so a second attempt may follow the first; and nothing that is not verified may change anything but the counts of failures. */
#include "group_oscore/binding.h"

#include <stdlib.h>

enum { OLD_EPOCH_US = 500 * 1000000, ATTEMPTS_MAX = 2 };

/* One answer on its way. */
struct group_opening {
    struct cg_crypto_job verifying; /* first member */
    struct cg_oscore_opening op;
    struct cg_binding *binding;
    struct cg_epoch *epochs[ATTEMPTS_MAX]; /* references; the first is tried first */
    unsigned attempt, attempts;
    uint64_t job; /* the gateway's */
    struct cg_addr from;
    struct cg_slice kid, gid; /* as the answer says; in `sealed` */
    uint8_t *sealed;          /* a copy of the datagram: what a second attempt reads */
    size_t sealed_len;
    uint8_t *plain; /* room for what is inside */
};

static void free_opening(struct group_opening *o) {
    for (unsigned i = 0; i < o->attempts; i++) cg_epoch_unref(o->epochs[i]);
    free(o->sealed);
    free(o->plain);
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

/* A Gid in the answer decides. Without one the answer is under the latest epoch or the request's; under another than the request's it must
 * bring a Partial IV (RFC 10021 §7.3, §13.4). */
static void choose_epochs(struct group_opening *o, const struct cg_oscore_option *option) {
    const struct cg_group_oscore *group = o->binding->group;
    struct cg_epoch *mine = o->binding->epoch;
    if (option->has_kid_context) {
        if (has_gid(mine, option->kid_context)) try_epoch(o, mine);
        if (has_gid(group->current, option->kid_context)) try_epoch(o, group->current);
        if (has_gid(group->next, option->kid_context)) try_epoch(o, group->next);
    } else {
        bool may_be_newer = option->piv.len > 0 && !has_gid(mine, cg_oscore_context_id(group->current->context));
        if (may_be_newer) try_epoch(o, group->current);
        try_epoch(o, mine);
    }
}

/* Limits */

static struct cg_member_answers *answers_of(struct cg_binding *binding, const struct cg_oscore_peer *peer) {
    struct cg_slice fingerprint = cg_oscore_peer_fingerprint(peer);
    struct cg_member_answers *entry;
    HASH_FIND(hh, binding->members, fingerprint.data, fingerprint.len, entry);
    if (entry != NULL) return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    memcpy(entry->fingerprint, fingerprint.data, sizeof entry->fingerprint);
    HASH_ADD(hh, binding->members, fingerprint, sizeof entry->fingerprint, entry);
    return entry;
}

static bool may_try(const struct cg_binding *binding, const struct cg_member_answers *member, const struct cg_addr *from) {
    if (binding->failures >= CG_FAILURES_CAST || member->failures >= CG_FAILURES_KID) return false;
    struct cg_failing_source *source;
    HASH_FIND(hh, binding->sources, from, sizeof *from, source);
    return source == NULL || source->failures < CG_FAILURES_SOURCE;
}

static void count_failure(struct cg_binding *binding, struct cg_member_answers *member, const struct cg_addr *from) {
    binding->failures++; /* CG_FAILURES_CAST bounds the table of sources as well */
    member->failures++;
    struct cg_failing_source *source;
    HASH_FIND(hh, binding->sources, from, sizeof *from, source);
    if (source == NULL) {
        source = calloc(1, sizeof *source);
        if (source == NULL) return;
        source->from = *from;
        HASH_ADD(hh, binding->sources, from, sizeof source->from, source);
    }
    source->failures++;
}

/* Attempts */

/* Evicted members stay out, also where the request went out while they were members (R55). */
static bool is_evicted(const struct group_opening *o) {
    const struct cg_group_oscore *group = o->binding->group;
    return cg_epoch_find(group->current, cg_oscore_peer_fingerprint(o->op.peer)) == NULL &&
           (group->next == NULL || cg_epoch_find(group->next, cg_oscore_peer_fingerprint(o->op.peer)) == NULL);
}

static int check_before_verifying(const struct group_opening *o) {
    struct cg_member_answers *member = answers_of(o->binding, o->op.peer);
    if (member == NULL) return CG_E_NO_MEMORY;
    if (is_evicted(o)) return CG_E_EVICTED;
    if (!may_try(o->binding, member, &o->from)) return CG_E_ATTEMPTS;
    return cg_oscore_open_is_repeat(&o->op, &member->answers) ? CG_E_REPLAY : CG_OK;
}

static int prepare(struct group_opening *o, const struct cg_msg *sealed) {
    const struct cg_epoch *epoch = o->epochs[o->attempt];
    if (is_too_old(o->binding->group, epoch)) return CG_E_SENDER;
    int err = cg_oscore_open_response_prepare(&o->op, epoch->context, sealed, &o->binding->request);
    if (err < 0) return err == CG_E_UNAUTHORIZED ? CG_E_SENDER : err;
    int refused = check_before_verifying(o);
    if (refused == CG_OK) return err;
    cg_oscore_open_cancel(&o->op);
    return refused;
}

static int finish(struct group_opening *o, struct cg_opened *opened) {
    struct cg_member_answers *member = answers_of(o->binding, o->op.peer);
    if (member == NULL) {
        cg_oscore_open_cancel(&o->op);
        return CG_E_NO_MEMORY;
    }
    struct cg_msg plain;
    struct cg_oscore_opened verified;
    size_t room = CG_OSCORE_OPEN_ROOM(o->sealed_len);
    int err = cg_oscore_open_finish(&o->op, &member->answers, o->plain, room, &plain, &verified);
    if (err == CG_E_VERIFY && o->attempt + 1 == o->attempts) count_failure(o->binding, member, &o->from);
    if (err < 0) return err;
    opened->code = plain.code;
    opened->options = plain.options;
    opened->payload = plain.payload;
    opened->verified = CASTGATE_VERIFIED_SOURCE;
    opened->has_kid = true;
    opened->kid = cg_oscore_peer_id(verified.peer);
    opened->identity = cg_oscore_peer_fingerprint(verified.peer);
    opened->overtaken = !verified.latest;
    if (!cg_oscore_is_challenge(&plain, &opened->echo)) opened->echo = CG_SLICE_NONE;
    return CG_OK;
}

static void run_verifying(struct cg_crypto_job *job) { cg_oscore_verify_run(&((struct group_opening *)job)->op.job); }

static void verified(struct cg_crypto_job *job);

/* Goes through the epochs until one opens it: CG_OK with *opened, CG_PENDING with a job submitted, or the last error. */
static int advance(struct group_opening *o, struct cg_opened *opened) {
    struct cg_msg sealed;
    int err = cg_msg_parse(&sealed, cg_slice_of(o->sealed, o->sealed_len));
    if (err < 0) return err;
    err = CG_E_SENDER;
    for (; o->attempt < o->attempts; o->attempt++) {
        err = prepare(o, &sealed);
        if (err == CG_OK) err = finish(o, opened);
        if (err >= 0) break;
    }
    if (err != CG_PENDING) return err;
    o->verifying = (struct cg_crypto_job){.run = run_verifying, .done = verified};
    struct cg_crypto *crypto = o->binding->group->services->crypto;
    crypto->ops->submit(crypto, &o->binding->lane, &o->verifying);
    return CG_PENDING;
}

static void deliver(struct group_opening *o, int err, struct cg_opened *opened) {
    struct cg_binding *binding = o->binding;
    if (err < 0) *opened = (struct cg_opened){.has_kid = o->kid.len > 0, .kid = o->kid, .gid = o->gid};
    cg_gateway_opened(binding->group->services->gateway, o->job, err, opened);
    free_opening(o);
    cg_binding_end_job(binding);
}

static void verified(struct cg_crypto_job *job) {
    struct group_opening *o = (struct group_opening *)job;
    struct cg_opened opened = {0};
    if (job->cancelled) {
        cg_oscore_open_cancel(&o->op);
        deliver(o, CG_E_STOPPING, &opened);
        return;
    }
    int err = finish(o, &opened);
    if (err < 0 && ++o->attempt < o->attempts) err = advance(o, &opened);
    if (err != CG_PENDING) deliver(o, err, &opened);
}

/* The beginning */

static struct group_opening *new_opening(const struct cg_opening *opening, uint64_t job) {
    struct group_opening *o = calloc(1, sizeof *o);
    if (o == NULL) return NULL;
    struct cg_slice bytes = opening->datagram;
    o->binding = opening->binding;
    o->job = job;
    o->from = opening->from;
    o->sealed_len = bytes.len;
    o->sealed = malloc(bytes.len + 1);
    o->plain = malloc(CG_OSCORE_OPEN_ROOM(bytes.len));
    if (o->sealed != NULL && o->plain != NULL) {
        memcpy(o->sealed, bytes.data, bytes.len);
        return o;
    }
    free_opening(o);
    return NULL;
}

static int read_option(struct group_opening *o, struct cg_oscore_option *option) {
    struct cg_msg sealed;
    struct cg_slice value;
    int err = cg_msg_parse(&sealed, cg_slice_of(o->sealed, o->sealed_len));
    if (err < 0) return err;
    if (!cg_msg_find(&sealed, CG_OPT_OSCORE, &value)) return CG_E_UNPROTECTED;
    err = cg_oscore_option_parse(option, value);
    if (err < 0) return err;
    o->kid = option->kid;
    o->gid = option->has_kid_context ? option->kid_context : cg_oscore_context_id(o->binding->epoch->context);
    return CG_OK;
}

int cg_group_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job, struct cg_opened *opened) {
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
    if (err < 0) *opened = (struct cg_opened){.has_kid = o->kid.len > 0, .kid = o->kid, .gid = o->gid};
    return err;
}

void cg_group_opening_free(struct group_opening *o) {
    if (o != NULL) free_opening(o);
}
