/* application/multipart-core (RFC 8710): the reply for clients that read CBOR and want one message. Each answer is two
 * parts, what is to be said of it and what the member sent, behind one part that is about the whole. The hard thing:
 * arrays and byte strings begin with their length, so each is known before its first byte is written. */
#include "builtin.h"
#include "lend.h"

#include "base/text.h"
#include "wire/cbor.h"
#include "wire/content_format.h"
#include "wire/msg.h"

enum { VERSION = 1, FORMAT_TEXT = 0, FORMAT_BYTES = 42 };
/* Of the part about the whole. */
enum { KEY_VERSION = 0, KEY_COUNTS = 1, KEY_ENDED_BY = 2 };
/* Of a part about an answer. */
enum {
    KEY_REPLY_FROM = 1,
    KEY_CODE = 2,
    KEY_KID = 3,
    KEY_VERIFIED = 4,
    KEY_MS = 5,
    KEY_MAX_AGE = 6,
    KEY_ETAG = 7,
    KEY_OSCORE = 8,
    KEY_VIA = 9,
};

/* More than the heads of any map here and its integers need. */
enum { HEADS_MAX = 512 };

/* A writer behind what is in the buffer, with room for strings of that many bytes; `cover` then has the buffer count
 * what it wrote. */
static struct cg_cbor_writer uncover(struct cg_buf *to, size_t strings) {
    uint8_t *at = cg_buf_reserve(to, HEADS_MAX + strings);
    return cg_cbor_writer(at, at == NULL ? 0 : HEADS_MAX + strings);
}

static void cover(struct cg_buf *to, const struct cg_cbor_writer *writer) {
    if (writer->failed) to->failed = true;
    if (!to->failed) to->len += writer->len;
}

/* 60, <<map>>: application/cbor */
static void put_map_part(struct cg_buf *to, const struct cg_buf *map) {
    struct cg_cbor_writer writer = uncover(to, map->len);
    cg_cbor_put_head(&writer, CG_CBOR_UINT, CG_FORMAT_CBOR);
    cg_cbor_put_bytes(&writer, cg_buf_slice(map));
    cover(to, &writer);
    if (map->failed) to->failed = true;
}

#define COUNT(name)    +1
#define TEXT(name)     +0
#define OPTIONAL(name) +(summary->name > 0)
static unsigned figures_of(const struct castgate_summary *summary) {
    return 0 CASTGATE_SUMMARY_FIGURES(COUNT, TEXT, OPTIONAL);
}
#undef COUNT
#undef OPTIONAL

