/* Relaying: what the client and the members protected is theirs. The hard thing is what the gateway may still say: the
 * kid of an answer is shown but proves nothing, so members are told apart by address; and a replay is what was sent
 * before, not what was looked at before. */
#include "relay/relay.h"
#include "legs/engine.h"
#include "base/container.h"

#include <stdlib.h>

#include "legs/protector.h"
#include "oscore/digest.h"
#include "oscore/oscore.h"

struct cg_relay {
    struct cg_protector protector;
    const struct cg_relay_services *services;
    struct cg_oscore_context *checker; /* NULL: nothing is checked */
};

/* What a checked request may go out as. Its cast's or ask's, and its check's. */
struct cg_binding {
    uint32_t refs;
    struct cg_oscore_context *checker; /* a reference: who checks it, or has; NULL: nobody yet */
    struct cg_window *window;          /* NULL: not admitted yet */
    uint64_t number;
    struct cg_claim claim;
};

/* One request whose countersignature is being checked, and whose number is then being kept. */
struct relay_check {
    struct cg_crypto_job verifying;
    struct cg_windows_wait admission;
    struct cg_oscore_opening op;
    struct cg_relay *relay;
    struct cg_binding *binding; /* a reference */
    uint64_t job;               /* the gateway's */
    struct cg_buf datagram;
};

/* Bindings */

static void set_checker(struct cg_binding *binding, struct cg_oscore_context *checker) {
    if (checker != NULL) cg_oscore_context_ref(checker);
    if (binding->checker != NULL) cg_oscore_context_unref(binding->checker);
    binding->checker = checker;
}

static void release(struct cg_binding *binding) {
    if (binding == NULL || --binding->refs > 0) return;
    set_checker(binding, NULL);
    free(binding);
}

/* One whom nobody knows is the same only within his exchange. */
static void make_claim(struct cg_claim *claim, const struct cg_sealing *sealing, struct cg_slice option) {
    struct cg_ticket origin = sealing->client.len > 0 ? (struct cg_ticket){0} : sealing->origin;
    const struct cg_slice parts[] = {sealing->client, cg_slice_of(&origin, sizeof origin),
                                     cg_slice_of(&sealing->method, sizeof sealing->method), option, sealing->payload};
    cg_digest(claim->bytes, parts, sizeof parts / sizeof *parts);
}

/* With another credential a kid is somebody else. */
static struct cg_window_id window_id(const struct cg_oscore_context *checker, const struct cg_oscore_peer *peer) {
    struct cg_window_id id;
    const struct cg_slice parts[] = {cg_oscore_context_id(checker), cg_oscore_signature_encryption_key(checker),
                                     cg_oscore_peer_id(peer), cg_oscore_peer_cred(peer)};
    cg_digest(id.bytes, parts, sizeof parts / sizeof *parts);
    return id;
}

/* Checking */

static int refuse(struct cg_problem *problem, int err) {
    switch (err) {
    case CG_E_REPLAY: return cg_problem_set(problem, CG_E_UNAUTHORIZED, "this protected request was relayed before");
    case CG_E_NO_MEMORY: return cg_problem_no_memory(problem);
    case CG_E_STORE: return err; /* it says why itself */
    case CG_E_INTERNAL: return cg_problem_set(problem, err, "the countersignature could not be checked");
    default:
        return cg_problem_set(problem, CG_E_UNAUTHORIZED,
                              "the request's countersignature is not that of a member of the mapping's security group");
    }
}

static void run_verifying(struct cg_crypto_job *job) {
    cg_oscore_verify_run(&CG_CONTAINER(job, struct relay_check, verifying)->op.job);
}

static void on_verified(struct cg_crypto_job *job);
static void on_admitted(struct cg_windows_wait *wait, int err, const struct cg_problem *problem);

static void free_check(struct relay_check *check) {
    cg_buf_fini(&check->datagram);
    release(check->binding);
    free(check);
}

/* With the checker that counts now: CG_PENDING, or an error with nothing under way. */
static int begin_check(struct relay_check *check) {
    struct cg_relay *relay = check->relay;
    struct cg_msg msg;
    set_checker(check->binding, relay->checker);
    int err = cg_msg_parse(&msg, cg_buf_slice(&check->datagram));
    if (err == CG_OK) err = cg_oscore_open_request_prepare(&check->op, relay->checker, &msg);
    if (err == CG_OK) { /* pairwise mode: there is no signature to check */
        cg_oscore_open_cancel(&check->op);
        err = CG_E_UNAUTHORIZED;
    }
    if (err != CG_PENDING) return err;
    check->verifying = (struct cg_crypto_job){.run = run_verifying, .done = on_verified};
    relay->services->crypto->ops->submit(relay->services->crypto, NULL, &check->verifying);
    return CG_PENDING;
}

