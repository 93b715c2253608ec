/* Blocks in both directions in any order, sizes and time: what is put together is what was sent, byte for byte, what is
 * cut is what was kept, nobody gets another's, and memory is as counted. The hard thing is to know what a whole must be
 * without a second implementation: each byte that is sent follows from its place and its sender. */
#include "input.h"

#include "fronts/coap/bodies.h"
#include "fronts/coap/serve.h"
#include "fronts/coap/uploads.h"

#define SECOND UINT64_C(1000000)

enum { ROOM = 100000, MOST = 3000, PEERS = 4, PATHS = 3, EVENTS_MAX = 100 };

struct yard {
    struct cg_quota quota;
    struct cg_coap_uploads uploads;
    struct cg_coap_bodies bodies;
    struct cg_request request;
    uint64_t now_us;
    uint8_t peer, path;
};

static const struct cg_option_numbers numbers = {.multicast_timeout = 2, .reply_from = 248, .group_etag = 24};

static uint8_t byte_at(const struct yard *yard, size_t at) {
    return (uint8_t)(at * 31 + at / 251 + yard->peer * 7 + yard->path * 101 + 1);
}

static void fill(const struct yard *yard, uint8_t *to, size_t at, size_t len) {
    for (size_t i = 0; i < len; i++) to[i] = byte_at(yard, at + i);
}

static void check_bytes(const struct yard *yard, struct cg_slice bytes, size_t at) {
    for (size_t i = 0; i < bytes.len; i++) CG_CHECK(bytes.data[i] == byte_at(yard, at + i));
}

/* Who does what comes next. */
static void choose(struct yard *yard, uint8_t who) {
    static const char *const paths[PATHS] = {"/a", "/b", "/c"};
    yard->peer = who % PEERS;
    yard->path = who / PEERS % PATHS;
    yard->request = (struct cg_request){.method = CG_FETCH, .path = cg_slice_str(paths[yard->path])};
    yard->request.peer = (struct cg_addr){.family = CG_FAMILY_IPV4, .port = (uint16_t)(5000 + yard->peer % 2)};
    yard->request.peer.ip[3] = (uint8_t)(1 + yard->peer / 2);
    yard->request.from = cg_addr_host(&yard->request.peer);
}

static struct cg_block read_block(struct input *input) {
    uint16_t bits = input_u16(input);
    struct cg_block block = {.number = bits >> 8, .more = bits & 8, .szx = (bits & 7) % (CG_BLOCK_SZX_MAX + 1)};
    if (bits & 0x80) block.number <<= 12;
    return block;
}

/* A block of its sender's bytes, mostly of the length that it should have. */
static void send_block(struct yard *yard, struct input *input) {
    uint8_t payload[1100], options[8];
    struct cg_msg_writer writer = {.data = options, .cap = sizeof options};
    struct cg_block block = read_block(input);
    size_t at = block.number * cg_block_size(&block), len = cg_block_size(&block);
    uint8_t less = input_u8(input);
    if (!block.more || less > 250) len = len > less ? len - less : 0;
    fill(yard, payload, at, len);
    cg_msg_put_opt(&writer, CG_OPT_URI_PATH, cg_slice_of(&yard->path, 1));
    const struct cg_coap_message message = {.code = CG_FETCH,
                                            .options = cg_slice_of(options, writer.len),
                                            .payload = input_exact(cg_slice_of(payload, len))};
    const struct cg_coap_upload upload = {.request = &yard->request, .message = &message, .block1 = block, .max = MOST};
    struct cg_slice whole = CG_SLICE_NONE;
    struct cg_problem problem = {0};
    int result = cg_coap_uploads_take(&yard->uploads, &upload, yard->now_us, &whole, &problem);
    CG_CHECK(result == CG_OK || result == CG_PENDING || result == problem.err);
    if (result == CG_PENDING) CG_CHECK(block.more);
    if (result == CG_OK) {
        CG_CHECK(!block.more && whole.len == at + len && whole.len <= MOST);
        check_bytes(yard, whole, 0);
    }
    input_free(message.payload);
}

static void keep_body(struct yard *yard, struct input *input) {
    struct cg_buf buf;
    size_t len = input_u16(input) % 6000;
    cg_buf_init(&buf, 0);
    uint8_t *at = cg_buf_reserve(&buf, len + 1);
    CG_CHECK(at != NULL);
    fill(yard, at, 0, len);
    buf.len = len;
    struct cg_bytes *bytes = cg_bytes_new(&buf, &yard->quota);
    if (bytes == NULL) return;
    const struct cg_coap_body body = {
        .code = CG_CODE(2, 5), .options = CG_SLICE_NONE, .bytes = bytes, .etag = cg_slice_of(&yard->peer, 1)};
    int err = cg_coap_bodies_keep(&yard->bodies, &yard->request, &body, yard->now_us);
    CG_CHECK(err == CG_OK || err == CG_E_NO_MEMORY);
    cg_bytes_unref(bytes);
}

