/* The encoders under hostile answers, with a host that hands them straight from the input. The reply is read again by a
 * strict reader: as many parts as answers, each with its own bytes, nothing between or behind them. The hard thing is
 * the boundary: here "random" bytes come from the input as well, so a payload can hold the boundary that would be
 * drawn. */
#include "input.h"

#include <cbor.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "../unit/plugins/page_tags.h"
#include "builtin.h"
#include "wire/content_format.h"
#include "wire/cri.h"
#include "wire/http_status.h"
#include "wire/msg.h"

enum { ANSWERS_MAX = 8, OPTIONS_MAX = 512 };

struct held {
    struct castgate_answer view;
    struct cg_slice payload;
    uint8_t options[OPTIONS_MAX];
    uint8_t cri[CG_CRI_ADDR_MAX];
    char from[CG_ADDR_TEXT_MAX];
    char media_type[48];
};

struct castgate_call {
    struct held answers[ANSWERS_MAX];
    size_t count;
    size_t missing, rejected;
    struct castgate_summary summary;
    struct input randomness;
    uint8_t counter;         /* what random bytes are when the input has no more */
    struct cg_slice hostile; /* for a refused answer's kid and gid */
    struct cg_buf body;
    char content_type[256];
    bool streaming;
    size_t room; /* bytes that may still be written */
    bool refused;
};

static struct castgate_slice lend(struct cg_slice slice) {
    return (struct castgate_slice){.data = slice.data, .len = slice.len};
}

static struct castgate_slice lend_text(const char *text) { return lend(cg_slice_str(text)); }

static struct cg_slice borrow(struct castgate_slice slice) { return cg_slice_of(slice.data, slice.len); }

/* The host. */

static struct castgate_slice host_exchange(struct castgate_call *call) {
    (void)call;
    return lend_text("0123456789abcdef");
}

static struct castgate_slice host_mapping(struct castgate_call *call) {
    (void)call;
    return lend_text("lamps");
}

static const struct castgate_summary *host_summary(struct castgate_call *call) { return &call->summary; }

static bool host_answer(struct castgate_call *call, size_t index, struct castgate_answer *out) {
    CG_CHECK(!call->streaming);
    if (index >= call->count) return false;
    *out = call->answers[index].view;
    return true;
}

static bool host_missing(struct castgate_call *call, size_t index, struct castgate_missing *out) {
    if (index >= call->missing) return false;
    *out = (struct castgate_missing){
        .member = lend_text("lamp-1"), .from = lend_text("127.1.0.1:5683"), .cause = "unknown"};
    return true;
}

static bool host_rejected(struct castgate_call *call, size_t index, struct castgate_rejected *out) {
    if (index >= call->rejected) return false;
    *out = (struct castgate_rejected){.from = lend_text("127.1.0.2:5683"),
                                      .kid = lend(call->hostile),
                                      .gid = lend(call->hostile),
                                      .reason = lend_text("replayed")};
    return true;
}

static void host_random(struct castgate_call *call, void *to, size_t len) {
    uint8_t *bytes = to;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = call->randomness.len > 0 ? input_u8(&call->randomness) : call->counter++;
    }
}

static void host_content_type(struct castgate_call *call, struct castgate_slice text) {
    CG_CHECK(text.len < sizeof call->content_type);
    memcpy(call->content_type, text.data, text.len);
    call->content_type[text.len] = '\0';
}

static bool host_write(struct castgate_call *call, struct castgate_slice bytes) {
    call->refused |= bytes.len > call->room;
    if (call->refused) return false;
    call->room -= bytes.len;
    cg_buf_put(&call->body, bytes.data, bytes.len);
    return true;
}

static const struct castgate_host host = {
    .size = sizeof host,
    .exchange = host_exchange,
    .mapping = host_mapping,
    .summary = host_summary,
    .answer = host_answer,
    .missing = host_missing,
    .rejected = host_rejected,
    .random = host_random,
    .content_type = host_content_type,
    .write = host_write,
};

