/* Revisions and audit, read. */
#include "store/items_file.h"

static const char *text(sqlite3_stmt *row, int column) {
    const char *found = (const char *)sqlite3_column_text(row, column);
    return found == NULL ? "" : found; /* no memory: the step behind it says so */
}

static struct cg_slice document(sqlite3_stmt *row, int column) {
    const void *found = sqlite3_column_text(row, column);
    return cg_slice_of(found, (size_t)sqlite3_column_bytes(row, column));
}

static void read_deed(sqlite3_stmt *row, int from, struct cg_deed *deed) {
    deed->at_ms = sqlite3_column_int64(row, from);
    deed->who = text(row, from + 1);
    deed->from = text(row, from + 2);
    deed->operation = text(row, from + 3);
    deed->target = text(row, from + 4);
}

static bool tell_revision(sqlite3_stmt *row, cg_revision_hear_fn *hear, void *ctx) {
    struct cg_revision revision = {.number = (uint64_t)sqlite3_column_int64(row, 0)};
    read_deed(row, 1, &revision.deed);
    revision.deed.result = "done";
    revision.deed.detail = text(row, 6);
    revision.deed.revision = revision.number;
    revision.undo = strcmp(text(row, 7), "allowed") == 0 ? CG_UNDO_ALLOWED : CG_UNDO_NEVER;
    revision.undoes = (uint64_t)sqlite3_column_int64(row, 8);
    revision.change_count = (size_t)sqlite3_column_int64(row, 9);
    revision.undone_by = (uint64_t)sqlite3_column_int64(row, 10);
    return hear(ctx, &revision);
}

static int tell_revisions(sqlite3_stmt *row, cg_revision_hear_fn *hear, void *ctx, size_t *count) {
    int code;
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        ++*count;
        if (!tell_revision(row, hear, ctx)) code = SQLITE_NOMEM;
        if (code != SQLITE_ROW) break;
    }
    sqlite3_reset(row);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int bind_two(sqlite3_stmt *row, uint64_t first, size_t second) {
    int code = sqlite3_bind_int64(row, 1, first > INT64_MAX ? INT64_MAX : (int64_t)first);
    return code == SQLITE_OK ? sqlite3_bind_int64(row, 2, second > INT64_MAX ? INT64_MAX : (int64_t)second) : code;
}

static int ask(struct cg_items_file *file, enum cg_items_statement which, uint64_t number, size_t limit,
               cg_revision_hear_fn *hear, void *ctx) {
    int code;
    size_t count = 0;
    sqlite3_stmt *row = cg_items_statement(file, which, &code);
    if (row == NULL) return code;
    code = bind_two(row, number, limit);
    return code == SQLITE_OK ? tell_revisions(row, hear, ctx, &count) : code;
}

/* A list of what there is not is empty. */
static int list(struct cg_items_file *file, enum cg_items_statement which, uint64_t number, size_t limit,
                cg_revision_hear_fn *hear, void *ctx, struct cg_problem *problem) {
    const int err = cg_items_file_open(file, CG_ITEMS_AS_IT_IS, problem);
    if (err != CG_OK) return err == CG_E_NOT_FOUND ? CG_OK : err;
    const int code = ask(file, which, number, limit, hear, ctx);
    return code == SQLITE_OK ? CG_OK : cg_items_fail(file, code, problem);
}

int cg_items_revisions(struct cg_items_file *file, uint64_t before, size_t limit, cg_revision_hear_fn *hear, void *ctx,
                       struct cg_problem *problem) {
    return list(file, CG_ITEMS_REVISIONS, before == 0 ? UINT64_MAX : before, limit, hear, ctx, problem);
}

int cg_items_later(struct cg_items_file *file, uint64_t number, size_t limit, cg_revision_hear_fn *hear, void *ctx,
                   struct cg_problem *problem) {
    return list(file, CG_ITEMS_LATER, number, limit, hear, ctx, problem);
}

/* ---- One of them ---- */

static bool tell_change(sqlite3_stmt *row, cg_change_hear_fn *hear, void *ctx, int *code) {
    struct cg_revision_change change = {.name = text(row, 1), .before = document(row, 2), .after = document(row, 3)};
    *code = cg_item_kind_of(document(row, 0), &change.kind) ? SQLITE_OK : SQLITE_MISMATCH;
    return *code == SQLITE_OK && hear(ctx, &change);
}

static int tell_changes(struct cg_items_file *file, uint64_t number, cg_change_hear_fn *hear, void *ctx) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_CHANGES, &code);
    if (row == NULL) return code;
    code = sqlite3_bind_int64(row, 1, (int64_t)number);
    while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        if (!tell_change(row, hear, ctx, &code) && code == SQLITE_OK) code = SQLITE_NOMEM;
    }
    sqlite3_reset(row);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* SQLITE_NOTFOUND: there is no such revision, or it has been let go. */
static int tell_one(struct cg_items_file *file, uint64_t number, cg_revision_hear_fn *hear, void *ctx) {
    int code;
    size_t count = 0;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_REVISION, &code);
    if (row == NULL) return code;
    code = sqlite3_bind_int64(row, 1, number > INT64_MAX ? INT64_MAX : (int64_t)number);
    if (code == SQLITE_OK) code = tell_revisions(row, hear, ctx, &count);
    return code == SQLITE_OK && count == 0 ? SQLITE_NOTFOUND : code;
}

int cg_items_revision(struct cg_items_file *file, uint64_t number, cg_revision_hear_fn *hear, cg_change_hear_fn *change,
                      void *ctx, struct cg_problem *problem) {
    const int err = cg_items_file_open(file, CG_ITEMS_AS_IT_IS, problem);
    if (err != CG_OK && err != CG_E_NOT_FOUND) return err;
    int code = err == CG_OK ? tell_one(file, number, hear, ctx) : SQLITE_NOTFOUND;
    if (code == SQLITE_NOTFOUND)
        return cg_problem_set(problem, CG_E_NOT_FOUND, "there is no revision %llu", (unsigned long long)number);
    if (code == SQLITE_OK) code = tell_changes(file, number, change, ctx);
    return code == SQLITE_OK ? CG_OK : cg_items_fail(file, code, problem);
}

/* ---- The audit ---- */

static bool tell_deed(sqlite3_stmt *row, cg_deed_hear_fn *hear, void *ctx) {
    struct cg_deed deed;
    read_deed(row, 1, &deed);
    deed.result = text(row, 6);
    deed.detail = text(row, 7);
    deed.revision = (uint64_t)sqlite3_column_int64(row, 8);
    return hear(ctx, (uint64_t)sqlite3_column_int64(row, 0), &deed);
}

static int tell_audit(struct cg_items_file *file, uint64_t before, size_t limit, cg_deed_hear_fn *hear, void *ctx) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_AUDIT, &code);
    if (row == NULL) return code;
    code = bind_two(row, before == 0 ? UINT64_MAX : before, limit);
    while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW)
        code = tell_deed(row, hear, ctx) ? SQLITE_OK : SQLITE_NOMEM;
    sqlite3_reset(row);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int cg_items_audit(struct cg_items_file *file, uint64_t before, size_t limit, cg_deed_hear_fn *hear, void *ctx,
                   struct cg_problem *problem) {
    const int err = cg_items_file_open(file, CG_ITEMS_AS_IT_IS, problem);
    if (err != CG_OK) return err == CG_E_NOT_FOUND ? CG_OK : err;
    const int code = tell_audit(file, before, limit, hear, ctx);
    return code == SQLITE_OK ? CG_OK : cg_items_fail(file, code, problem);
}
