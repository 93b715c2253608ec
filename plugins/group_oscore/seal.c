/* Sealing a request: number, encryption, signature. The hard thing: a number may have to be waited for (the disk) and
 * so may the signature (a thread), while the cast may end or the group be rekeyed at any moment; the sealing therefore
 * owns everything it needs, and starts over under the new keys, since who was evicted must not read what goes out
 * afterwards (R55). Requests to a group go out under the keys that are in use; one member is asked under those that are
 * prepared where it is known to have them, because it may have no others any more. */
#include "group_oscore/binding.h"
#include "legs/engine.h"

#include <stdlib.h>

enum { OVERHEAD = 512 }; /* option, tag, signature, outer options: far less */

/* One request on its way. */
struct group_sealing {
    struct cg_sender_wait wait;   /* for a number */
    struct cg_crypto_job signing; /* for a signature */
    struct cg_oscore_sealing op;
    struct cg_binding *binding;
    uint64_t job;              /* the gateway's */
    struct cg_oscore_peer *to; /* NULL: group mode */
    struct cg_buf plain;
    uint8_t *data; /* the datagram */
    size_t len;
};

static void free_sealing(struct group_sealing *s) {
    cg_buf_fini(&s->plain);
    free(s->data);
    free(s);
}

static const char *detail_of(int err) {
    switch (err) {
    case CG_E_TOO_BIG: return "the protected request does not fit into one datagram";
    case CG_E_KEY: return "the keys of the gateway and this member do not agree";
    default: return "the request cannot be protected for this security group";
    }
}

static int refuse(struct cg_problem *problem, int err) {
    if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(problem);
    return cg_problem_set(problem, err == CG_E_TOO_BIG ? err : CG_E_PROTECT, "%s", detail_of(err));
}

/* Ends it: the datagram, or why there is none. */
static void deliver(struct group_sealing *s, int err, const struct cg_problem *problem) {
    struct cg_binding *binding = s->binding;
    struct cg_slice datagram = err < 0 ? CG_SLICE_NONE : cg_slice_of(s->data, s->len);
    cg_engine_sealed(binding->group->services->engine, s->job, err, datagram, problem);
    free_sealing(s);
    cg_binding_end_job(binding);
}

static struct group_sealing *sealing_of(struct cg_crypto_job *job) {
    return CG_CONTAINER(job, struct group_sealing, signing);
}

/* Which member, and in which mode. */
static int choose_mode(struct group_sealing *s, struct cg_problem *problem) {
    const struct cg_tied_request *request = s->binding->request;
    const struct cg_epoch *epoch = request->epoch;
    s->to = NULL;
    if (request->for_one) {
        s->to = cg_epoch_find(epoch, cg_tied_identity(request));
        if (s->to == NULL) return cg_problem_set(problem, CG_E_PROTECT, "this member has left the security group");
        if (!cg_oscore_has_pairwise_mode(epoch->context)) s->to = NULL; /* by unicast, but in group mode */
    }
    if (s->to != NULL || cg_oscore_has_group_mode(epoch->context)) return CG_OK;
    return cg_problem_set(problem, CG_E_PROTECT,
                          "this security group has pairwise mode only: it cannot be asked by multicast");
}

static void run_signing(struct cg_crypto_job *job) { cg_oscore_sign_run(&sealing_of(job)->op.job); }

static void on_signed(struct cg_crypto_job *job);

/* Encrypts with the number, which is spent whatever follows. */
static int encrypt(struct group_sealing *s, uint64_t number) {
    struct cg_msg plain;
    int err = cg_msg_parse(&plain, cg_buf_slice(&s->plain));
    if (err < 0) return err;
    size_t cap = s->plain.len + OVERHEAD;
    free(s->data); /* of an attempt under older keys */
    s->data = malloc(cap);
    if (s->data == NULL) return CG_E_NO_MEMORY;
    struct cg_tied_request *request = s->binding->request;
    return cg_oscore_seal_request_prepare(&s->op, request->epoch->context, s->to, number, &plain, s->data, cap,
                                          &request->binding);
}

static int finish(struct group_sealing *s) {
    int len = cg_oscore_seal_finish(&s->op);
    if (len < 0) return len;
    s->len = (size_t)len;
    return CG_OK;
}

/* The rest once there is a number: CG_PENDING when a signature is being made, CG_OK when the datagram is ready. */
static int seal_with(struct group_sealing *s, uint64_t number) {
    int err = encrypt(s, number);
    if (err == CG_OK) return finish(s);
    if (err != CG_PENDING) return err;
    s->signing = (struct cg_crypto_job){.run = run_signing, .done = on_signed};
    struct cg_crypto *crypto = s->binding->group->services->crypto;
    crypto->ops->submit(crypto, NULL, &s->signing);
    return CG_PENDING;
}

static int start_under(struct group_sealing *s, struct cg_epoch *epoch, struct cg_problem *problem) {
    struct cg_tied_request *request = s->binding->request;
    uint64_t number;
    cg_epoch_ref(epoch);
    cg_epoch_unref(request->epoch);
    request->epoch = epoch;
    int err = choose_mode(s, problem);
    if (err == CG_OK) err = cg_sender_take(epoch->sender, &s->wait, &number, problem);
    if (err != CG_OK) return err;
    err = seal_with(s, number);
    return err >= 0 ? err : refuse(problem, err);
}

/* Where the prepared keys cannot send (nobody has claimed them yet), the ones in use are all there is. */
static bool falls_back(const struct group_sealing *s, int err) {
    struct cg_tied_request *request = s->binding->request;
    if (err >= 0 || request->stays || !cg_tied_is_ahead(s->binding->group, request)) return false;
    request->stays = true;
    return true;
}

