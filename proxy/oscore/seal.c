/* Why: from a plain CoAP message to a protected one. Hard: never to use a nonce twice with one key. A number is marked
 * as used before anything is encrypted with it, a request's nonce serves one response at most, and everything that can
 * fail for lack of room fails before that. The steps are numbered as in RFC 8613 §8.1 and §8.3. */
#include "oscore/state.h"
#include "oscore/classes.h"
#include "oscore/nonce.h"
#include "oscore/seal.h"
#include "base/check.h"

#include <sodium.h>
#include <stdlib.h>

/* One message to be sealed, of either kind. */
struct draft {
    struct cg_oscore_context *context;
    const struct cg_msg *plain;
    const struct cg_oscore_binding *binding;
    struct cg_oscore_option option;
    struct cg_slice piv_id, piv; /* what the nonce is made of */
    struct cg_aead_key *key;
    bool is_request, group_mode;
    uint8_t option_value[CG_OSCORE_OPTION_MAX];
    struct cg_slice option_slice;
    uint8_t *body; /* plaintext, then ciphertext, in the caller's datagram */
    size_t body_len;
};

static bool has_option(const struct cg_msg *msg, uint16_t number) {
    struct cg_slice value;
    return cg_msg_find(msg, number, &value);
}

/* Step 1: the Sender Context, and the key for the mode. */
static int choose_key(struct draft *draft, struct cg_oscore_peer *to) {
    struct cg_oscore_context *context = draft->context;
    if (!context->has_sender || context->retired) return CG_E_PROTECT;
    draft->group_mode = to == NULL;
    if (to == NULL) {
        if (!context->group || !cg_oscore_has_group_mode(context)) return CG_E_PROTECT;
        draft->key = &context->group_send_key;
        return CG_OK;
    }
    CG_CHECK(to->context == context);
    if (!cg_oscore_has_pairwise_mode(context) || !to->listed || to->suspended) return CG_E_PROTECT;
    draft->key = &to->send_key;
    return cg_oscore_direct_keys(to);
}

static bool number_is_usable(const struct cg_oscore_context *context, uint64_t number) {
    return number <= CG_OSCORE_NUMBER_MAX && cg_oscore_window_accepts(&context->sent, number);
}

/* Step 2, plaintext, and step 5: the datagram with the plaintext where the ciphertext will be. Room for tag and
 * signature is left. */
static int compose(struct draft *draft, uint8_t *data, size_t cap) {
    const struct cg_msg *plain = draft->plain;
    struct cg_msg_writer outer, inner;
    size_t behind = draft->key->cipher->tag_len + (draft->group_mode ? CG_COSE_SIGNATURE_LEN : 0);
    int len = cg_oscore_option_emit(draft->option_value, &draft->option);
    if (len < 0) return len;
    draft->option_slice = cg_slice_of(draft->option_value, (size_t)len);
    cg_msg_begin(&outer, data, cap, plain->type, cg_oscore_outer_code(plain), plain->mid, plain->token);
    int err = cg_oscore_put_outer(draft->context, plain, draft->option_slice, &outer);
    if (err != CG_OK) return err;
    if (outer.failed || cap - outer.len < 1 + behind) return CG_E_TOO_BIG;
    data[outer.len] = 0xff;
    draft->body = data + outer.len + 1;
    cg_msg_begin_inner(&inner, draft->body, cap - outer.len - 1 - behind, plain->code);
    err = cg_oscore_put_inner(draft->context, plain, &inner);
    if (err != CG_OK) return err;
    cg_msg_put_payload(&inner, plain->payload);
    len = cg_msg_end(&inner);
    if (len < 0) return len;
    draft->body_len = (size_t)len;
    return CG_OK;
}

/* Step 2, AAD: the aad_array goes to the first scratch region, the Enc_structure to the second. */
static int compose_aad(const struct draft *draft, struct cg_slice *array, struct cg_slice *enc_structure) {
    struct cg_oscore_context *context = draft->context;
    struct cg_aad aad = cg_oscore_aad(context);
    aad.request_kid = cg_oscore_binding_kid(draft->binding);
    aad.request_piv = cg_oscore_binding_piv(draft->binding);
    aad.request_kid_context = cg_oscore_binding_kid_context(draft->binding);
    aad.option = draft->option_slice;
    aad.sender_cred = context->cred;
    int len = cg_aad_emit_array(context->scratch, context->scratch_len, &aad);
    if (len < 0) return len;
    *array = cg_slice_of(context->scratch, (size_t)len);
    len = cg_aad_emit_enc_structure(context->scratch + context->scratch_len, context->scratch_len, *array);
    if (len < 0) return len;
    *enc_structure = cg_slice_of(context->scratch + context->scratch_len, (size_t)len);
    return CG_OK;
}

