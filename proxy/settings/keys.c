/* Objects by their key tables. The hard thing: an unknown key is most often a known one misspelt, so the mistake names
 * the nearest. */
#include "settings/reader.h"

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
static const char *nearest_key(const struct cg_keys *keys, const char *name) {
    size_t best = strlen(name) / 3 + 2;
    const char *nearest = NULL;
    for (size_t i = 0; i < keys->count; i++) {
        size_t far = distance(keys->list[i].name, name);
        if (far >= best) continue;
        best = far;
        nearest = keys->list[i].name;
    }
    return nearest;
}

static bool is_known(const struct cg_keys *keys, const char *name) {
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->list[i].name, name) == 0) return true;
    }
    return false;
}

static void list_keys(char *to, size_t cap, const struct cg_keys *keys) {
    size_t len = 0;
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->list[i].read == cg_read_later) continue;
        size_t more = strlen(keys->list[i].name);
        if (len + more + 3 > cap) break;
        if (len > 0) to[len++] = ',', to[len++] = ' ';
        memcpy(to + len, keys->list[i].name, more);
        len += more;
    }
    to[len] = '\0';
}

static void report_unknown(struct cg_reader *reader, const struct cg_at *at, const struct cg_keys *keys) {
    /* A million unknown keys are not each compared with all known ones. */
    const char *nearest = cg_mistakes_are_full(reader->mistakes) ? NULL : nearest_key(keys, at->key);
    if (nearest != NULL) {
        cg_mistake_at(reader, at, "unknown key; did you mean \"%s\"?", nearest);
        return;
    }
    char known[400];
    list_keys(known, sizeof known, keys);
    cg_mistake_at(reader, at, "unknown key; known here: %s", known);
}

bool cg_read_object(struct cg_reader *reader, const struct cg_at *at, const struct cg_keys *keys, const json_t *json,
                    void *target) {
    if (!json_is_object(json)) {
        cg_mistake_at(reader, at, "must be an object");
        return false;
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value) {
        struct cg_at child = {.up = at, .key = name};
        if (!is_known(keys, name)) report_unknown(reader, &child, keys);
    }
    for (size_t i = 0; i < keys->count; i++) {
        struct cg_at child;
        const json_t *member = cg_read_member(at, json, keys->list[i].name, &child);
        if (member != NULL && keys->list[i].read != NULL)
            keys->list[i].read(reader, &child, &keys->list[i], member, target);
    }
    return true;
}