/* Answers out of the input, as reply/view.c makes them of a datagram. */

static size_t read_options(struct input *input, struct held *held) {
    struct cg_msg_writer writer;
    uint16_t number = 0;
    cg_msg_begin_inner(&writer, held->options, sizeof held->options, CG_CODE(2, 5));
    for (unsigned count = input_u8(input) % 8; count > 0; count--) {
        struct cg_msg_writer before = writer;
        number = (uint16_t)(number + input_u8(input) % 32);
        cg_msg_put_opt(&writer, number, input_bytes(input, input_u8(input) % 20));
        if (writer.failed) writer = before;
    }
    return writer.len;
}

static const char *describe_format(struct held *held, uint32_t format) {
    const char *known = cg_format_media_type((uint16_t)format);
    if (known != NULL) return known;
    snprintf(held->media_type, sizeof held->media_type, "application/coap-payload;cf=%u", (unsigned)format);
    return held->media_type;
}

static void read_answer(struct input *input, struct held *held) {
    static const uint8_t codes[] = {69, 65, 66, 67, 68, 69, 128, 132, 133, 134, 160, 95, 191};
    static const char *const names[] = {"lamp-1", "a\"b\\c", "127.1.0.1:5683", "x"};
    uint8_t flags = input_u8(input);
    struct cg_addr from = {.family = CG_FAMILY_IPV4, .ip = {127, 1, 0, input_u8(input)}, .port = input_u16(input)};
    size_t options_len = read_options(input, held);
    held->payload = input_exact(input_bytes(input, input_u8(input) * (flags & 1 ? 8u : 1u)));
    struct cg_msg msg = {.options = cg_slice_of(held->options + 1, options_len - 1)};
    struct cg_slice etag = CG_SLICE_NONE;
    uint32_t format = 0, max_age = 0;
    bool has_format = cg_msg_find_uint(&msg, CG_OPT_CONTENT_FORMAT, &format) && format <= UINT16_MAX;
    bool has_max_age = cg_msg_find_uint(&msg, CG_OPT_MAX_AGE, &max_age);
    cg_msg_find(&msg, CG_OPT_ETAG, &etag);
    uint8_t code = codes[input_u8(input) % sizeof codes];
    held->view = (struct castgate_answer){
        .member = lend_text(names[flags >> 6]),
        .from = {.data = held->from, .len = flags & 2 ? 0 : cg_addr_emit(&from, held->from)},
        .reply_from = {.data = held->cri, .len = flags & 2 ? 0 : cg_cri_emit_addr(held->cri, &from)},
        .kid = lend(flags & 4 ? etag : CG_SLICE_NONE),
        .media_type = has_format ? lend_text(describe_format(held, format)) : lend(CG_SLICE_NONE),
        .etag = lend(etag),
        .options = lend(msg.options),
        .payload = lend(held->payload),
        .format = has_format ? format : CASTGATE_FORMAT_NONE,
        .max_age = has_max_age ? max_age : 60,
        .ms = code,
        .status = cg_http_status_from_code(code, held->payload.len > 0),
        .code = code,
        .verified = flags & 8 ? CASTGATE_VERIFIED_SOURCE : CASTGATE_VERIFIED_NONE,
        .via = (flags >> 4 & 3) % 3,
        .has_kid = flags & 4,
        .has_max_age = has_max_age,
    };
}

/* The strict reader of multipart. Each function takes what it names from the front of `rest`, and nothing else will do.
 */

static void expect(struct cg_slice *rest, struct cg_slice text) {
    CG_CHECK(cg_slice_equal(cg_slice_of(rest->data, text.len < rest->len ? text.len : rest->len), text));
    *rest = cg_slice_of(rest->data + text.len, rest->len - text.len);
}

static void expect_text(struct cg_slice *rest, const char *text) { expect(rest, cg_slice_str(text)); }

