/* The group as a server: its members' own requests, opened, and answered. The hard thing: the keys may change while a
 * signature is being verified, and a replay window counts only as long as its epoch is in use; so what was begun under
 * another epoch is begun again, and what is said goes out under keys that are in use then. */
#include "group_oscore/binding.h"

#include "oscore/classes.h"

#include <stdlib.h>

enum {
    ATTEMPTS_MAX = 3,   /* epochs that one request is opened or answered under */
    HEADER = 16,        /* bytes of a message beside options and payload, at most */
    SEAL_OVERHEAD = 512 /* option, tag, signature: far less */
};

struct group_incoming {
    struct cg_incoming incoming;
    struct cg_group_oscore *group;
    struct cg_epoch *epoch;  /* a reference: it is opened under it */
    struct cg_epoch *looked; /* a reference: it was looked at under it, so that the account stays */
    struct cg_addr from;
    struct cg_oscore_opening op;
    struct cg_oscore_binding binding; /* once it is verified */
    uint8_t identity[32];
    unsigned attempts;
    bool is_working; /* a job of it is on its way */
    bool released;
    struct cg_crypto_job job;
    /* The answer */
    struct cg_epoch *under; /* a reference: it is sealed under it; NULL: not yet */
    struct cg_sender_wait wait;
    struct cg_oscore_sealing sealing;
    uint8_t code;  /* of the plain one */
    uint8_t *said; /* owned: its options, then its payload */
    size_t options_len, payload_len;
    uint8_t *data;  /* owned: the datagram */
    uint8_t *plain; /* in `bytes`, behind the request as it came: room for what is inside */
    size_t room;
    uint8_t bytes[];
};

static struct group_incoming *of(struct cg_incoming *incoming) {
    return CG_CONTAINER(incoming, struct group_incoming, incoming);
}

static void free_incoming(struct group_incoming *in) {
    cg_epoch_unref(in->epoch);
    cg_epoch_unref(in->looked);
    cg_epoch_unref(in->under);
    free(in->said);
    free(in->data);
    free(in);
}

static bool is_in_use(const struct group_incoming *in, const struct cg_epoch *epoch) {
    return epoch != NULL && (epoch == in->group->current || epoch == in->group->next);
}

/* ---- Whose it is ---- */

static struct cg_oscore_peer *find_in(const struct cg_epoch *epoch, const struct cg_oscore_option *option) {
    if (epoch == NULL || !cg_slice_equal(cg_oscore_context_id(epoch->context), option->kid_context)) return NULL;
    return cg_oscore_peer_find(epoch->context, option->kid);
}

/* Both epochs may have one Gid where they differ in their members only; who is in both is looked for in the one that is
 * in use, so that there is one window that counts. */
static struct cg_oscore_peer *find_sender(const struct cg_group_oscore *group, const struct cg_oscore_option *option,
                                          struct cg_epoch **epoch) {
    struct cg_oscore_peer *peer = find_in(*epoch = group->current, option);
    return peer != NULL ? peer : find_in(*epoch = group->next, option);
}

static int read_option(const struct cg_msg *sealed, struct cg_oscore_option *option) {
    struct cg_slice value;
    int err = cg_oscore_find_option(sealed, &value);
    if (err == CG_OK) err = cg_oscore_option_parse(option, value);
    if (err < 0) return err;
    if (!option->has_kid_context || !option->has_kid) return CG_E_UNAUTHORIZED; /* of no group, at any rate */
    return option->piv.len == 0 ? CG_E_BAD_OPTION : CG_OK;
}

/* Worth asking before anything is done for it. */
static bool is_seen(struct cg_oscore_peer *peer, const struct cg_oscore_option *option) {
    const struct cg_oscore_window *window = cg_oscore_peer_window(peer);
    return !window->invalid && !cg_oscore_window_accepts(window, cg_oscore_piv_parse(option->piv));
}

