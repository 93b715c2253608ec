/* Items read and committed. The hard thing is that a commit is all of it or nothing: the items, the revision with what
 * was and is, the audit and what retention lets go are one transaction, and what it costs depends on the change alone.
 */
#include "store/items.h"

#include "store/items_file.h"
#include "store/space.h"

/* ---- Reading ---- */

static struct cg_slice text_column(sqlite3_stmt *row, int column) {
    const void *text = sqlite3_column_text(row, column); /* before its length is asked for */
    return cg_slice_of(text, (size_t)sqlite3_column_bytes(row, column));
}

static struct cg_slice blob_column(sqlite3_stmt *row, int column) {
    const void *blob = sqlite3_column_blob(row, column);
    return cg_slice_of(blob, (size_t)sqlite3_column_bytes(row, column));
}

static bool take_name(char to[CG_NAME_MAX + 1], struct cg_slice name) {
    if (name.len == 0 || name.len > CG_NAME_MAX) return false;
    memcpy(to, name.data, name.len);
    to[name.len] = '\0';
    return true;
}

/* SQLITE_MISMATCH: it is nothing that we wrote. */
static int read_item(sqlite3_stmt *row, struct cg_item **item) {
    enum cg_item_kind kind;
    char name[CG_NAME_MAX + 1], by[CG_NAME_MAX + 1];
    const bool is_ours = cg_item_kind_of(text_column(row, 0), &kind) && take_name(name, text_column(row, 1)) &&
                         take_name(by, text_column(row, 4));
    if (!is_ours) return SQLITE_MISMATCH;
    *item = cg_item_new(kind, name, text_column(row, 5), blob_column(row, 6));
    if (*item == NULL) return SQLITE_NOMEM;
    (*item)->revision = (uint64_t)sqlite3_column_int64(row, 2);
    (*item)->changed_ms = sqlite3_column_int64(row, 3);
    memcpy((*item)->changed_by, by, sizeof by);
    return SQLITE_OK;
}

static int read_items(struct cg_items_file *file, cg_items_hear_fn *hear, void *ctx) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_ITEMS, &code);
    if (row == NULL) return code;
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        struct cg_item *item = NULL;
        code = read_item(row, &item);
        if (code == SQLITE_OK && !hear(ctx, item)) code = SQLITE_NOMEM;
        if (code != SQLITE_OK) break;
    }
    sqlite3_reset(row);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int cg_items_load(struct cg_items_file *file, cg_items_hear_fn *hear, void *ctx, struct cg_problem *problem) {
    file->known = false;
    int err = cg_items_file_open(file, CG_ITEMS_AS_IT_IS, problem);
    if (err == CG_E_NOT_FOUND) file->latest = 0;
    const int code = err == CG_OK ? read_items(file, hear, ctx) : SQLITE_OK;
    if (code != SQLITE_OK) return cg_items_fail(file, code, problem);
    file->known = err == CG_OK || err == CG_E_NOT_FOUND;
    return file->known ? CG_OK : err;
}

/* ---- Writing ---- */

static int bind_text(sqlite3_stmt *statement, int at, const char *text) {
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

/* Nothing: NULL. */
static int bind_document(sqlite3_stmt *statement, int at, struct cg_slice text) {
    return text.len == 0 ? sqlite3_bind_null(statement, at)
                         : sqlite3_bind_text(statement, at, (const char *)text.data, (int)text.len, SQLITE_STATIC);
}

static int bind_blob(sqlite3_stmt *statement, int at, struct cg_slice blob) {
    return blob.len == 0 ? sqlite3_bind_null(statement, at)
                         : sqlite3_bind_blob(statement, at, blob.data, (int)blob.len, SQLITE_STATIC);
}

/* What both rows of a deed begin with, from the second parameter of a revision and the first of an audit entry on. */
static int bind_deed(sqlite3_stmt *statement, int at, const struct cg_deed *deed) {
    int code = sqlite3_bind_int64(statement, at, deed->at_ms);
    if (code == SQLITE_OK) code = bind_text(statement, at + 1, deed->who);
    if (code == SQLITE_OK) code = bind_text(statement, at + 2, deed->from);
    if (code == SQLITE_OK) code = bind_text(statement, at + 3, deed->operation);
    return code == SQLITE_OK ? bind_text(statement, at + 4, deed->target) : code;
}

static const char *const undo_names[] = {[CG_UNDO_ALLOWED] = "allowed", [CG_UNDO_NEVER] = "never"};

static int add_revision(struct cg_items_file *file, const struct cg_items_commit *commit, uint64_t number) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_ADD_REVISION, &code);
    if (row == NULL) return code;
    code = sqlite3_bind_int64(row, 1, (int64_t)number);
    if (code == SQLITE_OK) code = bind_deed(row, 2, &commit->deed);
    if (code == SQLITE_OK) code = bind_text(row, 7, commit->deed.detail);
    if (code == SQLITE_OK) code = bind_text(row, 8, undo_names[commit->undo]);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(row, 9, (int64_t)commit->undoes);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(row, 10, (int64_t)commit->count);
    return code == SQLITE_OK ? cg_items_step_done(row) : code;
}

