/* Everything as one document, and back: the same bytes, all of it or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/container.h"
#include "fake_office.h"
#include "manage/document.h"

struct import {
    struct deed deed;
    json_t *document;
};

static int plan_import(struct cg_change *change, const struct cg_manage *manage) {
    struct deed *deed = CG_CONTAINER(change, struct deed, change);
    return cg_document_plan(CG_CONTAINER(deed, struct import, deed)->document, change, manage);
}

/* The caller ends the change. */
static int import(struct office *office, struct import *import, const char *text) {
    *import = (struct import){.deed = {.name = "", .document = ""}, .document = json_loads(text, 0, NULL)};
    assert_non_null(import->document);
    import->deed.change.plan = plan_import;
    import->deed.change.place = CG_PLAN_ON_DISK;
    begin(office, &import->deed);
    int err = await(&import->deed);
    json_decref(import->document);
    return err;
}

static void expect_export(const struct office *office, const char *text) {
    struct cg_buf to;
    cg_buf_init(&to, 0);
    cg_document_put(&to, office->manage);
    cg_buf_put_u8(&to, 0);
    assert_int_equal(cg_buf_error(&to), CG_OK);
    assert_string_equal((const char *)to.data, text);
    cg_buf_fini(&to);
}

static const char all[] =
    "{\"clients\":{\"dash\":{},\"nobody\":{\"role\":\"viewer\"}},"
    "\"mappings\":[{\"name\":\"a\"},{\"name\":\"b\",\"security\":\"sg\",\"timeout\":0.5}],"
    "\"reactions\":[{\"name\":\"fire\",\"do\":[]}],\"security_groups\":{\"sg\":{\"keys\":\"k1\"}},"
    "\"settings\":{\"limits\":{\"exchanges\":10}},\"version\":1}";

static void nothing_stored_is_a_document_too(void **state) {
    expect_export(*state, "{\"clients\":{},\"mappings\":[],\"reactions\":[],\"security_groups\":{},\"settings\":{},"
                          "\"version\":1}");
}

static void what_was_imported_is_exported_with_the_same_bytes(void **state) {
    struct office *office = *state;
    struct import first, again;
    put(office, CG_ITEM_KEYS, "k1", "{}");
    put(office, CG_ITEM_MAPPING, "old", "{}");
    assert_int_equal(import(office, &first, all), CG_OK);
    assert_int_equal(first.deed.change.revision, 3);
    cg_change_fini(&first.deed.change);
    expect_export(office, all);
    assert_null(cg_manage_find(office->manage, CG_ITEM_MAPPING, "old"));
    assert_non_null(cg_manage_find(office->manage, CG_ITEM_KEYS, "k1")); /* no document has keys, so none takes them */
    assert_int_equal(import(office, &again, all), CG_OK);
    assert_int_equal(again.deed.change.revision, 0);
    cg_change_fini(&again.deed.change);
}

static void a_broken_document_changes_nothing(void **state) {
    static const struct {
        const char *text, *pointer;
    } broken[] = {
        {"{}", "/version"},
        {"{\"version\":2}", "/version"},
        {"{\"version\":1,\"mapings\":[]}", "/mapings"},
        {"{\"version\":1,\"mappings\":{}}", "/mappings"},
        {"{\"version\":1,\"mappings\":[{\"name\":\"x\"},7]}", "/mappings/1"},
        {"{\"version\":1,\"mappings\":[{\"name\":\"x\"},{\"name\":\"x\"}]}", "/mappings/1"},
        {"{\"version\":1,\"clients\":{\"x\":[]}}", "/clients/x"},
        {"{\"version\":1,\"security_groups\":{\"sg\":{\"keys\":\"gone\"}}}", "/security_groups/sg"},
        {"{\"version\":1,\"settings\":[]}", "/settings"},
        {"[]", ""},
    };
    struct office *office = *state;
    put(office, CG_ITEM_MAPPING, "old", "{\"timeout\":1}");
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct import one;
        assert_int_equal(import(office, &one, broken[i].text), CG_E_INVALID);
        assert_string_equal(one.deed.change.mistakes.first->pointer, broken[i].pointer);
        cg_change_fini(&one.deed.change);
    }
    expect_export(office, "{\"clients\":{},\"mappings\":[{\"name\":\"old\",\"timeout\":1}],\"reactions\":[],"
                          "\"security_groups\":{},\"settings\":{},\"version\":1}");
    assert_int_equal(cg_manage_revision(office->manage), 1);
}

/* What so many leave behind is freed beside the loop. */
static void many_are_one_change(void **state) {
    enum { MANY = 400 };
    struct office *office = *state;
    struct import one;
    char *text = malloc(MANY * 32), *at = text + sprintf(text, "{\"version\":1,\"mappings\":[");
    assert_non_null(text);
    for (int i = 0; i < MANY; i++) at += sprintf(at, "%s{\"name\":\"m%d\"}", i == 0 ? "" : ",", i);
    sprintf(at, "]}");
    assert_int_equal(import(office, &one, text), CG_OK);
    cg_change_fini(&one.deed.change);
    assert_int_equal(cg_manage_count(office->manage, CG_ITEM_MAPPING), MANY);
    office->refuse_with = CG_E_NO_MEMORY;
    assert_int_equal(import(office, &one, "{\"version\":1}"), CG_E_NO_MEMORY);
    cg_change_fini(&one.deed.change);
    assert_int_equal(cg_manage_count(office->manage, CG_ITEM_MAPPING), MANY);
    office->refuse_with = CG_OK;
    assert_int_equal(import(office, &one, "{\"version\":1}"), CG_OK);
    cg_change_fini(&one.deed.change);
    assert_int_equal(cg_manage_count(office->manage, CG_ITEM_MAPPING), 0);
    free(text);
}

/* Whoever imports names the clients of its mappings: none is left out silently. */
static void grants_in_a_document_are_as_it_says(void **state) {
    struct office *office = *state;
    struct import one;
    put(office, CG_ITEM_CLIENT, "dash", "{}");
    assert_int_equal(import(office, &one, "{\"version\":1,\"mappings\":[{\"name\":\"a\",\"clients\":[\"dash\"]}]}"),
                     CG_OK);
    cg_change_fini(&one.deed.change);
    assert_string_equal(document_of(office, CG_ITEM_MAPPING, "a"), "{\"clients\":[\"dash\"]}");
}

static void mistakes_are_told_where_they_stand_in_the_document(void **state) {
    static const struct {
        const char *pointer, *place;
    } cases[] = {
        {"/mappings/b/group", "/mappings/1/group"},       {"/mappings/b", "/mappings/1"},
        {"/mappings/gone/x", "/mappings/gone/x"},         {"/security-groups/sg/keys", "/security_groups/sg/keys"},
        {"/settings/settings/x", "/settings/settings/x"}, {"", ""},
    };
    (void)state;
    json_t *document = json_loads(all, 0, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cg_buf to;
        cg_buf_init(&to, 0);
        cg_document_place(document, cases[i].pointer, &to);
        cg_buf_put_u8(&to, 0);
        assert_string_equal((const char *)to.data, cases[i].place);
        cg_buf_fini(&to);
    }
    json_decref(document);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        office_test(nothing_stored_is_a_document_too),
        office_test(what_was_imported_is_exported_with_the_same_bytes),
        office_test(a_broken_document_changes_nothing),
        office_test(many_are_one_change),
        office_test(grants_in_a_document_are_as_it_says),
        cmocka_unit_test(mistakes_are_told_where_they_stand_in_the_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