#define COUNT(name)                                                                                                    \
    cg_cbor_put_text(&writer, #name);                                                                                  \
    cg_cbor_put_head(&writer, CG_CBOR_UINT, summary->name);
#define OPTIONAL(name)                                                                                                 \
    if (summary->name > 0) {                                                                                           \
        COUNT(name)                                                                                                    \
    }
#undef TEXT
#define TEXT(name)
static void put_summary(struct cg_buf *map, const struct castgate_summary *summary) {
    struct cg_cbor_writer writer = uncover(map, strlen(summary->ended_by));
    cg_cbor_put_head(&writer, CG_CBOR_MAP, 3);
    cg_cbor_put_head(&writer, CG_CBOR_UINT, KEY_VERSION);
    cg_cbor_put_head(&writer, CG_CBOR_UINT, VERSION);
    cg_cbor_put_head(&writer, CG_CBOR_UINT, KEY_COUNTS);
    cg_cbor_put_head(&writer, CG_CBOR_MAP, figures_of(summary));
    CASTGATE_SUMMARY_FIGURES(COUNT, TEXT, OPTIONAL)
    cg_cbor_put_head(&writer, CG_CBOR_UINT, KEY_ENDED_BY);
    cg_cbor_put_text(&writer, summary->ended_by);
    cover(map, &writer);
}
#undef COUNT
#undef TEXT
#undef OPTIONAL

/* The array's beginning, and the part about the whole: what of a reply is one exchange's own. */
static int core_head(const struct castgate_host *host, struct castgate_call *call) {
    const struct castgate_summary *summary = host->summary(call);
    struct cg_buf map, out;
    cg_buf_init(&map, 0);
    cg_buf_init(&out, 0);
    put_summary(&map, summary);
    struct cg_cbor_writer writer = uncover(&out, 0);
    cg_cbor_put_head(&writer, CG_CBOR_ARRAY, 2 + 4 * (uint64_t)summary->answered);
    cover(&out, &writer);
    put_map_part(&out, &map);
    int result = cg_write_out(host, call, &out);
    cg_buf_fini(&map);
    cg_buf_fini(&out);
    return result;
}

static void put_uint(struct cg_cbor_writer *to, uint64_t key, uint64_t value) {
    cg_cbor_put_head(to, CG_CBOR_UINT, key);
    cg_cbor_put_head(to, CG_CBOR_UINT, value);
}

static void put_bytes(struct cg_cbor_writer *to, uint64_t key, bool is_there, struct cg_slice value) {
    if (!is_there) return;
    cg_cbor_put_head(to, CG_CBOR_UINT, key);
    cg_cbor_put_bytes(to, value);
}

static void put_answer(struct cg_buf *map, const struct castgate_answer *answer) {
    struct cg_msg msg = {.options = cg_borrow(answer->options)};
    struct cg_slice oscore = CG_SLICE_NONE;
    bool has_from = answer->reply_from.len > 0, has_etag = answer->etag.len > 0;
    bool is_relayed = cg_msg_find(&msg, CG_OPT_OSCORE, &oscore);
    size_t strings = answer->reply_from.len + answer->kid.len + answer->etag.len + oscore.len;
    struct cg_cbor_writer writer = uncover(map, strings);
    cg_cbor_put_head(&writer, CG_CBOR_MAP, 5u + has_from + answer->has_kid + has_etag + is_relayed);
    put_bytes(&writer, KEY_REPLY_FROM, has_from, cg_borrow(answer->reply_from));
    put_uint(&writer, KEY_CODE, answer->code);
    put_bytes(&writer, KEY_KID, answer->has_kid, cg_borrow(answer->kid));
    put_uint(&writer, KEY_VERIFIED, answer->verified);
    put_uint(&writer, KEY_MS, answer->ms);
    put_uint(&writer, KEY_MAX_AGE, answer->max_age);
    put_bytes(&writer, KEY_ETAG, has_etag, cg_borrow(answer->etag));
    put_bytes(&writer, KEY_OSCORE, is_relayed, oscore);
    put_uint(&writer, KEY_VIA, answer->via);
    cover(map, &writer);
}

/* RFC 7252 §5.5.2: what explains an error is text, without saying so. */
static bool is_diagnostic(const struct castgate_answer *answer) {
    return answer->code >= CG_CODE(4, 0) && answer->payload.len > 0 && cg_utf8_valid(cg_borrow(answer->payload));
}

static uint32_t format_of(const struct castgate_answer *answer) {
    if (answer->format == CG_FORMAT_OSCORE) return FORMAT_BYTES;
    if (answer->format != CASTGATE_FORMAT_NONE) return answer->format;
    return is_diagnostic(answer) ? FORMAT_TEXT : FORMAT_BYTES;
}

static void put_payload_part(struct cg_buf *to, const struct castgate_answer *answer) {
    struct cg_cbor_writer writer = uncover(to, answer->payload.len);
    cg_cbor_put_head(&writer, CG_CBOR_UINT, format_of(answer));
    if (answer->payload.len == 0) {
        cg_cbor_put_simple(&writer, CG_CBOR_NULL);
    } else {
        cg_cbor_put_bytes(&writer, cg_borrow(answer->payload));
    }
    cover(to, &writer);
}

static int core_encode(const struct castgate_host *host, struct castgate_call *call) {
    int result = 0;
    struct cg_buf map, out;
    cg_buf_init(&map, 0);
    cg_buf_init(&out, 0);
    struct castgate_answer answer;
    for (size_t i = 0; result == 0 && host->answer(call, i, &answer); i++) {
        cg_buf_clear(&map);
        cg_buf_clear(&out);
        put_answer(&map, &answer);
        put_map_part(&out, &map);
        put_payload_part(&out, &answer);
        result = cg_write_out(host, call, &out);
    }
    cg_buf_fini(&map);
    cg_buf_fini(&out);
    return result;
}

static const struct castgate_encoder core_encoder = {
    .media_type = "application/multipart-core",
    .empty_is_204 = true,
    .encode = core_encode,
    .encode_is_common = true,
    .head = core_head,
};

const struct castgate_plugin cg_plugin_multipart_core = {
    .major = CASTGATE_PLUGIN_MAJOR,
    .minor = CASTGATE_PLUGIN_MINOR,
    .kind = CASTGATE_ENCODER,
    .size = sizeof(struct castgate_plugin),
    .name = "multipart_core",
    .ops.encoder = &core_encoder,
};
