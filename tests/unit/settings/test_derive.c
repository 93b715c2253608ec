/* Edits of mappings, applied to the snapshot in use and applied by reading everything: what comes of it is the same,
 * mistakes and what is out of use, too. */
#include "fake_group_file.h"

#include "model/derive.h"
#include "model/mapping.h"
#include "settings/security_group.h"
#include "settings/stored.h"

#include <string.h>

enum { NAMES = 20, STEPS = 300, EDITS_MAX = 3, DOCUMENT_MAX = 1024 };

static const char file[] =
    "{'http':{'listen':['127.0.0.1:8080']},'clients':{'dashboard':{'token_sha256':"
    "'1000000000000000000000000000000000000000000000000000000000000000'}},"
    "'mappings':[{'name':'filed','path':'/p3','group':'coap://224.0.1.187/','security':'none'}]}";

struct scene {
    struct cg_item *items[NAMES + 2]; /* by name; the group and its keys behind them */
    struct cg_config *in_use;
    uint32_t random;
    unsigned derived, refused;
};

static void unquote(char *to, size_t size, const char *text) {
    snprintf(to, size, "%s", text);
    for (; *to != '\0'; to++)
        if (*to == '\'') *to = '"';
}

static unsigned draw(struct scene *scene, unsigned below) {
    scene->random = scene->random * 1664525u + 1013904223u;
    return (scene->random >> 8) % below;
}

static struct cg_item *item(enum cg_item_kind kind, const char *name, const char *document, const char *sealed) {
    char text[DOCUMENT_MAX];
    unquote(text, sizeof text, document);
    struct cg_item *made =
        cg_item_new(kind, name, cg_slice_str(text), sealed == NULL ? CG_SLICE_NONE : cg_slice_str(sealed));
    assert_non_null(made);
    return made;
}

static int unseal(void *ctx, const struct cg_item *sealed, struct cg_buf *secret) {
    (void)ctx;
    for (size_t i = 0; i < sealed->sealed.len; i++)
        cg_buf_put_u8(secret, sealed->sealed.data[i] == '\'' ? '"' : sealed->sealed.data[i]);
    return cg_buf_error(secret);
}

/* ---- What somebody may want a mapping to be ---- */

static void put_security(struct scene *scene, struct cg_buf *to) {
    static const char *const members[] = {"", ",'members':['127.1.0.1','127.1.0.2:6000']",
                                          ",'members':[{'name':'lamp','address':'127.1.0.3'}],'membership':'complete'"};
    switch (draw(scene, 4)) {
    case 0: cg_buf_put_str(to, "'security':'floor'"); break;
    case 1: cg_buf_put_str(to, "'security':'relay','clients':['dashboard']"); break;
    default: cg_buf_printf(to, "'security':'none'%s,'clients':['anonymous']", members[draw(scene, 3)]);
    }
}

static void put_rest(struct scene *scene, struct cg_buf *to) {
    static const char *const more[] = {"",
                                       ",'enabled':false",
                                       ",'forward':true",
                                       ",'forward':true,'interface':'eth1'",
                                       ",'timeout':2.5,'finish':'count:3'",
                                       ",'host':'there.example'",
                                       ",'methods':['GEET']",
                                       ",'cache':7",
                                       ",'silence':'204','stand_in':'members'"};
    cg_buf_put_str(to, more[draw(scene, sizeof more / sizeof more[0])]);
}

static struct cg_item *draw_item(struct scene *scene, const char *name) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_buf_printf(&text, "{'group':'coap://224.0.1.%u/x',", draw(scene, 40));
    if (draw(scene, 2) == 0) cg_buf_printf(&text, "'path':'/p%u',", draw(scene, 30));
    put_security(scene, &text);
    put_rest(scene, &text);
    cg_buf_put_str(&text, "}");
    cg_buf_put_u8(&text, 0);
    assert_false(text.failed);
    struct cg_item *made = item(CG_ITEM_MAPPING, name, (const char *)text.data, NULL);
    cg_buf_fini(&text);
    return made;
}

/* ---- Both ways ---- */

/* As whoever makes protectors of them does. */
static void take_keys(struct cg_config *config) {
    for (size_t i = 0; i < config->security_group_count; i++) {
        struct cg_security_keys *group = &config->security_groups[i];
        cg_security_group_free(group->keys);
        cg_security_group_free(group->next_keys);
        group->keys = group->next_keys = NULL;
    }
}

