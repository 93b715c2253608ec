/* Why: from a protected message to a verified one. Hard: the order. Who sent it, whether it was seen before, signature,
 * decryption, and only then any change of state, with a second look at the replay window, because the same message may
 * have come twice while the first copy was in the thread pool. */
#include "oscore/state.h"
#include "oscore/classes.h"
#include "oscore/echo.h"
#include "oscore/nonce.h"
#include "oscore/open.h"
#include "base/check.h"

#include <sodium.h>
#include <stdlib.h>

/* RFC 8613 §8.2 and §8.4 step 2, first half: decompress. Outer blocks are not put together (§4.1.3.4.2). */
static int parse(const struct cg_msg *sealed, struct cg_oscore_option *option, struct cg_slice *value) {
    int err = cg_oscore_find_option(sealed, value);
    if (err == CG_OK && cg_oscore_is_fragment(sealed)) err = CG_E_OUTER_BLOCKS;
    return err == CG_OK ? cg_oscore_option_parse(option, *value) : err;
}

/* RFC 10021 §6: is the mode that the Group Flag shows possible with this context? */
static int check_mode(const struct cg_oscore_context *context, bool group_mode) {
    if (group_mode && !context->group) return CG_E_UNAUTHORIZED;
    if (group_mode) return cg_oscore_has_group_mode(context) ? CG_OK : CG_E_BAD_OPTION;
    return cg_oscore_has_pairwise_mode(context) && context->has_sender ? CG_OK : CG_E_BAD_OPTION;
}

static void begin(struct cg_oscore_opening *op, struct cg_oscore_context *context, struct cg_oscore_peer *peer,
                  const struct cg_msg *sealed, bool group_mode) {
    op->context = context;
    op->peer = peer;
    op->group_mode = group_mode;
    op->outer = *sealed;
    cg_oscore_context_ref(context);
    cg_oscore_peer_ref(peer);
}

/* The aad_array, in the first scratch region. */
static int compose_array(const struct cg_oscore_opening *op, struct cg_slice *array) {
    struct cg_oscore_context *context = op->context;
    struct cg_aad aad = cg_oscore_aad(context);
    aad.request_kid = cg_oscore_binding_kid(&op->binding);
    aad.request_piv = cg_oscore_binding_piv(&op->binding);
    aad.request_kid_context = cg_oscore_binding_kid_context(&op->binding);
    aad.option = op->option_value;
    aad.sender_cred = cg_oscore_peer_cred(op->peer);
    int len = cg_aad_emit_array(context->scratch, context->scratch_len, &aad);
    if (len < 0) return len;
    *array = cg_slice_of(context->scratch, (size_t)len);
    return CG_OK;
}

/* RFC 10021 §7.2 and §7.4: SIGNATURE = ENC_SIGNATURE XOR KEYSTREAM, and what it must be a signature of. The job's block
 * also keeps the outer options, so that the datagram need not stay. */
static int prepare_job(struct cg_oscore_opening *op, struct cg_slice piv_id, struct cg_slice piv) {
    struct cg_oscore_verify_job *job = &op->job;
    struct cg_slice array, ciphertext = op->outer.payload, options = op->outer.options;
    size_t shortest = CG_COSE_SIGNATURE_LEN + op->context->group_enc->tag_len + 1;
    if (ciphertext.len < shortest) return CG_E_BAD_OPTION;
    ciphertext.len -= CG_COSE_SIGNATURE_LEN;
    int err = compose_array(op, &array);
    if (err == CG_OK) err = cg_oscore_keystream(op->context, piv_id, piv, op->is_request, job->signature);
    if (err != CG_OK) return err;
    for (size_t i = 0; i < CG_COSE_SIGNATURE_LEN; i++) job->signature[i] ^= ciphertext.data[ciphertext.len + i];
    size_t cap = array.len + ciphertext.len + 64;
    job->message = malloc(cap + options.len);
    if (job->message == NULL) return CG_E_NO_MEMORY;
    int len = cg_aad_emit_countersign_structure(job->message, cap, op->context->countersign_four, array, ciphertext,
                                                &op->array, &op->outer.payload);
    CG_CHECK(len > 0);
    job->len = (size_t)len;
    memcpy(job->message + cap, options.data, options.len); /* never empty: the OSCORE option is among them */
    op->outer.options = cg_slice_of(job->message + cap, options.len);
    cg_public_key_share(&job->key, &op->peer->public_key);
    job->result = CG_PENDING;
    return CG_PENDING;
}