/* Up to CR LF, which is dropped; printable ASCII only. */
static struct cg_slice take_line(struct cg_slice *rest) {
    size_t len = 0;
    while (len < rest->len && rest->data[len] >= ' ' && rest->data[len] <= '~') len++;
    struct cg_slice line = cg_slice_of(rest->data, len);
    *rest = cg_slice_of(rest->data + len, rest->len - len);
    expect_text(rest, "\r\n");
    return line;
}

static bool begins(struct cg_slice line, const char *text) {
    return line.len >= strlen(text) && memcmp(line.data, text, strlen(text)) == 0;
}

static size_t read_number(struct cg_slice line, const char *name) {
    uint64_t number;
    size_t skip = strlen(name);
    CG_CHECK(cg_decimal_parse(cg_slice_of(line.data + skip, line.len - skip), SIZE_MAX, &number) == CG_OK);
    return number;
}

/* Whether there is an option that no header of its own stands for. */
static bool has_other_options(const struct castgate_answer *answer) {
    static const uint16_t said[] = {CG_OPT_ETAG,    CG_OPT_OSCORE, CG_OPT_CONTENT_FORMAT,
                                    CG_OPT_MAX_AGE, CG_OPT_BLOCK2, CG_OPT_SIZE2};
    struct cg_msg msg = {.options = borrow(answer->options)};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool is_said = true;
    cg_opt_iter_init(&iter, &msg);
    while (is_said && cg_opt_next(&iter, &opt)) {
        is_said = false;
        for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) is_said |= opt.number == said[i];
    }
    return !is_said;
}

static void read_part(struct cg_slice *rest, struct cg_slice boundary, const struct castgate_answer *answer) {
    enum { LENGTH = 7 };
    static const char *const names[] = {"Content-Type: ",
                                        "OSCORE: ",
                                        "ETag: ",
                                        "Cache-Control: ",
                                        "Reply-From: ",
                                        "Castgate-Options: ",
                                        "Castgate-Member: ",
                                        [LENGTH] = "Content-Length: "};
    struct cg_msg msg = {.options = borrow(answer->options)};
    bool wanted[] = {answer->media_type.len > 0,
                     cg_msg_find(&msg, CG_OPT_OSCORE, &(struct cg_slice){0}),
                     answer->etag.len > 0,
                     answer->has_max_age,
                     answer->reply_from.len > 0,
                     has_other_options(answer),
                     true,
                     answer->status != 204 && answer->status != 304};
    char status[16];
    size_t length = 0;
    expect_text(rest, "--");
    expect(rest, boundary);
    expect_text(rest, "\r\nContent-Type: application/http\r\n\r\n");
    snprintf(status, sizeof status, "HTTP/1.1 %u ", answer->status);
    CG_CHECK(begins(take_line(rest), status));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!wanted[i]) continue;
        struct cg_slice line = take_line(rest);
        CG_CHECK(begins(line, names[i]));
        if (i == LENGTH) length = read_number(line, names[i]);
    }
    expect_text(rest, "\r\n");
    CG_CHECK(length == (wanted[LENGTH] ? answer->payload.len : 0));
    expect(rest, wanted[LENGTH] ? borrow(answer->payload) : CG_SLICE_NONE);
    expect_text(rest, "\r\n");
}

static void check_mixed(struct castgate_call *call) {
    static const char type[] = "multipart/mixed; boundary=";
    CG_CHECK(strncmp(call->content_type, type, sizeof type - 1) == 0);
    struct cg_slice boundary = cg_slice_str(call->content_type + sizeof type - 1);
    CG_CHECK(boundary.len == 32);
    struct cg_slice rest = cg_buf_slice(&call->body), whole = rest;
    for (size_t i = 0; i < call->count; i++) read_part(&rest, boundary, &call->answers[i].view);
    expect_text(&rest, "--");
    expect(&rest, boundary);
    expect_text(&rest, "--\r\n");
    CG_CHECK(rest.len == 0);
    /* Whoever only looks for delimiters finds the same parts. */
    uint8_t delimiter[34] = {'-', '-'};
    memcpy(delimiter + 2, boundary.data, boundary.len);
    size_t found = 0, at = 0;
    for (const uint8_t *next; (next = memmem(whole.data + at, whole.len - at, delimiter, sizeof delimiter)) != NULL;
         found++) {
        at = (size_t)(next - whole.data) + sizeof delimiter;
    }
    CG_CHECK(found == call->count + 1);
}

