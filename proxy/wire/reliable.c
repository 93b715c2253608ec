/* The rules of a connection. The hard thing is small: which of them holds depends on what came first, so the order in
 * `deal_with` is the order of the standard. */
#include "wire/reliable.h"

#include "base/check.h"

static const struct {
    const char *name;       /* as metrics have it */
    const char *diagnostic; /* what the other end is told; NULL: nothing */
} causes[CG_RELIABLE_CAUSES] = {
    [CG_RELIABLE_FRAMING] = {"framing", "this is no message"},
    [CG_RELIABLE_NO_CSM] = {"no-csm", "the first message must be a CSM"},
    [CG_RELIABLE_OPTION] = {"option", "a critical option of a signalling message is not understood"},
    [CG_RELIABLE_CODE] = {"code", "a signalling message of this code is not understood"},
    [CG_RELIABLE_TOO_LARGE] = {"too-large", "the message is larger than Max-Message-Size"},
    [CG_RELIABLE_NO_MEMORY] = {"memory", "there is no memory for this message"},
    [CG_RELIABLE_ABORTED] = {"aborted", NULL},
};

const char *cg_reliable_cause_name(enum cg_reliable_cause cause) { return causes[cause].name; }

void cg_reliable_begin(struct cg_reliable *reliable, const struct cg_reliable_ops *ops, void *ctx,
                       const struct cg_capabilities *ours) {
    uint8_t bytes[CG_SIGNAL_MAX];
    *reliable = (struct cg_reliable){.ops = ops, .ctx = ctx, .theirs = cg_capabilities_base};
    cg_frame_reader_init(&reliable->reader, ours->max_message_size);
    ops->emit(ctx, cg_slice_of(bytes, cg_signal_emit_csm(ours, bytes)));
}

void cg_reliable_fini(struct cg_reliable *reliable) { cg_frame_reader_fini(&reliable->reader); }

static enum cg_reliable_step end_for(struct cg_reliable *reliable, enum cg_reliable_cause cause, uint16_t csm_option) {
    uint8_t bytes[CG_SIGNAL_MAX];
    const char *diagnostic = causes[cause].diagnostic;
    reliable->cause = cause;
    if (diagnostic != NULL)
        reliable->ops->emit(reliable->ctx, cg_slice_of(bytes, cg_signal_emit_abort(diagnostic, csm_option, bytes)));
    return CG_RELIABLE_ENDS;
}

/* ---- Signalling ---- */

static enum cg_reliable_step take_csm(struct cg_reliable *reliable, const struct cg_frame *csm) {
    bool is_first = !reliable->is_open;
    cg_signal_read_csm(csm, &reliable->theirs);
    reliable->is_open = true;
    if (is_first) reliable->ops->opened(reliable->ctx);
    return CG_RELIABLE_NEXT;
}

/* Messages are dealt with in the order of their coming, so that custody is had of all before (§5.4.1). */
static enum cg_reliable_step take_ping(const struct cg_reliable *reliable, const struct cg_frame *ping) {
    uint8_t bytes[CG_SIGNAL_MAX];
    size_t len = cg_signal_emit_pong(ping->token, cg_signal_wants_custody(ping), bytes);
    reliable->ops->emit(reliable->ctx, cg_slice_of(bytes, len));
    return CG_RELIABLE_NEXT;
}

static enum cg_reliable_step take_pong(const struct cg_reliable *reliable) {
    if (reliable->ops->pong != NULL) reliable->ops->pong(reliable->ctx);
    return CG_RELIABLE_NEXT;
}

static enum cg_reliable_step take_release(struct cg_reliable *reliable, const struct cg_frame *release) {
    if (reliable->is_released) return CG_RELIABLE_NEXT;
    reliable->is_released = true;
    reliable->hold_off_s = cg_signal_hold_off(release);
    if (reliable->ops->released != NULL) reliable->ops->released(reliable->ctx);
    return CG_RELIABLE_NEXT;
}

