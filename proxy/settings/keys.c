/* Objects read by their rows. The hard thing: an unknown key is most often a known one misspelt, so the mistake names
 * the nearest. */
#include "settings/rows.h"

#include "base/check.h"
#include "settings/json_load.h"
#include "settings/settings.h"

enum { WORD_MAX = 32 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Levenshtein's distance, for words of at most WORD_MAX letters. */
static size_t distance(const char *a, const char *b) {
    size_t a_len = strlen(a), b_len = strlen(b), row[WORD_MAX + 1];
    if (a_len > WORD_MAX || b_len > WORD_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++) row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(changed, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_len];
}

/* A key that `name` may be a slip of: a third of its letters at most, one at least. */
static const char *nearest_key(const struct cg_rows *rows, const char *name) {
    size_t best = strlen(name) / 3 + 2;
    const char *nearest = NULL;
    for (size_t i = 0; i < rows->count; i++) {
        size_t far = distance(rows->list[i].key, name);
        if (far >= best) continue;
        best = far;
        nearest = rows->list[i].key;
    }
    return nearest;
}

static bool is_known(const struct cg_rows *rows, const char *name) {
    for (size_t i = 0; i < rows->count; i++) {
        if (strcmp(rows->list[i].key, name) == 0) return true;
    }
    return false;
}

static void list_keys(char *to, size_t cap, const struct cg_rows *rows) {
    size_t len = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->list[i].kind == &cg_kind_later) continue;
        size_t more = strlen(rows->list[i].key);
        if (len + more + 3 > cap) break;
        if (len > 0) to[len++] = ',', to[len++] = ' ';
        memcpy(to + len, rows->list[i].key, more);
        len += more;
    }
    to[len] = '\0';
}

static void report_unknown(struct cg_reader *reader, const struct cg_at *at, const struct cg_rows *rows) {
    /* A million unknown keys are not each compared with all known ones. */
    const char *nearest = cg_mistakes_are_full(reader->mistakes) ? NULL : nearest_key(rows, at->key);
    if (nearest != NULL) {
        const struct cg_at meant = {.up = at->up, .key = nearest};
        cg_mistake_about(reader, at, &meant, "unknown key; did you mean \"%s\"?", nearest);
        return;
    }
    char known[400];
    list_keys(known, sizeof known, rows);
    cg_mistake_at(reader, at, "unknown key; known here: %s", known);
}

bool cg_read_object(struct cg_reader *reader, const struct cg_at *at, const struct cg_rows *rows, const json_t *json,
                    void *target) {
    if (!json_is_object(json)) {
        cg_mistake_at(reader, at, "must be an object");
        return false;
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value) {
        struct cg_at child = {.up = at, .key = name};
        if (!is_known(rows, name)) report_unknown(reader, &child, rows);
    }
    for (size_t i = 0; i < rows->count; i++) {
        struct cg_at child;
        const struct cg_row *row = &rows->list[i];
        const json_t *member = cg_read_member(at, json, row->key, &child);
        if (member == NULL) continue;
        if (reader->origin == CG_ORIGIN_STORE && (row->flags & CG_ROW_FILE_ONLY) != 0) {
            cg_mistake_at(reader, &child, "can be set in the settings file only");
        } else if (row->kind->read != NULL && !row->kind->late) {
            row->kind->read(reader, &child, row, member, target);
        }
    }
    return true;
}

const struct cg_row *cg_row_of(const struct cg_rows *rows, const char *key) {
    size_t i = 0;
    while (i < rows->count && strcmp(rows->list[i].key, key) != 0) i++;
    CG_CHECK(i < rows->count);
    return &rows->list[i];
}

void cg_read_late(struct cg_reader *reader, const struct cg_at *at, const struct cg_rows *rows, const char *key,
                  const json_t *object, void *target) {
    struct cg_at child;
    const struct cg_row *row = cg_row_of(rows, key);
    const json_t *json = cg_read_member(at, object, row->key, &child);
    if (json != NULL) row->kind->read(reader, &child, row, json, target);
}

/* The defaults */

json_t *cg_read_fallback(struct cg_reader *reader, const struct cg_row *row) {
    struct cg_buf text;
    json_error_t error;
    cg_buf_init(&text, 0);
    cg_out_quoted(&(struct cg_out){.buf = &text, .fresh = true}, NULL, row->fallback);
    json_t *json = text.failed ? NULL : cg_json_load(cg_buf_slice(&text), JSON_DECODE_ANY, &error); /* the table's */
    if (json == NULL) reader->out_of_memory = true;
    cg_buf_fini(&text);
    return json;
}

static void read_default(struct cg_reader *reader, const struct cg_row *row, void *target) {
    const struct cg_at at = {.key = row->key};
    json_t *json = cg_read_fallback(reader, row);
    if (json != NULL) row->kind->read(reader, &at, row, json, target);
    json_decref(json);
}

void cg_read_defaults(struct cg_reader *reader, const struct cg_rows *rows, void *target) {
    size_t before = reader->mistakes->count;
    for (size_t i = 0; i < rows->count; i++) {
        const struct cg_row *row = &rows->list[i];
        if (row->fallback != NULL && row->kind->read != NULL) read_default(reader, row, target);
        if (row->kind->shape == CG_SHAPE_OBJECT) cg_read_defaults(reader, row->of, (char *)target + row->offset);
    }
    CG_CHECK(reader->mistakes->count == before); /* the table breaks no rule of its own */
}

/* All keys */

/* The key that `left` others come before, of these rows and of what is below them. */
static const struct cg_row *find_key(const struct cg_rows *rows, size_t *left, const struct cg_rows **object) {
    for (size_t i = 0; i < rows->count; i++) {
        const struct cg_row *row = &rows->list[i];
        if (row->kind == &cg_kind_later) continue;
        *object = rows;
        if ((*left)-- == 0) return row;
        const struct cg_row *below = row->of == NULL ? NULL : find_key(row->of, left, object);
        if (below != NULL) return below;
    }
    return NULL;
}

bool cg_settings_key(size_t index, const char **object, const char **key) {
    const struct cg_rows *rows;
    const struct cg_row *row = find_key(&cg_document_rows, &index, &rows);
    if (row == NULL) return false;
    *object = rows->at;
    *key = row->key;
    return true;
}