/* Steps 4 and 5, and the preparation of step 6. */
static int prepare(struct cg_oscore_opening *op, struct cg_slice piv_id, struct cg_slice piv) {
    const struct cg_oscore_context *context = op->context;
    const struct cg_cose_cipher *cipher = op->group_mode ? context->group_enc : context->aead;
    int err = CG_OK;
    if (!context->checker) {
        if (piv_id.len > (size_t)cipher->nonce_len - 6) {
            err = CG_E_UNAUTHORIZED;
            goto out;
        }
        cg_oscore_nonce(op->nonce, cipher->nonce_len, piv_id, piv, context->secrets->common_iv);
    }
    err = op->group_mode ? prepare_job(op, piv_id, piv) : cg_oscore_direct_keys(op->peer);
out:
    if (err < 0) cg_oscore_open_cancel(op);
    return err;
}

static void start_binding(struct cg_oscore_binding *binding, const struct cg_oscore_opening *op,
                          const struct cg_oscore_option *option) {
    const struct cg_oscore_context *context = op->context;
    binding->serial = context->serial;
    binding->group_mode = op->group_mode;
    binding->kid_len = (uint8_t)option->kid.len;
    if (option->kid.len > 0) memcpy(binding->kid, option->kid.data, option->kid.len);
    binding->piv_len = (uint8_t)option->piv.len;
    memcpy(binding->piv, option->piv.data, option->piv.len);
    binding->kid_context_len = (uint8_t)context->id_context.len;
    if (context->id_context.len > 0) memcpy(binding->kid_context, context->id_context.data, context->id_context.len);
}

int cg_oscore_open_request_prepare(struct cg_oscore_opening *op, struct cg_oscore_context *context,
                                   const struct cg_msg *sealed) {
    struct cg_oscore_option option;
    struct cg_slice value;
    memset(op, 0, sizeof(*op));
    if (!cg_code_is_request(sealed->code)) return CG_E_BAD_REQUEST;
    int err = parse(sealed, &option, &value);
    if (err != CG_OK) return err;
    if (option.piv.len == 0 || !option.has_kid || (context->group && !option.has_kid_context)) return CG_E_BAD_OPTION;
    if (context->retired || !cg_oscore_context_matches(context, &option)) return CG_E_UNAUTHORIZED;
    err = check_mode(context, option.group);
    if (err != CG_OK) return err;
    struct cg_oscore_peer *peer = cg_oscore_peer_find(context, option.kid);
    if (peer == NULL) return CG_E_UNAUTHORIZED;
    uint64_t number = cg_oscore_piv_parse(option.piv);
    if (!peer->window.invalid && !cg_oscore_window_accepts(&peer->window, number)) return CG_E_REPLAY; /* step 3 */
    begin(op, context, peer, sealed, option.group);
    op->is_request = true;
    op->has_number = true;
    op->number = number;
    op->option_value = value;
    start_binding(&op->binding, op, &option);
    return prepare(op, cg_oscore_binding_kid(&op->binding), cg_oscore_binding_piv(&op->binding));
}

/* RFC 10021 §7.4 step 2: the kid in the response, or the one of the server that the request was meant for; and where it
 * was meant for one, the response has to be that server's, whatever kid it has now. NULL: nobody's. */
static struct cg_oscore_peer *find_responder(const struct cg_oscore_context *context,
                                             const struct cg_oscore_option *option,
                                             const struct cg_oscore_binding *binding) {
    struct cg_slice kid = option->has_kid ? option->kid : cg_slice_of(binding->server_id, binding->server_id_len);
    struct cg_oscore_peer *peer = cg_oscore_peer_find(context, kid);
    if (peer == NULL || !binding->has_server) return peer;
    return memcmp(peer->fingerprint, binding->server, sizeof(binding->server)) == 0 ? peer : NULL;
}

