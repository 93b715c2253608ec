/* Whose payloads the flight recorder's transcripts have: a word of three, and what a mapping says of its own. */
#include "settings/rows.h"

static const char *const words[] = {
    [CG_PAYLOADS_NONE] = "none", [CG_PAYLOADS_PLAIN] = "plain", [CG_PAYLOADS_ALL] = "all"};

static enum cg_recorded_payloads *place(const struct cg_row *row, void *target) {
    return (enum cg_recorded_payloads *)(void *)((char *)target + row->offset);
}

static void read_payloads(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                          const json_t *json, void *target) {
    const char *text = json_is_string(json) ? json_string_value(json) : "";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) != 0) continue;
        *place(row, target) = (enum cg_recorded_payloads)i;
        return;
    }
    cg_mistake_at(reader, at, "must be \"none\", \"plain\" or \"all\"");
}

static void print_payloads(struct cg_out *out, const struct cg_row *row, const void *target) {
    enum cg_recorded_payloads payloads;
    memcpy(&payloads, (const char *)target + row->offset, sizeof payloads);
    cg_out_text(out, row->key, words[payloads]);
}

const struct cg_kind cg_kind_payloads = {.read = read_payloads, .print = print_payloads};

/* ---- A mapping's own: true, false, or null ---- */

static void read_own(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                     void *target) {
    enum cg_record_payloads *own = (enum cg_record_payloads *)(void *)((char *)target + row->offset);
    if (json_is_boolean(json)) {
        *own = json_is_true(json) ? CG_RECORD_PAYLOADS : CG_RECORD_LENGTHS;
    } else if (json_is_null(json)) {
        *own = CG_RECORD_AS_SETTINGS;
    } else {
        cg_mistake_at(reader, at, "must be true, false or null");
    }
}

static void print_own(struct cg_out *out, const struct cg_row *row, const void *target) {
    enum cg_record_payloads own;
    memcpy(&own, (const char *)target + row->offset, sizeof own);
    if (own == CG_RECORD_AS_SETTINGS) {
        cg_out_text(out, row->key, NULL);
    } else {
        cg_out_bool(out, row->key, own == CG_RECORD_PAYLOADS);
    }
}

const struct cg_kind cg_kind_record_payloads = {.read = read_own, .print = print_own};