static int read_whole(struct scene *scene, const struct cg_edit *edits, size_t count, struct cg_config **config,
                      struct cg_mistakes *mistakes) {
    struct cg_item *items[NAMES + 2];
    char text[1024];
    struct cg_stored stored = {
        .items = items, .edits = edits, .edit_count = count, .in_use = scene->in_use, .unseal = unseal};
    for (size_t i = 0; i < NAMES + 2; i++)
        if (scene->items[i] != NULL) items[stored.count++] = scene->items[i];
    unquote(text, sizeof text, file);
    cg_mistakes_init(mistakes);
    int err = cg_settings_parse_stored(cg_slice_str(text), "/etc/castgate", &stored, config, mistakes);
    if (err == CG_OK) take_keys(*config);
    return err;
}

static int derive(struct scene *scene, const struct cg_edit *edits, size_t count, struct cg_config **config,
                  struct cg_mistakes *mistakes) {
    const struct cg_stored stored = {.edits = edits, .edit_count = count};
    cg_mistakes_init(mistakes);
    *config = cg_derive_new(scene->in_use, count);
    assert_non_null(*config);
    int err = cg_settings_derive(*config, &stored, mistakes);
    if (err == CG_OK) return CG_OK;
    cg_config_unref(*config);
    *config = NULL;
    return err;
}

static void check_same_mistakes(const struct cg_mistakes *one, const struct cg_mistakes *other) {
    const struct cg_mistake *b = other->first;
    assert_int_equal(one->count, other->count);
    for (const struct cg_mistake *a = one->first; a != NULL; a = a->next, b = b->next) {
        assert_string_equal(a->pointer, b->pointer);
        assert_string_equal(a->message, b->message);
    }
}

static char *effective(const struct cg_config *config, const char *name) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    if (!cg_stored_put_effective(&text, config, CG_ITEM_MAPPING, name)) cg_buf_put_str(&text, "none");
    cg_buf_put_u8(&text, 0);
    assert_false(text.failed);
    return (char *)text.data;
}

static void check_same_item(const struct cg_config *derived, const struct cg_config *whole, const char *name) {
    const char *one_reason, *other_reason;
    char *one = effective(derived, name), *other = effective(whole, name);
    assert_string_equal(one, other);
    free(one);
    free(other);
    assert_int_equal(cg_stored_state(derived, CG_ITEM_MAPPING, name, &one_reason),
                     cg_stored_state(whole, CG_ITEM_MAPPING, name, &other_reason));
    assert_int_equal(one_reason == NULL, other_reason == NULL);
    if (one_reason != NULL) assert_string_equal(one_reason, other_reason);
    assert_int_equal(cg_stored_is_of_file(derived, CG_ITEM_MAPPING, name),
                     cg_stored_is_of_file(whole, CG_ITEM_MAPPING, name));
}

static const char *route(const struct cg_config *config, const char *host, unsigned path) {
    char text[16];
    struct cg_slice rest;
    snprintf(text, sizeof text, "/p%u", path);
    const struct cg_mapping *mapping = cg_mapping_find(config, cg_slice_str(host), cg_slice_str(text), &rest);
    return mapping == NULL ? "" : mapping->name;
}

static void check_same(const struct cg_config *derived, const struct cg_config *whole) {
    char name[16];
    assert_int_equal(cg_config_mappings(derived), cg_config_mappings(whole));
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "m%u", i);
        check_same_item(derived, whole, name);
    }
    check_same_item(derived, whole, "filed");
    for (unsigned i = 0; i < 30; i++) {
        assert_string_equal(route(derived, "", i), route(whole, "", i));
        assert_string_equal(route(derived, "there.example", i), route(whole, "there.example", i));
    }
}

/* ---- Steps ---- */

static int compare_names(const void *a, const void *b) { return strcmp(a, b); }

/* By name, as mistakes are told. */
static size_t draw_edits(struct scene *scene, struct cg_edit *edits, char names[EDITS_MAX][16]) {
    size_t count = 1 + draw(scene, EDITS_MAX), first = draw(scene, NAMES);
    for (size_t i = 0; i < count; i++) snprintf(names[i], 16, "m%zu", (first + i) % NAMES);
    qsort(names, count, sizeof names[0], compare_names);
    for (size_t i = 0; i < count; i++) {
        edits[i] = (struct cg_edit){.kind = CG_ITEM_MAPPING, .name = names[i]};
        if (draw(scene, 4) > 0) edits[i].item = draw_item(scene, names[i]);
    }
    return count;
}

static void keep(struct scene *scene, const struct cg_edit *edits, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned number = (unsigned)strtoul(edits[i].name + 1, NULL, 10);
        cg_item_unref(scene->items[number]);
        scene->items[number] = edits[i].item == NULL ? NULL : cg_item_ref((struct cg_item *)edits[i].item);
    }
}

static void use(struct scene *scene, struct cg_config *config) {
    cg_config_unref(scene->in_use);
    scene->in_use = config;
}