/* JSON. */

static void check_text(const json_t *object, const char *key, struct castgate_slice text) {
    const json_t *value = json_object_get(object, key);
    CG_CHECK(json_is_string(value));
    CG_CHECK(cg_slice_equal(cg_slice_of(json_string_value(value), json_string_length(value)), borrow(text)));
}

static void check_base64(const json_t *value, struct castgate_slice payload) {
    char *text = malloc(cg_base64_len(payload.len) + 1);
    CG_CHECK(text != NULL && json_is_string(value));
    cg_base64_emit(text, borrow(payload));
    CG_CHECK(json_string_length(value) == cg_base64_len(payload.len));
    CG_CHECK(memcmp(text, json_string_value(value), cg_base64_len(payload.len)) == 0);
    free(text);
}

static void check_embedded(const json_t *value, struct castgate_slice payload) {
    json_t *own = json_loadb(payload.data, payload.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    CG_CHECK(own != NULL && json_equal(own, value));
    json_decref(own);
}

/* It is embedded all the same, and then this strict reader cannot read the reply. */
static bool is_beyond_jansson(struct castgate_slice payload) {
    if (!cg_json_valid(borrow(payload))) return false;
    json_t *own = json_loadb(payload.data, payload.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_decref(own);
    return own == NULL;
}

static bool is_readable(const struct castgate_call *call) {
    for (size_t i = 0; i < call->count; i++) {
        const struct castgate_answer *answer = &call->answers[i].view;
        bool is_json = answer->format != CASTGATE_FORMAT_NONE && cg_format_is_json((uint16_t)answer->format);
        if (is_json && is_beyond_jansson(answer->payload)) return false;
    }
    return true;
}

static void check_json_answer(const json_t *object, const struct castgate_answer *answer) {
    const json_t *own = json_object_get(object, "json"), *text = json_object_get(object, "body");
    const json_t *bytes = json_object_get(object, "body_base64");
    check_text(object, "member", answer->member);
    CG_CHECK(json_integer_value(json_object_get(object, "status")) == answer->status);
    CG_CHECK((own != NULL) + (text != NULL) + (bytes != NULL) == (answer->payload.len > 0));
    if (own != NULL) check_embedded(own, answer->payload);
    if (text != NULL) check_text(object, "body", answer->payload);
    if (bytes != NULL) check_base64(bytes, answer->payload);
    CG_CHECK(json_is_object(json_object_get(object, "options")));
    CG_CHECK(json_is_null(json_object_get(object, "kid")) == !answer->has_kid);
}

static json_t *load(struct cg_slice text) {
    json_error_t error;
    json_t *value = json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, &error);
    CG_CHECK(json_is_object(value));
    CG_CHECK(memchr(text.data, '\n', text.len - 1) == NULL && memchr(text.data, '\r', text.len) == NULL);
    return value;
}

static void check_json(struct castgate_call *call) {
    if (!is_readable(call)) return;
    json_t *reply = load(cg_buf_slice(&call->body));
    const json_t *answers = json_object_get(reply, "answers");
    CG_CHECK(json_object_size(reply) == 6 && json_array_size(answers) == call->count);
    CG_CHECK(json_array_size(json_object_get(reply, "missing")) == call->missing);
    CG_CHECK(json_array_size(json_object_get(reply, "rejected")) == call->rejected);
    for (size_t i = 0; i < call->count; i++) check_json_answer(json_array_get(answers, i), &call->answers[i].view);
    json_decref(reply);
}

/* Event streams. */

static json_t *expect_event(struct cg_slice *rest, const char *name) {
    expect_text(rest, "event: ");
    expect_text(rest, name);
    if (strcmp(name, "summary") == 0) expect_text(rest, "\nid: 0123456789abcdef-summary");
    expect_text(rest, "\ndata: ");
    const uint8_t *end = memchr(rest->data, '\n', rest->len);
    CG_CHECK(end != NULL);
    struct cg_slice data = cg_slice_of(rest->data, (size_t)(end - rest->data));
    *rest = cg_slice_of(end, rest->len - data.len);
    expect_text(rest, "\n\n");
    return load(data);
}

static void check_sse(struct castgate_call *call) {
    if (!is_readable(call)) return;
    struct cg_slice rest = cg_buf_slice(&call->body);
    expect_text(&rest, ": sent\nretry: 10000\n\n");
    for (size_t i = 0; i < call->count; i++) {
        json_t *event = expect_event(&rest, "answer");
        check_json_answer(event, &call->answers[i].view);
        json_decref(event);
        expect_text(&rest, ": waiting\n\n");
    }
    json_t *summary = expect_event(&rest, "summary");
    CG_CHECK(json_array_size(json_object_get(summary, "missing")) == call->missing);
    CG_CHECK(json_array_size(json_object_get(summary, "rejected")) == call->rejected);
    json_decref(summary);
    CG_CHECK(rest.len == 0);
}

static int encode_sse(struct castgate_call *call) {
    const struct castgate_encoder *encoder = cg_plugin_sse.ops.encoder;
    call->streaming = true;
    int result = encoder->begin(&host, call);
    for (size_t i = 0; result == 0 && i < call->count; i++) {
        result = encoder->answer(&host, call, &call->answers[i].view);
        if (result == 0) result = encoder->idle(&host, call);
    }
    return result == 0 ? encoder->end(&host, call) : result;
}

/* The page: its own tags and no other, in the number that there must be, and bytes that a browser shows. */

static size_t count_of(struct cg_slice page, const char *tag) {
    size_t count = 0, len = strlen(tag);
    for (size_t i = 0; i + len <= page.len; i++) count += memcmp(page.data + i, tag, len) == 0;
    return count;
}

static bool is_own_tag(struct cg_slice at) {
    for (size_t i = 0; i < PAGE_TAGS; i++) {
        if (cg_slice_starts(at, page_tags[i])) return true;
    }
    return false;
}

static void check_html(struct castgate_call *call) {
    struct cg_slice page = cg_buf_slice(&call->body);
    CG_CHECK(cg_utf8_valid(page));
    for (size_t i = 0; i < page.len; i++) {
        CG_CHECK(page.data[i] >= ' ' || page.data[i] == '\n' || page.data[i] == '\t');
        if (page.data[i] == '<') CG_CHECK(is_own_tag(cg_slice_of(page.data + i, page.len - i)));
    }
    CG_CHECK(count_of(page, "<tr>") == call->count && count_of(page, "</tr>") == call->count);
    CG_CHECK(count_of(page, "<li>") == call->missing + call->rejected);
    CG_CHECK(count_of(page, "</html>\n") == 1 && strcmp(call->content_type, "text/html; charset=utf-8") == 0);
}

/* multipart-core, read by libcbor: an array of which each answer is four items. */

static cbor_item_t *load_cbor(struct cg_slice bytes) {
    struct cbor_load_result result;
    cbor_item_t *item = cbor_load(bytes.data, bytes.len, &result);
    CG_CHECK(item != NULL && result.read == bytes.len);
    return item;
}

static void check_is_cbor(cbor_item_t *item) { CG_CHECK(cbor_isa_uint(item) && cbor_get_int(item) == CG_FORMAT_CBOR); }

static size_t pairs_in(cbor_item_t *bytes) {
    CG_CHECK(cbor_isa_bytestring(bytes));
    cbor_item_t *map = load_cbor(cg_slice_of(cbor_bytestring_handle(bytes), cbor_bytestring_length(bytes)));
    CG_CHECK(cbor_isa_map(map));
    size_t pairs = cbor_map_size(map);
    cbor_decref(&map);
    return pairs;
}

static void check_core_answer(cbor_item_t **items, const struct castgate_answer *answer) {
    struct cg_msg msg = {.options = borrow(answer->options)};
    check_is_cbor(items[0]);
    CG_CHECK(pairs_in(items[1]) == 5u + (answer->reply_from.len > 0) + answer->has_kid + (answer->etag.len > 0) +
                                       cg_msg_find(&msg, CG_OPT_OSCORE, &(struct cg_slice){0}));
    CG_CHECK(cbor_isa_uint(items[2]));
    if (answer->payload.len == 0) {
        CG_CHECK(cbor_is_null(items[3]));
    } else {
        CG_CHECK(cbor_isa_bytestring(items[3]));
        CG_CHECK(cg_slice_equal(cg_slice_of(cbor_bytestring_handle(items[3]), cbor_bytestring_length(items[3])),
                                borrow(answer->payload)));
    }
}

static void check_core(struct castgate_call *call) {
    cbor_item_t *reply = load_cbor(cg_buf_slice(&call->body));
    CG_CHECK(cbor_isa_array(reply) && cbor_array_size(reply) == 2 + 4 * call->count);
    cbor_item_t **items = cbor_array_handle(reply);
    check_is_cbor(items[0]);
    CG_CHECK(pairs_in(items[1]) == 3);
    for (size_t i = 0; i < call->count; i++) check_core_answer(items + 2 + 4 * i, &call->answers[i].view);
    cbor_decref(&reply);
}

static int encode_core(struct castgate_call *call) {
    const struct castgate_encoder *encoder = cg_plugin_multipart_core.ops.encoder;
    int result = encoder->head(&host, call);
    return result != 0 ? result : encoder->encode(&host, call);
}

static int encode_html(struct castgate_call *call) {
    int result = cg_plugin_html.ops.encoder->head(&host, call);
    return result != 0 ? result : cg_plugin_html.ops.encoder->encode(&host, call);
}

static int encode_mixed(struct castgate_call *call) { return cg_plugin_mixed.ops.encoder->encode(&host, call); }

static int encode_json(struct castgate_call *call) {
    int result = cg_plugin_json.ops.encoder->head(&host, call);
    return result != 0 ? result : cg_plugin_json.ops.encoder->encode(&host, call);
}

static void run(struct castgate_call *call, size_t room, int (*encode)(struct castgate_call *),
                void (*check)(struct castgate_call *)) {
    cg_buf_clear(&call->body);
    call->room = room;
    call->streaming = call->refused = false;
    int result = encode(call);
    CG_CHECK(result == 0 || result == -1);
    if (result == 0) check(call);
    CG_CHECK((result == 0) == !call->refused); /* it gives up when it must, and only then */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    struct castgate_call *call = calloc(1, sizeof *call);
    CG_CHECK(call != NULL);
    uint8_t shape = input_u8(&input);
    size_t room = shape & 0x80 ? input_u16(&input) : SIZE_MAX;
    call->missing = shape >> 3 & 3;
    call->rejected = shape >> 5 & 3;
    call->summary = (struct castgate_summary){.failed = shape, .ended_by = "deadline"};
    struct cg_slice randomness = input_bytes(&input, 16 * (1 + (shape & 1)));
    call->hostile = randomness;
    call->randomness = (struct input){randomness.data, randomness.len};
    while (input.len > 0 && call->count < ANSWERS_MAX) read_answer(&input, &call->answers[call->count++]);
    call->summary.answered = (uint32_t)call->count;
    cg_buf_init(&call->body, 0);
    run(call, room, encode_mixed, check_mixed);
    run(call, room, encode_json, check_json);
    run(call, room, encode_sse, check_sse);
    run(call, room, encode_html, check_html);
    run(call, room, encode_core, check_core);
    for (size_t i = 0; i < call->count; i++) input_free(call->answers[i].payload);
    cg_buf_fini(&call->body);
    free(call);
    return 0;
}
