/* The error table: complete, unique, plausible; and bugs end the process. */
#include "base/check.h"
#include "base/err.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void every_row(void **state) {
    (void)state;
    for (int err = -1; err >= -(int)CG_ERR_COUNT; err--) {
        const struct cg_err_info *info = cg_err_info(err);
        assert_true(strlen(info->slug) > 0 &&
                    strspn(info->slug, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(info->slug));
        assert_true(strlen(info->text) > 0 && info->text[strlen(info->text) - 1] != '.');
        assert_true(info->http_status >= 400 && info->http_status < 600);
        assert_true(info->coap_code >> 5 == 4 || info->coap_code >> 5 == 5);
        for (int other = err - 1; other >= -(int)CG_ERR_COUNT; other--) {
            assert_string_not_equal(info->slug, cg_err_info(other)->slug);
        }
    }
    assert_string_equal(cg_err_info(CG_E_FORMAT)->slug, "malformed");
    assert_string_equal(cg_err_info(CG_E_KEY)->slug, "bad-key");
    assert_int_equal(cg_err_info(CG_E_RATE)->coap_code, 4 << 5 | 29);
    assert_int_equal(cg_err_info(CG_E_RATE)->http_status, 429);
}

static void look_up(int err) { (void)cg_err_info(err); }

/* Runs in a child, and says whether it aborted. */
static bool aborts(void (*run)(int), int argument) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGABRT, SIG_DFL);
        run(argument);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void unless_five(int number) { CG_CHECK(number == 5); }

static void bugs_abort(void **state) {
    (void)state;
    assert_false(aborts(unless_five, 5));
    assert_true(aborts(unless_five, 4));
    assert_false(aborts(look_up, -1));
    assert_true(aborts(look_up, CG_OK));
    assert_true(aborts(look_up, CG_PENDING));
    assert_true(aborts(look_up, -1 - (int)CG_ERR_COUNT));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row),
        cmocka_unit_test(bugs_abort),
    };
    return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