int cg_oscore_open_response_prepare(struct cg_oscore_opening *op, struct cg_oscore_context *context,
                                    const struct cg_msg *sealed, const struct cg_oscore_binding *binding) {
    struct cg_oscore_option option;
    struct cg_slice value;
    memset(op, 0, sizeof(*op));
    if (!cg_code_is_response(sealed->code)) return CG_E_BAD_REQUEST;
    int err = parse(sealed, &option, &value);
    if (err != CG_OK) return err;
    if (!option.has_kid && !binding->has_server) return CG_E_BAD_OPTION; /* RFC 10021 §3.2: there must be one */
    if (!cg_oscore_context_matches(context, &option)) return CG_E_UNAUTHORIZED;
    err = check_mode(context, option.group);
    if (err != CG_OK) return err;
    /* Under another context than the request's, a response brings a Partial IV (RFC 10021 §7.3). */
    bool same_gid = cg_slice_equal(cg_oscore_binding_kid_context(binding), context->id_context);
    if (option.piv.len == 0 && !same_gid) return CG_E_VERIFY;
    struct cg_oscore_peer *peer = find_responder(context, &option, binding);
    if (peer == NULL) return CG_E_UNAUTHORIZED;
    begin(op, context, peer, sealed, option.group);
    op->has_number = option.piv.len > 0;
    op->number = cg_oscore_piv_parse(option.piv);
    op->option_value = value;
    op->binding = *binding;
    if (op->has_number) return prepare(op, cg_oscore_peer_id(peer), option.piv);
    return prepare(op, cg_oscore_binding_kid(&op->binding), cg_oscore_binding_piv(&op->binding));
}

void cg_oscore_verify_run(struct cg_oscore_verify_job *job) {
    bool valid = cg_verify(&job->key, cg_slice_of(job->message, job->len), job->signature);
    job->result = valid ? CG_OK : CG_E_VERIFY;
}

static const uint64_t *number_of(const struct cg_oscore_opening *op) { return op->has_number ? &op->number : NULL; }

bool cg_oscore_open_is_repeat(const struct cg_oscore_opening *op, const struct cg_oscore_answers *answers) {
    return !cg_oscore_answers_accept(answers, op->context->generation, number_of(op), cg_oscore_peer_id(op->peer));
}

/* RFC 8613 step 3 again; RFC 10021 §5.3.1 for responses, §2.6.1.2 for a lost window, which stops all messages of a
 * group's member. A request with a lost window goes on, to see whether it carries our Echo. */
static int check_fresh(const struct cg_oscore_opening *op, const struct cg_oscore_answers *answers) {
    const struct cg_oscore_window *window = &op->peer->window;
    if (op->is_request) {
        bool may_echo = window->invalid && !op->context->checker;
        return may_echo || cg_oscore_window_accepts(window, op->number) ? CG_OK : CG_E_REPLAY;
    }
    if (op->context->group && window->invalid && !window->spares_responses) return CG_E_REPLAY;
    return answers == NULL || !cg_oscore_open_is_repeat(op, answers) ? CG_OK : CG_E_REPLAY;
}

/* What must hold before anything is decrypted. */
static int check_signer(const struct cg_oscore_opening *op) {
    CG_CHECK(op->context != NULL && op->job.result != CG_PENDING);
    if (op->group_mode && op->job.result != CG_OK) return op->job.result;
    if (!op->peer->listed || op->peer->suspended) return CG_E_UNAUTHORIZED;
    if (op->is_request && op->context->retired) return CG_E_UNAUTHORIZED;
    if (!op->group_mode && !cg_aead_key_is_set(&op->peer->receive_key))
        return CG_E_UNAUTHORIZED; /* retired meanwhile */
    return CG_OK;
}

static int check_verified(const struct cg_oscore_opening *op, const struct cg_oscore_answers *answers) {
    int err = check_signer(op);
    return err < 0 ? err : check_fresh(op, answers);
}

