/* What relayed senders have sent, as it is kept: several at once, disks that fail, texts that are damaged. R57. */
#include "fake_place.h"
#include "fake_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/windows.h"

struct scene {
    struct fake_place place;
    struct fake_crypto crypto;
    struct cg_windows windows;
};

/* One who asks. */
struct caller {
    struct cg_windows_wait wait;
    struct cg_problem problem;
    int err; /* CG_PENDING until he hears */
};

static void open_windows(struct scene *scene) {
    cg_windows_init(&scene->windows);
    cg_windows_open(&scene->windows, &scene->place.place, &scene->crypto.crypto);
}

static void reopen(struct scene *scene) {
    cg_windows_fini(&scene->windows);
    open_windows(scene);
}

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    fake_crypto_init(&scene->crypto);
    fake_place_init(&scene->place);
    open_windows(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    cg_windows_fini(&scene->windows);
    free(scene);
    return 0;
}

static void on_ready(struct cg_windows_wait *wait, int err, const struct cg_problem *problem) {
    struct caller *caller = (struct caller *)((char *)wait - offsetof(struct caller, wait));
    caller->err = err;
    caller->problem = *problem;
}

static void ask(struct scene *scene, struct caller *caller, uint8_t sender, uint64_t number) {
    *caller = (struct caller){.wait = {.id = {{sender}}, .number = number, .claim = {{1}}, .ready = on_ready}};
    caller->err = cg_windows_admit(&scene->windows, &caller->wait, &caller->problem);
}

static int ask_and_wait(struct scene *scene, struct caller *caller, uint8_t sender, uint64_t number) {
    ask(scene, caller, sender, number);
    fake_crypto_end_all(&scene->crypto);
    return caller->err;
}

static int send_number(struct scene *scene, uint8_t sender, uint64_t number) {
    struct caller caller;
    int err = ask_and_wait(scene, &caller, sender, number);
    if (err == CG_OK) cg_window_sent(caller.wait.window, number, &caller.wait.claim, 0);
    return err;
}

static void a_restart_forgets_nothing_that_was_sent(void **state) {
    struct scene *scene = *state;
    static const uint64_t sent[] = {0, 5, 3, 64, (UINT64_C(1) << 40) - 1};
    for (size_t i = 0; i < 4; i++) assert_int_equal(send_number(scene, 1, sent[i]), CG_OK);
    assert_int_equal(send_number(scene, 2, sent[4]), CG_OK);
    reopen(scene);
    for (size_t i = 0; i < 4; i++) {
        struct caller caller;
        assert_int_equal(ask_and_wait(scene, &caller, 1, sent[i]), CG_E_REPLAY);
    }
    assert_int_equal(send_number(scene, 2, sent[4]), CG_E_REPLAY);
    assert_int_equal(send_number(scene, 1, 4), CG_OK); /* nor what was not */
    assert_int_equal(send_number(scene, 1, 65), CG_OK);
    assert_int_equal(send_number(scene, 3, 0), CG_OK);
}

/* Nobody hears before his own number is on the disk, and one write serves all who came before it. */
static void those_who_come_together_share_a_write(void **state) {
    struct scene *scene = *state;
    struct caller first, second, third;
    assert_int_equal(send_number(scene, 9, 1), CG_OK);
    ask(scene, &first, 1, 1);
    fake_crypto_run(&scene->crypto, 0); /* is being written */
    ask(scene, &second, 1, 2);
    ask(scene, &third, 2, 1);
    assert_int_equal(scene->crypto.count, 1);
    fake_crypto_end(&scene->crypto, 0);
    assert_int_equal(first.err, CG_OK);
    assert_int_equal(second.err, CG_PENDING);
    assert_int_equal(third.err, CG_PENDING);
    assert_int_equal(scene->crypto.count, 1);
    fake_crypto_end(&scene->crypto, 0);
    assert_int_equal(second.err, CG_OK);
    assert_int_equal(third.err, CG_OK);
    assert_int_equal(scene->crypto.count, 0);
}

/* Two may be admitted with one number, of whom one is faster. */
static void who_is_slower_is_the_replay(void **state) {
    struct scene *scene = *state;
    struct caller first, second;
    assert_int_equal(ask_and_wait(scene, &first, 1, 7), CG_OK);
    assert_int_equal(ask_and_wait(scene, &second, 1, 7), CG_OK);
    second.wait.claim.bytes[0]++;
    assert_ptr_equal(first.wait.window, second.wait.window);
    assert_int_equal(cg_window_check(first.wait.window, 7, &first.wait.claim, 0), CG_OK);
    cg_window_sent(first.wait.window, 7, &first.wait.claim, 0);
    assert_int_equal(cg_window_check(second.wait.window, 7, &second.wait.claim, 0), CG_E_REPLAY);
    assert_int_equal(cg_window_check(first.wait.window, 7, &first.wait.claim, 246999999), CG_OK);
    assert_int_equal(cg_window_check(first.wait.window, 7, &first.wait.claim, 247000000), CG_E_REPLAY);
}

