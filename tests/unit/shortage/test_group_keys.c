/* Keys of security groups are made, changed and sealed whole or not at all, whichever allocation fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "manage/group_work.h"
#include "shortage/fake_shortage.h"

struct scene {
    struct cg_seal *seal;
    enum cg_group_wish wish;
    const char *body;
    struct cg_item *group, *current; /* of what is there; NULL: nothing */
    struct cg_group_request *request;
    int err;
};

static void begin(void *ctx) {
    struct scene *scene = ctx;
    struct cg_group_request *request = scene->request = cg_group_request_new();
    assert_non_null(request);
    request->wish = scene->wish;
    snprintf(request->group, sizeof request->group, "floor3");
    request->body = json_loads(scene->body, 0, NULL);
    assert_non_null(request->body);
    if (scene->group == NULL) return;
    request->own->group = cg_item_ref(scene->group);
    request->own->current = cg_item_ref(scene->current);
}

static void make(void *ctx) {
    struct scene *scene = ctx;
    scene->err = cg_group_make(scene->request->own, scene->seal);
}

static void look(void *ctx) {
    struct scene *scene = ctx;
    const struct cg_group_work *work = scene->request->own;
    if (!shortage_came()) assert_int_equal(scene->err, CG_OK);
    if (scene->err == CG_OK) assert_true(work->has_made && work->made.sealed.len > 0 && work->document != NULL);
    /* What OpenSSL has no memory for may look wrong: then it is refused as that. */
    int err = scene->err;
    assert_true(err == CG_OK || err == CG_E_NO_MEMORY || err == CG_E_INTERNAL || err == CG_E_INVALID);
    if (err < 0) assert_int_equal(scene->request->problem.err, err);
    cg_group_request_free(scene->request);
}

static const struct shortage_scenario scenario = {.before = begin, .act = make, .after = look};

static struct cg_item *item_of(enum cg_item_kind kind, const char *name, const json_t *document,
                               struct cg_slice sealed) {
    char *text = json_dumps(document, JSON_COMPACT);
    struct cg_item *item = cg_item_new(kind, name, cg_slice_str(text), sealed);
    free(text);
    assert_non_null(item);
    return item;
}

/* What was made is what is there. */
static void keep(struct scene *scene) {
    begin(scene);
    make(scene);
    assert_int_equal(scene->err, CG_OK);
    const struct cg_group_work *work = scene->request->own;
    scene->group = item_of(CG_ITEM_SECURITY_GROUP, "floor3", work->document, CG_SLICE_NONE);
    scene->current = item_of(CG_ITEM_KEYS, work->made.name, work->made.document, cg_buf_slice(&work->made.sealed));
    cg_group_request_free(scene->request);
}

static void keys_are_made_or_not(void **state) {
    (void)state;
    char file[] = "/tmp/castgate-seal-XXXXXX";
    struct cg_problem problem = {0};
    struct scene scene = {.wish = CG_GROUP_CREATE, .body = "{\"members\":[{\"name\":\"a\"}],\"warm\":true}"};
    assert_int_not_equal(mkstemp(file), -1);
    unlink(file);
    assert_int_equal(cg_seal_make(file, &problem), CG_OK);
    assert_int_equal(cg_seal_open(file, false, &scene.seal, &problem), CG_OK);
    unlink(file);
    keep(&scene);
    struct cg_item *group = scene.group, *current = scene.current;
    scene.group = scene.current = NULL;
    assert_true(shortage_every(&scenario, &scene, 0) > 50);
    scene.group = group;
    scene.current = current;
    scene.wish = CG_GROUP_PREPARE;
    scene.body = "{}";
    assert_true(shortage_every(&scenario, &scene, 0) > 50);
    scene.wish = CG_GROUP_JOIN;
    scene.body = "{\"name\":\"b\"}";
    assert_true(shortage_every(&scenario, &scene, 3) > 50);
    cg_item_unref(group);
    cg_item_unref(current);
    cg_seal_free(scene.seal);
}

/* ---- Read ---- */

struct reading {
    struct scene scene;
    json_t *whole; /* what is read with memory; NULL: not yet */
};

static void read_group(void *ctx) {
    struct scene *scene = &((struct reading *)ctx)->scene;
    scene->err = cg_group_read(scene->request->own);
}

static void look_at_what_was_read(void *ctx) {
    struct reading *reading = ctx;
    const struct scene *scene = &reading->scene;
    const struct cg_group_work *work = scene->request->own;
    if (reading->whole == NULL) reading->whole = json_incref(work->shown);
    assert_int_equal(scene->err, shortage_came() && scene->err < 0 ? CG_E_NO_MEMORY : CG_OK);
    if (scene->err == CG_OK) assert_true(json_equal(work->shown, reading->whole));
    cg_group_request_free(scene->request);
}

static void groups_are_read_whole_or_not(void **state) {
    (void)state;
    static const char keys[] = "{\"gid\":\"01\",\"hkdf\":\"x\",\"alg\":10,\"managed\":true,\"sign_enc_alg\":10,"
                               "\"members\":[{\"id\":\"11\",\"name\":\"a\",\"address\":\"coap://10.0.0.1\"}]}";
    struct reading reading = {.scene = {.wish = CG_GROUP_READ, .body = "{}"}};
    const struct shortage_scenario reads = {.before = begin, .act = read_group, .after = look_at_what_was_read};
    reading.scene.group = cg_item_new(CG_ITEM_SECURITY_GROUP, "floor3", cg_slice_str("{}"), CG_SLICE_NONE);
    reading.scene.current = cg_item_new(CG_ITEM_KEYS, "k1", cg_slice_str(keys), CG_SLICE_NONE);
    begin(&reading);
    read_group(&reading);
    look_at_what_was_read(&reading);
    assert_true(shortage_every(&reads, &reading, 0) > 20);
    json_decref(reading.whole);
    cg_item_unref(reading.scene.group);
    cg_item_unref(reading.scene.current);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_made_or_not),
                                       cmocka_unit_test(groups_are_read_whole_or_not)};
    shortage_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