/* RFC 10021 §7.1 and §7.3, step 5: what is to be signed, and the keystream that will hide the signature. */
static int prepare_signature(struct cg_oscore_sealing *op, const struct draft *draft, struct cg_slice array) {
    struct cg_slice ciphertext = cg_slice_of(draft->body, draft->body_len);
    size_t cap = array.len + ciphertext.len + 64;
    op->job.message = malloc(cap);
    if (op->job.message == NULL) return CG_E_NO_MEMORY;
    int len = cg_aad_emit_countersign_structure(op->job.message, cap, draft->context->countersign_four, array,
                                                ciphertext, NULL, NULL);
    CG_CHECK(len > 0);
    op->job.len = (size_t)len;
    op->job.key = &draft->context->private_key;
    op->signature_at = draft->body + draft->body_len;
    return cg_oscore_keystream(draft->context, draft->piv_id, draft->piv, draft->is_request, op->keystream);
}

/* Steps 3 and 4. */
static int encrypt(struct cg_oscore_sealing *op, struct draft *draft, uint8_t *data) {
    const struct cg_cose_cipher *cipher = draft->key->cipher;
    struct cg_slice array, enc_structure;
    uint8_t nonce[CG_COSE_NONCE_MAX];
    int err = compose_aad(draft, &array, &enc_structure);
    if (err != CG_OK) return err;
    cg_oscore_nonce(nonce, cipher->nonce_len, draft->piv_id, draft->piv, draft->context->secrets->common_iv);
    err = cg_aead_seal(draft->key, nonce, enc_structure, draft->body, draft->body_len);
    if (err != CG_OK) return err;
    draft->body_len += cipher->tag_len;
    op->len = (size_t)(draft->body - data) + draft->body_len;
    if (!draft->group_mode) return CG_OK;
    op->len += CG_COSE_SIGNATURE_LEN;
    return prepare_signature(op, draft, array);
}

static int seal(struct cg_oscore_sealing *op, struct draft *draft, const uint64_t *number, uint8_t *data, size_t cap) {
    memset(op, 0, sizeof(*op));
    int err = compose(draft, data, cap);
    if (err != CG_OK) return err;
    if (number != NULL) cg_oscore_window_mark(&draft->context->sent, *number);
    op->context = draft->context;
    cg_oscore_context_ref(op->context);
    err = encrypt(op, draft, data);
    if (err != CG_OK) {
        sodium_memzero(draft->body, draft->body_len); /* it may still be the plaintext */
        cg_oscore_seal_cancel(op);
        return err;
    }
    op->job.result = draft->group_mode ? CG_PENDING : CG_OK;
    return op->job.result;
}

static void start_binding(struct cg_oscore_binding *binding, const struct draft *draft, uint64_t number) {
    const struct cg_oscore_context *context = draft->context;
    uint32_t observe;
    memset(binding, 0, sizeof(*binding));
    binding->serial = context->serial;
    binding->group_mode = draft->group_mode;
    binding->observe = cg_msg_find_uint(draft->plain, CG_OPT_OBSERVE, &observe) && observe == 0;
    binding->piv_len = (uint8_t)cg_oscore_piv_emit(binding->piv, number);
    binding->kid_len = (uint8_t)context->sender_id_len;
    memcpy(binding->kid, context->sender_id, context->sender_id_len);
    binding->kid_context_len = (uint8_t)context->id_context.len;
    if (context->id_context.len > 0) memcpy(binding->kid_context, context->id_context.data, context->id_context.len);
}

static void draft_request(struct draft *draft, struct cg_oscore_binding *binding, uint64_t number) {
    const struct cg_oscore_context *context = draft->context;
    start_binding(binding, draft, number);
    draft->piv_id = cg_oscore_binding_kid(binding);
    draft->piv = cg_oscore_binding_piv(binding);
    draft->option = (struct cg_oscore_option){
        .group = draft->group_mode,
        .piv = draft->piv,
        .has_kid = true,
        .kid = draft->piv_id,
        .has_kid_context = context->send_id_context,
        .kid_context = context->id_context,
    };
}

int cg_oscore_measure_request(struct cg_oscore_context *context, struct cg_oscore_peer *to, uint64_t number,
                              const struct cg_msg *plain, uint8_t *scratch, size_t cap) {
    struct cg_oscore_binding binding;
    struct draft draft = {.context = context, .plain = plain, .binding = &binding, .is_request = true};
    if (!cg_code_is_request(plain->code)) return CG_E_BAD_REQUEST;
    int err = choose_key(&draft, to);
    if (err != CG_OK) return err;
    draft_request(&draft, &binding, number);
    err = compose(&draft, scratch, cap);
    if (err != CG_OK) return err;
    const size_t head = (size_t)(draft.body - scratch), signature = draft.group_mode ? CG_COSE_SIGNATURE_LEN : 0;
    return (int)(head + draft.body_len + draft.key->cipher->tag_len + signature);
}

