/* The service manager's side of the socket: what it is told, in which order, and when it has no room. */
#include "app/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct manager {
    int fd;
    char name[64];
    uv_loop_t uv;
    struct cg_notify notify;
};

/* Bound by the kernel to a name of its choice. */
static int listen_as_manager(void **state) {
    struct manager *manager = calloc(1, sizeof *manager);
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    socklen_t len = sizeof own.sun_family;
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(manager->fd, (struct sockaddr *)&own, len), 0);
    len = sizeof own;
    assert_int_equal(getsockname(manager->fd, (struct sockaddr *)&own, &len), 0);
    int name_len = (int)(len - offsetof(struct sockaddr_un, sun_path) - 1);
    snprintf(manager->name, sizeof manager->name, "@%.*s", name_len, own.sun_path + 1);
    setenv("NOTIFY_SOCKET", manager->name, 1);
    uv_loop_init(&manager->uv);
    *state = manager;
    return 0;
}

static int leave(void **state) {
    struct manager *manager = *state;
    uv_loop_close(&manager->uv);
    close(manager->fd);
    free(manager);
    return 0;
}

static void start(struct manager *manager) {
    cg_notify_init(&manager->notify);
    cg_notify_open(&manager->notify, &manager->uv);
}

static void end(struct manager *manager) {
    cg_notify_close(&manager->notify);
    uv_run(&manager->uv, UV_RUN_DEFAULT);
    cg_notify_fini(&manager->notify);
}

static const char *heard(const struct manager *manager) {
    static char text[512];
    ssize_t len = recv(manager->fd, text, sizeof text - 1, 0);
    if (len < 0) return "";
    text[len] = '\0';
    return text;
}

static void a_life(void **state) {
    struct manager *manager = *state;
    start(manager);
    assert_null(getenv("NOTIFY_SOCKET"));
    cg_notify_ready(&manager->notify, "serving %d mappings", 1);
    assert_string_equal(heard(manager), "READY=1\nSTATUS=serving 1 mappings");
    uint64_t before = uv_hrtime() / 1000, when = 0;
    cg_notify_reloading(&manager->notify);
    assert_int_equal(sscanf(heard(manager), "RELOADING=1\nMONOTONIC_USEC=%" SCNu64 "\nSTATUS=", &when), 1);
    assert_in_range(when, before, uv_hrtime() / 1000);
    cg_notify_stopping(&manager->notify, "ending");
    assert_string_equal(heard(manager), "STOPPING=1\nSTATUS=ending");
    end(manager);
    assert_string_equal(heard(manager), "");
}

