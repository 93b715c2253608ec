/* /.well-known/core at the desk: in the acknowledgement where it is short, later where it is long in the making, and
 * never for nobody. */
#include "coap_desk/fake_peer.h"

#include <uv.h>

enum { MANY = 2 * CG_LISTED_A_TURN + 1 };

static struct ask core(const char *token) {
    return (struct ask){.token = cg_slice_str(token), .path = ".well-known/core", .timeout = NO_TIMEOUT};
}

static bool is_text(struct cg_slice text, const char *begin) {
    return text.len >= strlen(begin) && memcmp(text.data, begin, strlen(begin)) == 0;
}

/* R20 */
static void test_links_come_with_the_acknowledgement(void **state) {
    struct desk_fixture *f = *state;
    struct cg_slice value;
    desk_start(f);
    struct ask ask = core("t");
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 1);
    const struct said *said = peer_last(&f->peers[0]);
    assert_int_equal(said->how, ANSWERED);
    assert_int_equal(said->code, CG_CODE(2, 5));
    assert_true(cg_slice_is(said->token, "t"));
    assert_true(said_has(said, CG_OPT_CONTENT_FORMAT, &value) && value.len == 1 && value.data[0] == 40);
    assert_true(is_text(said->payload, "</lamps>;rt=\"castgate.mapping\""));
    assert_int_equal(cg_coap_desk_running(f->desk), 0);
    assert_int_equal(f->peers[0].holds, 0);
}

static void test_what_nothing_matches_is_empty(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = core("t");
    ask.options[0] = (struct option){CG_OPT_URI_QUERY, "rt=temperature", 0};
    peer_ask(f, &f->peers[0], &ask);
    assert_int_equal(peer_last(&f->peers[0])->code, CG_CODE(2, 5));
    assert_int_equal(peer_last(&f->peers[0])->payload.len, 0);
}

static void test_what_is_wrong_is_said(void **state) {
    struct desk_fixture *f = *state;
    desk_start(f);
    struct ask ask = core("t");
    ask.options[0] = (struct option){CG_OPT_URI_QUERY, "rt", 0};
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "t", CG_CODE(4, 0), "filter");
    ask = core("u");
    ask.code = CG_POST;
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "u", CG_CODE(4, 5), "GET");
    ask = core("v");
    ask.options[0] = (struct option){CG_OPT_BLOCK2, "\x66", 1}; /* the seventh of 1024 bytes */
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "v", CG_CODE(4, 0), "no such block");
    ask = core("w");
    ask.options[0] = (struct option){CG_OPT_ACCEPT, "\x32", 1};
    peer_ask(f, &f->peers[0], &ask);
    assert_answered(&f->peers[0], "w", CG_CODE(4, 6), "application/link-format");
    assert_int_equal(cg_coap_desk_running(f->desk), 0);
}

/* The blocks of one list make up the list, and have its ETag. */
static void test_blocks(void **state) {
    struct desk_fixture *f = *state;
    struct cg_slice whole_tag, tag;
    static const char *const blocks[] = {"\1", "\x11", "\x21"}; /* of 32 bytes */
    char text[128];
    size_t len = 0;
    desk_start(f);
    for (size_t i = 0; i < 3; i++) {
        struct ask ask = core("t");
        ask.options[0] = (struct option){CG_OPT_BLOCK2, blocks[i], 1};
        peer_ask(f, &f->peers[0], &ask);
        const struct said *said = peer_last(&f->peers[0]);
        assert_int_equal(said->code, CG_CODE(2, 5));
        assert_true(said_has(said, CG_OPT_ETAG, &tag));
        if (i == 0) whole_tag = tag;
        assert_true(cg_slice_equal(tag, whole_tag));
        memcpy(text + len, said->payload.data, said->payload.len);
        len += said->payload.len;
        if (said->payload.len < 32) break;
    }
    struct ask ask = core("u");
    peer_ask(f, &f->peers[0], &ask);
    assert_true(cg_slice_equal(cg_slice_of(text, len), peer_last(&f->peers[0])->payload));
}

/* ---- Lists that are long in the making ---- */