/* Step 6. */
static int decrypt(struct cg_oscore_opening *op, uint8_t *to) {
    struct cg_oscore_context *context = op->context;
    struct cg_aead_key *key = &op->peer->receive_key;
    struct cg_slice array = op->array;
    uint8_t *aad = context->scratch + context->scratch_len;
    int err = op->group_mode ? cg_oscore_group_open_key(op->peer, &key) : compose_array(op, &array);
    if (err != CG_OK) return err;
    int len = cg_aad_emit_enc_structure(aad, context->scratch_len, array);
    if (len < 0) return len;
    return cg_aead_open(key, op->nonce, cg_slice_of(aad, (size_t)len), op->outer.payload, to);
}

/* What step 7 of RFC 8613 §8.2 and §8.4 hands on, if it is a message of the right kind. */
static int check_inner(const struct cg_oscore_opening *op, const struct cg_msg *inner) {
    struct cg_slice value;
    if (!op->context->hop && cg_msg_find(inner, CG_OPT_OSCORE, &value)) return CG_E_FORMAT; /* RFC 8613 §4.1.3.7 */
    if (op->is_request) return cg_code_is_request(inner->code) ? CG_OK : CG_E_FORMAT;
    if (!cg_code_is_response(inner->code)) return CG_E_FORMAT;
    /* RFC 8613 §4.1.3.5.2: a notification that nobody asked for. */
    return cg_msg_find(inner, CG_OPT_OBSERVE, &value) && !op->binding.observe ? CG_E_FORMAT : CG_OK;
}

static void mark(struct cg_oscore_opening *op, struct cg_oscore_answers *answers, struct cg_oscore_opened *opened) {
    op->peer->verified = true;
    if (op->is_request)
        cg_oscore_window_mark(&op->peer->window, op->number);
    else if (answers != NULL)
        opened->latest =
            cg_oscore_answers_mark(answers, op->context->generation, number_of(op), cg_oscore_peer_id(op->peer));
    else
        opened->latest = true;
}

static void describe(const struct cg_oscore_opening *op, struct cg_oscore_opened *opened) {
    opened->peer = op->peer;
    opened->group_mode = op->group_mode;
    opened->has_number = op->has_number;
    opened->number = op->number;
    opened->binding = op->binding;
}

/* RFC 10021 §9: with a lost window only a request that echoes our challenge counts, and makes the window valid. */
static int settle_lost_window(struct cg_oscore_opening *op, struct cg_oscore_opened *opened) {
    if (opened->echoed) {
        cg_oscore_window_restart(&op->peer->window, op->number);
        return CG_OK;
    }
    opened->challenge = true;
    opened->binding.needs_number = true;
    return CG_E_REPLAY;
}

static int open_verified(struct cg_oscore_opening *op, struct cg_oscore_answers *answers, uint8_t *data, size_t cap,
                         struct cg_msg *plain, struct cg_oscore_opened *opened) {
    struct cg_msg inner;
    struct cg_msg_writer merged;
    size_t tag_len = op->group_mode ? op->context->group_enc->tag_len : op->context->aead->tag_len;
    if (op->outer.payload.len <= tag_len) return CG_E_BAD_OPTION;
    size_t len = op->outer.payload.len - tag_len, room = op->outer.options.len + len + 4;
    if (cap < len || cap - len < room) return CG_E_TOO_BIG;
    uint8_t *plaintext = data + cap - len;
    int err = decrypt(op, plaintext);
    if (err != CG_OK) return err;
    describe(op, opened);
    bool lost = op->is_request && op->peer->window.invalid;
    if (!lost) mark(op, answers, opened);
    err = cg_msg_parse_inner(&inner, cg_slice_of(plaintext, len));
    if (err == CG_OK) err = check_inner(op, &inner);
    if (err == CG_OK && op->is_request) {
        uint32_t observe;
        opened->binding.observe = cg_msg_find_uint(&inner, CG_OPT_OBSERVE, &observe) && observe == 0;
        opened->echoed = cg_oscore_echo_consume(op->peer, &inner);
        if (lost) err = settle_lost_window(op, opened);
    }
    if (err != CG_OK) {
        sodium_memzero(plaintext, len);
        return err;
    }
    op->peer->verified = true;
    struct cg_slice piv = CG_SLICE_NONE;
    uint8_t piv_bytes[CG_OSCORE_PIV_MAX];
    if (op->has_number) piv = cg_slice_of(piv_bytes, cg_oscore_piv_emit(piv_bytes, op->number));
    merged = (struct cg_msg_writer){.data = data, .cap = room};
    if (op->is_request)
        cg_oscore_merge_request(op->context, &op->outer, &inner, &merged);
    else
        cg_oscore_put_response(&inner, piv, &merged);
    CG_CHECK(!merged.failed);
    *plain = op->outer;
    plain->code = inner.code;
    plain->options = cg_slice_of(data, merged.len);
    plain->payload = inner.payload;
    return CG_OK;
}

