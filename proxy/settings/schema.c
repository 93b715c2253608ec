/* The settings' JSON Schema (draft 2020-12), for editors and whoever writes settings by program, and that of stored
 * items, which is the same but for what only the settings file may say. The hard thing: what no schema can say, rules
 * that span several keys, is left to -T, and never half said. */
#include "settings/rows.h"
#include "settings/settings.h"
#include "settings/stored.h"

static void put_value(struct cg_out *out, const struct cg_row *row);

static bool is_part(const struct cg_out *out, const struct cg_rows *rows);

/* Objects of which nothing is left go, too. */
static bool is_left(const struct cg_out *out, const struct cg_row *row) {
    if (row->kind == &cg_kind_later || (row->flags & out->without) != 0) return false;
    return out->without == 0 || row->kind->shape != CG_SHAPE_OBJECT || is_part(out, row->of);
}

static bool is_part(const struct cg_out *out, const struct cg_rows *rows) {
    for (size_t i = 0; i < rows->count; i++)
        if (is_left(out, &rows->list[i])) return true;
    return false;
}

static void put_bounds(struct cg_out *out, const struct cg_row *row) {
    if (row->kind->min != NULL) cg_out_integer(out, row->kind->min, row->min);
    if (row->kind->max != NULL && row->max > 0) cg_out_integer(out, row->kind->max, row->max);
}

static void put_required(struct cg_out *out, const struct cg_rows *rows) {
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const struct cg_row *row = &rows->list[i];
        bool is_said_by_place = out->without != 0 && (row->flags & CG_ROW_NAME) != 0;
        if ((row->flags & CG_ROW_REQUIRED) == 0 || !is_left(out, row) || is_said_by_place) continue;
        if (count++ == 0) cg_out_open(out, "required", '[');
        cg_out_text(out, NULL, row->key);
    }
    if (count > 0) cg_out_close(out, ']');
}

/* What is said of a key beyond what its value may be. Names that begin with x- are our own. */
static void put_about(struct cg_out *out, const struct cg_row *row) {
    if (row->fallback != NULL) cg_out_quoted(out, "default", row->fallback);
    if (row->says != NULL) cg_out_text(out, "description", row->says);
    if (row->unit != NULL) cg_out_text(out, "x-unit", row->unit);
    if ((row->flags & CG_ROW_RESTART) != 0) cg_out_bool(out, "x-restart", true);
    if ((row->flags & CG_ROW_FILE_ONLY) != 0) cg_out_bool(out, "x-file-only", true);
}

static void put_properties(struct cg_out *out, const struct cg_rows *rows) {
    cg_out_bool(out, "additionalProperties", false);
    if (rows->json != NULL) cg_out_quoted(out, NULL, rows->json);
    put_required(out, rows);
    cg_out_open(out, "properties", '{');
    for (size_t i = 0; i < rows->count; i++) {
        const struct cg_row *row = &rows->list[i];
        if (!is_left(out, row)) continue;
        cg_out_open(out, row->key, '{');
        put_value(out, row);
        put_about(out, row);
        cg_out_close(out, '}');
    }
    cg_out_close(out, '}');
}

/* An item: what its type says, or an object that may have a short form. */
static void put_item(struct cg_out *out, const char *key, const struct cg_row *row) {
    const struct cg_row item = {.kind = row->items->kind, .of = row->of};
    bool short_form = row->of != NULL && row->of->short_form;
    cg_out_open(out, key, '{');
    if (short_form) {
        cg_out_open(out, "oneOf", '[');
        cg_out_quoted(out, NULL, "{'type': 'string'}");
        cg_out_open(out, NULL, '{');
    }
    put_value(out, &item);
    if (short_form) {
        cg_out_close(out, '}');
        cg_out_close(out, ']');
    }
    cg_out_close(out, '}');
}

static void put_value(struct cg_out *out, const struct cg_row *row) {
    cg_out_quoted(out, NULL, row->json != NULL ? row->json : row->kind->json);
    put_bounds(out, row);
    switch (row->kind->shape) {
    case CG_SHAPE_VALUE: break;
    case CG_SHAPE_OBJECT: put_properties(out, row->of); break;
    case CG_SHAPE_LIST: put_item(out, "items", row); break;
    case CG_SHAPE_MAP: put_item(out, "additionalProperties", row); break;
    }
}

void cg_settings_schema(struct cg_buf *to) {
    struct cg_out out = {.buf = to, .fresh = true};
    const struct cg_row document = {.kind = &cg_kind_object, .of = &cg_document_rows};
    cg_out_open(&out, NULL, '{');
    cg_out_text(&out, "$schema", "https://json-schema.org/draft/2020-12/schema");
    cg_out_text(&out, "title", "Settings of castgate");
    cg_out_text(
        &out, "description",
        "Rules that span several keys are checked by castgate -T only. x-unit: what numbers count; x-restart: a "
        "change takes effect after a restart; x-file-only: belongs to the host, only its file may say it. Made "
        "by castgate --schema.");
    put_value(&out, &document);
    cg_out_close(&out, '}');
    cg_buf_put_u8(to, '\n');
}

static const struct cg_rows *const rows_of[CG_ITEM_KIND_COUNT] = {
    [CG_ITEM_SETTINGS] = &cg_document_rows,    [CG_ITEM_SECURITY_GROUP] = &cg_stored_group_rows,
    [CG_ITEM_CLIENT] = &cg_stored_client_rows, [CG_ITEM_MAPPING] = &cg_mapping_rows,
    [CG_ITEM_REACTION] = &cg_reaction_rows,
};

bool cg_settings_item_schema(struct cg_buf *to, enum cg_item_kind kind) {
    struct cg_out out = {.buf = to, .fresh = true, .without = CG_ROW_FILE_ONLY | CG_ROW_ITEMS};
    const struct cg_row item = {.kind = &cg_kind_object, .of = rows_of[kind]};
    if (item.of == NULL) return false;
    cg_out_open(&out, NULL, '{');
    put_value(&out, &item);
    cg_out_close(&out, '}');
    return true;
}
