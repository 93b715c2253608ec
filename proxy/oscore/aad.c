/* Why: both ends must authenticate the same bytes without sending them. Hard: RFC 9338 §3.3, read literally, leaves
 * sign_protected out of an abbreviated countersignature; the implementations that exist sign an empty byte string
 * there. */
#include "oscore/aad.h"
#include "wire/cbor.h"
#include "oscore/cose.h"

static void put_alg(struct cg_cbor_writer *w, int alg) {
    if (alg == CG_COSE_NONE)
        cg_cbor_put_simple(w, CG_CBOR_NULL);
    else
        cg_cbor_put_int(w, alg);
}

static int end(const struct cg_cbor_writer *w) { return w->failed ? CG_E_TOO_BIG : (int)w->len; }

int cg_aad_emit_array(uint8_t *to, size_t cap, const struct cg_aad *aad) {
    struct cg_cbor_writer w = cg_cbor_writer(to, cap);
    cg_cbor_put_head(&w, CG_CBOR_ARRAY, aad->group ? 9 : 5);
    cg_cbor_put_int(&w, 1); /* oscore_version */
    cg_cbor_put_head(&w, CG_CBOR_ARRAY, aad->group ? 4 : 1);
    put_alg(&w, aad->alg_aead);
    if (aad->group) {
        put_alg(&w, aad->alg_group_enc);
        put_alg(&w, aad->alg_signature);
        put_alg(&w, aad->alg_agreement);
    }
    cg_cbor_put_bytes(&w, aad->request_kid);
    cg_cbor_put_bytes(&w, aad->request_piv);
    cg_cbor_put_bytes(&w, CG_SLICE_NONE); /* class I options: there are none */
    if (aad->group) {
        cg_cbor_put_bytes(&w, aad->request_kid_context);
        cg_cbor_put_bytes(&w, aad->option);
        cg_cbor_put_bytes(&w, aad->sender_cred);
        cg_cbor_put_bytes(&w, aad->gm_cred);
    }
    return end(&w);
}

int cg_aad_emit_enc_structure(uint8_t *to, size_t cap, struct cg_slice array) {
    struct cg_cbor_writer w = cg_cbor_writer(to, cap);
    cg_cbor_put_head(&w, CG_CBOR_ARRAY, 3);
    cg_cbor_put_text(&w, "Encrypt0");
    cg_cbor_put_bytes(&w, CG_SLICE_NONE);
    cg_cbor_put_bytes(&w, array);
    return end(&w);
}

int cg_aad_emit_countersign_structure(uint8_t *to, size_t cap, bool four, struct cg_slice array,
                                      struct cg_slice ciphertext, struct cg_slice *array_at,
                                      struct cg_slice *ciphertext_at) {
    struct cg_cbor_writer w = cg_cbor_writer(to, cap);
    cg_cbor_put_head(&w, CG_CBOR_ARRAY, four ? 4 : 5);
    cg_cbor_put_text(&w, "CounterSignature0");
    cg_cbor_put_bytes(&w, CG_SLICE_NONE);            /* body_protected */
    if (!four) cg_cbor_put_bytes(&w, CG_SLICE_NONE); /* sign_protected */
    cg_cbor_put_bytes(&w, array);
    if (array_at != NULL) *array_at = cg_slice_of(to + w.len - array.len, array.len);
    cg_cbor_put_bytes(&w, ciphertext);
    if (ciphertext_at != NULL) *ciphertext_at = cg_slice_of(to + w.len - ciphertext.len, ciphertext.len);
    return end(&w);
}