/* Under the keys that count now, as far as it goes at once: as seal_with, with *problem set for errors. */
static int start(struct group_sealing *s, struct cg_problem *problem) {
    if (s->binding->group->current == NULL) {
        return cg_problem_set(problem, CG_E_PROTECT, "the security group has no keys");
    }
    int err = start_under(s, cg_group_epoch_for(s->binding), problem);
    if (!falls_back(s, err)) return err;
    *problem = (struct cg_problem){0};
    return start_under(s, cg_group_epoch_for(s->binding), problem);
}

/* Goes on with what a wait has come to: CG_OK, the datagram is ready; CG_PENDING; an error. */
static void go_on(struct group_sealing *s, int err) {
    struct cg_problem problem = {0};
    bool again = cg_group_is_stale(s->binding) || falls_back(s, err);
    if (again && err != CG_PENDING && !s->binding->released) err = start(s, &problem);
    if (err == CG_PENDING) return;
    if (err < 0 && problem.err == 0) err = refuse(&problem, err);
    deliver(s, err, &problem);
}

static void on_signed(struct cg_crypto_job *job) {
    struct group_sealing *s = sealing_of(job);
    go_on(s, finish(s));
}

static void on_number(struct cg_sender_wait *wait, int err, uint64_t number, const struct cg_problem *problem) {
    struct group_sealing *s = wait->ctx;
    const struct cg_binding *binding = s->binding;
    bool other_wanted = cg_group_is_stale(binding) || (err < 0 && cg_tied_is_ahead(binding->group, binding->request));
    if (err < 0 && !other_wanted) {
        deliver(s, err, problem);
    } else if (binding->released || other_wanted) {
        /* Nobody waits for it any more, or it is another sender's that is wanted. */
        go_on(s, CG_E_STOPPING);
    } else {
        go_on(s, seal_with(s, number));
    }
}

/* The beginning */

/* With those of the earlier request that it joins, or on its own. NULL: no memory. */
static struct cg_binding *new_binding(struct cg_group_oscore *group, const struct cg_sealing *sealing) {
    struct cg_binding *binding = calloc(1, sizeof *binding);
    if (binding == NULL) return NULL;
    struct cg_binding *joins = sealing->joins;
    const uint64_t now_us = cg_engine_now(group->services->engine);
    binding->group = group;
    binding->ties = joins != NULL ? cg_ties_join(joins->ties, joins->request, now_us) : cg_ties_new();
    binding->request = cg_tied_request_new(sealing->identity);
    if (binding->ties != NULL && binding->request != NULL) return binding;
    cg_binding_free(binding);
    return NULL;
}

static struct group_sealing *new_sealing(struct cg_group_oscore *group, const struct cg_sealing *sealing,
                                         uint64_t job) {
    struct group_sealing *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    cg_buf_init(&s->plain, 0);
    s->job = job;
    s->wait.ready = on_number;
    s->wait.ctx = s;
    s->binding = new_binding(group, sealing);
    if (s->binding != NULL) return s;
    free_sealing(s);
    return NULL;
}

int cg_group_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                  struct cg_binding **binding, struct cg_problem *problem) {
    struct group_sealing *s = new_sealing(cg_group_oscore_of(protector), sealing, job);
    if (s == NULL) return cg_problem_no_memory(problem);
    struct cg_binding *made = s->binding;
    int err = cg_sealing_emit(sealing, &s->plain, problem);
    if (err == CG_OK) err = start(s, problem);
    if (err == CG_PENDING) {
        made->jobs++;
    } else {
        if (err == CG_OK) cg_buf_put(out, s->data, s->len);
        free_sealing(s);
    }
    if (err < 0) {
        cg_binding_free(made);
    } else {
        *binding = made;
    }
    return err;
}

/* ---- Without sealing ---- */

static int measure(const struct cg_group_oscore *group, const struct cg_sealing *sealing, const struct cg_msg *plain,
                   uint8_t *scratch, size_t cap) {
    const struct cg_epoch *epoch = group->current;
    struct cg_oscore_peer *to = sealing->identity.len > 0 ? cg_epoch_find(epoch, sealing->identity) : NULL;
    if (to != NULL && !cg_oscore_has_pairwise_mode(epoch->context)) to = NULL;
    return cg_oscore_measure_request(epoch->context, to, cg_sender_peek(epoch->sender), plain, scratch, cap);
}

static int measure_plain(const struct cg_group_oscore *group, const struct cg_sealing *sealing,
                         const struct cg_buf *plain) {
    const size_t cap = plain->len + OVERHEAD;
    uint8_t *scratch = malloc(cap);
    struct cg_msg msg;
    if (scratch == NULL) return CG_E_NO_MEMORY;
    int len = cg_msg_parse(&msg, cg_buf_slice(plain));
    if (len == CG_OK) len = measure(group, sealing, &msg, scratch, cap);
    free(scratch);
    return len;
}

int cg_group_measure(struct cg_protector *protector, const struct cg_sealing *sealing, size_t *size,
                     struct cg_problem *problem) {
    const struct cg_group_oscore *group = cg_group_oscore_of(protector);
    struct cg_buf plain;
    if (group->current == NULL) return cg_problem_set(problem, CG_E_PROTECT, "the security group has no keys");
    cg_buf_init(&plain, 0);
    int len = cg_sealing_emit(sealing, &plain, problem);
    if (len == CG_OK && (len = measure_plain(group, sealing, &plain)) < 0) refuse(problem, len);
    cg_buf_fini(&plain);
    *size = len < 0 ? 0 : (size_t)len;
    return len < 0 ? len : CG_OK;
}