static struct group_incoming *new_incoming(const struct cg_msg *sealed) {
    size_t len = sealed->options.len + sealed->payload.len, room = CG_OSCORE_OPEN_ROOM(len + HEADER);
    struct group_incoming *in = malloc(sizeof *in + len + room);
    if (in == NULL) return NULL;
    *in = (struct group_incoming){.incoming.outer = *sealed, .room = room};
    memcpy(in->bytes, sealed->options.data, sealed->options.len); /* never empty: the OSCORE option is among them */
    if (sealed->payload.len > 0) memcpy(in->bytes + sealed->options.len, sealed->payload.data, sealed->payload.len);
    in->incoming.outer.options.data = in->bytes;
    in->incoming.outer.payload.data = in->bytes + sealed->options.len;
    in->plain = in->bytes + len;
    return in;
}

static void take_sender(struct group_incoming *in, struct cg_epoch *epoch, const struct cg_oscore_peer *peer) {
    struct cg_slice identity = cg_oscore_peer_fingerprint(peer);
    cg_epoch_ref(epoch);
    cg_epoch_unref(in->epoch);
    in->epoch = epoch;
    memcpy(in->identity, identity.data, sizeof in->identity);
    in->incoming.identity = cg_slice_of(in->identity, sizeof in->identity);
    in->incoming.kid = cg_oscore_peer_id(peer);
}

static int group_look(struct cg_server *server, const struct cg_addr *from, const struct cg_msg *sealed,
                      struct cg_incoming **incoming) {
    struct cg_group_oscore *group = CG_CONTAINER(server, struct cg_group_oscore, server);
    struct cg_oscore_option option;
    struct cg_epoch *epoch;
    if (!cg_code_is_request(sealed->code)) return CG_E_BAD_REQUEST;
    int err = read_option(sealed, &option);
    if (err < 0) return err;
    struct cg_oscore_peer *peer = find_sender(group, &option, &epoch);
    if (peer == NULL) return CG_E_UNAUTHORIZED;
    if (is_seen(peer, &option)) return CG_E_REPLAY;
    struct group_incoming *in = new_incoming(sealed);
    if (in == NULL) return CG_E_NO_MEMORY;
    in->group = group;
    in->from = *from;
    in->incoming.server = server;
    in->incoming.is_home = cg_epoch_is_home(peer, from);
    in->incoming.is_signed = option.group;
    in->incoming.has_pairwise_mode = cg_oscore_has_pairwise_mode(epoch->context);
    in->incoming.account = cg_epoch_account(peer);
    in->looked = cg_epoch_ref(epoch);
    take_sender(in, epoch, peer);
    *incoming = &in->incoming;
    return CG_OK;
}

/* ---- Opening ---- */

static void run_verifying(struct cg_crypto_job *job) {
    cg_oscore_verify_run(&CG_CONTAINER(job, struct group_incoming, job)->op.job);
}

static void on_verified(struct cg_crypto_job *job);

static int begin(struct group_incoming *in);

/* The keys are others now. The window that it was measured by is nobody's any more. */
static int begin_again(struct group_incoming *in) {
    struct cg_oscore_option option;
    struct cg_epoch *epoch;
    int err = read_option(&in->incoming.outer, &option);
    if (err < 0) return err;
    const struct cg_oscore_peer *peer = find_sender(in->group, &option, &epoch);
    if (peer == NULL || ++in->attempts == ATTEMPTS_MAX) return CG_E_UNAUTHORIZED;
    take_sender(in, epoch, peer);
    return begin(in);
}

static int finish(struct group_incoming *in) {
    struct cg_oscore_opened verified;
    struct cg_incoming *incoming = &in->incoming;
    if (!is_in_use(in, in->epoch)) {
        cg_oscore_open_cancel(&in->op);
        return begin_again(in);
    }
    int err = cg_oscore_open_finish(&in->op, NULL, in->plain, in->room, &incoming->request, &verified);
    incoming->is_window_lost = err == CG_E_REPLAY && verified.challenge;
    if (err < 0 && !incoming->is_window_lost) return err;
    in->binding = verified.binding;
    incoming->number = verified.number;
    if (err == CG_OK) cg_epoch_note_report(verified.peer, &in->from);
    return err;
}

static int begin(struct group_incoming *in) {
    int err = cg_oscore_open_request_prepare(&in->op, in->epoch->context, &in->incoming.outer);
    if (err == CG_OK) return finish(in);
    if (err != CG_PENDING) return err;
    struct cg_group_services *services = in->group->services;
    in->job = (struct cg_crypto_job){.run = run_verifying, .done = on_verified};
    in->is_working = true;
    services->crypto->ops->submit(services->crypto, &services->incoming, &in->job);
    return CG_PENDING;
}

