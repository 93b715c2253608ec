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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_without_memory_is_an_error_and_nothing_else),
    };
    shortage_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
