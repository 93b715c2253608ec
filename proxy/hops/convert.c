/* Type and Message ID are the difference; both are of this gateway's making, so a datagram of ours is well-formed. */
#include "hops/convert.h"

#include "base/check.h"

int cg_hop_to_stream(struct cg_slice datagram, uint8_t *to, size_t cap) {
    struct cg_envelope message;
    int err = cg_envelope_parse(&message, datagram);
    CG_CHECK(err == CG_OK);
    if (message.code == CG_EMPTY) return 0;
    const struct cg_frame frame = {
        .code = message.code, .token = message.token, .options = message.options, .payload = message.payload};
    return cg_frame_emit(&frame, to, cap);
}

int cg_hop_from_stream(const struct cg_frame *frame, uint8_t *to, size_t cap) {
    const struct cg_envelope message = {.type = CG_NON,
                                        .code = frame->code,
                                        .token = frame->token,
                                        .options = frame->options,
                                        .payload = frame->payload};
    return cg_envelope_emit(&message, to, cap);
}
