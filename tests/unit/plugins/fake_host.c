/* The hard thing: what an encoder borrows is valid until its operation returns and no longer, so it comes from arrays
 * that the test owns. */
#include "fake_host.h"

static struct castgate_slice fake_exchange(struct castgate_call *call) {
    (void)call;
    return text("0123456789abcdef");
}

static struct castgate_slice fake_mapping(struct castgate_call *call) {
    (void)call;
    return text("lamps");
}

static const struct castgate_summary *fake_summary(struct castgate_call *call) { return &call->summary; }

static bool fake_answer(struct castgate_call *call, size_t index, struct castgate_answer *out) {
    if (index >= call->answer_count) return false;
    *out = call->answers[index];
    return true;
}

static bool fake_missing(struct castgate_call *call, size_t index, struct castgate_missing *out) {
    if (index >= call->missing_count) return false;
    *out = call->missing[index];
    return true;
}

static bool fake_rejected(struct castgate_call *call, size_t index, struct castgate_rejected *out) {
    if (index >= call->rejected_count) return false;
    *out = call->rejected[index];
    return true;
}

static void fake_random(struct castgate_call *call, void *to, size_t len) {
    call->randoms++;
    if (call->random == NULL) {
        memset(to, (int)call->randoms, len);
        return;
    }
    memcpy(to, call->random, len);
    call->random += len;
}

static void fake_content_type(struct castgate_call *call, struct castgate_slice value) {
    assert_in_range(value.len, 1, sizeof call->content_type - 1);
    memcpy(call->content_type, value.data, value.len);
    call->content_type[value.len] = 0;
}

static bool fake_write(struct castgate_call *call, struct castgate_slice more) {
    if (more.len > call->room) return false;
    call->room -= more.len;
    cg_buf_put(&call->written, more.data, more.len);
    return true;
}

const struct castgate_host fake_host = {
    .size = sizeof fake_host,
    .exchange = fake_exchange,
    .mapping = fake_mapping,
    .summary = fake_summary,
    .answer = fake_answer,
    .missing = fake_missing,
    .rejected = fake_rejected,
    .random = fake_random,
    .content_type = fake_content_type,
    .write = fake_write,
};

void call_init(struct castgate_call *call) {
    *call = (struct castgate_call){.room = SIZE_MAX,
                                   .summary = {.answered = 1, .expected = 2, .missing = 1, .ended_by = "deadline"}};
    cg_buf_init(&call->written, 0);
}

void call_fini(struct castgate_call *call) { cg_buf_fini(&call->written); }

const char *call_text(struct castgate_call *call) {
    uint8_t *end = cg_buf_reserve(&call->written, 1);
    assert_non_null(end);
    *end = 0;
    return (const char *)call->written.data;
}

struct castgate_slice bytes(const void *data, size_t len) {
    return (struct castgate_slice){.data = data, .len = len};
}

struct castgate_slice text(const char *string) {
    return bytes(string, strlen(string));
}

struct castgate_answer plain_answer(uint32_t format, struct castgate_slice payload) {
    return (struct castgate_answer){
        .member = text("lamp-1"),
        .from = text("127.1.0.1:5683"),
        .media_type = text(format == 50 ? "application/json" : "text/plain;charset=utf-8"),
        .payload = payload,
        .format = format,
        .max_age = 60,
        .ms = 12,
        .status = 200,
        .code = 69,
    };
}

const char *text_at(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    if (value == NULL) fail_msg("no text at %s", key);
    return value;
}
