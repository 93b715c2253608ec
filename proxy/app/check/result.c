/* Results, and their form as JSON. The hard thing: the other end may be another version, so what is missing is 0, and
 * nothing is read beyond its room. */
#include "app/check/result.h"

#include <jansson.h>
#include <stdio.h>

#include "base/text.h"

void cg_check_result_init(struct cg_check_result *result) {
    *result = (struct cg_check_result){0};
    cg_buf_init(&result->answers, 0);
    cg_buf_init(&result->rejections, 0);
    for (size_t i = 0; i < CG_CHECK_SENT_MAX; i++) cg_buf_init(&result->sendings[i].bytes, 0);
}

void cg_check_result_fini(struct cg_check_result *result) {
    cg_buf_fini(&result->answers);
    cg_buf_fini(&result->rejections);
    for (size_t i = 0; i < CG_CHECK_SENT_MAX; i++) cg_buf_fini(&result->sendings[i].bytes);
}

void cg_check_result_take(struct cg_check_result *to, struct cg_check_result *from) {
    cg_check_result_fini(to);
    *to = *from;
    cg_check_result_init(from);
}

void cg_check_result_count(struct cg_check_result *result, const char *reason, uint8_t code, struct cg_slice from) {
    for (size_t i = 0; i < result->kind_count; i++) {
        struct cg_check_kind *kind = &result->kinds[i];
        if (kind->code != code || strcmp(kind->reason, reason) != 0) continue;
        kind->count++;
        return;
    }
    if (result->kind_count == CG_CHECK_KINDS_MAX) return;
    struct cg_check_kind *kind = &result->kinds[result->kind_count++];
    *kind = (struct cg_check_kind){.code = code, .count = 1};
    snprintf(kind->reason, sizeof kind->reason, "%s", reason);
    snprintf(kind->from, sizeof kind->from, "%.*s", (int)from.len, (const char *)from.data);
}

uint32_t cg_check_result_rejected(const struct cg_check_result *result, const char *reason,
                                  const struct cg_check_kind **first) {
    uint32_t count = 0;
    for (size_t i = 0; i < result->kind_count; i++) {
        const struct cg_check_kind *kind = &result->kinds[i];
        if (strcmp(kind->reason, reason) != 0) continue;
        if (count == 0) *first = kind;
        count += kind->count;
    }
    return count;
}

/* Emitting */

static void put_text(struct cg_buf *to, const char *key, struct cg_slice text) {
    cg_buf_printf(to, ",\"%s\":", key);
    cg_buf_put_json(to, text);
}

static void put_addr(struct cg_buf *to, const char *key, const struct cg_addr *addr) {
    char text[CG_ADDR_TEXT_MAX];
    put_text(to, key, cg_slice_of(text, cg_addr_emit(addr, text)));
}

static void put_kinds(struct cg_buf *to, const struct cg_check_result *result) {
    cg_buf_put_str(to, ",\"kinds\":[");
    for (size_t i = 0; i < result->kind_count; i++) {
        const struct cg_check_kind *kind = &result->kinds[i];
        cg_buf_printf(to, "%s{\"count\":%u,\"code\":%u", i > 0 ? "," : "", kind->count, (unsigned)kind->code);
        put_text(to, "reason", cg_slice_str(kind->reason));
        put_text(to, "from", cg_slice_str(kind->from));
        cg_buf_put_u8(to, '}');
    }
    cg_buf_put_u8(to, ']');
}

static void put_silent(struct cg_buf *to, const struct cg_check_result *result) {
    cg_buf_put_str(to, ",\"silent\":[");
    for (size_t i = 0; i < result->silent_count; i++) {
        cg_buf_printf(to, "%s{\"number\":%zu", i > 0 ? "," : "", i);
        put_text(to, "name", cg_slice_str(result->silent[i].name));
        put_addr(to, "addr", &result->silent[i].addr);
        cg_buf_put_u8(to, '}');
    }
    cg_buf_put_u8(to, ']');
}

static void put_sendings(struct cg_buf *to, const struct cg_check_result *result) {
    cg_buf_put_str(to, ",\"sendings\":[");
    for (size_t i = 0; i < result->sending_count; i++) {
        const struct cg_check_sending *sending = &result->sendings[i];
        cg_buf_printf(to, "%s{\"target\":%u", i > 0 ? "," : "", sending->target);
        put_addr(to, "to", &sending->to);
        cg_buf_put_str(to, ",\"bytes\":\"");
        cg_buf_put_hex(to, cg_buf_slice(&sending->bytes));
        cg_buf_put_str(to, "\"}");
    }
    cg_buf_put_u8(to, ']');
}

