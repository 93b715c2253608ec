/* Which changes of a mapping end what runs under it. */
#include "model/same.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct cg_member members[] = {{.name = "lamp-1"}, {.name = "lamp-2"}, {.name = "lamp-3"}};
static struct cg_target targets[] = {{.uri = "coap://224.0.1.187/"}, {.uri = "coap://224.0.1.188/"}};

static struct cg_mapping lamps(enum cg_security security) {
    return (struct cg_mapping){.name = "lamps",
                               .security = security,
                               .targets = targets,
                               .target_count = 1,
                               .members = members,
                               .member_count = 3};
}

static void test_the_same_goes_on(void **state) {
    (void)state;
    struct cg_mapping one = lamps(CG_SECURITY_GROUP), other = lamps(CG_SECURITY_GROUP);
    assert_true(cg_mapping_is_same(&one, &other));
    assert_true(cg_mapping_goes_on(&one, &other));
    other.targets = &targets[1];
    assert_false(cg_mapping_is_same(&one, &other));
    assert_false(cg_mapping_goes_on(&one, &other));
}

/* Next hops, too. */
static void test_what_is_not_the_same_is_not_alike(void **state) {
    (void)state;
    struct cg_target target = targets[0];
    struct cg_mapping one = lamps(CG_SECURITY_NONE), other = one;
    other.targets = &target;
    assert_true(cg_mapping_likeness(&one) == cg_mapping_likeness(&other));
    target.next_hop.uri = "coap://gateway.example";
    assert_false(cg_mapping_is_same(&one, &other));
    assert_false(cg_mapping_likeness(&one) == cg_mapping_likeness(&other));
    uint64_t with_hop = cg_mapping_likeness(&other);
    target.next_hop.credentials_name = "west";
    assert_false(cg_mapping_likeness(&other) == with_hop);
    target.next_hop = (struct cg_next_hop){.uri = target.next_hop.uri, .round_trip_s = 2};
    assert_false(cg_mapping_likeness(&other) == with_hop);
}

/* Whichever it is. */
static void test_a_security_group_may_lose_members(void **state) {
    (void)state;
    struct cg_member left[2];
    for (size_t gone = 0; gone < 3; gone++) {
        struct cg_mapping before = lamps(CG_SECURITY_GROUP), now = before;
        for (size_t i = 0, n = 0; i < 3; i++) {
            if (i != gone) left[n++] = members[i];
        }
        now.members = left;
        now.member_count = 2;
        assert_false(cg_mapping_is_same(&before, &now));
        assert_true(cg_mapping_goes_on(&before, &now));
        assert_false(cg_mapping_goes_on(&now, &before));   /* who is new has a name that nobody has told */
        before.security = now.security = CG_SECURITY_NONE; /* nothing keeps out who is gone */
        assert_false(cg_mapping_goes_on(&before, &now));
    }
}

static void test_others_in_their_place_are_new(void **state) {
    (void)state;
    struct cg_member swapped[] = {members[1], members[0], members[2]};
    struct cg_mapping before = lamps(CG_SECURITY_GROUP), now = before;
    now.members = swapped;
    assert_false(cg_mapping_is_same(&before, &now));
    assert_false(cg_mapping_goes_on(&before, &now));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_goes_on),
        cmocka_unit_test(test_what_is_not_the_same_is_not_alike),
        cmocka_unit_test(test_a_security_group_may_lose_members),
        cmocka_unit_test(test_others_in_their_place_are_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
