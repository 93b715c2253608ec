/* A thousand members with lists of 4 KiB each, and an interface that takes eight datagrams in nine seconds (R45). */
#include "jobs/fake_discovery.h"

#include <stdio.h>

#include "wire/block.h"

enum { MEMBERS = 1000, LIST = 4096, BLOCK = 1024, REQUESTS = 8, WINDOW_S = 9 };

static uint32_t zone(void *ctx, const char *interface) {
    (void)ctx;
    return interface != NULL && strcmp(interface, "lo") == 0 ? 1 : 0;
}

static void place(unsigned member, char at[32]) { snprintf(at, 32, "127.1.%u.%u", member / 250, member % 250 + 1); }

static void populate(struct search *search) {
    struct cg_mapping *mapping = world_mapping(&search->world, "lamps");
    struct cg_arena *arena = &search->world.config->arena;
    struct cg_member *members = cg_arena_zalloc(arena, MEMBERS * sizeof *members);
    assert_non_null(members);
    for (unsigned i = 0; i < MEMBERS; i++) {
        char name[16], at[32];
        place(i, at);
        snprintf(name, sizeof name, "m%u", i);
        members[i].name = (const char *)cg_arena_copy(arena, cg_slice_of(name, sizeof name)).data;
        members[i].addr = address(at);
        members[i].number = i;
    }
    mapping->members = members;
    mapping->member_count = MEMBERS;
    mapping->complete = true;
    mapping->finish.rule = CG_FINISH_ALL;
    mapping->repair_unicast = true;
}

static void bind_interface(struct search *search) {
    static struct cg_send_budget_settings budget = {.interface = "lo", .requests = REQUESTS, .seconds = WINDOW_S};
    search->world.port.zone = zone;
    search->world.config->group.send_budgets = &budget;
    search->world.config->group.send_budget_count = 1;
}

/* The same for all but for the name in it. */
static void list_of(const char *from, char list[LIST + 1]) {
    size_t len = 0;
    for (unsigned i = 0; len + 100 < LIST; i++)
        len += (size_t)snprintf(list + len, LIST + 1 - len, "</%s/%u>;rt=\"sensor\",", from, i);
    len += (size_t)snprintf(list + len, LIST + 1 - len, "</last>;title=\"");
    memset(list + len, 'x', LIST - len);
    list[LIST - 1] = '"';
    list[LIST] = '\0';
}

static void send_block(struct search *search, size_t index, const char *from, uint32_t number) {
    char list[LIST + 1], part[BLOCK + 1];
    uint8_t value[CG_BLOCK_MAX], format = 40;
    const struct cg_msg *request = &search->world.sent[index].msg;
    const struct cg_block block = {.number = number, .more = (number + 1) * BLOCK < LIST, .szx = 6};
    list_of(from, list);
    snprintf(part, sizeof part, "%s", list + (size_t)number * BLOCK);
    struct cg_opt options[] = {
        {.number = CG_OPT_CONTENT_FORMAT, .value = cg_slice_of(&format, 1)},
        {.number = CG_OPT_BLOCK2, .value = cg_slice_of(value, cg_block_emit(&block, value))},
    };
    const struct cg_opts list_of_options = {.list = options, .count = 2};
    world_answer_as(&search->world, index, from,
                    (struct answer){.type = request->type == CG_CON ? CG_ACK : CG_NON,
                                    .code = CG_CODE(2, 5),
                                    .mid = request->mid,
                                    .payload = part,
                                    .options = &list_of_options});
    world_run(&search->world);
}

static void answer_as_fleet(struct search *search, size_t index) {
    const struct emission *sent = &search->world.sent[index];
    struct cg_block block = {0};
    struct cg_addr to = sent->route.to;
    char from[CG_ADDR_TEXT_MAX];
    assert_false(cg_addr_is_multicast(&to));
    cg_addr_emit(&to, from);
    assert_int_equal(cg_block_find(sent->msg.options, CG_OPT_BLOCK2, &block), CG_BLOCK_ONE);
    from[strcspn(from, ":")] = '\0';
    send_block(search, index, from, block.number);
}

static void assert_within_budget(const struct world *world) {
    for (size_t i = REQUESTS; i < world->sent_count; i++)
        assert_true(world->sent[i].at_us - world->sent[i - REQUESTS].at_us >= WINDOW_S * SECOND);
}

static uint32_t count(const struct cg_found *found, enum cg_found_state state) {
    uint32_t count = 0;
    for (const struct cg_found_node *node = found->nodes; node != NULL; node = node->next)
        count += node->state == state;
    return count;
}

static void assert_beginnings_are_kept(const struct cg_found *found) {
    for (const struct cg_found_node *node = found->nodes; node != NULL; node = node->next) {
        assert_in_range(node->links.len, BLOCK / 2, LIST);
        assert_int_equal(node->links.data[node->links.len - 1], '"');
    }
}

static void it_stays_inside_the_send_budget_and_says_what_it_left_out(void **state) {
    struct search *search = *state;
    populate(search);
    bind_interface(search);
    search_begin(search, "lamps", "", 180);
    size_t cast = search_sent(search);
    for (unsigned i = 0; i < MEMBERS; i++) {
        char at[32];
        place(i, at);
        send_block(search, cast, at, 0);
    }
    for (unsigned i = 0; search->done == 0 && i < 4000; i++) {
        while (search->looked_at < search->world.sent_count) answer_as_fleet(search, search->looked_at++);
        world_advance(&search->world, SECOND / 10);
    }
    assert_int_equal(search->done, 1);
    const struct cg_found *found = search_found(search);
    assert_within_budget(&search->world);
    assert_in_range(search->world.sent_count, 100, 180 / WINDOW_S * REQUESTS + REQUESTS);
    assert_int_equal(found->node_count, MEMBERS);
    assert_int_equal(found->answered, MEMBERS);
    assert_int_equal(found->cut, count(found, CG_FOUND_CUT));
    assert_true(count(found, CG_FOUND_WHOLE) > 20);
    assert_int_equal(count(found, CG_FOUND_WHOLE) + found->cut, MEMBERS);
    assert_beginnings_are_kept(found);
    assert_string_equal(found->ended_by, "deadline");
}

int main(void) {
    const struct CMUnitTest tests[] = {search_test(it_stays_inside_the_send_budget_and_says_what_it_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
