/* The log of a process that must not wait, with a standard error that nobody reads, that is gone, or that is full. The
 * hard thing: on a busy machine the writer's thread may run late, so nothing here depends on when it does, and whoever
 * forks does so while there is no such thread. */
#include "io/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/check.h"

enum { TEXT_MAX = 4 << 20, PIPE_BYTES = 4096, FLOOD = 6000 };
enum { PATIENT_MS = 60000, IMPATIENT_MS = 20 };

struct place {
    int real_stderr;
    int reader; /* of the pipe that is stderr now */
    struct cg_log_writer *writer;
    char *text;
    size_t len;
};

static int setup_without_writer(void **state) {
    struct place *place = calloc(1, sizeof *place);
    int ends[2];
    place->text = calloc(1, TEXT_MAX);
    place->real_stderr = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    place->reader = ends[0];
    *state = place;
    return 0;
}

static int setup(void **state) {
    setup_without_writer(state);
    struct place *place = *state;
    place->writer = cg_log_writer_open(PATIENT_MS);
    assert_non_null(place->writer);
    return 0;
}

static int teardown(void **state) {
    struct place *place = *state;
    dup2(place->real_stderr, STDERR_FILENO);
    if (place->reader >= 0) close(place->reader);
    cg_log_writer_close(place->writer);
    close(place->real_stderr);
    free(place->text);
    free(place);
    return 0;
}

static void read_more(struct place *place) {
    struct pollfd fd = {.fd = place->reader, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, PATIENT_MS), 1);
    ssize_t got = read(place->reader, place->text + place->len, TEXT_MAX - 1 - place->len);
    assert_true(got > 0);
    place->len += (size_t)got;
}

static void read_until(struct place *place, const char *wanted) {
    while (strstr(place->text, wanted) == NULL) read_more(place);
}

static unsigned count(const char *text, const char *needle) {
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, needle)) != NULL; at++) found++;
    return found;
}

static void say_many(unsigned from, unsigned to) {
    for (unsigned i = from; i < to; i++) cg_log(CG_LOG_INFO, "many", "line %u of a gateway that goes on", i);
}

static bool is_after(const char *at, const char *prefix, const char **after) {
    *after = at + strlen(prefix);
    return strncmp(at, prefix, strlen(prefix)) == 0;
}

/* How many of the lines of say_many are there or said to be lost. Whole lines, in order, none twice, and each notice
 * stands where so many are missing as it says. */
static unsigned long long told(const char *text) {
    unsigned long long next = 0;
    const char *number;
    for (const char *at = text; *at != '\0'; at++) {
        if (is_after(at, "level=info event=many msg=\"line ", &number)) {
            assert_int_equal(strtoull(number, NULL, 10), next++);
        } else {
            assert_true(is_after(at, "level=warning event=log lost=", &number));
            next += strtoull(number, NULL, 10);
        }
        at = strchr(at, '\n');
        assert_non_null(at);
    }
    return next;
}

static void lines_come_out_in_order(void **state) {
    struct place *place = *state;
    say_many(0, 100);
    read_until(place, "line 99 ");
    const char *at = place->text;
    for (unsigned i = 0; i < 100; i++) {
        char expected[96];
        int len =
            snprintf(expected, sizeof expected, "level=info event=many msg=\"line %u of a gateway that goes on\"\n", i);
        assert_memory_equal(at, expected, (size_t)len);
        at += len;
    }
    assert_int_equal(*at, 0);
    assert_int_equal(cg_log_writer_lost(place->writer), 0);
}

/* This test's thread would hang in it if anything of it blocked. */
static void nobody_reads(void **state) {
    struct place *place = *state;
    say_many(0, FLOOD);
    assert_true(cg_log_writer_lost(place->writer) > 0);
    say_many(FLOOD, FLOOD + 1); /* lost as well, most likely */
    uint64_t lost = cg_log_writer_lost(place->writer);
    read_until(place, " lost_total=");
    say_many(FLOOD + 1, FLOOD + 2);
    read_until(place, "line 6001 ");
    assert_int_equal(cg_log_writer_lost(place->writer), lost);
    assert_int_equal(count(place->text, "event=many") + lost, FLOOD + 2);
    assert_int_equal(told(place->text), FLOOD + 2);
}

static void read_lines(struct place *place) {
    do read_more(place);
    while (place->text[place->len - 1] != '\n');
}

/* Whoever reads slowly gets whole lines, and hears of all that it misses. */
static void somebody_reads_slowly(void **state) {
    struct place *place = *state;
    for (unsigned round = 0; round < 8; round++) {
        say_many(round * FLOOD, (round + 1) * FLOOD);
        for (unsigned i = 0; i < 4; i++) {
            ssize_t got = read(place->reader, place->text + place->len, 3000);
            assert_true(got > 0);
            place->len += (size_t)got;
        }
    }
    assert_true(cg_log_writer_lost(place->writer) > 0);
    do read_lines(place);
    while (told(place->text) < 8 * FLOOD);
    assert_int_equal(told(place->text), 8 * FLOOD);
}