static enum cg_reliable_step take_signal(struct cg_reliable *reliable, const struct cg_frame *signal) {
    uint16_t bad = cg_signal_bad_option(signal);
    if (bad != 0) return end_for(reliable, CG_RELIABLE_OPTION, signal->code == CG_SIGNAL_CSM ? bad : 0);
    switch (signal->code) {
    case CG_SIGNAL_CSM: return take_csm(reliable, signal);
    case CG_SIGNAL_PING: return take_ping(reliable, signal);
    case CG_SIGNAL_PONG: return take_pong(reliable);
    case CG_SIGNAL_RELEASE: return take_release(reliable, signal);
    case CG_SIGNAL_ABORT: return end_for(reliable, CG_RELIABLE_ABORTED, 0);
    default: return end_for(reliable, CG_RELIABLE_CODE, 0);
    }
}

/* ---- Messages ---- */

/* RFC 8974 §2.2.2: 4.00, on that token. */
static enum cg_reliable_step refuse_token(struct cg_reliable *reliable, const struct cg_frame *frame) {
    const struct cg_frame refusal = {.code = CG_CODE(4, 0), .token = frame->token};
    struct cg_buf bytes;
    if (cg_code_is_signal(frame->code)) return end_for(reliable, CG_RELIABLE_FRAMING, 0);
    if (!cg_code_is_request(frame->code)) return CG_RELIABLE_NEXT;
    cg_buf_init(&bytes, 0);
    uint8_t *to = cg_buf_reserve(&bytes, cg_frame_size(&refusal));
    int len = to == NULL ? CG_E_NO_MEMORY : cg_frame_emit(&refusal, to, cg_frame_size(&refusal));
    if (len > 0) reliable->ops->emit(reliable->ctx, cg_slice_of(to, (size_t)len));
    cg_buf_fini(&bytes);
    return len > 0 ? CG_RELIABLE_NEXT : end_for(reliable, CG_RELIABLE_NO_MEMORY, 0);
}

static enum cg_reliable_step hand_on(struct cg_reliable *reliable, const struct cg_frame *frame, size_t size) {
    if (cg_code_is_request(frame->code) && !reliable->is_released) {
        reliable->ops->request(reliable->ctx, frame, size);
    } else if (cg_code_is_response(frame->code) && reliable->ops->response != NULL) {
        reliable->ops->response(reliable->ctx, frame);
    }
    return CG_RELIABLE_NEXT; /* codes that are reserved are nobody's (RFC 7252 §12.1) */
}

static enum cg_reliable_step deal_with(struct cg_reliable *reliable, struct cg_slice whole) {
    struct cg_frame frame;
    int err = cg_frame_parse(&frame, whole);
    if (frame.code == CG_EMPTY && err != CG_E_FORMAT) return CG_RELIABLE_NEXT;
    if (!reliable->is_open && frame.code != CG_SIGNAL_CSM && frame.code != CG_SIGNAL_ABORT)
        return end_for(reliable, CG_RELIABLE_NO_CSM, 0);
    if (err == CG_E_TOO_BIG) return refuse_token(reliable, &frame);
    if (err < 0) return end_for(reliable, CG_RELIABLE_FRAMING, 0);
    return cg_code_is_signal(frame.code) ? take_signal(reliable, &frame) : hand_on(reliable, &frame, whole.len);
}

enum cg_reliable_step cg_reliable_take(struct cg_reliable *reliable, struct cg_slice *bytes) {
    struct cg_slice whole;
    CG_CHECK(reliable->cause == CG_RELIABLE_FINE);
    switch (cg_frame_reader_next(&reliable->reader, bytes, &whole)) {
    case CG_OK: return deal_with(reliable, whole);
    case CG_PENDING: return CG_RELIABLE_MORE;
    case CG_E_TOO_BIG: return end_for(reliable, CG_RELIABLE_TOO_LARGE, 0);
    case CG_E_NO_MEMORY: return end_for(reliable, CG_RELIABLE_NO_MEMORY, 0);
    default: return end_for(reliable, CG_RELIABLE_FRAMING, 0);
    }
}
