/* A process that changes what is stored as fast as it can, and is killed, again and again: whatever it was told is
 * stored is there, and no half of a change is. Each change puts the same number into two items and removes or brings
 * back a third, so that any two of them that do not belong together show it.
 *
 *     store-items_kill [LIVES]     100 unless told */
#include "store/items.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_items.h"

static unsigned lives = 100;

enum { PATIENCE_MS = 60000 };

/* ---- The life of the child ---- */

static void change(struct cg_items_file *file, uint64_t number, int pipe_fd) {
    char document[32];
    uint64_t revision = 0;
    snprintf(document, sizeof document, "%llu", (unsigned long long)number);
    const struct fake_edit edits[] = {
        {.kind = CG_ITEM_MAPPING, .name = "a", .document = document},
        {.kind = CG_ITEM_CLIENT, .name = "b", .document = document, .sealed = document},
        {.kind = CG_ITEM_REACTION, .name = "odd", .document = number % 2 == 1 ? document : NULL},
    };
    if (fake_commit(file, edits, 3, &revision) != CG_OK || revision != number) {
        fprintf(stderr, "%s\n", fake_problem.detail);
        _exit(3);
    }
    if (write(pipe_fd, &revision, sizeof revision) != sizeof revision) _exit(2); /* from here on it must be there */
}

static _Noreturn void live(const char *folder, uint64_t next, int pipe_fd) {
    struct cg_items_file *file = cg_items_file_new(folder, NULL);
    fake_keep_ms = 1;
    if (file == NULL || fake_items_text(file) == NULL) _exit(4);
    for (;; next++, fake_now_ms += 2) change(file, next, pipe_fd);
}

/* ---- The death of it ---- */

struct record {
    char folder[64];
    uint64_t acknowledged, stored; /* revisions */
    uint64_t changes;
    unsigned unnoticed; /* lives that ended behind a commit of which nobody was told */
    uint32_t random;
};

static uint32_t draw(struct record *record, uint32_t below) {
    record->random = record->random * 1664525u + 1013904223u;
    return (record->random >> 8) % below;
}

/* Takes what there is until then, or until the end of the pipe (false). */
static bool take(struct record *record, int fd, int wait_ms) {
    uint64_t numbers[512];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (poll(&poll_fd, 1, wait_ms) <= 0) return true;
    const ssize_t len = read(fd, numbers, sizeof numbers);
    if (len <= 0) return false;
    assert_int_equal(len % (ssize_t)sizeof numbers[0], 0);
    record->acknowledged = numbers[len / (ssize_t)sizeof numbers[0] - 1];
    return true;
}

/* Lives end in the middle of anything: while the file is opened, or at any moment of a commit. */
static void pass_time(struct record *record, int fd) {
    const struct timespec moment = {.tv_nsec = (long)draw(record, 16000000)};
    if (draw(record, 4) != 0) {
        const uint64_t before = record->acknowledged;
        while (record->acknowledged == before) assert_true(take(record, fd, PATIENCE_MS));
    }
    nanosleep(&moment, NULL);
}

static void live_and_die(struct record *record) {
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        live(record->folder, record->stored + 1, ends[1]);
    }
    assert_true(child > 0);
    close(ends[1]);
    pass_time(record, ends[0]);
    kill(child, SIGKILL);
    while (take(record, ends[0], PATIENCE_MS)) {
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* and of nothing else, and not by itself */
}

/* Everything is of one change, and that is the last that was acknowledged, or the one behind it. */
static void look(struct record *record) {
    char expected[300] = "", odd[100] = "";
    struct cg_items_file *file = cg_items_file_new(record->folder, NULL);
    char *text = fake_items_text(file);
    assert_non_null(text);
    unsigned long long n = 0;
    if (*text != '\0') assert_int_equal(sscanf(text, "clients/b %llu", &n), 1);
    if (n % 2 == 1) snprintf(odd, sizeof odd, "reactions/odd %llu %llu\n", n, n);
    if (n > 0)
        snprintf(expected, sizeof expected, "clients/b %llu %llu +%llu\nmappings/a %llu %llu\n%s", n, n, n, n, n, odd);
    assert_string_equal(text, expected);
    free(text);
    assert_true(n >= record->acknowledged && n <= record->acknowledged + 1);
    record->unnoticed += n > record->acknowledged;
    record->changes += n - record->stored;
    record->acknowledged = record->stored = n;
    cg_items_file_free(file);
}

static int setup(void **state) {
    struct record *record = calloc(1, sizeof *record);
    strcpy(record->folder, "/tmp/castgate-items-kill.XXXXXX");
    assert_non_null(mkdtemp(record->folder));
    record->random = 20261129;
    *state = record;
    return 0;
}

static int teardown(void **state) {
    struct record *record = *state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", record->folder);
    assert_int_equal(system(command), 0);
    free(record);
    return 0;
}

static void what_was_acknowledged_is_there_whole_over_many_lives(void **state) {
    struct record *record = *state;
    for (unsigned i = 0; i < lives; i++) {
        live_and_die(record);
        look(record);
    }
    print_message("%u lives, %llu changes, %u of them stored and not acknowledged\n", lives,
                  (unsigned long long)record->changes, record->unnoticed);
    assert_true(record->changes > lives / 2);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_acknowledged_is_there_whole_over_many_lives, setup, teardown),
    };
    if (argc > 1) lives = (unsigned)strtoul(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