int cg_oscore_seal_request_prepare(struct cg_oscore_sealing *op, struct cg_oscore_context *context,
                                   struct cg_oscore_peer *to, uint64_t number, const struct cg_msg *plain,
                                   uint8_t *data, size_t cap, struct cg_oscore_binding *binding) {
    struct draft draft = {.context = context, .plain = plain, .binding = binding, .is_request = true};
    if (!cg_code_is_request(plain->code)) return CG_E_BAD_REQUEST;
    int err = choose_key(&draft, to);
    if (err != CG_OK) return err;
    if (!number_is_usable(context, number)) return CG_E_PROTECT;
    if (draft.group_mode && cg_oscore_has_pairwise_mode(context) && has_option(plain, CG_OPT_ECHO)) return CG_E_PROTECT;
    draft_request(&draft, binding, number);
    if (to != NULL) cg_oscore_binding_expect(binding, to);
    return seal(op, &draft, &number, data, cap);
}

/* RFC 8613 §8.3 step 3, RFC 10021 §5.3.1, §7.3, §9: when a response must bring its own Partial IV. */
static bool may_reuse_nonce(const struct draft *draft) {
    const struct cg_oscore_binding *binding = draft->binding;
    bool challenge = draft->plain->code == CG_CODE(4, 1) && has_option(draft->plain, CG_OPT_ECHO);
    return !binding->needs_number && binding->serial == draft->context->serial && !challenge;
}

int cg_oscore_seal_response_prepare(struct cg_oscore_sealing *op, struct cg_oscore_context *context,
                                    const struct cg_oscore_reply *reply, const struct cg_msg *plain, uint8_t *data,
                                    size_t cap, struct cg_oscore_binding *binding) {
    struct draft draft = {.context = context, .plain = plain, .binding = binding};
    uint8_t piv[CG_OSCORE_PIV_MAX];
    if (!cg_code_is_response(plain->code)) return CG_E_BAD_REQUEST;
    int err = choose_key(&draft, reply->to);
    if (err != CG_OK) return err;
    if (reply->has_number ? !number_is_usable(context, reply->number) : !may_reuse_nonce(&draft)) return CG_E_PROTECT;
    draft.piv_id = cg_oscore_binding_kid(binding);
    draft.piv = cg_oscore_binding_piv(binding);
    draft.option.group = draft.group_mode;
    if (reply->has_number) {
        draft.piv_id = cg_oscore_sender_id(context);
        draft.piv = cg_slice_of(piv, cg_oscore_piv_emit(piv, reply->number));
        draft.option.piv = draft.piv;
    }
    bool other_gid = !cg_slice_equal(cg_oscore_binding_kid_context(binding), context->id_context);
    draft.option.has_kid = (context->group && binding->group_mode) || reply->with_kid;
    draft.option.kid = cg_oscore_sender_id(context);
    draft.option.has_kid_context =
        (context->group && other_gid) || (reply->with_kid_context && context->has_id_context);
    draft.option.kid_context = context->id_context;
    err = seal(op, &draft, reply->has_number ? &reply->number : NULL, data, cap);
    if (err >= 0) binding->needs_number = true;
    return err;
}

void cg_oscore_sign_run(struct cg_oscore_sign_job *job) {
    job->result = cg_sign(job->key, cg_slice_of(job->message, job->len), job->signature);
}

int cg_oscore_seal_finish(struct cg_oscore_sealing *op) {
    CG_CHECK(op->context != NULL && op->job.result != CG_PENDING);
    int result = op->job.result == CG_OK ? (int)op->len : op->job.result;
    if (result >= 0 && op->signature_at != NULL)
        for (size_t i = 0; i < CG_COSE_SIGNATURE_LEN; i++)
            op->signature_at[i] = op->job.signature[i] ^ op->keystream[i];
    cg_oscore_seal_cancel(op);
    return result;
}

void cg_oscore_seal_cancel(struct cg_oscore_sealing *op) {
    struct cg_oscore_context *context = op->context;
    free(op->job.message);
    sodium_memzero(op, sizeof(*op));
    if (context != NULL) cg_oscore_context_unref(context);
}

static int run_and_finish(struct cg_oscore_sealing *op, int err) {
    if (err < 0) return err;
    if (err == CG_PENDING) cg_oscore_sign_run(&op->job);
    return cg_oscore_seal_finish(op);
}

int cg_oscore_seal_request(struct cg_oscore_context *context, struct cg_oscore_peer *to, uint64_t number,
                           const struct cg_msg *plain, uint8_t *data, size_t cap, struct cg_oscore_binding *binding) {
    struct cg_oscore_sealing op;
    return run_and_finish(&op, cg_oscore_seal_request_prepare(&op, context, to, number, plain, data, cap, binding));
}

int cg_oscore_seal_response(struct cg_oscore_context *context, const struct cg_oscore_reply *reply,
                            const struct cg_msg *plain, uint8_t *data, size_t cap, struct cg_oscore_binding *binding) {
    struct cg_oscore_sealing op;
    return run_and_finish(&op, cg_oscore_seal_response_prepare(&op, context, reply, plain, data, cap, binding));
}
