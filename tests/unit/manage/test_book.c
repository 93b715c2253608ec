/* The book of items against an array, with drafts that are adopted and drafts that are dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "manage/book.h"

enum { NAMES = 200, ROUNDS = 400, EDITS_MAX = 30 };

static const char *name_of(unsigned number) {
    static char name[16];
    snprintf(name, sizeof name, "m%u", number * 7919 % NAMES);
    return name;
}

static struct cg_item *make(unsigned number, unsigned version) {
    char document[32];
    snprintf(document, sizeof document, "{\"v\":%u}", version);
    struct cg_item *item = cg_item_new(CG_ITEM_MAPPING, name_of(number), cg_slice_str(document), CG_SLICE_NONE);
    assert_non_null(item);
    item->revision = version;
    return item;
}

/* What should be there: the version of each name, 0 where there is none. */
static void compare(const struct cg_book *book, const unsigned *versions) {
    size_t count = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        const struct cg_item *item = cg_book_find(book, CG_ITEM_MAPPING, name_of(i));
        assert_int_equal(item == NULL ? 0 : item->revision, versions[i]);
        count += item != NULL;
    }
    assert_int_equal(book->counts[CG_ITEM_MAPPING], count);
    assert_int_equal(cg_book_count(book), count);
    const char *at = "";
    size_t seen = 0;
    for (const struct cg_item *item; (item = cg_book_next(book, CG_ITEM_MAPPING, at)) != NULL; seen++) {
        assert_true(strcmp(item->name, at) > 0);
        at = item->name;
    }
    assert_int_equal(seen, count);
}

static void edit(struct cg_book_draft *draft, unsigned *versions, struct cg_item **made, unsigned version) {
    for (unsigned i = 0; i < EDITS_MAX; i++) {
        unsigned number = (unsigned)rand() % NAMES;
        made[i] = NULL;
        if (rand() % 3 == 0) {
            assert_int_equal(cg_book_draft_remove(draft, CG_ITEM_MAPPING, name_of(number)), CG_OK);
            versions[number] = 0;
        } else {
            made[i] = make(number, version);
            assert_int_equal(cg_book_draft_put(draft, made[i]), CG_OK);
            versions[number] = version;
        }
    }
}

static void drafts_become_the_book_or_leave_it_as_it_was(void **state) {
    (void)state;
    struct cg_book book = {0};
    unsigned versions[NAMES] = {0}, next[NAMES];
    struct cg_item *made[EDITS_MAX];
    srand(1);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        struct cg_book_draft draft;
        memcpy(next, versions, sizeof next);
        cg_book_draft_begin(&draft, &book);
        edit(&draft, next, made, round);
        compare(&draft.book, next);
        compare(&book, versions);
        if (round % 3 != 0) {
            cg_book_adopt(&book, &draft);
            memcpy(versions, next, sizeof next);
        }
        cg_book_draft_drop(&draft);
        for (unsigned i = 0; i < EDITS_MAX; i++) cg_item_unref(made[i]);
        compare(&book, versions);
    }
    cg_book_fini(&book);
}

static void kinds_do_not_see_each_other(void **state) {
    (void)state;
    struct cg_book book = {0};
    struct cg_book_draft draft;
    struct cg_item *client = cg_item_new(CG_ITEM_CLIENT, "one", cg_slice_str("{}"), CG_SLICE_NONE);
    struct cg_item *all[2];
    cg_book_draft_begin(&draft, &book);
    assert_int_equal(cg_book_draft_put(&draft, client), CG_OK);
    cg_book_adopt(&book, &draft);
    assert_null(cg_book_find(&book, CG_ITEM_MAPPING, "one"));
    assert_null(cg_book_next(&book, CG_ITEM_MAPPING, ""));
    assert_ptr_equal(cg_book_find(&book, CG_ITEM_CLIENT, "one"), client);
    cg_book_list(&book, all);
    assert_ptr_equal(all[0], client);
    assert_int_equal(client->references, 2);
    cg_book_fini(&book);
    assert_int_equal(client->references, 1);
    cg_item_unref(client);
}

/* In ascending order, as an import comes: a tree without balance would be a list. */
static void ten_thousand_in_order_are_found_soon(void **state) {
    (void)state;
    struct cg_book book = {0};
    struct cg_book_draft draft;
    cg_book_draft_begin(&draft, &book);
    for (unsigned i = 0; i < 10000; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%05u", i);
        struct cg_item *item = cg_item_new(CG_ITEM_MAPPING, name, cg_slice_str("{}"), CG_SLICE_NONE);
        assert_int_equal(cg_book_draft_put(&draft, item), CG_OK);
    }
    const struct cg_item *item = NULL;
    for (unsigned i = 0; i < 10000; i++) {
        item = cg_book_next(&draft.book, CG_ITEM_MAPPING, item == NULL ? "" : item->name);
        assert_non_null(item);
    }
    cg_book_adopt(&book, &draft);
    struct cg_item **all = calloc(10000, sizeof *all);
    cg_book_list(&book, all);
    for (unsigned i = 0; i < 10000; i++) cg_item_unref(all[i]); /* those that the test had */
    free(all);
    cg_book_fini(&book);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drafts_become_the_book_or_leave_it_as_it_was),
        cmocka_unit_test(kinds_do_not_see_each_other),
        cmocka_unit_test(ten_thousand_in_order_are_found_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
