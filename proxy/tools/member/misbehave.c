/* Wrong answers (--misbehave). Each kind is what one fault of a real device would look like on the wire. */
#include <stdlib.h>

#include "tools/member/private.h"

void cg_fleet_misbehave(const struct cg_fleet_arrival *in, uint16_t request_mid, struct cg_fleet_head *head,
                        struct cg_resource_response *response) {
    struct cg_prng *prng = &in->member->prng;
    switch (in->fleet->options->misbehave) {
    case CG_MISBEHAVE_OVERSIZED:
        response->has_block2 = response->has_size2 = false;
        response->payload = cg_slice_of(in->fleet->oversized, sizeof in->fleet->oversized);
        break;
    case CG_MISBEHAVE_CON:
        if (head->type == CG_NON) head->type = CG_CON;
        break;
    case CG_MISBEHAVE_WRONG_TOKEN:
        for (size_t i = 0; i < head->token.len; i++) head->token.bytes[i] = (uint8_t)cg_prng_next(prng);
        break;
    case CG_MISBEHAVE_LATE: response->delay_ms += in->fleet->options->misbehave_number; break;
    case CG_MISBEHAVE_REQUEST_MID:
        if (head->type == CG_NON) head->mid = request_mid;
        break;
    default: break;
    }
}

struct cg_slice cg_fleet_spoil(struct cg_prng *prng, uint8_t *datagram, size_t len) {
    size_t changes = 1 + cg_prng_below(prng, 4);
    switch (cg_prng_below(prng, 3)) {
    case 0:
        len = 1 + cg_prng_below(prng, 64);
        for (size_t i = 0; i < len; i++) datagram[i] = (uint8_t)cg_prng_next(prng);
        break;
    case 1: len = 1 + cg_prng_below(prng, len); break;
    default:
        while (changes-- > 0) datagram[cg_prng_below(prng, len)] = (uint8_t)cg_prng_next(prng);
    }
    return cg_slice_of(datagram, len);
}

struct cg_slice cg_fleet_lie(const struct cg_fleet_arrival *in, struct cg_slice plain) {
    struct cg_fleet *fleet = in->fleet;
    uint32_t index = cg_fleet_index(fleet, in->member);
    int len = cg_shield_lie(fleet->shield, index, in->protection, plain, fleet->sealed, sizeof fleet->sealed);
    if (len < 0) return CG_SLICE_NONE;
    memcpy(fleet->datagram, fleet->sealed, (size_t)len);
    return cg_slice_of(fleet->datagram, (size_t)len);
}

/* The answer before this one, as an answer to this request: under its token and Message ID. */
static struct cg_slice replay(const struct cg_fleet_arrival *in, struct cg_slice datagram) {
    struct cg_fleet_member *member = in->member;
    uint8_t *kept = malloc(datagram.len), *old = member->last;
    size_t old_len = member->last_len, head_len = 4 + (size_t)(datagram.data[0] & 15);
    if (kept == NULL) return CG_SLICE_NONE;
    memcpy(kept, datagram.data, datagram.len);
    member->last = kept;
    member->last_len = datagram.len;
    if (old == NULL) return datagram;
    if (old_len >= head_len) {
        memcpy(in->fleet->datagram + head_len, old + head_len, old_len - head_len);
        in->fleet->datagram[1] = old[1];
        datagram.len = old_len;
    }
    free(old);
    return datagram;
}

struct cg_slice cg_fleet_protect_answer(const struct cg_fleet_arrival *in, struct cg_slice plain) {
    if (in->protection == NULL) return plain;
    enum cg_misbehave kind = in->fleet->options->misbehave;
    if (kind == CG_MISBEHAVE_UNPROTECTED) return plain;
    if (kind == CG_MISBEHAVE_STRANGER || kind == CG_MISBEHAVE_IMPOSTOR) return cg_fleet_lie(in, plain);
    struct cg_slice sealed = cg_fleet_protect(in->fleet, in->member, in->protection, plain);
    if (sealed.len == 0) return sealed;
    if (kind == CG_MISBEHAVE_FLIP) in->fleet->datagram[sealed.len - 1] ^= 1;
    if (kind == CG_MISBEHAVE_TRUNCATE) sealed.len--;
    return kind == CG_MISBEHAVE_REPLAY ? replay(in, sealed) : sealed;
}