static void a_status_is_one_line(void **state) {
    struct manager *manager = *state;
    char text[2 * CG_NOTIFY_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    start(manager);
    cg_notify_ready(&manager->notify, "%s", "a name with\nMAINPID=1");
    assert_string_equal(heard(manager), "READY=1\nSTATUS=a name with");
    cg_notify_ready(&manager->notify, "%s", text);
    assert_int_equal(strlen(heard(manager)), CG_NOTIFY_MAX - 1);
    end(manager);
}

/* The kernel holds back whoever sends more than the socket's queue takes. */
static void a_long_status_ends_with_a_character(void **state) {
    struct manager *manager = *state;
    char longer[2 * CG_NOTIFY_MAX] = "";
    for (size_t i = 0; i + 2 < sizeof longer; i += 2) memcpy(longer + i, "\xc3\xa9", 3);
    start(manager);
    for (size_t before = 0; before < 2; before++) {
        cg_notify_ready(&manager->notify, "%s%s", before == 0 ? "" : "x", longer);
        const char *said = heard(manager);
        assert_true(strlen(said) >= CG_NOTIFY_MAX - 2);
        assert_int_equal((uint8_t)said[strlen(said) - 1], 0xa9);
    }
    end(manager);
}

static void without_room_it_is_told_later(void **state) {
    struct manager *manager = *state;
    unsigned before = 0;
    start(manager);
    while (manager->notify.owed_count == 0) cg_notify_ready(&manager->notify, "before"), before++;
    cg_notify_reloading(&manager->notify);
    cg_notify_ready(&manager->notify, "after");
    uv_run(&manager->uv, UV_RUN_NOWAIT); /* still none */
    while (before-- > 1) assert_string_equal(heard(manager), "READY=1\nSTATUS=before");
    uv_run(&manager->uv, UV_RUN_DEFAULT);
    assert_string_equal(heard(manager), "READY=1\nSTATUS=before");
    assert_memory_equal(heard(manager), "RELOADING=1\n", 12);
    assert_string_equal(heard(manager), "READY=1\nSTATUS=after");
    end(manager);
}

static void what_is_owed_is_bounded(void **state) {
    struct manager *manager = *state;
    start(manager);
    for (int i = 0; i < 2000; i++) cg_notify_ready(&manager->notify, "before");
    for (int i = 0; i < CG_NOTIFY_OWED; i++) cg_notify_stopping(&manager->notify, "after");
    while (*heard(manager) != '\0') {
    }
    uv_run(&manager->uv, UV_RUN_DEFAULT);
    for (int i = 0; i < CG_NOTIFY_OWED; i++) assert_string_equal(heard(manager), "STOPPING=1\nSTATUS=after");
    end(manager);
}

static void look(const char *usec, const char *pid, uint64_t ms) {
    struct cg_notify notify;
    setenv("NOTIFY_SOCKET", "@nobody", 1);
    setenv("WATCHDOG_USEC", usec, 1);
    if (pid != NULL) setenv("WATCHDOG_PID", pid, 1);
    cg_notify_init(&notify);
    assert_int_equal(notify.watchdog_ms, ms);
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    cg_notify_fini(&notify);
}

static void who_is_looked_after(void **state) {
    (void)state;
    char own[16];
    snprintf(own, sizeof own, "%d", (int)getpid());
    look("30000000", own, 15000);
    look("30000000", NULL, 15000);
    look("30000000", "1", 0);
    look("30000000", "x", 0);
    look("1", own, 1);
    look("0", own, 0);
    look("99999999999999999999", own, 0);
    look("", own, 0);
}

static void the_loop_shows_that_it_turns(void **state) {
    struct manager *manager = *state;
    setenv("WATCHDOG_USEC", "2000", 1);
    start(manager);
    for (int i = 0; i < 3; i++) {
        const char *text;
        while (text = heard(manager), *text == '\0') uv_run(&manager->uv, UV_RUN_ONCE);
        assert_string_equal(text, "WATCHDOG=1");
    }
    end(manager);
}

static void names_that_are_none(void **state) {
    (void)state;
    static const char *const names[] = {"", "/", "@", "relative", "vsock:2:1234", NULL};
    struct cg_notify notify;
    char longest[200];
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/', longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setenv("NOTIFY_SOCKET", names[i] != NULL ? names[i] : longest, 1);
        cg_notify_init(&notify);
        assert_int_equal(notify.fd, -1);
    }
    cg_notify_init(&notify); /* nor is there one by itself */
    assert_int_equal(notify.fd, -1);
}

static void a_path(void **state) {
    (void)state;
    char folder[] = "/tmp/notify-XXXXXX", text[64] = "";
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    struct cg_notify notify;
    assert_non_null(mkdtemp(folder));
    snprintf(own.sun_path, sizeof own.sun_path, "%s/socket", folder);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    setenv("NOTIFY_SOCKET", own.sun_path, 1);
    cg_notify_init(&notify);
    cg_notify_ready(&notify, "by a path");
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "READY=1\nSTATUS=by a path");
    cg_notify_fini(&notify);
    close(fd);
    unlink(own.sun_path);
    rmdir(folder);
}

#define MANAGED(test) cmocka_unit_test_setup_teardown(test, listen_as_manager, leave)

int main(void) {
    const struct CMUnitTest tests[] = {
        MANAGED(a_life),
        MANAGED(a_status_is_one_line),
        MANAGED(a_long_status_ends_with_a_character),
        MANAGED(without_room_it_is_told_later),
        MANAGED(what_is_owed_is_bounded),
        cmocka_unit_test(who_is_looked_after),
        MANAGED(the_loop_shows_that_it_turns),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
