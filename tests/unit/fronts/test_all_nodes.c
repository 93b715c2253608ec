/* Questions to All CoAP Nodes: what is answered, whose links are told, and all that is met with silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fronts/coap/all_nodes.h"

enum { URI_PATH_ABBREV = 13 };

struct fixture {
    struct cg_config config;
    struct cg_coap_listen listen[2];
    struct cg_target target;
    struct cg_grant grant;
    struct cg_mapping mapping;
    struct cg_all_nodes_way way;
    struct cg_arena arena;
    struct cg_all_nodes_question question;
    uint8_t bytes[1024];
    struct cg_msg_writer writer;
};

static struct cg_addr addr_of(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), 0), CG_OK);
    return addr;
}

static void listen_at(struct fixture *f, size_t i, enum cg_scheme scheme, const char *addr, bool insecure) {
    f->listen[i] = (struct cg_coap_listen){.scheme = scheme, .listen = {.addr = addr_of(addr), .insecure = insecure}};
    f->listen[i].listen.loopback = cg_addr_is_loopback(&f->listen[i].listen.addr);
    f->config.coap.listen = f->listen;
    f->config.coap.listen_count = i + 1;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->config.options = (struct cg_option_numbers){2, 248, 24, URI_PATH_ABBREV, 235, 239};
    cg_arena_init(&f->config.arena, 1 << 20, NULL);
    cg_arena_init(&f->arena, 1 << 16, NULL);
    f->target.uri = "coap://224.0.1.188/";
    f->grant.methods = CG_METHODS_SAFE;
    f->mapping = (struct cg_mapping){.name = "floor3",
                                     .path = "/floor3",
                                     .targets = &f->target,
                                     .target_count = 1,
                                     .grants = &f->grant,
                                     .grant_count = 1};
    f->config.mappings = &f->mapping;
    f->config.mapping_count = 1;
    assert_int_equal(cg_config_index(&f->config), CG_OK);
    f->way.from = addr_of("192.0.2.9:40000");
    f->way.own = addr_of("192.0.2.1:5683");
    listen_at(f, 0, CG_SCHEME_COAP, "192.0.2.1:5683", true);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    cg_arena_fini(&f->arena);
    cg_arena_fini(&f->config.arena);
    free(f);
    return 0;
}
#define nodes_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static struct cg_msg_writer *begin(struct fixture *f, enum cg_type type, uint8_t code) {
    cg_msg_begin(&f->writer, f->bytes, sizeof f->bytes, type, code, 7, (struct cg_token){2, {0xaa, 0xbb}});
    return &f->writer;
}

static struct cg_msg_writer *ask(struct fixture *f) {
    struct cg_msg_writer *writer = begin(f, CG_NON, CG_GET);
    cg_msg_put_opt(writer, CG_OPT_URI_PATH, cg_slice_str(".well-known"));
    cg_msg_put_opt(writer, CG_OPT_URI_PATH, cg_slice_str("core"));
    return writer;
}

static bool understand(struct fixture *f) {
    int len = cg_msg_end(&f->writer);
    assert_true(len > 0);
    uint8_t *exact = malloc((size_t)len);
    assert_non_null(exact);
    memcpy(exact, f->bytes, (size_t)len);
    bool good = cg_all_nodes_understand(&f->config, &f->way, cg_slice_of(exact, (size_t)len), &f->arena, &f->question);
    free(exact);
    return good;
}

static void check_links(struct fixture *f, const char *wanted) {
    struct cg_problem problem = {0};
    struct cg_buf text;
    cg_buf_init(&text, 0);
    struct cg_links *links = cg_links_begin(&f->config, &f->question.request, &problem);
    assert_non_null(links);
    cg_links_set_base(links, f->question.base);
    while (cg_links_go_on(links, 1)) continue;
    assert_int_equal(cg_links_end(links, &text, &problem), CG_OK);
    if (!cg_slice_is(cg_buf_slice(&text), wanted)) fail_msg("%.*s", (int)text.len, (const char *)text.data);
    cg_buf_fini(&text);
}

#define LINK(base) "<" base "/floor3>;rt=\"castgate.mapping\";title=\"floor3\""

/* R36 */
static void links_are_told(void **state) {
    struct fixture *f = *state;
    ask(f);
    assert_true(understand(f));
    check_links(f, LINK(""));
}