static int admit(struct relay_check *check, const struct cg_oscore_opened *opened, struct cg_problem *problem) {
    const struct cg_relay_services *services = check->relay->services;
    check->binding->number = opened->number;
    check->admission = (struct cg_windows_wait){.id = window_id(check->binding->checker, opened->peer),
                                                .number = opened->number,
                                                .claim = check->binding->claim,
                                                .now_us = cg_engine_now(services->engine),
                                                .ready = on_admitted};
    return cg_windows_admit(services->windows, &check->admission, problem);
}

static void finish(struct relay_check *check, int err, struct cg_problem *problem) {
    if (err < 0) err = refuse(problem, err);
    check->binding->window = err < 0 ? NULL : check->admission.window;
    struct cg_slice datagram = err < 0 ? CG_SLICE_NONE : cg_buf_slice(&check->datagram);
    cg_engine_sealed(check->relay->services->engine, check->job, err, datagram, problem);
    free_check(check);
}

static void on_admitted(struct cg_windows_wait *wait, int err, const struct cg_problem *problem) {
    struct relay_check *check = CG_CONTAINER(wait, struct relay_check, admission);
    struct cg_problem own = *problem;
    finish(check, err, &own);
}

static void on_verified(struct cg_crypto_job *job) {
    struct relay_check *check = CG_CONTAINER(job, struct relay_check, verifying);
    struct cg_oscore_opened opened;
    struct cg_problem problem = {.retry_after = 1};
    int err;
    if (check->binding->checker == check->relay->checker) {
        err = cg_oscore_check_signer(&check->op, &opened);
        if (err == CG_OK) err = admit(check, &opened, &problem);
    } else { /* replaced meanwhile */
        cg_oscore_open_cancel(&check->op);
        err = begin_check(check);
    }
    if (err != CG_PENDING) finish(check, err, &problem);
}

/* There is one. */
static struct cg_slice protection_of(const struct cg_opts *options) {
    size_t at = 0;
    while (options->list[at].number != CG_OPT_OSCORE) at++;
    return options->list[at].value;
}

/* NULL: out of memory. */
static struct relay_check *new_check(struct cg_relay *relay, const struct cg_sealing *sealing, uint64_t job) {
    struct relay_check *check = calloc(1, sizeof *check);
    struct cg_binding *binding = calloc(1, sizeof *binding);
    if (check == NULL || binding == NULL) {
        free(check);
        free(binding);
        return NULL;
    }
    binding->refs = 1;
    make_claim(&binding->claim, sealing, protection_of(&sealing->options));
    cg_buf_init(&check->datagram, 0);
    check->relay = relay;
    check->binding = binding;
    check->job = job;
    return check;
}

static int check_request(struct cg_relay *relay, const struct cg_sealing *sealing, uint64_t job,
                         struct cg_binding **binding, struct cg_problem *problem) {
    struct relay_check *check = new_check(relay, sealing, job);
    if (check == NULL) return cg_problem_no_memory(problem);
    int err = cg_sealing_emit(sealing, &check->datagram, problem);
    if (err == CG_OK) {
        err = begin_check(check);
        if (err < 0) err = refuse(problem, err);
    }
    if (err == CG_PENDING) {
        *binding = check->binding;
        check->binding->refs++;
    } else {
        free_check(check);
    }
    return err;
}

/* The protector */

/* How many OSCORE options there are, and the value of the first. */
static size_t read_protection(const struct cg_msg *msg, struct cg_slice *value) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    size_t count = 0;
    cg_opt_iter_init(&iter, msg);
    while (cg_opt_next(&iter, &opt)) {
        if (opt.number == CG_OPT_OSCORE && count++ == 0) *value = opt.value;
    }
    return count;
}

static size_t count_protections(const struct cg_opts *options) {
    size_t count = 0;
    for (size_t i = 0; i < options->count; i++) count += options->list[i].number == CG_OPT_OSCORE;
    return count;
}

/* RFC 8613 §2: there is one OSCORE option, and a payload. What its value means is between the endpoints. */
static int check_form(const struct cg_sealing *sealing, struct cg_problem *problem) {
    size_t count = count_protections(&sealing->options);
    if (count == 0) {
        return cg_problem_set(problem, CG_E_UNAUTHORIZED,
                              "this mapping relays requests that the client has protected (OSCORE option)");
    }
    if (count > 1) return cg_problem_set(problem, CG_E_BAD_REQUEST, "the OSCORE option is not repeatable");
    if (sealing->payload.len == 0) {
        return cg_problem_set(problem, CG_E_BAD_REQUEST, "a protected request has a payload (RFC 8613 section 2)");
    }
    return CG_OK;
}

