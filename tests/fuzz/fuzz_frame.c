/* The frame reader and the rules of a connection over TCP. The first byte says into which pieces the rest is cut; what
 * comes out must be the same as of the stream in one piece: the same messages in the same order, the same words of
 * ours, the same end. Each frame that is well-formed is emitted again as it was, but for lengths that were written
 * longer than need be, and never more memory is held than a message may have. */
#include "input.h"

#include "wire/reliable.h"

enum { MESSAGE_MAX = 300, RECORD_MAX = 1 << 16 };

static const struct cg_capabilities ours = {.max_message_size = MESSAGE_MAX, .has_blocks = true, .token_max = 64};

/* What a stream came to. */
struct record {
    uint8_t bytes[RECORD_MAX];
    size_t len;
    struct cg_reliable reliable;
};

static void note(struct record *record, char sort, struct cg_slice bytes) {
    if (record->len + 1 + bytes.len > sizeof record->bytes) return; /* of both records alike */
    record->bytes[record->len++] = (uint8_t)sort;
    if (bytes.len > 0) memcpy(record->bytes + record->len, bytes.data, bytes.len);
    record->len += bytes.len;
}

static void check_again(const struct cg_frame *frame) {
    uint8_t bytes[MESSAGE_MAX];
    struct cg_frame again;
    int len = cg_frame_emit(frame, bytes, sizeof bytes);
    CG_CHECK(len > 0 && (size_t)len == cg_frame_size(frame));
    CG_CHECK(cg_frame_parse(&again, cg_slice_of(bytes, (size_t)len)) == CG_OK);
    CG_CHECK(again.code == frame->code && cg_slice_equal(again.token, frame->token));
    CG_CHECK(cg_slice_equal(again.options, frame->options) && cg_slice_equal(again.payload, frame->payload));
}

static void note_frame(struct record *record, char sort, const struct cg_frame *frame) {
    check_again(frame);
    note(record, sort, cg_slice_of(&frame->code, 1));
    note(record, 't', frame->token);
    note(record, 'o', frame->options);
    note(record, 'p', frame->payload);
}

static void on_emit(void *ctx, struct cg_slice frame) {
    struct cg_frame parsed;
    int err = cg_frame_parse(&parsed, frame);
    CG_CHECK(err == CG_OK || (err == CG_E_TOO_BIG && parsed.code == CG_CODE(4, 0)));
    note(ctx, 'e', frame);
}

static void on_request(void *ctx, const struct cg_frame *request, size_t size) {
    CG_CHECK(size <= MESSAGE_MAX && cg_code_is_request(request->code));
    note_frame(ctx, 'q', request);
}

static void on_response(void *ctx, const struct cg_frame *response) { note_frame(ctx, 'r', response); }
static void on_opened(void *ctx) { note(ctx, 'o', CG_SLICE_NONE); }
static void on_released(void *ctx) { note(ctx, 'l', CG_SLICE_NONE); }

static const struct cg_reliable_ops ops = {
    .emit = on_emit, .request = on_request, .response = on_response, .opened = on_opened, .released = on_released};

/* False: it has ended. */
static bool bring(struct record *record, struct cg_slice piece) {
    struct cg_slice exact = input_exact(piece), bytes = exact;
    enum cg_reliable_step step;
    while ((step = cg_reliable_take(&record->reliable, &bytes)) == CG_RELIABLE_NEXT) continue;
    CG_CHECK(cg_frame_reader_held(&record->reliable.reader) <= MESSAGE_MAX);
    CG_CHECK(step == CG_RELIABLE_ENDS || bytes.len == 0);
    input_free(exact);
    return step == CG_RELIABLE_MORE;
}

static void begin(struct record *record) {
    record->len = 0;
    cg_reliable_begin(&record->reliable, &ops, record, &ours);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct record whole, cut;
    struct input input = {data, size};
    uint8_t cuts = input_u8(&input);
    const struct cg_slice stream = cg_slice_of(input.data, input.len);
    begin(&whole);
    begin(&cut);
    (void)bring(&whole, stream);
    for (size_t turn = 0, goes_on = 1; goes_on && input.len > 0; turn++) {
        size_t len = 1 + (cuts == 0 ? 0 : (cuts * (turn + 1)) % 31);
        goes_on = bring(&cut, input_bytes(&input, len));
    }
    CG_CHECK(whole.reliable.cause == cut.reliable.cause);
    CG_CHECK(cg_slice_equal(cg_slice_of(whole.bytes, whole.len), cg_slice_of(cut.bytes, cut.len)));
    cg_reliable_fini(&whole.reliable);
    cg_reliable_fini(&cut.reliable);
    return 0;
}