static void filters_choose(void **state) {
    struct fixture *f = *state;
    cg_msg_put_opt(ask(f), CG_OPT_URI_QUERY, cg_slice_str("rt=castgate.*"));
    assert_true(understand(f));
    check_links(f, LINK(""));
    cg_msg_put_opt(ask(f), CG_OPT_URI_QUERY, cg_slice_str("rt=temperature"));
    assert_true(understand(f));
    check_links(f, "");
    uint8_t bytes[CG_ALL_NODES_ANSWER_MAX];
    assert_int_equal(cg_all_nodes_answer(&f->question, CG_SLICE_NONE, 1, bytes), 0);
}

static void an_abbreviated_path_is_as_good(void **state) {
    struct fixture *f = *state;
    cg_msg_put_opt(begin(f, CG_NON, CG_GET), URI_PATH_ABBREV, CG_SLICE_NONE);
    assert_true(understand(f));
}

/* RFC 7252 §8.1, §8.2; R36 */
static void everything_else_is_met_with_silence(void **state) {
    struct fixture *f = *state;
    static const uint8_t one[] = {1}, text_plain[] = {50}, suppress[] = {2}, second_block[] = {0x16};
    const struct {
        uint16_t number;
        struct cg_slice value;
    } options[] = {
        {CG_OPT_ACCEPT, cg_slice_of(text_plain, 1)},
        {CG_OPT_BLOCK2, cg_slice_of(second_block, 1)},
        {2049, cg_slice_of(one, 1)},
        {CG_OPT_NO_RESPONSE, cg_slice_of(suppress, 1)},
        {CG_OPT_PROXY_URI, cg_slice_str("coap://224.0.1.188/")},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        cg_msg_put_opt(ask(f), options[i].number, options[i].value);
        if (understand(f)) fail_msg("option %u", options[i].number);
    }
    begin(f, CG_NON, CG_GET);
    assert_false(understand(f));
    cg_msg_put_opt(begin(f, CG_NON, CG_GET), CG_OPT_URI_PATH, cg_slice_str("floor3"));
    assert_false(understand(f));
    for (unsigned type = CG_CON; type <= CG_RST; type++) {
        for (unsigned code = 0; code < 256; code++) {
            if (type == CG_NON && code == CG_GET) continue;
            ask(f);
            f->bytes[0] = (uint8_t)(f->bytes[0] & 0xcf) | (uint8_t)(type << 4);
            f->bytes[1] = (uint8_t)code;
            if (understand(f)) fail_msg("type %u, code %u", type, code);
        }
    }
    ask(f);
    f->writer.len--; /* cut off */
    assert_false(understand(f));
}

static void a_question_that_is_long_is_not_looked_at(void **state) {
    struct fixture *f = *state;
    static const uint8_t filler[255];
    struct cg_msg_writer *writer = ask(f);
    for (int i = 0; i < 2; i++) cg_msg_put_opt(writer, 2048, cg_slice_of(filler, sizeof filler));
    assert_false(understand(f));
}