static void add_mappings(struct desk_fixture *f, struct cg_mapping *kept) {
    struct cg_config *config = f->world->config;
    static char paths[MANY][16];
    const struct cg_mapping first = config->mappings[0];
    *kept = first;
    config->mappings = cg_arena_zalloc(&config->arena, MANY * sizeof *config->mappings);
    assert_non_null(config->mappings);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(paths[i], sizeof paths[i], "/m%zu", i);
        config->mappings[i] = first;
        config->mappings[i].path = paths[i];
        config->mappings[i].name = paths[i] + 1;
    }
    config->mapping_count = MANY;
}

static void test_a_long_list_comes_later(void **state) {
    struct desk_fixture *f = *state;
    struct cg_mapping kept;
    uv_loop_t uv;
    add_mappings(f, &kept);
    desk_start(f);
    assert_int_equal(uv_loop_init(&uv), 0);
    struct cg_listings *listings = cg_listings_open(&uv);
    cg_coap_desk_set_listings(f->desk, listings);
    struct ask ask = core("t"), leaves = core("u"), goes = core("v");
    ask.options[0] = leaves.options[0] = goes.options[0] = (struct option){CG_OPT_URI_QUERY, "title=m7", 0};
    assert_int_equal(peer_ask(f, &f->peers[0], &ask), 0);
    assert_int_equal(peer_ask(f, &f->peers[1], &leaves), 0);
    assert_int_equal(peer_ask(f, &f->peers[2], &goes), 0);
    assert_int_equal(cg_coap_desk_running(f->desk), 3);
    peer_lose(f, &f->peers[1], "u");
    peer_go(f, &f->peers[2]);
    assert_int_equal(cg_coap_desk_running(f->desk), 1);
    for (int i = 0; i < 10; i++) uv_run(&uv, UV_RUN_NOWAIT);
    assert_int_equal(cg_coap_desk_running(f->desk), 0);
    assert_int_equal(f->peers[0].said_count, 1);
    assert_int_equal(f->peers[0].said[0].how, SENT);
    assert_int_equal(f->peers[0].said[0].type, CG_CON); /* as it was asked */
    assert_true(is_text(f->peers[0].said[0].payload, "</m7>;"));
    assert_int_equal(f->peers[1].said_count, 0);
    assert_int_equal(f->peers[0].holds + f->peers[1].holds, 0);
    cg_listings_close(listings);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
}

/* One client cannot take up all places of exchanges, nor the memory, by asking for long lists. */
static void test_long_lists_are_few_at_a_time(void **state) {
    struct desk_fixture *f = *state;
    struct cg_mapping kept;
    uv_loop_t uv;
    char token[8];
    add_mappings(f, &kept);
    desk_start(f);
    assert_int_equal(uv_loop_init(&uv), 0);
    struct cg_listings *listings = cg_listings_open(&uv);
    cg_coap_desk_set_listings(f->desk, listings);
    for (int i = 0; i < 40; i++) {
        snprintf(token, sizeof token, "t%d", i);
        struct ask ask = core(token);
        peer_ask(f, &f->peers[0], &ask);
    }
    assert_int_equal(cg_coap_desk_running(f->desk), 32);
    assert_answered(&f->peers[0], "t39", CG_CODE(5, 3), "links");
    peer_lose(f, &f->peers[0], "t0"); /* makes place for one */
    struct ask next = core("next"), over = core("over");
    assert_int_equal(peer_ask(f, &f->peers[1], &next), 0);
    assert_int_equal(peer_ask(f, &f->peers[1], &over), 1);
    peer_go(f, &f->peers[0]);
    for (int i = 0; i < 10; i++) uv_run(&uv, UV_RUN_NOWAIT);
    assert_int_equal(cg_coap_desk_running(f->desk), 0);
    assert_int_equal(peer_ask(f, &f->peers[2], &next), 0);
    peer_go(f, &f->peers[2]);
    cg_listings_close(listings);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        desk_test(test_links_come_with_the_acknowledgement),
        desk_test(test_what_nothing_matches_is_empty),
        desk_test(test_what_is_wrong_is_said),
        desk_test(test_blocks),
        desk_test(test_a_long_list_comes_later),
        desk_test(test_long_lists_are_few_at_a_time),
    };
    return cmocka_run_group_tests_name("coap_desk/discovery", tests, NULL, NULL);
}
