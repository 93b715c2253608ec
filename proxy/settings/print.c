/* The effective settings as JSON, row by row. The hard thing: reading it back must give the same snapshot, so each
 * type prints what its own reader takes. */
#include "settings/rows.h"
#include "settings/settings.h"

void cg_print_rows(struct cg_out *out, const struct cg_rows *rows, const void *target) {
    for (size_t i = 0; i < rows->count; i++) {
        const struct cg_row *row = &rows->list[i];
        if (row->kind->print == NULL || (row->flags & out->flags) != out->flags) continue;
        if ((row->flags & out->without) != 0) continue;
        row->kind->print(out, row, target);
    }
}

static void print(struct cg_out *out, const struct cg_config *config) {
    cg_out_open(out, NULL, '{');
    cg_print_rows(out, &cg_document_rows, config);
    cg_out_close(out, '}');
    cg_buf_put_u8(out->buf, '\n');
}

void cg_settings_print(struct cg_buf *to, const struct cg_config *config) {
    struct cg_out out = {.buf = to, .fresh = true};
    print(&out, config);
}

void cg_settings_print_sections(struct cg_buf *to, const struct cg_config *config) {
    struct cg_out out = {.buf = to, .fresh = true, .without = CG_ROW_ITEMS};
    print(&out, config);
}
