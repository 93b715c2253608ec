/* Which status a whole reply has, by what the client said and who answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reply/outcome.h"

enum { LENIENT, STRICT };

static void test_statuses(void **state) {
    (void)state;
    static const struct {
        bool has_timeout, has_no_response, is_fine, is_strict, waits;
        unsigned answered, failed, missing, status;
    } rows[] = {
        /* timeout, No-Response, silence 204, strict, waits, answered, failed, missing */
        {false, false, false, LENIENT, true, 3, 0, 0, 200},
        {false, false, false, LENIENT, true, 3, 3, 7, 200},
        {false, false, false, LENIENT, true, 0, 0, 7, 504},
        {false, false, false, LENIENT, true, 0, 0, 0, 504},
        {true, false, false, LENIENT, true, 0, 0, 7, 204},
        {false, true, false, LENIENT, true, 0, 0, 7, 204},
        {false, false, true, LENIENT, true, 0, 0, 7, 204},
        {true, false, false, LENIENT, false, 0, 0, 0, 204},
        {true, false, false, STRICT, false, 0, 0, 7, 204},
        {false, false, false, STRICT, true, 3, 0, 0, 200},
        {false, false, false, STRICT, true, 3, 1, 0, 502},
        {false, false, false, STRICT, true, 3, 0, 1, 504},
        {false, false, false, STRICT, true, 3, 1, 1, 504},
        {false, false, true, STRICT, true, 0, 0, 1, 504},
        {false, false, true, STRICT, true, 0, 0, 0, 204}, /* nobody was expected */
        {false, true, false, STRICT, true, 0, 0, 1, 504},
        {true, false, false, STRICT, true, 3, 1, 1, 200}, /* it said how long to wait: the body tells */
        {true, false, false, STRICT, true, 0, 0, 1, 204},
    };
    struct cg_opt no_response = {.number = CG_OPT_NO_RESPONSE};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cg_mapping mapping = {.silence = rows[i].is_fine ? CG_SILENCE_IS_FINE : CG_SILENCE_IS_AN_ERROR};
        struct cg_request request = {
            .has_timeout = rows[i].has_timeout,
            .is_strict = rows[i].is_strict,
            .options = {.list = &no_response, .count = rows[i].has_no_response ? 1 : 0},
        };
        const struct cg_view view = {
            .mapping = &mapping,
            .request = &request,
            .expects_answers = rows[i].waits,
            .summary = {.answered = rows[i].answered, .failed = rows[i].failed, .missing = rows[i].missing},
        };
        if (cg_outcome_status(&view) != rows[i].status) fail_msg("row %zu: %u", i, cg_outcome_status(&view));
        assert_int_equal(cg_outcome_is_silence(&view), rows[i].status == 504 && rows[i].answered == 0);
        assert_int_equal(cg_outcome_is_strict(&view), rows[i].is_strict && !rows[i].has_timeout);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_statuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
