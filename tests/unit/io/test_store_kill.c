/* A process that takes sequence numbers as fast as it can, and is killed, again and again: over all its lives no number
 * may come twice, and each life must go on where the last one ended. This proves the order of things inside the process
 * (what is in the kernel survives a kill); what an fsync is worth is proved in the store's own tests.
 *
 *     io-store_kill [LIVES]     200 unless told */
#include "io/store_thread.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "legs/sender.h"
#include "store/sqlite.h"

enum { PATIENCE_MS = 60000, A_START = 1000000 + 100 * 60 /* a slow machine */ };

#define NUMBERS_MAX (UINT64_C(1) << 31)

static unsigned lives = 200;
static const struct cg_sender_id key = {.bytes = {7}};

/* The life of the child */

struct life {
    struct cg_sender_wait wait;
    struct cg_sender *sender;
    int pipe;
};

/* Its use of a number: from here on it must never be given again. */
static void use(const struct life *life, uint64_t number) {
    if (write(life->pipe, &number, sizeof number) != sizeof number) _exit(2);
}

static void on_number(struct cg_sender_wait *wait, int err, uint64_t number, const struct cg_problem *problem) {
    const struct life *life = (const struct life *)wait;
    if (err != CG_OK) {
        fprintf(stderr, "%s\n", problem->detail);
        _exit(3);
    }
    use(life, number);
}

static void take_some(struct life *life) {
    struct cg_problem problem;
    uint64_t number;
    for (int i = 0; i < 50 && life->wait.sender == NULL; i++) {
        int err = cg_sender_take(life->sender, &life->wait, &number, &problem);
        if (err == CG_OK)
            use(life, number);
        else if (err != CG_PENDING)
            _exit(4);
    }
}

static _Noreturn void live(const char *folder, int pipe_fd) {
    uv_loop_t uv;
    struct cg_problem problem;
    struct cg_senders senders;
    uv_loop_init(&uv);
    struct cg_store_thread *thread = cg_store_thread_open(&uv, cg_sqlite_new(folder, NULL), &cg_store_watch, &problem);
    if (thread == NULL) _exit(5);
    cg_senders_init(&senders, cg_store_thread_store(thread));
    struct life life = {.wait.ready = on_number, .sender = cg_senders_get(&senders, &key), .pipe = pipe_fd};
    for (;;) {
        take_some(&life);
        uv_run(&uv, life.wait.sender != NULL ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
}

/* The death of it */

struct record {
    char top[64], folder[80];
    uint8_t *seen; /* one bit a number */
    uint64_t end;  /* all numbers that were seen are below */
    uint64_t total;
    unsigned unseen; /* lives since then that may have reserved without using */
    uint32_t random;
};

static uint32_t draw(struct record *record, uint32_t below) {
    record->random = record->random * 1664525u + 1013904223u;
    return (record->random >> 8) % below;
}

static void note(struct record *record, uint64_t number) {
    assert_true(number < NUMBERS_MAX);
    uint8_t bit = (uint8_t)(1u << number % 8);
    if (record->seen[number / 8] & bit) fail_msg("%llu came twice", (unsigned long long)number);
    record->seen[number / 8] |= bit;
    record->total++;
    if (number >= record->end) record->end = number + 1;
}

/* At most two blocks a life are reserved and not used; and each goes on beyond what a store that was set back forgets.
 */
static void note_first(struct record *record, uint64_t number) {
    assert_true(number >= record->end);
    assert_true(number <= record->end + (record->unseen + 1) * (2ull * CG_SENDER_BLOCK + A_START));
    record->unseen = 0;
}

/* Reads until the end of the pipe, or for some time. False: the end. Whole numbers: a pipe does not part what fits into
 * it. */
static bool drain(struct record *record, int fd, uint64_t until_us, bool *any) {
    uint64_t numbers[512];
    for (;;) {
        uint64_t now_us = uv_hrtime() / 1000;
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int ready = poll(&poll_fd, 1, now_us >= until_us ? 0 : (int)((until_us - now_us) / 1000));
        if (ready <= 0) return true;
        ssize_t len = read(fd, numbers, sizeof numbers);
        if (len <= 0) return false;
        assert_int_equal(len % (ssize_t)sizeof numbers[0], 0);
        if (!*any) note_first(record, numbers[0]);
        *any = true;
        for (size_t i = 0; i < (size_t)len / sizeof numbers[0]; i++) note(record, numbers[i]);
        if (uv_hrtime() / 1000 >= until_us) return true;
    }
}

static void wait_for_first(struct record *record, int fd, bool *any) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
    drain(record, fd, 0, any);
    assert_true(*any); /* it has resumed */
}

static void live_and_die(struct record *record, bool let_it_begin) {
    int ends[2], status;
    bool any = false;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        live(record->folder, ends[1]);
    }
    assert_true(child > 0);
    close(ends[1]);
    if (let_it_begin) wait_for_first(record, ends[0], &any);
    bool alive = drain(record, ends[0], uv_hrtime() / 1000 + draw(record, 25000), &any);
    kill(child, SIGKILL);
    while (alive) alive = drain(record, ends[0], UINT64_MAX / 4000, &any);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* and of nothing else, and not by itself */
    if (!any) record->unseen++;
}

static int setup(void **state) {
    struct record *record = calloc(1, sizeof *record);
    struct cg_problem problem;
    struct cg_store_failure failure;
    strcpy(record->top, "/tmp/castgate-kill.XXXXXX");
    assert_non_null(mkdtemp(record->top));
    snprintf(record->folder, sizeof record->folder, "%s/state", record->top);
    record->seen = calloc(NUMBERS_MAX / 8, 1);
    record->random = 20251121;
    assert_int_equal(cg_sqlite_init_state(record->folder, &problem), CG_OK);
    struct cg_store_backend *store = cg_sqlite_new(record->folder, NULL);
    assert_int_equal(store->ops->claim(store, &key, &failure), CG_OK);
    store->ops->free(store);
    *state = record;
    return 0;
}

static int teardown(void **state) {
    struct record *record = *state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", record->top);
    assert_int_equal(system(command), 0);
    free(record->seen);
    free(record);
    return 0;
}

static void no_number_comes_twice_over_many_lives(void **state) {
    struct record *record = *state;
    for (unsigned i = 0; i < lives; i++)
        live_and_die(record, draw(record, 4) != 0); /* some die while they open the store */
    live_and_die(record, true);
    print_message("%u lives, %llu numbers, the last one %llu\n", lives + 1, (unsigned long long)record->total,
                  (unsigned long long)record->end - 1);
    assert_true(record->total > lives);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_number_comes_twice_over_many_lives, setup, teardown),
    };
    if (argc > 1) lives = (unsigned)strtoul(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
