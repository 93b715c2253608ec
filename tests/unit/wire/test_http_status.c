/* RFC 8075 Table 2 row by row, its notes, and the codes of later standards. */
#include "wire/http_status.h"
#include "wire/msg.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static void table_two(void **state) {
    (void)state;
    static const struct {
        uint8_t code;
        uint16_t with_payload, without;
    } cases[] = {
        {CG_CODE(2, 1), 201, 201},
        {CG_CODE(2, 2), 200, 204},
        {CG_CODE(2, 3), 304, 304},
        {CG_CODE(2, 4), 200, 204},
        {CG_CODE(2, 5), 200, 200},
        {CG_CODE(4, 0), 400, 400},
        {CG_CODE(4, 1), 403, 403},
        {CG_CODE(4, 2), 500, 500},
        {CG_CODE(4, 3), 403, 403},
        {CG_CODE(4, 4), 404, 404},
        {CG_CODE(4, 5), 400, 400},
        {CG_CODE(4, 6), 406, 406},
        {CG_CODE(4, 12), 412, 412},
        {CG_CODE(4, 13), 413, 413},
        {CG_CODE(4, 15), 415, 415},
        {CG_CODE(5, 0), 500, 500},
        {CG_CODE(5, 1), 501, 501},
        {CG_CODE(5, 2), 502, 502},
        {CG_CODE(5, 3), 503, 503},
        {CG_CODE(5, 4), 504, 504},
        {CG_CODE(5, 5), 502, 502},
        /* note 10: between proxy and server only, never translated */
        {CG_CODE(2, 31), 502, 502},
        {CG_CODE(4, 8), 502, 502},
        /* of later standards */
        {CG_CODE(4, 9), 409, 409},
        {CG_CODE(4, 22), 422, 422},
        {CG_CODE(4, 29), 429, 429},
        {CG_CODE(5, 8), 508, 508},
        /* by class */
        {CG_CODE(2, 0), 200, 200},
        {CG_CODE(2, 30), 200, 200},
        {CG_CODE(4, 7), 400, 400},
        {CG_CODE(4, 31), 400, 400},
        {CG_CODE(5, 31), 500, 500},
        /* no response codes */
        {0, 502, 502},
        {CG_GET, 502, 502},
        {CG_CODE(3, 1), 502, 502},
        {CG_CODE(7, 1), 502, 502},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(cg_http_status_from_code(cases[i].code, true), cases[i].with_payload);
        assert_int_equal(cg_http_status_from_code(cases[i].code, false), cases[i].without);
    }
}

static void reasons(void **state) {
    (void)state;
    assert_string_equal(cg_http_reason(200), "OK");
    assert_string_equal(cg_http_reason(502), "Bad Gateway");
    assert_string_equal(cg_http_reason(999), "Unknown");
    assert_string_equal(cg_http_reason_from_code(CG_CODE(4, 4), false), "Not Found");
    assert_string_equal(cg_http_reason_from_code(CG_CODE(4, 5), false), "CoAP server returned 4.05"); /* note 7 */
    assert_string_equal(cg_http_reason_from_code(CG_CODE(2, 4), false), "No Content");
    assert_string_equal(cg_http_reason_from_code(CG_CODE(2, 4), true), "OK");
    for (unsigned code = 0; code < 256; code++) { /* every status that comes out has a real reason */
        assert_string_not_equal(cg_http_reason(cg_http_status_from_code((uint8_t)code, true)), "Unknown");
        assert_string_not_equal(cg_http_reason(cg_http_status_from_code((uint8_t)code, false)), "Unknown");
    }
}

static void every_error_has_a_reason(void **state) {
    (void)state;
    for (int err = -1; err >= -(int)CG_ERR_COUNT; err--) {
        assert_string_not_equal(cg_http_reason(cg_err_info(err)->http_status), "Unknown");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_two),
        cmocka_unit_test(reasons),
        cmocka_unit_test(every_error_has_a_reason),
    };
    return cmocka_run_group_tests_name("wire/http_status", tests, NULL, NULL);
}