static void on_verified(struct cg_crypto_job *job) {
    struct group_incoming *in = CG_CONTAINER(job, struct group_incoming, job);
    in->is_working = false;
    if (in->released || job->cancelled) cg_oscore_open_cancel(&in->op);
    if (in->released) {
        free_incoming(in);
        return;
    }
    int err = job->cancelled ? CG_E_STOPPING : finish(in);
    if (err != CG_PENDING) in->incoming.opened(&in->incoming, err);
}

static int group_open(struct cg_incoming *incoming) { return begin(of(incoming)); }

/* ---- Answering ---- */

static int refuse(struct cg_problem *problem, int err) {
    if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(problem);
    return cg_problem_set(problem, err == CG_E_TOO_BIG ? err : CG_E_PROTECT,
                          "the answer cannot be protected for this security group");
}

static struct cg_oscore_peer *member_under(const struct group_incoming *in, const struct cg_epoch *epoch) {
    return epoch == NULL ? NULL : cg_epoch_find(epoch, in->incoming.identity);
}

/* The request's keys, which its sender has for certain, as long as they are in use; else those that are. */
static struct cg_epoch *epoch_for_answer(const struct group_incoming *in) {
    if (is_in_use(in, in->epoch)) return in->epoch;
    return member_under(in, in->group->current) == NULL ? NULL : in->group->current;
}

static void run_signing(struct cg_crypto_job *job) {
    cg_oscore_sign_run(&CG_CONTAINER(job, struct group_incoming, job)->sealing.job);
}

static void on_signed(struct cg_crypto_job *job);

static int finish_answer(struct group_incoming *in) {
    int len = cg_oscore_seal_finish(&in->sealing);
    if (len < 0) return len;
    return cg_msg_parse(&in->incoming.answer, cg_slice_of(in->data, (size_t)len));
}

/* Encrypts with the number, which is spent whatever follows. CG_PENDING: it is being signed. */
static int encrypt(struct group_incoming *in, uint64_t number) {
    const struct cg_msg plain = {.type = CG_NON,
                                 .code = in->code,
                                 .options = cg_slice_of(in->said, in->options_len),
                                 .payload = cg_slice_of(in->said + in->options_len, in->payload_len)};
    struct cg_oscore_peer *member = member_under(in, in->under);
    /* The kid is said where it need not be, for clients that look a Security Context up by it. */
    const struct cg_oscore_reply reply = {.to = cg_oscore_has_pairwise_mode(in->under->context) ? member : NULL,
                                          .has_number = true,
                                          .number = number,
                                          .with_kid = true,
                                          .with_kid_context = in->under != in->epoch};
    size_t cap = in->options_len + in->payload_len + SEAL_OVERHEAD;
    free(in->data); /* of an attempt under older keys */
    in->data = malloc(cap);
    if (in->data == NULL) return CG_E_NO_MEMORY;
    return cg_oscore_seal_response_prepare(&in->sealing, in->under->context, &reply, &plain, in->data, cap,
                                           &in->binding);
}

static int seal_with(struct group_incoming *in, uint64_t number, struct cg_problem *problem) {
    int err = encrypt(in, number);
    if (err == CG_PENDING) {
        struct cg_crypto *crypto = in->group->services->crypto;
        in->job = (struct cg_crypto_job){.run = run_signing, .done = on_signed};
        in->is_working = true;
        crypto->ops->submit(crypto, NULL, &in->job);
        return CG_PENDING;
    }
    if (err == CG_OK) err = finish_answer(in);
    return err < 0 ? refuse(problem, err) : CG_OK;
}

static int seal_under(struct group_incoming *in, struct cg_epoch *epoch, struct cg_problem *problem) {
    uint64_t number;
    if (epoch == NULL || member_under(in, epoch) == NULL)
        return cg_problem_set(problem, CG_E_PROTECT, "this member has left the security group");
    cg_epoch_ref(epoch);
    cg_epoch_unref(in->under);
    in->under = epoch;
    int err = cg_sender_take(epoch->sender, &in->wait, &number, problem);
    return err == CG_OK ? seal_with(in, number, problem) : err;
}

