/* What a reload cannot change. The hard thing: a setting of any type must be compared without a function of its own for
 * that, so what is compared is what would be printed. */
#include "settings/rows.h"
#include "settings/settings.h"

#include <stdio.h>

static bool prints_the_same(const struct cg_row *row, const void *old, const void *fresh) {
    struct cg_buf texts[2];
    for (size_t i = 0; i < 2; i++) {
        cg_buf_init(&texts[i], 0);
        struct cg_out out = {.buf = &texts[i], .fresh = true, .flags = CG_ROW_RESTART};
        row->kind->print(&out, row, i == 0 ? old : fresh);
    }
    bool same = cg_slice_equal(cg_buf_slice(&texts[0]), cg_buf_slice(&texts[1]));
    cg_buf_fini(&texts[0]);
    cg_buf_fini(&texts[1]);
    return same;
}

static void compare(const struct cg_rows *rows, const void *old, const void *fresh, struct cg_mistakes *warnings) {
    for (size_t i = 0; i < rows->count; i++) {
        const struct cg_row *row = &rows->list[i];
        const void *a = (const char *)old + row->offset, *b = (const char *)fresh + row->offset;
        if (row->kind->shape == CG_SHAPE_OBJECT) compare(row->of, a, b, warnings);
        if ((row->flags & CG_ROW_RESTART) == 0 || prints_the_same(row, old, fresh)) continue;
        char pointer[128];
        snprintf(pointer, sizeof pointer, "%s/%s", rows->at, row->key);
        cg_mistakes_add(warnings, pointer, "changes take effect after a restart");
    }
}

void cg_settings_restarts(const struct cg_config *old, const struct cg_config *fresh, struct cg_mistakes *warnings) {
    compare(&cg_document_rows, old, fresh, warnings);
    if (fresh->limits.exchanges > old->limits.exchanges)
        cg_mistakes_add(
            warnings, "/limits/exchanges",
            "is raised, but so many clients can only come in after a restart: connections stay as they are");
}