/* A repetition does not make its time longer. */
static void repeating_has_an_end(void **state) {
    struct scene *scene = *state;
    struct caller caller;
    assert_int_equal(ask_and_wait(scene, &caller, 1, 7), CG_OK);
    cg_window_sent(caller.wait.window, 7, &caller.wait.claim, 0);
    cg_window_sent(caller.wait.window, 7, &caller.wait.claim, 200000000);
    assert_int_equal(cg_window_check(caller.wait.window, 7, &caller.wait.claim, 247000000), CG_E_REPLAY);
}

/* Only the latest 32 messages may be repeated, however many are sent. */
static void repetitions_are_bounded(void **state) {
    struct scene *scene = *state;
    struct caller caller;
    assert_int_equal(ask_and_wait(scene, &caller, 1, 0), CG_OK);
    for (uint64_t n = 0; n < 40; n++) cg_window_sent(caller.wait.window, n, &caller.wait.claim, 0);
    for (uint64_t n = 0; n < 40; n++)
        assert_int_equal(cg_window_check(caller.wait.window, n, &caller.wait.claim, 1), n < 8 ? CG_E_REPLAY : CG_OK);
}

static void a_disk_that_fails_stops_and_recovers(void **state) {
    struct scene *scene = *state;
    struct caller caller;
    assert_int_equal(send_number(scene, 1, 1), CG_OK);
    scene->place.fails = true;
    assert_int_equal(ask_and_wait(scene, &caller, 1, 2), CG_E_STORE);
    assert_int_equal(caller.problem.retry_after, 1);
    assert_string_equal(caller.problem.detail, "the fake place fails");
    assert_int_equal(ask_and_wait(scene, &caller, 1, 2), CG_E_STORE); /* not half of it */
    scene->place.fails = false;
    assert_int_equal(send_number(scene, 1, 2), CG_OK);
    reopen(scene);
    assert_int_equal(send_number(scene, 1, 2), CG_E_REPLAY);
}

/* What is on the disk already need not be written again. */
static void what_is_kept_is_not_written_again(void **state) {
    struct scene *scene = *state;
    struct caller caller;
    assert_int_equal(ask_and_wait(scene, &caller, 1, 2), CG_OK);
    size_t writes = scene->place.writes;
    ask(scene, &caller, 1, 2); /* it did not go out */
    assert_int_equal(caller.err, CG_OK);
    assert_int_equal(scene->place.writes, writes);
    ask(scene, &caller, 1, 3);
    assert_int_equal(caller.err, CG_PENDING);
    fake_crypto_end_all(&scene->crypto);
    assert_int_equal(scene->place.writes, writes + 1);
}

static void a_damaged_text_is_no_empty_one(void **state) {
    struct scene *scene = *state;
    struct caller caller;
    assert_int_equal(send_number(scene, 1, 1), CG_OK);
    assert_int_equal(send_number(scene, 2, 7), CG_OK);
    size_t len = scene->place.len;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        scene->place.text[bit / 8] ^= (uint8_t)(1 << bit % 8);
        reopen(scene);
        assert_int_equal(ask_and_wait(scene, &caller, 1, 2), CG_E_STORE);
        assert_non_null(strstr(caller.problem.detail, "rekey the groups"));
        scene->place.text[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (scene->place.len = 1; scene->place.len < len; scene->place.len++) {
        reopen(scene);
        assert_int_equal(ask_and_wait(scene, &caller, 1, 2), CG_E_STORE);
    }
    assert_int_equal(ask_and_wait(scene, &caller, 2, 7), CG_E_REPLAY); /* the next request finds that it is mended */
}

static void without_a_place_nothing_is_admitted(void **state) {
    struct scene *scene = *state;
    struct caller caller;
    cg_windows_fini(&scene->windows);
    cg_windows_init(&scene->windows);
    ask(scene, &caller, 1, 1);
    assert_int_equal(caller.err, CG_E_STORE);
}

int main(void) {
#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SCENE(a_restart_forgets_nothing_that_was_sent),
        WITH_SCENE(those_who_come_together_share_a_write),
        WITH_SCENE(who_is_slower_is_the_replay),
        WITH_SCENE(repeating_has_an_end),
        WITH_SCENE(repetitions_are_bounded),
        WITH_SCENE(a_disk_that_fails_stops_and_recovers),
        WITH_SCENE(what_is_kept_is_not_written_again),
        WITH_SCENE(a_damaged_text_is_no_empty_one),
        WITH_SCENE(without_a_place_nothing_is_admitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
