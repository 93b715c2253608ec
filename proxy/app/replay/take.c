/* The hard thing: what is missing is as if it were 0, no or empty, unless that means nothing, so a reader of a key must
 * not have to know whether it was there. After the first mistake whatever is read is harmless, and nobody looks at it.
 */
#include "app/replay/take.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/mapping.h"

/* Only the first is told. */
void cg_take_refuse(struct cg_taking *reading, const char *format, ...) {
    va_list arguments;
    if (reading->err < 0) return;
    reading->err = CG_E_FORMAT;
    va_start(arguments, format);
    vsnprintf(reading->wrong, CG_REPLAY_WRONG_MAX, format, arguments);
    va_end(arguments);
}

void cg_take_lack_memory(struct cg_taking *reading) {
    if (reading->err == CG_OK) reading->err = CG_E_NO_MEMORY;
}

int64_t cg_take_number(struct cg_taking *reading, const json_t *of, const char *key, int64_t least, int64_t most) {
    const json_t *json = json_object_get(of, key);
    const int64_t value = json_is_integer(json) ? json_integer_value(json) : 0;
    if ((json == NULL || json_is_integer(json)) && value >= least && value <= most) return value;
    cg_take_refuse(reading, "\"%s\" is no number from %lld to %lld", key, (long long)least, (long long)most);
    return least;
}

double cg_take_fraction(struct cg_taking *reading, const json_t *of, const char *key) {
    const double value = json_number_value(json_object_get(of, key));
    if (value >= 0 && value <= 1) return value;
    cg_take_refuse(reading, "\"%s\" is not between 0 and 1", key);
    return 0;
}

bool cg_take_flag(const json_t *of, const char *key) { return json_is_true(json_object_get(of, key)); }

/* Never NULL; valid as long as the document. */
const char *cg_take_text(const json_t *of, const char *key) {
    const char *value = json_string_value(json_object_get(of, key));
    return value == NULL ? "" : value;
}

const json_t *cg_take_list(struct cg_taking *reading, const json_t *of, const char *key, size_t most) {
    const json_t *json = json_object_get(of, key);
    if (!json_is_array(json) || json_array_size(json) > most)
        cg_take_refuse(reading, "\"%s\" is no list, or too long", key);
    return json_is_array(json) ? json : NULL;
}

size_t cg_take_count(const struct cg_taking *reading, const json_t *of) {
    return reading->err < 0 || of == NULL ? 0 : json_array_size(of);
}

void *cg_take_zalloc(struct cg_taking *reading, size_t items, size_t size) {
    void *memory = cg_arena_zalloc(reading->arena, (items == 0 ? 1 : items) * size);
    if (memory == NULL) cg_take_lack_memory(reading);
    return memory;
}

struct cg_slice cg_take_bytes(struct cg_taking *reading, const json_t *of, const char *key, size_t most) {
    const struct cg_slice hex = cg_slice_str(cg_take_text(of, key));
    size_t len = 0;
    if (hex.len == 0) return CG_SLICE_NONE;
    uint8_t *data = hex.len / 2 > most ? NULL : cg_take_zalloc(reading, 1, hex.len / 2 + 1);
    if (data == NULL || cg_hex_parse(hex, data, hex.len / 2, &len) < 0)
        cg_take_refuse(reading, "\"%s\" is not in hexadecimal digits, or too long", key);
    return cg_slice_of(data, len);
}

struct cg_addr cg_take_addr(struct cg_taking *reading, const json_t *of, const char *key) {
    struct cg_addr at = {0};
    const struct cg_slice value = cg_slice_str(cg_take_text(of, key));
    if (value.len > 0 && cg_addr_parse(&at, value, CG_COAP_PORT) < 0)
        cg_take_refuse(reading, "\"%s\" is no address", key);
    return at;
}

int cg_take_choice(struct cg_taking *reading, const json_t *of, const char *key, const char *const *words,
                   size_t most) {
    const char *value = cg_take_text(of, key);
    for (size_t i = 0; i < most; i++)
        if (strcmp(words[i], value) == 0) return (int)i;
    cg_take_refuse(reading, "\"%s\" is none of the words that it may be", key);
    return 0;
}

/* As settings have paths. */
struct cg_slice cg_take_path(struct cg_taking *reading, const json_t *of, const char *key) {
    struct cg_buf normal;
    cg_buf_init(&normal, CG_MAPPING_PATH_MAX);
    if (cg_mapping_normal_path(&normal, cg_slice_str(cg_take_text(of, key))) < 0)
        cg_take_refuse(reading, "\"%s\" is no path", key);
    const struct cg_slice kept = cg_arena_copy(reading->arena, cg_buf_slice(&normal));
    cg_buf_fini(&normal);
    return kept;
}

struct cg_slice cg_take_keep(struct cg_taking *reading, const char *value) {
    const struct cg_slice kept = cg_arena_copy(reading->arena, cg_slice_of(value, strlen(value) + 1));
    if (kept.data == NULL) cg_take_lack_memory(reading);
    return cg_slice_of(kept.data, kept.data == NULL ? 0 : kept.len - 1);
}

/* NULL: empty. */
const char *cg_take_keep_name(struct cg_taking *reading, const char *value) {
    return value[0] == 0 ? NULL : (const char *)cg_take_keep(reading, value).data;
}