/* Where the prepared keys cannot send (nobody has claimed them yet), the ones in use are all there is. */
static int seal_or_fall_back(struct group_incoming *in, struct cg_problem *problem) {
    int err = seal_under(in, epoch_for_answer(in), problem);
    const struct cg_group_oscore *group = in->group;
    bool falls_back = err < 0 && in->under != NULL && in->under == group->next && group->current != NULL;
    if (!falls_back) return err;
    *problem = (struct cg_problem){0};
    return seal_under(in, group->current, problem);
}

static void deliver(struct group_incoming *in, int err, const struct cg_problem *problem) {
    in->incoming.sealed(&in->incoming, err, err < 0 ? problem : NULL);
}

/* What was sealed meanwhile under keys that are not in use any more does not go out (R55). */
static bool is_outdated(const struct group_incoming *in) {
    return !is_in_use(in, in->under) && in->attempts < ATTEMPTS_MAX;
}

static void go_on(struct group_incoming *in, int err, struct cg_problem *problem) {
    if (is_outdated(in)) {
        in->attempts++;
        *problem = (struct cg_problem){0};
        err = seal_or_fall_back(in, problem);
    }
    if (err != CG_PENDING) deliver(in, err, problem);
}

static void on_signed(struct cg_crypto_job *job) {
    struct group_incoming *in = CG_CONTAINER(job, struct group_incoming, job);
    struct cg_problem problem = {0};
    in->is_working = false;
    int err = finish_answer(in);
    if (in->released) {
        free_incoming(in);
        return;
    }
    go_on(in, err < 0 ? refuse(&problem, err) : CG_OK, &problem);
}

static void on_number(struct cg_sender_wait *wait, int err, uint64_t number, const struct cg_problem *problem) {
    struct group_incoming *in = wait->ctx;
    struct cg_problem why = {0};
    if (problem != NULL) why = *problem;
    if (err == CG_OK && !is_outdated(in)) {
        err = seal_with(in, number, &why);
        if (err == CG_PENDING) return;
    } else if (err < 0 && in->under == in->group->next && in->group->current != NULL) {
        why = (struct cg_problem){0};
        err = seal_under(in, in->group->current, &why);
        if (err == CG_PENDING) return;
    }
    go_on(in, err, &why);
}

static int group_seal(struct cg_incoming *incoming, uint8_t code, struct cg_slice options, struct cg_slice payload,
                      struct cg_problem *problem) {
    struct group_incoming *in = of(incoming);
    in->said = malloc(options.len + payload.len + 1);
    if (in->said == NULL) return cg_problem_no_memory(problem);
    in->code = code;
    in->options_len = options.len;
    in->payload_len = payload.len;
    if (options.len > 0) memcpy(in->said, options.data, options.len);
    if (payload.len > 0) memcpy(in->said + options.len, payload.data, payload.len);
    in->wait.ready = on_number;
    in->wait.ctx = in;
    in->attempts = 0;
    return seal_or_fall_back(in, problem);
}

static int group_challenge(struct cg_incoming *incoming, struct cg_problem *problem) {
    const struct group_incoming *in = of(incoming);
    uint8_t storage[CG_OSCORE_CHALLENGE_LEN];
    struct cg_msg plain = {0};
    struct cg_oscore_peer *member = is_in_use(in, in->epoch) ? member_under(in, in->epoch) : NULL;
    if (member == NULL) return cg_problem_set(problem, CG_E_PROTECT, "the security group has other keys by now");
    cg_oscore_challenge(member, storage, &plain);
    return group_seal(incoming, plain.code, plain.options, plain.payload, problem);
}

static void group_release_incoming(struct cg_incoming *incoming) {
    if (incoming == NULL) return;
    struct group_incoming *in = of(incoming);
    cg_sender_cancel(&in->wait);
    in->released = true;
    if (!in->is_working) free_incoming(in);
}

const struct cg_server_ops cg_group_server_ops = {.look = group_look,
                                                  .open = group_open,
                                                  .seal = group_seal,
                                                  .challenge = group_challenge,
                                                  .release = group_release_incoming};