/* Pairwise mode has no signature: only the one member that it is for can check it, and to a group it says nothing. */
static bool is_pairwise_for_one(const struct cg_sealing *sealing) {
    struct cg_oscore_option option;
    bool is_known = cg_oscore_option_parse(&option, protection_of(&sealing->options)) == CG_OK;
    return sealing->is_for_one && is_known && !option.group;
}

static int relay_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job,
                      struct cg_buf *out, struct cg_binding **binding, struct cg_problem *problem) {
    struct cg_relay *relay = CG_CONTAINER(protector, struct cg_relay, protector);
    *binding = NULL;
    int err = check_form(sealing, problem);
    if (err < 0) return err;
    bool is_checked = relay->checker != NULL && !is_pairwise_for_one(sealing);
    if (is_checked) return check_request(relay, sealing, job, binding, problem);
    return cg_sealing_emit(sealing, out, problem);
}

/* What a member says that could not open the request (RFC 8613 §8.2). Anybody could have sent it, so it takes no
 * protected answer's place. */
static int open_error(const struct cg_msg *msg, struct cg_opened *opened) {
    *opened = (struct cg_opened){.code = msg->code,
                                 .options = msg->options,
                                 .payload = msg->payload,
                                 .verified = CASTGATE_VERIFIED_NONE,
                                 .overtaken = true};
    return msg->code >= CG_CODE(4, 0) && cg_code_is_response(msg->code) ? CG_OK : CG_E_UNPROTECTED;
}

static int relay_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                      struct cg_opened *opened) {
    (void)protector;
    (void)job;
    const struct cg_msg *msg = opening->msg;
    struct cg_slice value = CG_SLICE_NONE;
    size_t count = read_protection(msg, &value);
    if (count == 0) return open_error(msg, opened);
    if (count > 1 || value.len > CG_OSCORE_OPTION_MAX) return CG_E_BAD_OPTION;
    if (msg->payload.len == 0) return CG_E_FORMAT;
    struct cg_oscore_option option;
    bool is_known = cg_oscore_option_parse(&option, value) == CG_OK; /* else of another version: the client's affair */
    *opened = (struct cg_opened){
        .code = msg->code,
        .options = msg->options,
        .payload = msg->payload,
        .verified = CASTGATE_VERIFIED_NONE,
        .has_kid = is_known && option.has_kid,
        .kid = is_known ? option.kid : CG_SLICE_NONE,
    };
    return CG_OK;
}

/* Who signed it may be a member no more. */
static bool relay_is_stale(struct cg_protector *protector, const struct cg_binding *binding) {
    return binding != NULL && binding->checker != (CG_CONTAINER(protector, struct cg_relay, protector))->checker;
}

static int relay_leave(struct cg_protector *protector, const struct cg_binding *binding, struct cg_problem *problem) {
    const struct cg_relay_services *services = (CG_CONTAINER(protector, struct cg_relay, protector))->services;
    if (binding == NULL || binding->window == NULL) return CG_OK;
    int err = cg_window_check(binding->window, binding->number, &binding->claim, cg_engine_now(services->engine));
    return err < 0 ? refuse(problem, err) : CG_OK;
}

static void relay_left(struct cg_protector *protector, const struct cg_binding *binding) {
    const struct cg_relay_services *services = (CG_CONTAINER(protector, struct cg_relay, protector))->services;
    if (binding == NULL || binding->window == NULL) return;
    cg_window_sent(binding->window, binding->number, &binding->claim, cg_engine_now(services->engine));
}

static void relay_release(struct cg_protector *protector, struct cg_binding *binding) {
    (void)protector;
    release(binding);
}

static const struct cg_protector_ops relay_ops = {
    .name = "relay",
    .seal = relay_seal,
    .open = relay_open,
    .is_stale = relay_is_stale,
    .leave = relay_leave,
    .left = relay_left,
    .release = relay_release,
};

struct cg_relay *cg_relay_new(const struct cg_relay_services *services) {
    struct cg_relay *relay = calloc(1, sizeof *relay);
    if (relay != NULL) *relay = (struct cg_relay){.protector.ops = &relay_ops, .services = services};
    return relay;
}

void cg_relay_set_checker(struct cg_relay *relay, struct cg_oscore_context *checker) {
    if (relay->checker != NULL) cg_oscore_context_unref(relay->checker);
    relay->checker = checker;
}

void cg_relay_free(struct cg_relay *relay) {
    if (relay == NULL) return;
    if (relay->checker != NULL) cg_oscore_context_unref(relay->checker);
    free(relay);
}

struct cg_protector *cg_relay_protector(struct cg_relay *relay) {
    return &relay->protector;
}
