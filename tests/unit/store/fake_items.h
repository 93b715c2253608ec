/* Items and deeds of a test's own, and what a file of items says, as text. */
#ifndef FAKE_ITEMS_H
#define FAKE_ITEMS_H

#include "base/buf.h"
#include "store/items.h"

struct fake_edit {
    enum cg_item_kind kind;
    const char *name, *document; /* document NULL: it goes */
    const char *sealed;          /* NULL: none */
};

extern int64_t fake_now_ms; /* when deeds are done */
extern int64_t fake_keep_ms;
extern struct cg_problem fake_problem; /* of the latest call */

int fake_commit(struct cg_items_file *file, const struct fake_edit *edits, size_t count, uint64_t *revision);
/* As one PUT; a failure fails the test. Its revision. */
uint64_t fake_put(struct cg_items_file *file, enum cg_item_kind kind, const char *name, const char *document);
uint64_t fake_remove(struct cg_items_file *file, enum cg_item_kind kind, const char *name);

/* "mappings/floor3 2 {…}\n" for each, by name; what is sealed behind it. NULL: it could not be read, as fake_problem
 * says. The caller frees. */
char *fake_items_text(struct cg_items_file *file);
char *fake_revisions_text(struct cg_items_file *file, uint64_t before, size_t limit); /* "2 put mappings/a\n" */
char *fake_later_text(struct cg_items_file *file, uint64_t number, size_t limit);
char *fake_revision_text(struct cg_items_file *file, uint64_t number); /* with its changes */
char *fake_audit_text(struct cg_items_file *file, uint64_t before, size_t limit);
/* Compares and frees. */
void expect_text(char *text, const char *expected);

#endif
