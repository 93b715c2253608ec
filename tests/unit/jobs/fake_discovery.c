#include "jobs/fake_discovery.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire/block.h"

enum { BLOCK = 64 };

static void on_done(void *ctx, struct cg_discovery *job) {
    struct search *search = ctx;
    assert_ptr_equal(job, search->job);
    search->done++;
}

int search_setup(void **state) {
    struct search *search = calloc(1, sizeof *search);
    if (search == NULL) return -1;
    world_init(&search->world);
    *state = search;
    return 0;
}

int search_teardown(void **state) {
    struct search *search = *state;
    cg_discoveries_close(search->discoveries);
    world_fini(&search->world);
    cg_discovery_free(search->job);
    cg_discoveries_free(search->discoveries);
    free(search);
    return 0;
}

static void start(struct search *search) {
    if (search->world.gateway == NULL) world_start(&search->world);
    world_run(&search->world);
    if (search->discoveries == NULL)
        search->discoveries = cg_discoveries_new(search->world.gateway, cg_protector_none());
    assert_non_null(search->discoveries);
}

void search_begin(struct search *search, const char *where, const char *filter, uint32_t seconds) {
    struct cg_problem problem = {0};
    start(search);
    const struct cg_discovery_order order = {
        .where = where, .filter = cg_slice_str(filter), .seconds = seconds, .done = on_done, .ctx = search};
    search->job = cg_discovery_begin(search->discoveries, &order, &problem);
    if (search->job == NULL) fail_msg("%s", problem.detail);
    assert_int_equal(search->done, 0);
    world_run(&search->world);
}

const struct cg_found *search_found(const struct search *search) { return cg_discovery_found(search->job); }

const struct cg_found *search_finish(struct search *search) {
    for (unsigned i = 0; search->done == 0; i++) {
        assert_true(i < 40000);
        world_advance(&search->world, SECOND / 10);
    }
    assert_int_equal(search->done, 1);
    assert_int_equal(cg_gateway_running(search->world.gateway), 0);
    return search_found(search);
}

size_t search_sent(struct search *search) {
    for (unsigned i = 0; search->looked_at == search->world.sent_count; i++) {
        if (i == 100) fail_msg("nothing more is sent");
        world_advance(&search->world, SECOND / 10);
    }
    return search->looked_at++;
}

void search_nothing_sent(struct search *search) { assert_int_equal(search->world.sent_count, search->looked_at); }

const char *search_said(struct search *search, size_t index) {
    static char said[512];
    const struct emission *sent = &search->world.sent[index];
    char to[CG_ADDR_TEXT_MAX];
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_addr_emit(&sent->route.to, to);
    int len = snprintf(said, sizeof said, "%s %s ", sent->msg.code == CG_EMPTY ? "PING" : "GET", to);
    bool has_query = false;
    cg_opt_iter_init(&iter, &sent->msg);
    while (cg_opt_next(&iter, &opt)) {
        char separator = '/';
        if (opt.number != CG_OPT_URI_PATH && opt.number != CG_OPT_URI_QUERY) continue;
        if (opt.number == CG_OPT_URI_QUERY) separator = has_query ? '&' : '?';
        has_query = opt.number == CG_OPT_URI_QUERY;
        len += snprintf(said + len, sizeof said - (size_t)len, "%c%.*s", separator, (int)opt.value.len,
                        (const char *)opt.value.data);
    }
    return said;
}

static void answer(struct search *search, size_t index, const char *from, uint8_t code, uint16_t format,
                   const char *payload, const struct cg_block *block) {
    static uint16_t mid = 100;
    const struct cg_msg *request = &search->world.sent[index].msg;
    bool is_confirmable = request->type == CG_CON;
    uint8_t format_byte[2] = {(uint8_t)(format >> 8), (uint8_t)format}, value[CG_BLOCK_MAX];
    struct cg_opt options[2] = {{.number = CG_OPT_CONTENT_FORMAT, .value = cg_slice_of(format_byte, 2)}};
    struct cg_opts list = {.list = options, .count = format == 0 ? 0 : 1};
    if (format > 0 && format < 256) options[0].value = cg_slice_of(format_byte + 1, 1);
    if (block != NULL)
        options[list.count++] =
            (struct cg_opt){.number = CG_OPT_BLOCK2, .value = cg_slice_of(value, cg_block_emit(block, value))};
    world_answer_as(&search->world, index, from,
                    (struct answer){.type = is_confirmable ? CG_ACK : CG_NON,
                                    .code = code,
                                    .mid = is_confirmable ? request->mid : mid++,
                                    .payload = payload[0] == '\0' ? NULL : payload,
                                    .options = &list});
    world_run(&search->world);
}

void search_answer(struct search *search, size_t index, const char *from, uint8_t code, uint16_t format,
                   const char *payload) {
    answer(search, index, from, code, format, payload, NULL);
}

void search_links(struct search *search, size_t index, const char *from, const char *links) {
    answer(search, index, from, CG_CODE(2, 5), 40, links, NULL);
}

void search_block(struct search *search, size_t index, const char *from, const char *links, uint32_t number) {
    char part[BLOCK + 1];
    size_t at = (size_t)number * BLOCK, len = strlen(links);
    assert_true(at < len);
    snprintf(part, sizeof part, "%s", links + at);
    struct cg_block block = {.number = number, .more = len - at > BLOCK, .szx = cg_block_szx(BLOCK)};
    answer(search, index, from, CG_CODE(2, 5), 40, part, &block);
}

void search_pong(struct search *search, size_t index) {
    const struct emission *ping = &search->world.sent[index];
    char from[CG_ADDR_TEXT_MAX];
    uint8_t bytes[4];
    struct cg_msg_writer writer;
    assert_int_equal(ping->msg.code, CG_EMPTY);
    cg_addr_emit(&ping->route.to, from);
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_RST, CG_EMPTY, ping->msg.mid, (struct cg_token){0});
    assert_int_equal(cg_msg_end(&writer), 4);
    world_deliver(&search->world, from, bytes, 4);
    world_run(&search->world);
}

const struct cg_found_node *search_node(const struct search *search, const char *at) {
    const struct cg_addr addr = address(at);
    const struct cg_found_node *node = search_found(search)->nodes;
    while (node != NULL && !cg_addr_equal(&node->at, &addr)) node = node->next;
    return node;
}

void assert_slice_is(struct cg_slice slice, const char *text, const char *file, int line) {
    char got[8192];
    snprintf(got, sizeof got, "%.*s", (int)slice.len, slice.data == NULL ? "" : (const char *)slice.data);
    _assert_string_equal(got, text, file, line);
}