static void serve_block(struct yard *yard, struct input *input) {
    uint8_t options[CG_COAP_OPTIONS_MAX], token[64] = {0};
    const struct cg_coap_body *body = cg_coap_bodies_find(&yard->bodies, &yard->request, yard->now_us);
    struct cg_block block = read_block(input);
    if (body == NULL) return;
    struct cg_coap_serve serve = {.numbers = &numbers,
                                  .code = body->code,
                                  .options = body->options,
                                  .payload = cg_slice_of(body->bytes->data, body->bytes->len),
                                  .etag = body->etag,
                                  .block2 = &block,
                                  .room = CG_COAP_MESSAGE_MAX,
                                  .token = cg_slice_of(token, input_u8(input) % 65)};
    struct cg_coap_message message;
    struct cg_block said;
    int more = cg_coap_serve(&serve, options, &message);
    CG_CHECK(more == 0 || more == 1 || more == CG_E_BAD_REQUEST);
    if (more < 0) return;
    CG_CHECK(cg_block_find(message.options, CG_OPT_BLOCK2, &said) == CG_BLOCK_ONE && said.more == (more == 1));
    CG_CHECK(cg_to_coap_size(&message) <= CG_COAP_MESSAGE_MAX);
    size_t at = said.number * cg_block_size(&said);
    CG_CHECK(at == block.number * cg_block_size(&block) && cg_block_has_its_size(&said, message.payload.len));
    CG_CHECK(at + message.payload.len == body->bytes->len || more == 1);
    check_bytes(yard, message.payload, at);
    CG_CHECK(body->etag.data[0] == yard->peer);
}

static void pass_time(struct yard *yard, struct input *input) {
    yard->now_us += input_u8(input) * SECOND;
    uint64_t next = cg_keep_expire(&yard->uploads.keep, yard->now_us);
    CG_CHECK(next == UINT64_MAX || next > yard->now_us - 300 * SECOND);
    next = cg_keep_expire(&yard->bodies.keep, yard->now_us);
    CG_CHECK((next == UINT64_MAX) == (yard->bodies.keep.first == NULL));
}

/* Counted again from the bottom. */
static size_t check_keep(const struct cg_keep *keep) {
    size_t used = 0, charged = 0;
    for (const struct cg_kept *kept = keep->first; kept != NULL; kept = kept->next) {
        used += kept->size;
        charged += kept->charged;
        if (kept->next != NULL) CG_CHECK(kept->until_us <= kept->next->until_us);
    }
    CG_CHECK(used == keep->used && used <= keep->max);
    CG_CHECK(HASH_COUNT(keep->by_key) == 0 || keep->first != NULL);
    return charged;
}

static void check(const struct yard *yard) {
    size_t charged = check_keep(&yard->uploads.keep) + check_keep(&yard->bodies.keep);
    size_t payloads = yard->bodies.keep.used;
    for (const struct cg_kept *kept = yard->bodies.keep.first; kept != NULL; kept = kept->next) {
        payloads -= kept->charged;
    }
    CG_CHECK(yard->quota.used == charged + payloads && yard->quota.used <= yard->quota.max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    struct yard yard = {.quota = {.max = ROOM}, .now_us = 1000 * SECOND};
    uint8_t room = input_u8(&input);
    cg_coap_uploads_init(&yard.uploads, 1000 + (size_t)room * 200, &yard.quota);
    cg_coap_bodies_init(&yard.bodies, 1000 + (size_t)room * 400, &yard.quota);
    for (int i = 0; i < EVENTS_MAX && input.len > 0; i++) {
        uint8_t event = input_u8(&input);
        choose(&yard, event >> 2);
        switch (event & 3) {
        case 0: send_block(&yard, &input); break;
        case 1: keep_body(&yard, &input); break;
        case 2: serve_block(&yard, &input); break;
        default: pass_time(&yard, &input); break;
        }
        check(&yard);
    }
    cg_coap_uploads_fini(&yard.uploads);
    cg_coap_bodies_fini(&yard.bodies);
    CG_CHECK(yard.quota.used == 0);
    return 0;
}