static int add_taken_back(struct cg_items_file *file, uint64_t revision, uint64_t by) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_ADD_TAKEN_BACK, &code);
    if (row == NULL) return code;
    code = sqlite3_bind_int64(row, 1, (int64_t)revision);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(row, 2, (int64_t)by);
    return code == SQLITE_OK ? cg_items_step_done(row) : code;
}

static int add_all_taken_back(struct cg_items_file *file, const struct cg_items_commit *commit, uint64_t number) {
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < commit->undoes_too_count; i++)
        code = add_taken_back(file, commit->undoes_too[i], number);
    return code;
}

static int add_audit(struct cg_items_file *file, const struct cg_deed *deed, uint64_t revision) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_ADD_AUDIT, &code);
    if (row == NULL) return code;
    code = bind_deed(row, 1, deed);
    if (code == SQLITE_OK) code = bind_text(row, 6, deed->result);
    if (code == SQLITE_OK) code = bind_text(row, 7, deed->detail);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(row, 8, (int64_t)revision);
    return code == SQLITE_OK ? cg_items_step_done(row) : code;
}

static int bind_key(sqlite3_stmt *statement, int at, const struct cg_edit *edit) {
    int code = bind_text(statement, at, cg_item_collections[edit->kind]);
    return code == SQLITE_OK ? bind_text(statement, at + 1, edit->name) : code;
}

/* What it was goes from the item's row, which *was stays on, into the change's. */
static int find_item(struct cg_items_file *file, const struct cg_edit *edit, sqlite3_stmt **was,
                     struct cg_slice *before) {
    int code;
    *before = CG_SLICE_NONE;
    *was = cg_items_statement(file, CG_ITEMS_ITEM, &code);
    if (*was == NULL) return code;
    code = bind_key(*was, 1, edit);
    if (code == SQLITE_OK) code = sqlite3_step(*was);
    if (code == SQLITE_ROW) *before = text_column(*was, 0);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int add_change(struct cg_items_file *file, const struct cg_edit *edit, uint64_t number, struct cg_slice before) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_ADD_CHANGE, &code);
    if (row == NULL) return code;
    code = sqlite3_bind_int64(row, 1, (int64_t)number);
    if (code == SQLITE_OK) code = bind_key(row, 2, edit);
    if (code == SQLITE_OK) code = bind_document(row, 4, before);
    if (code == SQLITE_OK) code = bind_document(row, 5, edit->item == NULL ? CG_SLICE_NONE : edit->item->document);
    return code == SQLITE_OK ? cg_items_step_done(row) : code;
}

static int note_change(struct cg_items_file *file, const struct cg_edit *edit, uint64_t number) {
    sqlite3_stmt *was;
    struct cg_slice before;
    int code = find_item(file, edit, &was, &before);
    if (code == SQLITE_OK) code = add_change(file, edit, number, before);
    if (was != NULL) sqlite3_reset(was);
    return code;
}

static int put_item(struct cg_items_file *file, const struct cg_edit *edit, const struct cg_deed *deed,
                    uint64_t number) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_PUT_ITEM, &code);
    if (row == NULL) return code;
    code = bind_key(row, 1, edit);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(row, 3, (int64_t)number);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(row, 4, deed->at_ms);
    if (code == SQLITE_OK) code = bind_text(row, 5, deed->who);
    if (code == SQLITE_OK) code = bind_document(row, 6, edit->item->document);
    if (code == SQLITE_OK) code = bind_blob(row, 7, edit->item->sealed);
    return code == SQLITE_OK ? cg_items_step_done(row) : code;
}

