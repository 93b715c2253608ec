/* "next" of a security group: the settings may name the file that castgate-keys will make, as long as a slip in the
 * name is noticed. */
#include "fake_group_file.h"
#include "fake_text.h"

#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/castgate-next-keys-XXXXXX";
static char current[64], next[64];

static void write_member(const char *name) {
    json_t *json = quoted(MEMBER);
    assert_int_equal(json_dump_file(json, name, 0), 0);
    assert_int_equal(chmod(name, 0600), 0);
    json_decref(json);
}

static int set_up(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(current, sizeof current, "%s/gateway.json", folder);
    snprintf(next, sizeof next, "%s/gateway.next.json", folder);
    write_member(current);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unlink(current);
    return rmdir(folder);
}

static int parse(const char *value, struct cg_config **config, struct cg_mistakes *mistakes) {
    char document[512];
    snprintf(document, sizeof document, "{'security_groups':{'g':{'file':'%s','next':%s}}}", current, value);
    cg_mistakes_init(mistakes);
    return parse_quoted(document, config, mistakes);
}

static void assert_no_rekey(const char *value) {
    struct cg_config *config;
    struct cg_mistakes mistakes;
    assert_int_equal(parse(value, &config, &mistakes), CG_OK);
    assert_non_null(config->security_groups[0].keys);
    assert_null(config->security_groups[0].next_keys);
    cg_config_unref(config);
    cg_mistakes_fini(&mistakes);
}

static void assert_mistake(const char *value, const char *message) {
    struct cg_config *config;
    struct cg_mistakes mistakes;
    assert_int_equal(parse(value, &config, &mistakes), CG_E_FORMAT);
    assert_string_equal(mistakes.first->pointer, "/security_groups/g/next");
    assert_non_null(strstr(mistakes.first->message, message));
    cg_mistakes_fini(&mistakes);
}

static const char *in_folder(const char *name) {
    static char value[128];
    snprintf(value, sizeof value, "'%s/%s'", folder, name);
    return value;
}

static void none_is_prepared_as_long_as_it_is_not_there(void **state) {
    (void)state;
    assert_no_rekey("null");
    assert_no_rekey(in_folder("gateway.next.json"));
}

static void what_is_there_is_prepared(void **state) {
    (void)state;
    struct cg_config *config;
    struct cg_mistakes mistakes;
    write_member(next);
    assert_int_equal(parse(in_folder("gateway.next.json"), &config, &mistakes), CG_OK);
    assert_non_null(config->security_groups[0].next_keys);
    cg_config_unref(config);
    cg_mistakes_fini(&mistakes);
    assert_int_equal(chmod(next, 0644), 0);
    assert_mistake(in_folder("gateway.next.json"), "is open to its group or to others");
    assert_int_equal(unlink(next), 0);
}

static bool warms(const char *more) {
    char document[512];
    struct cg_config *config;
    struct cg_mistakes mistakes;
    snprintf(document, sizeof document, "{'security_groups':{'g':{'file':'%s'%s}}}", current, more);
    cg_mistakes_init(&mistakes);
    assert_int_equal(parse_quoted(document, &config, &mistakes), CG_OK);
    bool warm = config->security_groups[0].warm;
    cg_config_unref(config);
    cg_mistakes_fini(&mistakes);
    return warm;
}

static void members_are_warmed_where_that_is_said(void **state) {
    (void)state;
    assert_false(warms(""));
    assert_false(warms(",'warm':false"));
    assert_true(warms(",'warm':true"));
}

static void another_name_must_be_there(void **state) {
    (void)state;
    static const char *const names[] = {"gatway.next.json", "gateway.nxt.json", "member-11.next.json",
                                        "gateway.json.next", "next.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_mistake(in_folder(names[i]), "cannot be read");
    assert_mistake("'/nowhere/gateway.next.json'", "cannot be read");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_prepared_as_long_as_it_is_not_there),
        cmocka_unit_test(what_is_there_is_prepared),
        cmocka_unit_test(another_name_must_be_there),
        cmocka_unit_test(members_are_warmed_where_that_is_said),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
