/* Credentials: hostile CBOR, and points that are none. What is accepted can be agreed and verified with. */
#include "input.h"

#include "oscore/ccs.h"
#include "oscore/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cg_ccs ccs;
    struct cg_public_key key;
    uint8_t signature[CG_COSE_SIGNATURE_LEN] = {0};
    if (cg_ccs_parse(&ccs, cg_slice_of(data, size)) != CG_OK) return 0;
    CG_CHECK(ccs.x.len == 32 && (ccs.y.len == 0 || ccs.y.len == 32));
    CG_CHECK(ccs.x.data >= data && ccs.x.data + 32 <= data + size);
    if (cg_public_key_init(&key, ccs.curve, ccs.x, ccs.y, ccs.y_is_odd) != CG_OK) return 0;
    if (key.curve != CG_CURVE_X25519) CG_CHECK(!cg_verify(&key, cg_slice_str("message"), signature));
    cg_public_key_fini(&key);
    return 0;
}
