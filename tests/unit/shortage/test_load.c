/* Settings that are loaded and adopted without memory: an error like any other, and what was in use goes on. */
#include "app/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_shortage.h"
#include "model/mapping.h"

static const char document[] =
    "{\"http\":{\"listen\":[\"127.0.0.1:8080\"]},\"mappings\":["
    "{\"name\":\"one\",\"group\":\"coap://224.0.1.187/\",\"security\":\"none\",\"clients\":[\"anonymous\"]},"
    "{\"name\":\"two\",\"group\":\"coap://lights.example/\",\"security\":\"none\",\"clients\":[\"anonymous\"]},"
    "{\"name\":\"three\",\"group\":\"coap://blinds.example/\",\"security\":\"relay\"}]}";

struct scene {
    char file[32];
    struct cg_names *names;
    struct cg_protectors protectors;
    struct cg_worker *worker;
    struct cg_load load;
    int err;
};

static void begin(void *ctx) {
    struct scene *scene = ctx;
    scene->names = cg_names_new(&(struct cg_names_options){0});
    scene->worker = cg_worker_new();
    assert_true(scene->names != NULL && scene->worker != NULL);
    cg_protectors_init(&scene->protectors);
    scene->load = (struct cg_load){
        .file = scene->file, .names = scene->names, .protectors = &scene->protectors, .worker = scene->worker};
}

static void load_and_adopt(void *ctx) {
    struct scene *scene = ctx;
    cg_load_run(&scene->load);
    scene->err = scene->load.err;
    if (scene->err == CG_OK) scene->err = cg_load_stage(&scene->load, &scene->load.problem);
    if (scene->err == CG_OK) cg_load_adopt(&scene->load);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    const struct cg_config *config = scene->load.config;
    assert_int_equal(scene->load.mistakes.count, 0); /* the file is good */
    assert_true(scene->err == CG_OK || (scene->err == CG_E_NO_MEMORY && shortage_came()));
    assert_int_equal(scene->load.problem.err, scene->err);
    for (size_t i = 0; scene->err == CG_OK && i < config->mapping_count; i++) {
        const struct cg_mapping *mapping = &config->mappings[i];
        assert_non_null(mapping->protector);
        assert_int_equal(mapping->targets[0].host.len > 0, mapping->targets[0].resolved != NULL);
    }
    cg_load_fini(&scene->load);
    cg_load_fini(&scene->load); /* has no effect */
    cg_protectors_fini(&scene->protectors);
    cg_worker_free(scene->worker);
    cg_names_free(scene->names);
}

static void a_load_without_memory_is_an_error_and_nothing_else(void **state) {
    (void)state;
    struct scene scene = {.file = "/tmp/castgate-load-XXXXXX"};
    const struct shortage_scenario scenario = {.before = begin, .act = load_and_adopt, .after = look};
    int fd = mkstemp(scene.file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, document, sizeof document - 1), sizeof document - 1);
    close(fd);
    unsigned allocations = shortage_every(&scenario, &scene, 0);
    unlink(scene.file);
    assert_true(allocations > 20);
}

/* What was in use stays so, whatever becomes of an edit of it. */
struct edited {
    struct scene scene;
    struct cg_item *item;
    struct cg_edit edit;
    struct cg_load next;
};

static void begin_edited(void *ctx) {
    static const char four[] =
        "{\"group\":\"coap://doors.example/\",\"security\":\"none\",\"members\":[\"127.1.0.1\"]}";
    struct edited *edited = ctx;
    begin(&edited->scene);
    load_and_adopt(&edited->scene);
    assert_int_equal(edited->scene.err, CG_OK);
    edited->item = cg_item_new(CG_ITEM_MAPPING, "four", cg_slice_str(four), CG_SLICE_NONE);
    assert_non_null(edited->item);
    edited->edit = (struct cg_edit){.kind = CG_ITEM_MAPPING, .name = "four", .item = edited->item};
    edited->next = (struct cg_load){.stored = {.edits = &edited->edit, .edit_count = 1},
                                    .names = edited->scene.names,
                                    .protectors = &edited->scene.protectors,
                                    .worker = edited->scene.worker,
                                    .old = edited->scene.load.config};
    cg_load_consider_deriving(&edited->next);
    assert_non_null(edited->next.derived);
}

static void derive_and_adopt(void *ctx) {
    struct edited *edited = ctx;
    struct cg_load *load = &edited->next;
    assert_true(cg_load_derive(load));
    edited->scene.err = load->err;
    if (load->err == CG_OK) edited->scene.err = cg_load_stage(load, &load->problem);
    if (edited->scene.err == CG_OK) cg_load_adopt(load);
}

static void look_edited(void *ctx) {
    struct edited *edited = ctx;
    const struct cg_config *config = edited->next.config;
    assert_int_equal(edited->next.mistakes.count, 0);
    assert_true(edited->scene.err == CG_OK || (edited->scene.err == CG_E_NO_MEMORY && shortage_came()));
    if (edited->scene.err == CG_OK) {
        const struct cg_mapping *mapping = cg_mapping_by_name(config, "four");
        assert_true(mapping != NULL && mapping->protector != NULL && mapping->targets[0].resolved != NULL);
        assert_ptr_equal(cg_mapping_by_name(config, "two"), cg_mapping_by_name(edited->scene.load.config, "two"));
    }
    assert_null(cg_mapping_by_name(edited->scene.load.config, "four"));
    cg_load_fini(&edited->next);
    cg_item_unref(edited->item);
    edited->scene.err = CG_OK;
    look(&edited->scene);
}

static void an_edit_without_memory_leaves_what_was_in_use(void **state) {
    (void)state;
    struct edited edited = {.scene = {.file = "/tmp/castgate-load-XXXXXX"}};
    const struct shortage_scenario scenario = {.before = begin_edited, .act = derive_and_adopt, .after = look_edited};
    int fd = mkstemp(edited.scene.file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, document, sizeof document - 1), sizeof document - 1);
    close(fd);
    unsigned allocations = shortage_every(&scenario, &edited, 0);
    unlink(edited.scene.file);
    assert_true(allocations > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_without_memory_is_an_error_and_nothing_else),
        cmocka_unit_test(an_edit_without_memory_leaves_what_was_in_use),
    };
    shortage_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