static int remove_item(struct cg_items_file *file, const struct cg_edit *edit) {
    int code;
    sqlite3_stmt *row = cg_items_statement(file, CG_ITEMS_REMOVE_ITEM, &code);
    if (row == NULL) return code;
    code = bind_key(row, 1, edit);
    return code == SQLITE_OK ? cg_items_step_done(row) : code;
}

static int apply(struct cg_items_file *file, const struct cg_items_commit *commit, uint64_t number) {
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < commit->count; i++) {
        const struct cg_edit *edit = &commit->edits[i];
        code = note_change(file, edit, number);
        if (code != SQLITE_OK) break;
        code = edit->item == NULL ? remove_item(file, edit) : put_item(file, edit, &commit->deed, number);
    }
    return code;
}

/* ---- Retention ---- */

static int run_with(struct cg_items_file *file, enum cg_items_statement which, int64_t number) {
    int code;
    sqlite3_stmt *statement = cg_items_statement(file, which, &code);
    if (statement == NULL) return code;
    code = sqlite3_bind_int64(statement, 1, number);
    return code == SQLITE_OK ? cg_items_step_done(statement) : code;
}

static int run_alone(struct cg_items_file *file, enum cg_items_statement which) {
    int code;
    sqlite3_stmt *statement = cg_items_statement(file, which, &code);
    return statement == NULL ? code : cg_items_step_done(statement);
}

static int forget(struct cg_items_file *file, int64_t before_ms) {
    int code = run_with(file, CG_ITEMS_SET_RETENTION, before_ms);
    if (code == SQLITE_OK) code = run_with(file, CG_ITEMS_FORGET_REVISIONS, before_ms);
    if (code == SQLITE_OK) code = run_alone(file, CG_ITEMS_FORGET_CHANGES);
    if (code == SQLITE_OK) code = run_alone(file, CG_ITEMS_FORGET_TAKEN_BACK);
    if (code == SQLITE_OK) code = run_with(file, CG_ITEMS_FORGET_AUDIT, before_ms);
    return code == SQLITE_OK ? run_with(file, CG_ITEMS_SET_RETENTION, 0) : code;
}

/* ---- Commits ---- */

static int write_commit(struct cg_items_file *file, const struct cg_items_commit *commit, uint64_t number) {
    int code = cg_connection_run(file->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = add_revision(file, commit, number);
    if (code == SQLITE_OK) code = add_all_taken_back(file, commit, number);
    if (code == SQLITE_OK) code = apply(file, commit, number);
    if (code == SQLITE_OK) code = add_audit(file, &commit->deed, number);
    if (code == SQLITE_OK && commit->keep_ms > 0) code = forget(file, commit->deed.at_ms - commit->keep_ms);
    return code == SQLITE_OK ? cg_connection_run(file->db, "COMMIT") : code;
}

/* Journal, item, change. */
static size_t space_for(const struct cg_items_commit *commit) {
    size_t bytes = 0;
    for (size_t i = 0; i < commit->count; i++) {
        const struct cg_item *item = commit->edits[i].item;
        bytes += item == NULL ? 0 : item->document.len + item->sealed.len;
    }
    return 3 * bytes;
}

static int check_known(const struct cg_items_file *file, struct cg_problem *problem) {
    if (file->known) return CG_OK;
    return cg_problem_set(problem, CG_E_STORE,
                          "what %s holds is not what this gateway read from it: restart castgate, then change it",
                          file->path);
}

int cg_items_commit(struct cg_items_file *file, const struct cg_items_commit *commit, struct cg_problem *problem) {
    int err = cg_space_check(file->folder, space_for(commit), problem);
    if (err == CG_OK) err = cg_items_file_open(file, CG_ITEMS_TO_WRITE, problem);
    if (err == CG_OK) err = check_known(file, problem);
    if (err != CG_OK) return err;
    const uint64_t number = file->latest + 1;
    const int code = write_commit(file, commit, number);
    if (code != SQLITE_OK) return cg_items_fail(file, code, problem);
    file->latest = number;
    *commit->revision = number;
    return CG_OK;
}

int cg_items_note(struct cg_items_file *file, const struct cg_deed *deed, struct cg_problem *problem) {
    int err = cg_space_check(file->folder, 0, problem);
    if (err == CG_OK) err = cg_items_file_open(file, CG_ITEMS_TO_WRITE, problem);
    if (err != CG_OK) return err;
    const int code = add_audit(file, deed, deed->revision); /* a transaction of its own */
    return code == SQLITE_OK ? CG_OK : cg_items_fail(file, code, problem);
}
