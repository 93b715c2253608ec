/* Whether a changed mapping costs by how many there are. The hard thing: what is derived shares memory with what was
 * before it, so each round begins at the snapshot that was made whole, and ends what it has derived. */
#include <stdio.h>

#include "base/check.h"
#include "common/figures.h"
#include "model/derive.h"
#include "model/mapping.h"

enum { ROUNDS = 31, CHANGES = 200, SIZES = 3 };

static const size_t sizes[SIZES] = {10, 1000, 10000};

static const char *text_of(struct cg_config *config, const char *before, size_t number, const char *behind) {
    char text[64];
    int len = snprintf(text, sizeof text, "%s%zu%s", before, number, behind);
    struct cg_slice kept = cg_arena_copy(&config->arena, cg_slice_of(text, (size_t)len + 1));
    CG_CHECK(kept.data != NULL);
    return (const char *)kept.data;
}

/* With a group, a URI and a member of its own. */
static void fill(struct cg_config *config, struct cg_mapping *mapping, size_t number) {
    struct cg_target *target = cg_arena_zalloc(&config->arena, sizeof *target);
    struct cg_member *member = cg_arena_zalloc(&config->arena, sizeof *member);
    CG_CHECK(target != NULL && member != NULL);
    target->uri = text_of(config, "coap://[ff35:30:2001:db8::", number % 10000, "]/");
    CG_CHECK(cg_addr_parse(&member->addr, cg_slice_str("127.1.0.1"), 5683) == CG_OK);
    memcpy(&member->addr.ip[2], &(uint16_t){(uint16_t)number}, sizeof(uint16_t));
    member->name = text_of(config, "lamp-", number, "");
    *mapping = (struct cg_mapping){.name = text_of(config, "m", number, ""),
                                   .path = text_of(config, "/building/room", number, ""),
                                   .targets = target,
                                   .target_count = 1,
                                   .forward = true,
                                   .members = member,
                                   .member_count = 1};
}

static struct cg_config *make_config(size_t count) {
    struct cg_config *config = cg_config_new();
    CG_CHECK(config != NULL);
    config->mappings = cg_arena_zalloc(&config->arena, count * sizeof *config->mappings);
    CG_CHECK(config->mappings != NULL);
    config->mapping_count = count;
    for (size_t i = 0; i < count; i++) fill(config, &config->mappings[i], i);
    CG_CHECK(cg_config_index(config) == CG_OK);
    return config;
}

/* CPU ns a change, its end included. */
static double change(struct cg_config *whole, size_t count) {
    struct cg_config *config = cg_config_ref(whole);
    uint64_t start_ns = bench_thread_ns();
    for (size_t i = 0; i < CHANGES; i++) {
        struct cg_config *derived = cg_derive_new(config, 1);
        CG_CHECK(derived != NULL);
        struct cg_mapping *mapping = cg_arena_zalloc(&derived->arena, sizeof *mapping);
        CG_CHECK(mapping != NULL);
        fill(derived, mapping, i * 7919 % count);
        CG_CHECK(cg_derive_put_mapping(derived, mapping));
        cg_config_unref(config);
        config = derived;
    }
    cg_config_unref(config);
    return (double)(bench_thread_ns() - start_ns) / CHANGES;
}

int main(int argc, char **argv) {
    struct cg_config *configs[SIZES];
    struct bench_rounds rounds[SIZES] = {0};
    size_t count = bench_is_quick(argc, argv) ? 9 : ROUNDS;
    for (int i = 0; i < SIZES; i++) configs[i] = make_config(sizes[i]);
    for (size_t round = 0; round < count; round++) {
        double first_ns = change(configs[0], sizes[0]);
        for (int i = 1; i < SIZES; i++) bench_add_round(&rounds[i], change(configs[i], sizes[i]), first_ns);
    }
    for (int i = 1; i < SIZES; i++) {
        char figure[64];
        snprintf(figure, sizeof figure, "a changed mapping among %zu", sizes[i]);
        bench_put_rounds(&rounds[i],
                         (struct bench_row){.figure = figure, .unit = "ns", .beside = "among 10", .ratio_aim = 2});
    }
    for (int i = 0; i < SIZES; i++) cg_config_unref(configs[i]);
    return 0;
}