void cg_check_result_emit(struct cg_buf *to, const struct cg_check_result *result) {
    cg_buf_printf(to, ",\"err\":%d", result->problem.err);
    put_text(to, "detail", cg_slice_str(result->problem.detail));
    put_text(to, "ended_by", cg_slice_str(result->ended_by));
#define COUNT(name) cg_buf_printf(to, ",\"" #name "\":%u", result->name);
    CG_CHECK_COUNTS(COUNT)
#undef COUNT
    cg_buf_put_str(to, ",\"fates\":[");
    for (size_t i = 0; i < CG_FATE_COUNT; i++) cg_buf_printf(to, "%s%u", i > 0 ? "," : "", result->fates[i]);
    cg_buf_put_u8(to, ']');
    put_text(to, "answers", cg_buf_slice(&result->answers));
    put_text(to, "rejections", cg_buf_slice(&result->rejections));
    put_kinds(to, result);
    put_silent(to, result);
    put_sendings(to, result);
}

/* Parsing */

static uint32_t get_count(const json_t *object, const char *key) {
    return (uint32_t)json_integer_value(json_object_get(object, key));
}

static void get_text(const json_t *object, const char *key, char *to, size_t size) {
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(to, size, "%s", text == NULL ? "" : text);
}

static void get_lines(const json_t *object, const char *key, struct cg_buf *to) {
    const char *text = json_string_value(json_object_get(object, key));
    if (text != NULL) cg_buf_put_str(to, text);
}

/* Of no family where it is none. */
static void get_addr(const json_t *object, const char *key, struct cg_addr *to) {
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || cg_addr_parse(to, cg_slice_str(text), CG_COAP_PORT) < 0) *to = (struct cg_addr){0};
}

static size_t get_list(const json_t *object, const char *key, size_t most) {
    size_t count = json_array_size(json_object_get(object, key));
    return count < most ? count : most;
}

static const json_t *item(const json_t *object, const char *key, size_t i) {
    return json_array_get(json_object_get(object, key), i);
}

static void get_kinds(struct cg_check_result *result, const json_t *object) {
    result->kind_count = get_list(object, "kinds", CG_CHECK_KINDS_MAX);
    for (size_t i = 0; i < result->kind_count; i++) {
        struct cg_check_kind *kind = &result->kinds[i];
        const json_t *from = item(object, "kinds", i);
        kind->count = get_count(from, "count");
        kind->code = (uint8_t)get_count(from, "code");
        get_text(from, "reason", kind->reason, sizeof kind->reason);
        get_text(from, "from", kind->from, sizeof kind->from);
    }
}

static void get_silent(struct cg_check_result *result, const json_t *object) {
    result->silent_count = get_list(object, "silent", CG_SILENT_MAX);
    for (size_t i = 0; i < result->silent_count; i++) {
        const json_t *from = item(object, "silent", i);
        get_text(from, "name", result->silent[i].name, sizeof result->silent[i].name);
        get_addr(from, "addr", &result->silent[i].addr);
    }
}

static void get_bytes(const json_t *object, const char *key, struct cg_buf *to) {
    const char *hex = json_string_value(json_object_get(object, key));
    size_t room = hex == NULL ? 0 : strlen(hex) / 2, len;
    uint8_t *at = cg_buf_reserve(to, room);
    if (hex != NULL && at != NULL && cg_hex_parse(cg_slice_str(hex), at, room, &len) == CG_OK) to->len += len;
}

static void get_sendings(struct cg_check_result *result, const json_t *object) {
    result->sending_count = get_list(object, "sendings", CG_CHECK_SENT_MAX);
    for (size_t i = 0; i < result->sending_count; i++) {
        const json_t *from = item(object, "sendings", i);
        result->sendings[i].target = get_count(from, "target");
        get_addr(from, "to", &result->sendings[i].to);
        get_bytes(from, "bytes", &result->sendings[i].bytes);
    }
}

static void get_all(struct cg_check_result *result, const json_t *object) {
    result->problem.err = (int)json_integer_value(json_object_get(object, "err"));
    get_text(object, "detail", result->problem.detail, sizeof result->problem.detail);
    get_text(object, "ended_by", result->ended_by, sizeof result->ended_by);
#define COUNT(name) result->name = get_count(object, #name);
    CG_CHECK_COUNTS(COUNT)
#undef COUNT
    for (size_t i = 0; i < CG_FATE_COUNT; i++)
        result->fates[i] = (uint32_t)json_integer_value(item(object, "fates", i));
    get_lines(object, "answers", &result->answers);
    get_lines(object, "rejections", &result->rejections);
    get_kinds(result, object);
    get_silent(result, object);
    get_sendings(result, object);
}

bool cg_check_result_parse(struct cg_check_result *result, struct cg_slice object) {
    json_t *json = json_loadb((const char *)object.data, object.len, JSON_REJECT_DUPLICATES, NULL);
    bool is_object = json_is_object(json);
    if (is_object) get_all(result, json);
    json_decref(json);
    return is_object && !result->answers.failed && !result->rejections.failed;
}
