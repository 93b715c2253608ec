/* The service manager's socket. The hard thing: it may have no room, and a READY=1 that is lost is a start that fails;
 * but the loop waits for nobody. So what it did not take is told later, in order. */
#include "app/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "io/loop.h"

enum { RETRY_MS = 100 };

/* ---- Who is to be told ---- */

/* A path, or an abstract name behind '@'. Other kinds (vsock:) are for virtual machines. */
static bool take_address(struct cg_notify *notify, const char *text) {
    size_t len = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof notify->to.sun_path) return false;
    notify->to = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(notify->to.sun_path, text, len);
    if (text[0] == '@') notify->to.sun_path[0] = '\0';
    notify->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
    return true;
}

static void open_socket(struct cg_notify *notify, const char *text) {
    if (!take_address(notify, text)) {
        cg_log(CG_LOG_WARNING, "start", "NOTIFY_SOCKET is no socket that the service manager can be told by");
        return;
    }
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->fd < 0)
        cg_log(CG_LOG_WARNING, "start", "the service manager cannot be told anything: %s", strerror(errno));
}

static uint64_t number_of(const char *name, uint64_t most) {
    const char *text = getenv(name);
    uint64_t number = 0;
    return text != NULL && cg_decimal_parse(cg_slice_str(text), most, &number) == CG_OK ? number : 0;
}

/* Half of the time after which the loop counts as stuck, as sd_watchdog_enabled(3) advises. */
static uint64_t watchdog_ms(void) {
    uint64_t usec = number_of("WATCHDOG_USEC", INT64_MAX);
    bool is_ours = getenv("WATCHDOG_PID") == NULL || number_of("WATCHDOG_PID", INT32_MAX) == (uint64_t)getpid();
    if (usec == 0 || !is_ours) return 0;
    return usec / 2000 > 0 ? usec / 2000 : 1;
}

void cg_notify_init(struct cg_notify *notify) {
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    const char *socket_name = getenv(names[0]);
    *notify = (struct cg_notify){.fd = -1};
    if (socket_name != NULL) open_socket(notify, socket_name);
    if (notify->fd >= 0) notify->watchdog_ms = watchdog_ms();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unsetenv(names[i]);
}

void cg_notify_fini(struct cg_notify *notify) {
    if (notify->fd >= 0) close(notify->fd);
    notify->fd = -1;
}

/* ---- Telling ---- */

/* False: there is no room at the moment. What fails in another way would fail again. */
static bool send_now(const struct cg_notify *notify, const char *text) {
    ssize_t sent = sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&notify->to, notify->to_len);
    return sent >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS);
}

static void drop_oldest(struct cg_notify *notify) {
    memmove(notify->owed[0], notify->owed[1], sizeof notify->owed - sizeof notify->owed[0]);
    notify->owed_count--;
}

static void on_retry(uv_timer_t *retry) {
    struct cg_notify *notify = retry->data;
    while (notify->owed_count > 0 && send_now(notify, notify->owed[0])) drop_oldest(notify);
    if (notify->owed_count == 0) uv_timer_stop(retry);
}

static void owe(struct cg_notify *notify, const char *text) {
    if (uv_is_closing((uv_handle_t *)&notify->retry)) return;
    if (notify->owed_count == CG_NOTIFY_OWED) drop_oldest(notify); /* the newest is how things are */
    memcpy(notify->owed[notify->owed_count++], text, strlen(text) + 1);
    CG_CHECK(uv_timer_start(&notify->retry, on_retry, RETRY_MS, RETRY_MS) == 0);
}

static void tell(struct cg_notify *notify, const char *text) {
    if (notify->fd < 0) return;
    if (notify->owed_count > 0 || !send_now(notify, text)) owe(notify, text);
}

/* Half a character at its end would have the manager leave out all of it. */
static void end_with_a_character(char *text) {
    size_t len = strlen(text);
    while (len > 0 && !cg_utf8_valid(cg_slice_of(text, len))) text[--len] = '\0';
}

/* What follows the end of a line would be more than a status. */
static void CG_PRINTF(3, 0)
    tell_with_status(struct cg_notify *notify, const char *what, const char *format, va_list args) {
    char text[CG_NOTIFY_MAX];
    size_t before = (size_t)snprintf(text, sizeof text, "%s\nSTATUS=", what);
    CG_CHECK(before < sizeof text);
    (void)vsnprintf(text + before, sizeof text - before, format, args);
    text[before + strcspn(text + before, "\n")] = '\0';
    end_with_a_character(text + before);
    tell(notify, text);
}

void cg_notify_ready(struct cg_notify *notify, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tell_with_status(notify, "READY=1", format, args);
    va_end(args);
}

void cg_notify_stopping(struct cg_notify *notify, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tell_with_status(notify, "STOPPING=1", format, args);
    va_end(args);
}

void cg_notify_reloading(struct cg_notify *notify) {
    char text[CG_NOTIFY_MAX];
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reading the settings",
                   cg_loop_now_us());
    tell(notify, text);
}

/* ---- The loop ---- */

/* Where there is no room the manager has enough to read. */
static void on_watchdog(uv_timer_t *watchdog) { (void)send_now(watchdog->data, "WATCHDOG=1"); }

void cg_notify_open(struct cg_notify *notify, uv_loop_t *uv) {
    CG_CHECK(uv_timer_init(uv, &notify->watchdog) == 0 && uv_timer_init(uv, &notify->retry) == 0);
    notify->watchdog.data = notify->retry.data = notify;
    if (notify->watchdog_ms == 0) return;
    CG_CHECK(uv_timer_start(&notify->watchdog, on_watchdog, notify->watchdog_ms, notify->watchdog_ms) == 0);
}

void cg_notify_close(struct cg_notify *notify) {
    uv_close((uv_handle_t *)&notify->watchdog, NULL);
    uv_close((uv_handle_t *)&notify->retry, NULL);
}
