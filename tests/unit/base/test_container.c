#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"

struct part {
    int value;
};

struct whole {
    int other;
    struct part part;
};

static void test_a_member_leads_to_what_it_is_part_of(void **state) {
    (void)state;
    struct whole whole = {.other = 1};
    struct part *part = &whole.part;
    assert_ptr_equal(CG_CONTAINER(part, struct whole, part), &whole);
}

static void test_a_constant_member_leads_there_as_well(void **state) {
    (void)state;
    const struct whole whole = {.other = 1};
    const struct part *part = &whole.part;
    const struct whole *found = CG_CONTAINER(part, struct whole, part);
    assert_ptr_equal(found, &whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_member_leads_to_what_it_is_part_of),
        cmocka_unit_test(test_a_constant_member_leads_there_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
