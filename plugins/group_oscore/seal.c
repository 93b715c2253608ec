/* Sealing a request: number, encryption, signature. The hard thing: a number may have to be waited for (the disk) and so may the
 * signature (a thread), while the cast may end at any moment; the sealing therefore owns everything it needs. */
#include "group_oscore/binding.h"

#include <stdlib.h>

enum { OVERHEAD = 512 }; /* option, tag, signature, outer options: far less */

/* One request on its way. */
struct group_sealing {
    struct cg_sender_wait wait;   /* for a number */
    struct cg_crypto_job signing; /* for a signature */
    struct cg_oscore_sealing op;
    struct cg_binding *binding;
    uint64_t job;               /* the gateway's */
    struct cg_oscore_peer *to;  /* NULL: group mode */
    struct cg_buf plain;
    uint8_t *data; /* the datagram */
};

static void free_sealing(struct group_sealing *s) {
    cg_buf_fini(&s->plain);
    free(s->data);
    free(s);
}

static const char *detail_of(int err) {
    switch (err) {
    case CG_E_TOO_BIG: return "the protected request does not fit into one datagram";
    case CG_E_NO_MEMORY: return "the system has no memory left";
    case CG_E_KEY: return "the keys of the gateway and this member do not agree";
    default: return "the request cannot be protected for this security group";
    }
}

static void fail(struct group_sealing *s, int err, const struct cg_problem *problem) {
    struct cg_problem own = {0};
    if (problem == NULL) {
        if (err != CG_E_TOO_BIG && err != CG_E_NO_MEMORY) err = CG_E_PROTECT;
        cg_problem_set(&own, err, "%s", detail_of(err));
        problem = &own;
    }
    struct cg_binding *binding = s->binding;
    cg_gateway_sealed(binding->group->services->gateway, s->job, err, CG_SLICE_NONE, problem);
    free_sealing(s);
    cg_binding_end_job(binding);
}

static void deliver(struct group_sealing *s) {
    int len = cg_oscore_seal_finish(&s->op);
    if (len < 0) {
        fail(s, len, NULL);
        return;
    }
    struct cg_binding *binding = s->binding;
    struct cg_gateway *gateway = binding->group->services->gateway;
    cg_gateway_sealed(gateway, s->job, CG_OK, cg_slice_of(s->data, (size_t)len), NULL);
    free_sealing(s);
    cg_binding_end_job(binding);
}

static struct group_sealing *sealing_of(struct cg_crypto_job *job) {
    return (struct group_sealing *)((char *)job - offsetof(struct group_sealing, signing));
}

static void run_signing(struct cg_crypto_job *job) { cg_oscore_sign_run(&sealing_of(job)->op.job); }

static void signed_(struct cg_crypto_job *job) { deliver(sealing_of(job)); }

/* Encrypts with the number, which is spent whatever follows. */
static int prepare(struct group_sealing *s, uint64_t number) {
    struct cg_msg plain;
    int err = cg_msg_parse(&plain, cg_buf_slice(&s->plain));
    if (err < 0) return err;
    size_t cap = s->plain.len + OVERHEAD;
    s->data = malloc(cap);
    if (s->data == NULL) return CG_E_NO_MEMORY;
    return cg_oscore_seal_request_prepare(&s->op, s->binding->epoch->context, s->to, number, &plain, s->data, cap,
                                          &s->binding->request);
}

/* The rest once there is a number: CG_PENDING when a signature is being made, CG_OK when the datagram is ready. */
static int seal_with(struct group_sealing *s, uint64_t number) {
    int err = prepare(s, number);
    if (err != CG_PENDING) return err;
    s->signing = (struct cg_crypto_job){.run = run_signing, .done = signed_, .urgent = true};
    struct cg_crypto *crypto = s->binding->group->services->crypto;
    crypto->ops->submit(crypto, NULL, &s->signing);
    return CG_PENDING;
}

static void on_number(struct cg_sender_wait *wait, int err, uint64_t number, const struct cg_problem *problem) {
    struct group_sealing *s = wait->ctx;
    if (err < 0) {
        fail(s, err, problem);
        return;
    }
    err = s->binding->released ? CG_E_STOPPING : seal_with(s, number); /* nobody waits for it any more */
    if (err == CG_OK) deliver(s);
    if (err < 0) fail(s, err, NULL);
}

/* Which member, and in which mode. */
static int choose_mode(const struct cg_epoch *epoch, const struct cg_sealing *sealing, struct cg_oscore_peer **to,
                       struct cg_problem *problem) {
    *to = NULL;
    if (sealing->identity.len > 0) {
        *to = cg_epoch_find(epoch, sealing->identity);
        if (*to == NULL) return cg_problem_set(problem, CG_E_PROTECT, "this member has left the security group");
        if (!cg_oscore_has_pairwise_mode(epoch->context)) *to = NULL; /* by unicast, but in group mode */
    }
    if (*to != NULL || cg_oscore_has_group_mode(epoch->context)) return CG_OK;
    return cg_problem_set(problem, CG_E_PROTECT, "this security group has pairwise mode only: it cannot be asked by multicast");
}

static struct cg_binding *new_binding(struct cg_group_oscore *group) {
    struct cg_binding *binding = calloc(1, sizeof *binding);
    if (binding == NULL) return NULL;
    binding->group = group;
    binding->epoch = cg_epoch_ref(group->current);
    return binding;
}

static struct group_sealing *new_sealing(struct cg_group_oscore *group, uint64_t job) {
    struct group_sealing *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    cg_buf_init(&s->plain, 0);
    s->job = job;
    s->wait.ready = on_number;
    s->wait.ctx = s;
    s->binding = new_binding(group);
    if (s->binding != NULL) return s;
    free_sealing(s);
    return NULL;
}

/* Takes a number and goes as far as it can at once. */
static int start(struct group_sealing *s, struct cg_buf *out, struct cg_problem *problem) {
    uint64_t number;
    int err = cg_sender_take(s->binding->epoch->sender, &s->wait, &number, problem);
    if (err == CG_OK) {
        err = seal_with(s, number);
        if (err == CG_OK) {
            err = cg_oscore_seal_finish(&s->op);
            if (err >= 0) cg_buf_put(out, s->data, (size_t)err);
            if (err >= 0) err = CG_OK;
        }
        if (err < 0) err = cg_problem_set(problem, err == CG_E_TOO_BIG ? err : CG_E_PROTECT, "%s", detail_of(err));
    }
    return err;
}

int cg_group_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                  struct cg_binding **binding, struct cg_problem *problem) {
    struct cg_group_oscore *group = (struct cg_group_oscore *)protector;
    if (group->current == NULL) return cg_problem_set(problem, CG_E_PROTECT, "the security group has no keys");
    struct group_sealing *s = new_sealing(group, job);
    if (s == NULL) return cg_problem_set(problem, CG_E_NO_MEMORY, "the system has no memory left");
    struct cg_binding *made = s->binding;
    int err = cg_sealing_emit(sealing, &s->plain, problem);
    if (err == CG_OK) err = choose_mode(made->epoch, sealing, &s->to, problem);
    if (err == CG_OK) err = start(s, out, problem);
    if (err == CG_PENDING) {
        made->jobs++;
    } else {
        free_sealing(s);
    }
    if (err < 0) {
        cg_binding_free(made);
    } else {
        *binding = made;
    }
    return err;
}