static void links_lead_to_a_listener_that_can_be_reached(void **state) {
    struct fixture *f = *state;
    static const struct {
        enum cg_scheme scheme;
        const char *listen, *own;
        bool is_local;
        const char *link; /* NULL: silence */
    } rows[] = {
        {CG_SCHEME_COAP, "192.0.2.1:5683", "192.0.2.1:5683", false, LINK("")},
        {CG_SCHEME_COAP, "192.0.2.1:5685", "192.0.2.1:5683", false, LINK("coap://192.0.2.1:5685")},
        {CG_SCHEME_COAPS, "192.0.2.1:5684", "192.0.2.1:5683", false, LINK("coaps://192.0.2.1:5684")},
        {CG_SCHEME_COAP, "0.0.0.0:5683", "192.0.2.1:5683", false, LINK("")},
        {CG_SCHEME_COAP, "0.0.0.0:5685", "192.0.2.1:5683", false, LINK("coap://192.0.2.1:5685")},
        {CG_SCHEME_COAP, "192.0.2.2:5683", "192.0.2.1:5683", false, NULL},
        {CG_SCHEME_COAP, "127.0.0.1:5683", "192.0.2.1:5683", false, NULL},
        {CG_SCHEME_COAP, "127.0.0.1:5683", "127.0.0.1:5683", true, LINK("")},
        {CG_SCHEME_COAP, "127.0.0.2:5683", "127.0.0.1:5683", true, LINK("coap://127.0.0.2:5683")},
        {CG_SCHEME_COAP, "[2001:db8::1]:5683", "192.0.2.1:5683", false, NULL},
        {CG_SCHEME_COAP, "[2001:db8::1]:5683", "[ff03::fd]:5683", false, LINK("coap://[2001:db8::1]:5683")},
        {CG_SCHEME_COAP, "[fe80::1]:5683", "[ff02::fd]:5683", false, NULL},
        {CG_SCHEME_COAP, "[::]:5683", "[ff03::fd]:5683", false, LINK("")},
        {CG_SCHEME_COAP, "[::]:5685", "[ff03::fd]:5683", false, NULL},
        {CG_SCHEME_COAP_TCP, "192.0.2.1:5683", "192.0.2.1:5683", false, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        listen_at(f, 0, rows[i].scheme, rows[i].listen, true);
        f->way.own = addr_of(rows[i].own);
        f->way.is_local = rows[i].is_local;
        ask(f);
        if (understand(f) != (rows[i].link != NULL)) fail_msg("row %zu", i);
        if (rows[i].link != NULL) check_links(f, rows[i].link);
    }
    listen_at(f, 0, CG_SCHEME_COAP, "127.0.0.1:5683", true);
    listen_at(f, 1, CG_SCHEME_COAPS, "192.0.2.1:5684", true);
    f->way.own = addr_of("192.0.2.1:5683");
    f->way.is_local = false;
    ask(f);
    assert_true(understand(f));
    check_links(f, LINK("coaps://192.0.2.1:5684"));
}

/* Nobody knows who asks. */
static void what_only_known_clients_may_use_is_not_told(void **state) {
    struct fixture *f = *state;
    const struct cg_client client = {.name = "dashboard"};
    f->grant.client = &client;
    ask(f);
    assert_true(understand(f));
    check_links(f, "");
    f->grant.client = NULL;
    listen_at(f, 0, CG_SCHEME_COAP, "192.0.2.1:5683", false);
    ask(f);
    assert_true(understand(f));
    check_links(f, "");
}

static void an_answer_is_one_datagram(void **state) {
    struct fixture *f = *state;
    static uint8_t many[3000];
    uint8_t bytes[CG_ALL_NODES_ANSWER_MAX];
    struct cg_msg message;
    struct cg_slice value;
    uint32_t number;
    memset(many, 'x', sizeof many);
    ask(f);
    assert_true(understand(f));
    size_t len = cg_all_nodes_answer(&f->question, cg_slice_of(many, 1024), 4711, bytes);
    assert_int_equal(cg_msg_parse(&message, cg_slice_of(bytes, len)), CG_OK);
    assert_int_equal(message.type, CG_NON);
    assert_int_equal(message.code, CG_CODE(2, 5));
    assert_int_equal(message.mid, 4711);
    assert_int_equal(message.token.len, 2);
    assert_int_equal(message.token.bytes[1], 0xbb);
    assert_int_equal(message.payload.len, 1024);
    assert_true(cg_msg_find_uint(&message, CG_OPT_CONTENT_FORMAT, &number) && number == 40);
    assert_false(cg_msg_find(&message, CG_OPT_BLOCK2, &value));
    len = cg_all_nodes_answer(&f->question, cg_slice_of(many, sizeof many), 4712, bytes);
    assert_int_equal(cg_msg_parse(&message, cg_slice_of(bytes, len)), CG_OK);
    assert_int_equal(message.payload.len, 1024);
    assert_true(cg_msg_find_uint(&message, CG_OPT_BLOCK2, &number) && number == 0xe);
    assert_true(cg_msg_find_uint(&message, CG_OPT_SIZE2, &number) && number == sizeof many);
    assert_true(cg_msg_find(&message, CG_OPT_ETAG, &value));
    static const uint8_t small[] = {2};
    cg_msg_put_opt(ask(f), CG_OPT_BLOCK2, cg_slice_of(small, 1));
    assert_true(understand(f));
    len = cg_all_nodes_answer(&f->question, cg_slice_of(many, sizeof many), 4713, bytes);
    assert_int_equal(cg_msg_parse(&message, cg_slice_of(bytes, len)), CG_OK);
    assert_int_equal(message.payload.len, 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        nodes_test(links_are_told),
        nodes_test(filters_choose),
        nodes_test(an_abbreviated_path_is_as_good),
        nodes_test(everything_else_is_met_with_silence),
        nodes_test(a_question_that_is_long_is_not_looked_at),
        nodes_test(links_lead_to_a_listener_that_can_be_reached),
        nodes_test(what_only_known_clients_may_use_is_not_told),
        nodes_test(an_answer_is_one_datagram),
    };
    return cmocka_run_group_tests_name("fronts/all_nodes", tests, NULL, NULL);
}
