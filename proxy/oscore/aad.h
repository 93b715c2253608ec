/* What is authenticated beside the ciphertext: the aad_array, the Enc_structure and the Countersign_structure (RFC 8613
 * §5.4; RFC 10021 §3.1, §3.4; RFC 9338 §3.3). */
#ifndef CG_OSCORE_AAD_H
#define CG_OSCORE_AAD_H

#include "base/err.h"
#include "base/slice.h"

struct cg_aad {
    bool group;                  /* RFC 10021's array; false: RFC 8613's, which has the first five elements */
    int alg_aead, alg_group_enc; /* COSE numbers; CG_COSE_NONE becomes null */
    int alg_signature, alg_agreement;
    struct cg_slice request_kid, request_piv, request_kid_context;
    struct cg_slice option;               /* the OSCORE option's value of the message itself */
    struct cg_slice sender_cred, gm_cred; /* opaque */
};

/* Bytes that suffice for any of the structures with credentials of these lengths and a ciphertext of that length. */
#define CG_AAD_ROOM(sender_cred_len, gm_cred_len) (640 + (sender_cred_len) + (gm_cred_len))

/* The functions below return the length written, or CG_E_TOO_BIG. */

/* The encoded aad_array, that is, the content of the external_aad's byte string. */
int cg_aad_emit_array(uint8_t *to, size_t cap, const struct cg_aad *aad) CG_MUST_CHECK;

/* ["Encrypt0", h'', external_aad]: what the AEAD takes. */
int cg_aad_emit_enc_structure(uint8_t *to, size_t cap, struct cg_slice array) CG_MUST_CHECK;

/* ["CounterSignature0", h'', h'', external_aad, ciphertext]; `four`: without the third element, sign_protected.
 * *content (may be NULL) gets where the ciphertext lies in `to`, *array likewise. */
int cg_aad_emit_countersign_structure(uint8_t *to, size_t cap, bool four, struct cg_slice array,
                                      struct cg_slice ciphertext, struct cg_slice *array_at,
                                      struct cg_slice *ciphertext_at) CG_MUST_CHECK;

#endif
