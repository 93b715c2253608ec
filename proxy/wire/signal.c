/* Signalling. The hard thing: an option's number means something else in each kind of message, so what is known is a
 * table of both. */
#include "wire/signal.h"

#include "base/check.h"

const struct cg_capabilities cg_capabilities_base = {.max_message_size = CG_CAPABILITIES_MESSAGE_MAX,
                                                     .token_max = CG_TOKEN_MAX};

enum {
    MAX_MESSAGE_SIZE = 2,
    BLOCK_WISE_TRANSFER = 4,
    EXTENDED_TOKEN_LENGTH = 6,
    CUSTODY = 2,
    HOLD_OFF = 4,
    BAD_CSM_OPTION = 2,
    OPTIONS_MAX = 64, /* bytes of ours */
};

/* Options that are looked at, and how long they may be. */
static const struct known {
    uint8_t code, number, max;
} known[] = {
    {CG_SIGNAL_CSM, MAX_MESSAGE_SIZE, 4},      {CG_SIGNAL_CSM, BLOCK_WISE_TRANSFER, 0},
    {CG_SIGNAL_CSM, EXTENDED_TOKEN_LENGTH, 3}, {CG_SIGNAL_PING, CUSTODY, 0},
    {CG_SIGNAL_RELEASE, HOLD_OFF, 3},
};

static struct cg_msg msg_of(const struct cg_frame *frame) { return (struct cg_msg){.options = frame->options}; }

/* The option in the form that its definition has; false: it is not there. */
static bool find(const struct cg_frame *signal, uint16_t number, struct cg_slice *value) {
    const struct cg_msg msg = msg_of(signal);
    size_t i = 0;
    while (known[i].code != signal->code || known[i].number != number) i++;
    return cg_msg_find(&msg, number, value) && value->len <= known[i].max;
}

uint16_t cg_signal_bad_option(const struct cg_frame *signal) {
    const struct cg_msg msg = msg_of(signal);
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (cg_opt_is_critical(opt.number)) return opt.number;
    }
    return 0;
}

void cg_signal_read_csm(const struct cg_frame *csm, struct cg_capabilities *capabilities) {
    struct cg_slice value;
    if (find(csm, MAX_MESSAGE_SIZE, &value)) capabilities->max_message_size = cg_uint_parse(value);
    if (find(csm, BLOCK_WISE_TRANSFER, &value)) capabilities->has_blocks = true;
    if (find(csm, EXTENDED_TOKEN_LENGTH, &value)) {
        uint32_t said = cg_uint_parse(value);
        capabilities->token_max = said < CG_TOKEN_MAX ? CG_TOKEN_MAX : said;
    }
}

bool cg_signal_wants_custody(const struct cg_frame *ping) {
    struct cg_slice value;
    return find(ping, CUSTODY, &value);
}

uint32_t cg_signal_hold_off(const struct cg_frame *release) {
    struct cg_slice value;
    return find(release, HOLD_OFF, &value) ? cg_uint_parse(value) : 0;
}

/* ---- Out ---- */

/* A message's options behind a code, which is not a frame's. */
struct options {
    struct cg_msg_writer writer;
    uint8_t bytes[OPTIONS_MAX];
};

static void begin(struct options *options) { cg_msg_begin_inner(&options->writer, options->bytes, OPTIONS_MAX, 0); }

static struct cg_slice end(const struct options *options) {
    int len = cg_msg_end(&options->writer);
    CG_CHECK(len > 0);
    return cg_slice_of(options->bytes + 1, (size_t)len - 1);
}

static size_t emit(uint8_t code, struct cg_slice token, const struct options *options, const char *diagnostic,
                   uint8_t *bytes) {
    const struct cg_frame frame = {
        .code = code, .token = token, .options = end(options), .payload = cg_slice_str(diagnostic)};
    int len = cg_frame_emit(&frame, bytes, CG_SIGNAL_MAX);
    CG_CHECK(len > 0);
    return (size_t)len;
}

size_t cg_signal_emit_csm(const struct cg_capabilities *ours, uint8_t *bytes) {
    struct options options;
    begin(&options);
    cg_msg_put_uint(&options.writer, MAX_MESSAGE_SIZE, ours->max_message_size);
    if (ours->has_blocks) cg_msg_put_opt(&options.writer, BLOCK_WISE_TRANSFER, CG_SLICE_NONE);
    cg_msg_put_uint(&options.writer, EXTENDED_TOKEN_LENGTH, ours->token_max);
    return emit(CG_SIGNAL_CSM, CG_SLICE_NONE, &options, "", bytes);
}

size_t cg_signal_emit_ping(uint8_t *bytes) {
    struct options options;
    begin(&options);
    cg_msg_put_opt(&options.writer, CUSTODY, CG_SLICE_NONE);
    return emit(CG_SIGNAL_PING, CG_SLICE_NONE, &options, "", bytes);
}

size_t cg_signal_emit_pong(struct cg_slice token, bool has_custody, uint8_t *bytes) {
    struct options options;
    begin(&options);
    if (has_custody) cg_msg_put_opt(&options.writer, CUSTODY, CG_SLICE_NONE);
    return emit(CG_SIGNAL_PONG, token, &options, "", bytes);
}

size_t cg_signal_emit_release(const char *diagnostic, uint8_t *bytes) {
    struct options options;
    begin(&options);
    return emit(CG_SIGNAL_RELEASE, CG_SLICE_NONE, &options, diagnostic, bytes);
}

size_t cg_signal_emit_abort(const char *diagnostic, uint16_t csm_option, uint8_t *bytes) {
    struct options options;
    begin(&options);
    if (csm_option != 0) cg_msg_put_uint(&options.writer, BAD_CSM_OPTION, csm_option);
    return emit(CG_SIGNAL_ABORT, CG_SLICE_NONE, &options, diagnostic, bytes);
}