int cg_oscore_open_finish(struct cg_oscore_opening *op, struct cg_oscore_answers *answers, uint8_t *data, size_t cap,
                          struct cg_msg *plain, struct cg_oscore_opened *opened) {
    CG_CHECK(!op->context->checker);
    memset(opened, 0, sizeof(*opened));
    int err = check_verified(op, answers);
    if (err == CG_OK) err = open_verified(op, answers, data, cap, plain, opened);
    cg_oscore_open_cancel(op);
    return err;
}

int cg_oscore_check_finish(struct cg_oscore_opening *op, struct cg_oscore_answers *answers,
                           struct cg_oscore_opened *opened) {
    CG_CHECK(op->context->checker);
    memset(opened, 0, sizeof(*opened));
    int err = check_verified(op, answers);
    if (err == CG_OK) {
        describe(op, opened);
        opened->binding.needs_number = true;
        mark(op, answers, opened);
    }
    cg_oscore_open_cancel(op);
    return err;
}

int cg_oscore_check_signer(struct cg_oscore_opening *op, struct cg_oscore_opened *opened) {
    CG_CHECK(op->context->checker);
    memset(opened, 0, sizeof(*opened));
    int err = check_signer(op);
    if (err == CG_OK) describe(op, opened);
    cg_oscore_open_cancel(op);
    return err;
}

void cg_oscore_open_cancel(struct cg_oscore_opening *op) {
    struct cg_oscore_context *context = op->context;
    struct cg_oscore_peer *peer = op->peer;
    cg_public_key_fini(&op->job.key);
    free(op->job.message);
    memset(op, 0, sizeof(*op));
    if (peer != NULL) cg_oscore_peer_unref(peer);
    if (context != NULL) cg_oscore_context_unref(context);
}

static int run_and_finish(struct cg_oscore_opening *op, int err, struct cg_oscore_answers *answers, uint8_t *data,
                          size_t cap, struct cg_msg *plain, struct cg_oscore_opened *opened) {
    memset(opened, 0, sizeof(*opened));
    if (err < 0) return err;
    if (answers != NULL && cg_oscore_open_is_repeat(op, answers)) {
        cg_oscore_open_cancel(op);
        return CG_E_REPLAY;
    }
    if (err == CG_PENDING) cg_oscore_verify_run(&op->job);
    if (op->context->checker) return cg_oscore_check_finish(op, answers, opened);
    return cg_oscore_open_finish(op, answers, data, cap, plain, opened);
}

int cg_oscore_open_request(struct cg_oscore_context *context, const struct cg_msg *sealed, uint8_t *data, size_t cap,
                           struct cg_msg *plain, struct cg_oscore_opened *opened) {
    struct cg_oscore_opening op;
    int err = cg_oscore_open_request_prepare(&op, context, sealed);
    return run_and_finish(&op, err, NULL, data, cap, plain, opened);
}

int cg_oscore_open_response(struct cg_oscore_context *context, const struct cg_msg *sealed,
                            const struct cg_oscore_binding *binding, struct cg_oscore_answers *answers, uint8_t *data,
                            size_t cap, struct cg_msg *plain, struct cg_oscore_opened *opened) {
    struct cg_oscore_opening op;
    int err = cg_oscore_open_response_prepare(&op, context, sealed, binding);
    return run_and_finish(&op, err, answers, data, cap, plain, opened);
}
