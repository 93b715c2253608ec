/* Group URIs with host names (R50): what is kept of them, and the way back to text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_text.h"

static void a_name_is_kept_as_uri_host_has_it_R50(void **state) {
    (void)state;
    static const struct {
        const char *uri, *normal, *host;
        uint16_t port;
    } table[] = {
        {"coap://Lights.EXAMPLE/x?y", "coap://lights.example/x?y", "lights.example", 5683},
        {"coap://lights.example:61616", "coap://lights.example:61616/", "lights.example", 61616},
        {"coap://l%C3%A4mp.example", "coap://l%C3%A4mp.example/", "l\xc3\xa4mp.example", 5683},
        {"coap://%4cights", "coap://lights/", "lights", 5683},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct cg_buf text;
        cg_buf_init(&text, 0);
        cg_buf_printf(&text, "{'mappings':[{'name':'m','security':'none','group':'%s'}]}", table[i].uri);
        cg_buf_put_u8(&text, 0);
        const struct cg_config *config = settings_of((const char *)text.data);
        const struct cg_target *target = &config->mappings[0].targets[0];
        assert_string_equal(target->uri, table[i].normal);
        assert_true(cg_slice_is(target->host, table[i].host));
        assert_int_equal(target->group.family, CG_FAMILY_NONE);
        assert_int_equal(target->group.port, table[i].port);
        cg_buf_fini(&text);
    }
}

static void a_literal_has_no_name_R50(void **state) {
    (void)state;
    const struct cg_config *config =
        settings_of("{'mappings':[{'name':'m','security':'none','group':'coap://224.0.1.187'}]}");
    const struct cg_target *target = &config->mappings[0].targets[0];
    struct cg_addr group = cg_target_group(target);
    assert_int_equal(target->host.len, 0);
    assert_true(cg_addr_equal(&group, &target->group));
}

static void two_names_are_two_targets_and_one_name_is_one(void **state) {
    (void)state;
    (void)settings_of("{'mappings':[{'name':'m','security':'none','targets':[{'group':'coap://a.example'},"
                      "{'group':'coap://b.example'},{'group':'coap://a.example:61616'}]}]}");
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    static const char twice[] =
        "{\"mappings\":[{\"name\":\"m\",\"security\":\"none\",\"targets\":[{\"group\":\"coap://a.example/x\"},"
        "{\"group\":\"coap://A.example/y\"}]}]}";
    assert_true(cg_settings_parse(cg_slice_str(twice), "/etc/castgate", &config, &mistakes) < 0);
    assert_string_equal(mistakes.first->pointer, "/mappings/0/targets/1");
    cg_mistakes_fini(&mistakes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        settings_test(a_name_is_kept_as_uri_host_has_it_R50),
        settings_test(a_literal_has_no_name_R50),
        settings_test(two_names_are_two_targets_and_one_name_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
