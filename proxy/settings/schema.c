/* The settings' JSON Schema (draft 2020-12), for editors and whoever writes settings by program. The hard thing: what
 * no schema can say, rules that span several keys, is left to -T, and never half said. */
#include "settings/rows.h"
#include "settings/settings.h"

static void put_value(struct cg_out *out, const struct cg_row *row);

static void put_bounds(struct cg_out *out, const struct cg_row *row) {
    if (row->kind->min != NULL) cg_out_integer(out, row->kind->min, row->min);
    if (row->kind->max != NULL && row->max > 0) cg_out_integer(out, row->kind->max, row->max);
}

static void put_required(struct cg_out *out, const struct cg_rows *rows) {
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if ((rows->list[i].flags & CG_ROW_REQUIRED) == 0) continue;
        if (count++ == 0) cg_out_open(out, "required", '[');
        cg_out_text(out, NULL, rows->list[i].key);
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
        if (row->kind == &cg_kind_later) continue;
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
