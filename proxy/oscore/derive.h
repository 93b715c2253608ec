/* HKDF (RFC 5869) and the info arrays that OSCORE feeds it (RFC 8613 §3.2.1; RFC 10021 §2.1.9, §2.3, §2.5.1, §4.2). */
#ifndef CG_OSCORE_DERIVE_H
#define CG_OSCORE_DERIVE_H

#include "base/err.h"
#include "base/slice.h"
#include "oscore/cose.h"

#define CG_INFO_MAX 320 /* an ID Context of 241 bytes and all the rest */

/* info = [id, id_context / nil, alg, type, L]; the length written. id_context NULL: nil. `to` has CG_INFO_MAX bytes and
 * the arguments are within the library's limits. */
size_t cg_info_key(uint8_t *to, struct cg_slice id, const struct cg_slice *id_context, int alg, const char *type,
                   size_t len);

/* info = [id, id_context, is_request, L] for the keystream that encrypts a countersignature. */
size_t cg_info_keystream(uint8_t *to, struct cg_slice id, struct cg_slice id_context, bool is_request, size_t len);

/* HKDF-Extract and HKDF-Expand; CG_E_NO_MEMORY, or CG_E_INTERNAL when the library below fails otherwise. An empty salt
 * is RFC 5869's string of zeros. The pseudorandom key has cg_hash_len(hash) bytes. */
int cg_hkdf(enum cg_hash hash, struct cg_slice salt, struct cg_slice ikm, struct cg_slice info, uint8_t *out,
            size_t len) CG_MUST_CHECK;
int cg_hkdf_extract(enum cg_hash hash, struct cg_slice salt, struct cg_slice ikm, uint8_t *prk) CG_MUST_CHECK;
int cg_hkdf_expand(enum cg_hash hash, const uint8_t *prk, struct cg_slice info, uint8_t *out, size_t len) CG_MUST_CHECK;

#endif
