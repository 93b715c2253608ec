/* Who gives way where something is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fronts/coap/shares.h"

enum { SHARES = 64 };

struct fixture {
    struct cg_coap_shares shares;
    struct cg_coap_share share[SHARES];
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    cg_coap_shares_init(&f->shares);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < SHARES; i++) cg_coap_share_take(&f->shares, &f->share[i]);
    cg_coap_shares_fini(&f->shares);
    free(f);
    return 0;
}

#define shares_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void put(struct fixture *f, size_t index, const char *host, size_t weight) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(host), 1), CG_OK);
    assert_true(cg_coap_share_put(&f->shares, &f->share[index], &addr, weight));
}

/* SHARES: nobody. */
static size_t first_to_go(const struct fixture *f) {
    const struct cg_coap_share *goes = cg_coap_shares_first_to_go(&f->shares);
    return goes == NULL ? SHARES : (size_t)(goes - f->share);
}

static void nobody_goes_where_nobody_is(void **state) { assert_int_equal(first_to_go(*state), SHARES); }

static void the_oldest_of_the_heaviest_goes(void **state) {
    struct fixture *f = *state;
    put(f, 0, "192.0.2.1", 10);
    put(f, 1, "192.0.2.2", 10);
    put(f, 2, "192.0.2.2", 10);
    put(f, 3, "192.0.2.2", 10);
    assert_int_equal(first_to_go(f), 1);
    cg_coap_share_take(&f->shares, &f->share[1]);
    cg_coap_share_add(&f->shares, &f->share[0], 100);
    assert_int_equal(first_to_go(f), 0);
    assert_int_equal(f->shares.weight, 130);
    cg_coap_share_take(&f->shares, &f->share[0]);
    assert_int_equal(first_to_go(f), 2);
    assert_int_equal(f->shares.weight, 20);
}

static void a_host_of_ipv6_has_64_bits(void **state) {
    struct fixture *f = *state;
    put(f, 0, "2001:db8:1::1", 3);
    put(f, 1, "2001:db8:2::1", 2);
    put(f, 2, "2001:db8:2::ffff", 2);
    assert_int_equal(first_to_go(f), 1);
}

static void taking_one_that_is_out_does_nothing(void **state) {
    struct fixture *f = *state;
    put(f, 0, "192.0.2.1", 1);
    cg_coap_share_take(&f->shares, &f->share[1]);
    cg_coap_share_take(&f->shares, &f->share[0]);
    cg_coap_share_take(&f->shares, &f->share[0]);
    assert_int_equal(f->shares.weight, 0);
}

/* Whatever comes and goes: nobody is sent away who has less than half of what the heaviest has. */
static void nobody_goes_who_has_little(void **state) {
    struct fixture *f = *state;
    unsigned random = 1;
    for (int round = 0; round < 20000; round++) {
        random = random * 1103515245 + 12345;
        size_t index = random >> 16 & (SHARES - 1);
        char host[32];
        size_t heaviest = 0, weights[8] = {0};
        if (f->share[index].holder != NULL) {
            cg_coap_share_take(&f->shares, &f->share[index]);
        } else {
            snprintf(host, sizeof host, "192.0.2.%zu", index % 8);
            put(f, index, host, random >> 8 & 0xff);
        }
        for (size_t i = 0; i < SHARES; i++) {
            if (f->share[i].holder != NULL) weights[i % 8] += f->share[i].weight;
        }
        for (size_t i = 0; i < 8; i++) heaviest = weights[i] > heaviest ? weights[i] : heaviest;
        size_t goes = first_to_go(f);
        if (goes != SHARES) assert_true(2 * weights[goes % 8] >= heaviest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        shares_test(nobody_goes_where_nobody_is), shares_test(the_oldest_of_the_heaviest_goes),
        shares_test(a_host_of_ipv6_has_64_bits),  shares_test(taking_one_that_is_out_does_nothing),
        shares_test(nobody_goes_who_has_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
