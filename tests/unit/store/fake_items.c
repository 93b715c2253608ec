#include "fake_items.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

int64_t fake_now_ms = INT64_C(1795000000000), fake_keep_ms;
struct cg_problem fake_problem;

enum { EDITS_MAX = 64 };

int fake_commit(struct cg_items_file *file, const struct fake_edit *edits, size_t count, uint64_t *revision) {
    struct cg_edit made[EDITS_MAX];
    struct cg_item *items[EDITS_MAX] = {NULL};
    char target[CG_NAME_MAX * 2] = "";
    assert_true(count <= EDITS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct fake_edit *edit = &edits[i];
        struct cg_slice sealed = edit->sealed == NULL ? CG_SLICE_NONE : cg_slice_str(edit->sealed);
        if (edit->document != NULL)
            items[i] = cg_item_new(edit->kind, edit->name, cg_slice_str(edit->document), sealed);
        made[i] = (struct cg_edit){.kind = edit->kind, .name = edit->name, .item = items[i]};
    }
    if (count > 0) snprintf(target, sizeof target, "%s/%s", cg_item_collections[edits[0].kind], edits[0].name);
    struct cg_items_commit commit = {
        .edits = made,
        .count = count,
        .deed = {.at_ms = fake_now_ms,
                 .who = "anna",
                 .from = "127.0.0.1",
                 .operation = "put",
                 .target = target,
                 .result = "done",
                 .detail = ""},
        .keep_ms = fake_keep_ms,
        .revision = revision,
    };
    fake_problem = (struct cg_problem){0};
    const int err = cg_items_commit(file, &commit, &fake_problem);
    for (size_t i = 0; i < count; i++) cg_item_unref(items[i]);
    return err;
}

static uint64_t change(struct cg_items_file *file, struct fake_edit edit) {
    uint64_t revision = 0;
    if (fake_commit(file, &edit, 1, &revision) != CG_OK) fail_msg("%s", fake_problem.detail);
    return revision;
}

uint64_t fake_put(struct cg_items_file *file, enum cg_item_kind kind, const char *name, const char *document) {
    return change(file, (struct fake_edit){.kind = kind, .name = name, .document = document});
}

uint64_t fake_remove(struct cg_items_file *file, enum cg_item_kind kind, const char *name) {
    return change(file, (struct fake_edit){.kind = kind, .name = name});
}

/* ---- What a file says ---- */

enum { ITEMS_MAX = 16384 };

struct found {
    struct cg_item *items[ITEMS_MAX];
    size_t count;
};

static bool hear_item(void *ctx, struct cg_item *item) {
    struct found *found = ctx;
    assert_true(found->count < ITEMS_MAX);
    found->items[found->count++] = item;
    return true;
}

static int by_name(const void *a, const void *b) {
    const struct cg_item *const *x = a, *const *y = b;
    if ((*x)->kind != (*y)->kind) return (int)(*x)->kind - (int)(*y)->kind;
    return strcmp((*x)->name, (*y)->name);
}

static char *text_of(struct cg_buf *buf) {
    cg_buf_put_u8(buf, '\0');
    assert_int_equal(cg_buf_error(buf), CG_OK);
    return (char *)cg_buf_detach(buf, &(size_t){0});
}

static void put_item(struct cg_buf *text, struct cg_item *item) {
    cg_buf_printf(text, "%s/%s %llu %.*s", cg_item_collections[item->kind], item->name,
                  (unsigned long long)item->revision, (int)item->document.len, (const char *)item->document.data);
    if (item->sealed.len > 0) cg_buf_printf(text, " +%.*s", (int)item->sealed.len, (const char *)item->sealed.data);
    cg_buf_put_str(text, "\n");
    cg_item_unref(item);
}

char *fake_items_text(struct cg_items_file *file) {
    struct found *found = calloc(1, sizeof *found);
    struct cg_buf text;
    cg_buf_init(&text, 0);
    fake_problem = (struct cg_problem){0};
    const int err = cg_items_load(file, hear_item, found, &fake_problem);
    qsort(found->items, found->count, sizeof found->items[0], by_name);
    for (size_t i = 0; i < found->count; i++) put_item(&text, found->items[i]);
    free(found);
    if (err == CG_OK) return text_of(&text);
    cg_buf_fini(&text);
    return NULL;
}

static bool hear_revision(void *ctx, const struct cg_revision *revision) {
    struct cg_buf *text = ctx;
    cg_buf_printf(text, "%llu %s %s by %s", (unsigned long long)revision->number, revision->deed.operation,
                  revision->deed.target, revision->deed.who);
    if (revision->change_count != 1) cg_buf_printf(text, " %zu changes", revision->change_count);
    if (revision->undo == CG_UNDO_NEVER) cg_buf_put_str(text, " for good");
    if (revision->undoes != 0) cg_buf_printf(text, " undoes %llu", (unsigned long long)revision->undoes);
    if (revision->undone_by != 0) cg_buf_printf(text, " undone by %llu", (unsigned long long)revision->undone_by);
    cg_buf_put_str(text, "\n");
    return true;
}

static bool hear_change(void *ctx, const struct cg_revision_change *change) {
    struct cg_buf *text = ctx;
    cg_buf_printf(text, "  %s/%s: ", cg_item_collections[change->kind], change->name);
    cg_buf_put_slice(text, change->before);
    cg_buf_put_str(text, " -> ");
    cg_buf_put_slice(text, change->after);
    cg_buf_put_str(text, "\n");
    return true;
}

static bool hear_deed(void *ctx, uint64_t number, const struct cg_deed *deed) {
    cg_buf_printf(ctx, "%llu %s %s by %s from %s: %s %s, revision %llu\n", (unsigned long long)number, deed->operation,
                  deed->target, deed->who, deed->from, deed->result, deed->detail, (unsigned long long)deed->revision);
    return true;
}

char *fake_revisions_text(struct cg_items_file *file, uint64_t before, size_t limit) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    assert_int_equal(cg_items_revisions(file, before, limit, hear_revision, &text, &fake_problem), CG_OK);
    return text_of(&text);
}

char *fake_later_text(struct cg_items_file *file, uint64_t number, size_t limit) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    assert_int_equal(cg_items_later(file, number, limit, hear_revision, &text, &fake_problem), CG_OK);
    return text_of(&text);
}

char *fake_revision_text(struct cg_items_file *file, uint64_t number) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    assert_int_equal(cg_items_revision(file, number, hear_revision, hear_change, &text, &fake_problem), CG_OK);
    return text_of(&text);
}

char *fake_audit_text(struct cg_items_file *file, uint64_t before, size_t limit) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    assert_int_equal(cg_items_audit(file, before, limit, hear_deed, &text, &fake_problem), CG_OK);
    return text_of(&text);
}

void expect_text(char *text, const char *expected) {
    if (text == NULL) fail_msg("%s", fake_problem.detail);
    assert_string_equal(text, expected);
    free(text);
}