static void the_reader_has_gone(void **state) {
    struct place *place = *state;
    say_many(0, FLOOD);
    close(place->reader);
    place->reader = -1;
    cg_log_last_words("", 0);
    uint64_t lost = cg_log_writer_lost(place->writer);
    assert_true(lost > FLOOD - PIPE_BYTES / 32 &&
                lost <= FLOOD + 2); /* the pipe had taken some, or notices were among them */
    cg_log(CG_LOG_INFO, "more", "into the void");
    cg_log_last_words("", 0);
    assert_int_equal(cg_log_writer_lost(place->writer), lost + 1);
}

static void stderr_is_closed_and_comes_back(void **state) {
    struct place *place = *state;
    int keeps = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    say_many(0, 10);
    cg_log_last_words("", 0);
    assert_int_equal(cg_log_writer_lost(place->writer), 10);
    assert_true(dup2(keeps, STDERR_FILENO) >= 0);
    close(keeps);
    say_many(10, 12);
    read_until(place, " lost=10 lost_total=10 ");
    read_until(place, "line 11 ");
    assert_null(strstr(place->text, "line 9 "));
}

/* /dev/full takes nothing, as a full disk. */
static void the_disk_is_full(void **state) {
    struct place *place = *state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), keeps = dup(STDERR_FILENO);
    assert_true(dup2(full, STDERR_FILENO) >= 0);
    for (unsigned i = 0; i < 5; i++) {
        say_many(i, i + 1);
        cg_log_last_words("", 0);
    }
    assert_int_equal(cg_log_writer_lost(place->writer), 5); /* no line about lost lines was lost */
    dup2(keeps, STDERR_FILENO);
    close(full);
    close(keeps);
    say_many(5, 6);
    read_until(place, " lost=5 lost_total=5 ");
}

/* Somebody else who has it made it so. */
static void stderr_does_not_block(void **state) {
    struct place *place = *state;
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_WRONLY | O_NONBLOCK), 0);
    say_many(0, 1000);
    read_until(place, "line 999 ");
    assert_int_equal(count(place->text, "\n"), 1000);
    assert_int_equal(cg_log_writer_lost(place->writer), 0);
}

static void the_end_waits_for_what_is_queued(void **state) {
    struct place *place = *state;
    say_many(0, 30);
    cg_log_writer_close(place->writer);
    place->writer = NULL;
    read_until(place, "line 29 ");
    cg_log(CG_LOG_INFO, "direct", "after it");
    read_until(place, "after it\"\n");
}

/* In a process of its own, since such a writer stays. */
static void the_end_does_not_wait_for_ever(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct cg_log_writer *writer = cg_log_writer_open(IMPATIENT_MS);
        say_many(0, FLOOD);
        cg_log_writer_close(writer);
        say_many(0, FLOOD);
        _exit(7);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void a_bug_is_said_after_what_is_queued(void **state) {
    struct place *place = *state;
    pid_t child = fork();
    if (child == 0) {
        struct cg_log_writer *writer = cg_log_writer_open(PATIENT_MS);
        if (writer != NULL) say_many(0, 20);
        CG_CHECK(1 + 1 == 3);
        _exit(0);
    }
    int status;
    read_until(place, "condition=\"1 + 1 == 3\"\n");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(strstr(place->text, "line 19 ") < strstr(place->text, "event=bug"));
}

static void a_bug_with_nobody_to_read_it_still_ends_the_process(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct cg_log_writer *writer = cg_log_writer_open(IMPATIENT_MS);
        if (writer != NULL) say_many(0, FLOOD);
        CG_CHECK(1 + 1 == 3);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#define WITH_PIPE(test)   cmocka_unit_test_setup_teardown(test, setup, teardown)
#define BEFORE_FORK(test) cmocka_unit_test_setup_teardown(test, setup_without_writer, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PIPE(lines_come_out_in_order),
        WITH_PIPE(nobody_reads),
        WITH_PIPE(somebody_reads_slowly),
        WITH_PIPE(the_reader_has_gone),
        WITH_PIPE(stderr_is_closed_and_comes_back),
        WITH_PIPE(the_disk_is_full),
        WITH_PIPE(stderr_does_not_block),
        WITH_PIPE(the_end_waits_for_what_is_queued),
        BEFORE_FORK(the_end_does_not_wait_for_ever),
        BEFORE_FORK(a_bug_is_said_after_what_is_queued),
        BEFORE_FORK(a_bug_with_nobody_to_read_it_still_ends_the_process),
    };
    signal(SIGPIPE, SIG_IGN); /* as the loop has it */
    return cmocka_run_group_tests_name("io/log_writer", tests, NULL, NULL);
}
