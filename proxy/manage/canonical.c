/* Hand-written, because jansson writes 0.9 as 0.90000000000000002: what somebody set is to come back as it was set. */
#include "manage/canonical.h"

#include <stdlib.h>

#include "settings/out.h"

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* NULL: no memory. */
static const char **sorted_keys(const json_t *object) {
    const char **keys = calloc(json_object_size(object) + 1, sizeof *keys);
    const char *key;
    json_t *value;
    size_t count = 0;
    if (keys == NULL) return NULL;
    json_object_foreach((json_t *)object, key, value) keys[count++] = key;
    qsort(keys, count, sizeof *keys, by_bytes);
    return keys;
}

static void put_object(struct cg_buf *to, const json_t *object) {
    const char **keys = sorted_keys(object);
    if (keys == NULL) {
        to->failed = true;
        return;
    }
    cg_buf_put_u8(to, '{');
    for (const char **key = keys; *key != NULL; key++) {
        if (key != keys) cg_buf_put_u8(to, ',');
        cg_buf_put_json(to, cg_slice_str(*key));
        cg_buf_put_u8(to, ':');
        cg_manage_canonical(to, json_object_get(object, *key));
    }
    cg_buf_put_u8(to, '}');
    free(keys);
}

static void put_array(struct cg_buf *to, const json_t *array) {
    cg_buf_put_u8(to, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0) cg_buf_put_u8(to, ',');
        cg_manage_canonical(to, json_array_get(array, i));
    }
    cg_buf_put_u8(to, ']');
}

static void put_real(struct cg_buf *to, double number) {
    char text[32];
    cg_shortest_decimal(text, number);
    cg_buf_put_str(to, text);
}

void cg_manage_canonical(struct cg_buf *to, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: put_object(to, value); break;
    case JSON_ARRAY: put_array(to, value); break;
    case JSON_STRING: cg_buf_put_json(to, cg_slice_of(json_string_value(value), json_string_length(value))); break;
    case JSON_INTEGER: cg_buf_printf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: put_real(to, json_real_value(value)); break;
    case JSON_TRUE: cg_buf_put_str(to, "true"); break;
    case JSON_FALSE: cg_buf_put_str(to, "false"); break;
    case JSON_NULL: cg_buf_put_str(to, "null"); break;
    }
}