static void compare(struct scene *scene, const struct cg_edit *edits, size_t count, struct cg_config **config) {
    struct cg_mistakes mistakes, of_whole;
    struct cg_config *whole = NULL;
    int err = read_whole(scene, edits, count, &whole, &of_whole);
    int derived = derive(scene, edits, count, config, &mistakes);
    if (derived == CG_E_CONFLICT) {
        assert_int_equal(mistakes.count, 0); /* it asks for all to be read */
        *config = whole;
        whole = NULL;
    } else {
        assert_int_equal(derived, err);
        check_same_mistakes(&mistakes, &of_whole);
        if (err == CG_OK) check_same(*config, whole);
        scene->derived += err == CG_OK;
        scene->refused += err != CG_OK;
    }
    cg_config_unref(whole);
    cg_mistakes_fini(&mistakes);
    cg_mistakes_fini(&of_whole);
}

static void step(struct scene *scene) {
    struct cg_edit edits[EDITS_MAX];
    char names[EDITS_MAX][16];
    struct cg_config *config = NULL;
    size_t count = draw_edits(scene, edits, names);
    assert_true(cg_settings_may_derive(scene->in_use, edits, count));
    compare(scene, edits, count, &config);
    if (config != NULL) {
        keep(scene, edits, count);
        use(scene, config);
    }
    for (size_t i = 0; i < count; i++) cg_item_unref((struct cg_item *)edits[i].item);
}

static void begin(struct scene *scene, uint32_t seed) {
    struct cg_mistakes mistakes;
    struct cg_config *config;
    *scene = (struct scene){.random = seed};
    scene->items[NAMES] = item(CG_ITEM_KEYS, "floor-1", "{}", MEMBER);
    scene->items[NAMES + 1] = item(CG_ITEM_SECURITY_GROUP, "floor", "{'keys':'floor-1'}", NULL);
    assert_int_equal(read_whole(scene, NULL, 0, &config, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    scene->in_use = config;
}

static void end(struct scene *scene) {
    for (size_t i = 0; i < NAMES + 2; i++) cg_item_unref(scene->items[i]);
    cg_config_unref(scene->in_use);
}

static void edits_come_to_the_same_either_way(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        struct scene scene;
        begin(&scene, seed);
        for (unsigned i = 0; i < STEPS; i++) step(&scene);
        assert_true(scene.derived > STEPS / 8 && scene.refused > STEPS / 16);
        end(&scene);
    }
}

static bool may_derive(const struct scene *scene, enum cg_item_kind kind, const char *name, const char *document) {
    struct cg_item *made = document == NULL ? NULL : item(kind, name, document, NULL);
    const struct cg_edit edit = {.kind = kind, .name = name, .item = made};
    bool may = cg_settings_may_derive(scene->in_use, &edit, 1);
    cg_item_unref(made);
    return may;
}

static void what_is_not_plain_is_left_to_reading_everything(void **state) {
    (void)state;
    static const char plain[] = "{'group':'coap://224.0.1.1/','security':'none'}";
    struct scene scene;
    begin(&scene, 5);
    assert_true(may_derive(&scene, CG_ITEM_MAPPING, "m1", plain));
    assert_true(may_derive(&scene, CG_ITEM_MAPPING, "m1", NULL));
    assert_false(may_derive(&scene, CG_ITEM_MAPPING, "filed", plain));
    assert_false(may_derive(&scene, CG_ITEM_SECURITY_GROUP, "floor", NULL));
    assert_false(may_derive(&scene, CG_ITEM_MAPPING, "m1",
                            "{'group':'coap://224.0.1.1/','security':'relay','check_signature':'checker.json'}"));
    end(&scene);
}

/* What waits for something else may come back with any edit. */
static void nothing_is_derived_while_something_waits(void **state) {
    (void)state;
    struct scene scene;
    struct cg_mistakes mistakes;
    struct cg_config *config;
    begin(&scene, 7);
    scene.items[0] = item(CG_ITEM_MAPPING, "m0", "{'group':'coap://224.0.1.1/','security':'basement'}", NULL);
    scene.items[1] = item(CG_ITEM_MAPPING, "m1", "{'group':'coap://224.0.1.2/','security':'none','path':'/p3'}", NULL);
    assert_int_equal(read_whole(&scene, NULL, 0, &config, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    use(&scene, config);
    assert_false(may_derive(&scene, CG_ITEM_MAPPING, "m2", NULL));
    cg_item_unref(scene.items[0]);
    scene.items[0] = NULL; /* what is left is shadowed, and stays so */
    assert_int_equal(read_whole(&scene, NULL, 0, &config, &mistakes), CG_OK);
    cg_mistakes_fini(&mistakes);
    use(&scene, config);
    assert_true(may_derive(&scene, CG_ITEM_MAPPING, "m2", NULL));
    end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_come_to_the_same_either_way),
        cmocka_unit_test(what_is_not_plain_is_left_to_reading_everything),
        cmocka_unit_test(nothing_is_derived_while_something_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
