/* Groups of a wider scope than their members need (RFC 10020 §3.6), and those that nobody should hear of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fake_text.h"

static size_t warnings_of_scope(const char *group, const char *more, const char *narrower) {
    char document[1024];
    struct cg_mistakes warnings;
    snprintf(document, sizeof document,
             "{'group':{'prefixes':['2001:db8:7::/48']},'mappings':[{'name':'m','group':'coap://%s/','security':'none',"
             "'clients':['anonymous']%s}]}",
             group, more);
    cg_mistakes_init(&warnings);
    struct cg_config *config = must_parse(document);
    cg_settings_warnings(config, &warnings);
    cg_config_unref(config);
    size_t count = 0;
    for (const struct cg_mistake *it = warnings.first; it != NULL; it = it->next) {
        if (strstr(it->message, "the scope of") == NULL) continue;
        count++;
        assert_string_equal(it->pointer, "/mappings/0/group");
        if (narrower != NULL) assert_non_null(strstr(it->message, narrower));
    }
    cg_mistakes_fini(&warnings);
    return count;
}

#define MEMBERS(address) ",'membership':'complete','members':['" address "']"

static void wider_ones_are_told_with_one_that_would_do(void **state) {
    (void)state;
    static const struct {
        const char *group, *more, *narrower;
    } table[] = {
        {"[ff05::fd]", "", " ff02::fd "},
        {"[ff0e::1234]", "", " ff02::1234 "},
        {"[ff35:30:2001:db8::23]", "", " ff32:30:2001:db8::23 "},
        {"[ff0e::1234]", ",'hops':5" MEMBERS("[fd00::1]"), " ff05::1234 "},
        {"[ff08::1234]", ",'hops':5" MEMBERS("[2001:db8:7::1]"), " ff05::1234 "},
        {"224.0.1.187", ",'hops':5" MEMBERS("10.1.2.3"), " 239.255.1.187 "},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(warnings_of_scope(table[i].group, table[i].more, table[i].narrower), 1);
}

static void others_are_not_spoken_of(void **state) {
    (void)state;
    static const struct {
        const char *group, *more;
    } table[] = {
        {"224.0.1.187", ""},
        {"224.0.1.187", ",'hops':5"},
        {"224.0.1.187", ",'hops':5" MEMBERS("192.0.2.1")},
        {"239.192.0.1", ",'hops':5" MEMBERS("10.1.2.3")},
        {"[ff02::fd]", ""},
        {"[ff03::fd]", ""}, /* a mesh forwards it within its realm, whatever the hop limit */
        {"[ff05::fd]", ",'hops':5" MEMBERS("[fd00::1]")},
        {"[ff0e::1234]", ",'hops':5"},
        {"[ff0e::1234]", ",'hops':5" MEMBERS("[2001:db8:8::1]")},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(warnings_of_scope(table[i].group, table[i].more, NULL), 0);
}

static void the_first_five_are_named(void **state) {
    (void)state;
    char document[2048] = "{'mappings':[";
    struct cg_mistakes warnings;
    for (int i = 0; i < 8; i++) {
        size_t len = strlen(document);
        snprintf(document + len, sizeof document - len,
                 "%s{'name':'m%d','group':'coap://[ff05::fd]/','security':'none','clients':['anonymous']}",
                 i == 0 ? "" : ",", i);
    }
    strcat(document, "]}");
    cg_mistakes_init(&warnings);
    struct cg_config *config = must_parse(document);
    cg_settings_warnings(config, &warnings);
    cg_config_unref(config);
    size_t named = 0, counted = 0;
    for (const struct cg_mistake *it = warnings.first; it != NULL; it = it->next) {
        named += strstr(it->message, "the scope of") != NULL;
        counted += strstr(it->message, "3 more have a group of wider scope") != NULL;
    }
    assert_int_equal(named, 5);
    assert_int_equal(counted, 1);
    cg_mistakes_fini(&warnings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wider_ones_are_told_with_one_that_would_do),
        cmocka_unit_test(others_are_not_spoken_of),
        cmocka_unit_test(the_first_five_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
