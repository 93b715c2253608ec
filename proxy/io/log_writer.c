/* A ring of bytes between who says a line and the thread that writes it. The hard thing is that the thread may be
 * inside write(2) for ever: it holds no lock then, and at the end it may have to be left there. */
#include "io/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/container.h"

enum {
    RING = CG_LOG_RING_BYTES, /* a power of two */
    BATCH = 4096,             /* PIPE_BUF: what is written at once never mixes with another process' lines */
    GATHER_MS = 2,            /* after a write, so that a busy gateway's lines cost one write in many */
    HURRY = RING / 2,         /* no gathering with so many bytes in the ring */
    NOTICE_MAX = 192 + CG_LOG_STAMP_MAX,
};

struct cg_log_writer {
    struct cg_log_out out;
    uint64_t patience_ms;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t work, settled;
    size_t put, taken; /* bytes, ever: what lies between is in the ring */
    uint64_t lost;     /* lines, ever */
    uint64_t unsaid;   /* of those, which no line has told of */
    bool idle;         /* the thread waits for a line, however long it takes */
    bool writing;      /* what was taken is not written yet */
    bool failing;      /* the last write failed: nothing is gained by saying so there */
    bool torn;         /* it left half a line behind */
    bool closing;      /* the thread is to end when the ring is empty */
    bool ended;        /* it has */
    char ring[RING];
};

/* ---- The ring, with the mutex held ---- */

static size_t used(const struct cg_log_writer *writer) { return writer->put - writer->taken; }

static bool has_room(const struct cg_log_writer *writer, size_t len) { return RING - used(writer) >= len; }

/* Bytes in the ring from there on that stand in one piece. */
static size_t piece(size_t at, size_t len) {
    size_t to_end = RING - at % RING;
    return len < to_end ? len : to_end;
}

static void copy_in(struct cg_log_writer *writer, const char *line, size_t len) {
    size_t first = piece(writer->put, len);
    memcpy(writer->ring + writer->put % RING, line, first);
    memcpy(writer->ring, line + first, len - first);
    writer->put += len;
}

/* As many whole lines as fit into `batch`. A line is shorter than that. */
static size_t copy_out(struct cg_log_writer *writer, char batch[BATCH]) {
    size_t len = used(writer) < BATCH ? used(writer) : BATCH, first = piece(writer->taken, len);
    memcpy(batch, writer->ring + writer->taken % RING, first);
    memcpy(batch + first, writer->ring, len - first);
    while (len > 0 && batch[len - 1] != '\n') len--;
    writer->taken += len;
    return len;
}

static void lose(struct cg_log_writer *writer, uint64_t lines) {
    writer->lost += lines;
    writer->unsaid += lines;
}

static size_t make_notice(const struct cg_log_writer *writer, char text[NOTICE_MAX]) {
    size_t len = cg_log_stamp(text, CG_LOG_WARNING);
    return len + (size_t)snprintf(
                     text + len, NOTICE_MAX - len,
                     "level=warning event=log lost=%llu lost_total=%llu msg=\"%llu lines were lost here: standard "
                     "error did not take them\"\n",
                     (unsigned long long)writer->unsaid, (unsigned long long)writer->lost,
                     (unsigned long long)writer->unsaid);
}

/* Where they are missing: before what comes next. */
static void say_what_is_lost(struct cg_log_writer *writer, size_t room_for_next) {
    char text[NOTICE_MAX];
    if (writer->unsaid == 0 || writer->failing) return;
    size_t len = make_notice(writer, text);
    if (!has_room(writer, len + room_for_next)) return;
    copy_in(writer, text, len);
    writer->unsaid = 0;
}

static bool may_put(const struct cg_log_writer *writer, size_t len) {
    bool notice_is_owed = writer->unsaid > 0 && !writer->failing; /* nothing may come before it */
    return has_room(writer, len) && !notice_is_owed;
}

/* ---- The thread ---- */

static uint64_t count_lines(const char *text, size_t len) {
    uint64_t lines = 0;
    for (size_t i = 0; i < len; i++) lines += text[i] == '\n';
    return lines;
}

/* Somebody who shares stderr may have made it non-blocking. */
static bool wait_until_writable(void) {
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&fd, 1, -1) > 0 || errno == EINTR;
}

static bool may_try_again(int error) {
    return error == EINTR || ((error == EAGAIN || error == EWOULDBLOCK) && wait_until_writable());
}

/* Returns how much of it was written; less than all: it failed. */
static size_t write_all(const char *text, size_t len) {
    size_t done = 0;
    while (done < len) {
        ssize_t put = write(STDERR_FILENO, text + done, len - done);
        if (put >= 0) {
            done += (size_t)put;
        } else if (!may_try_again(errno)) {
            break;
        }
    }
    return done;
}

/* Without the mutex. What was half a line begins a new one. */
static size_t write_batch(const char *batch, size_t len, bool torn) {
    if (torn && write_all("\n", 1) < 1) return 0;
    return write_all(batch, len);
}

static void take_note(struct cg_log_writer *writer, const char *batch, size_t len, size_t done) {
    writer->failing = done < len;
    if (done > 0) writer->torn = batch[done - 1] != '\n';
    if (writer->failing) lose(writer, count_lines(batch + done, len - done));
}

static void write_some(struct cg_log_writer *writer) {
    char batch[BATCH];
    size_t len = copy_out(writer, batch);
    bool torn = writer->torn;
    writer->writing = true;
    uv_mutex_unlock(&writer->mutex);
    size_t done = write_batch(batch, len, torn);
    uv_mutex_lock(&writer->mutex);
    writer->writing = false;
    take_note(writer, batch, len, done);
    if (used(writer) == 0) say_what_is_lost(writer, 0);
}

static void gather(struct cg_log_writer *writer) {
    if (used(writer) == 0 && !writer->closing)
        uv_cond_timedwait(&writer->work, &writer->mutex, GATHER_MS * UINT64_C(1000000));
}

static void wait_for_work(struct cg_log_writer *writer) {
    uv_cond_broadcast(&writer->settled);
    gather(writer);
    writer->idle = true;
    while (used(writer) == 0 && !writer->closing) uv_cond_wait(&writer->work, &writer->mutex);
    writer->idle = false;
}

static void free_writer(struct cg_log_writer *writer) {
    uv_cond_destroy(&writer->work);
    uv_cond_destroy(&writer->settled);
    uv_mutex_destroy(&writer->mutex);
    free(writer);
}

static void refuse_sigpipe(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void thread_main(void *arg) {
    struct cg_log_writer *writer = arg;
    refuse_sigpipe();
    uv_mutex_lock(&writer->mutex);
    for (;;) {
        if (used(writer) > 0) {
            write_some(writer);
        } else if (writer->closing) {
            break;
        } else {
            wait_for_work(writer);
        }
    }
    writer->ended = true;
    uv_cond_broadcast(&writer->settled);
    uv_mutex_unlock(&writer->mutex);
}

/* ---- Whoever says something ---- */

static void put_line(struct cg_log_out *out, const char *line, size_t len) {
    struct cg_log_writer *writer = CG_CONTAINER(out, struct cg_log_writer, out);
    uv_mutex_lock(&writer->mutex);
    say_what_is_lost(writer, len);
    if (may_put(writer, len)) {
        copy_in(writer, line, len);
    } else {
        lose(writer, count_lines(line, len));
    }
    if (writer->idle || used(writer) >= HURRY) uv_cond_signal(&writer->work);
    uv_mutex_unlock(&writer->mutex);
}

enum settling { UNTIL_WRITTEN, UNTIL_ENDED };

static bool is_settled(const struct cg_log_writer *writer, enum settling what) {
    return what == UNTIL_ENDED ? writer->ended : used(writer) == 0 && !writer->writing;
}

/* With the mutex held: or until that takes too long. */
static void wait_until_settled(struct cg_log_writer *writer, enum settling what) {
    uint64_t end_ns = uv_hrtime() + writer->patience_ms * 1000000;
    while (!is_settled(writer, what)) {
        uint64_t now_ns = uv_hrtime();
        if (now_ns >= end_ns) return;
        uv_cond_signal(&writer->work);
        uv_cond_timedwait(&writer->settled, &writer->mutex, end_ns - now_ns);
    }
}

static void settle(struct cg_log_out *out) {
    struct cg_log_writer *writer = CG_CONTAINER(out, struct cg_log_writer, out);
    uv_mutex_lock(&writer->mutex);
    wait_until_settled(writer, UNTIL_WRITTEN);
    uv_mutex_unlock(&writer->mutex);
}

uint64_t cg_log_writer_lost(struct cg_log_writer *writer) {
    uv_mutex_lock(&writer->mutex);
    uint64_t lost = writer->lost;
    uv_mutex_unlock(&writer->mutex);
    return lost;
}

/* ---- Opening and closing ---- */

static bool make_locks(struct cg_log_writer *writer) {
    if (uv_mutex_init(&writer->mutex) != 0) return false;
    if (uv_cond_init(&writer->work) == 0) {
        if (uv_cond_init(&writer->settled) == 0) return true;
        uv_cond_destroy(&writer->work);
    }
    uv_mutex_destroy(&writer->mutex);
    return false;
}

struct cg_log_writer *cg_log_writer_open(uint64_t patience_ms) {
    struct cg_log_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) return NULL;
    writer->out = (struct cg_log_out){.put = put_line, .settle = settle};
    writer->patience_ms = patience_ms;
    if (!make_locks(writer)) {
        free(writer);
        return NULL;
    }
    if (uv_thread_create(&writer->thread, thread_main, writer) != 0) {
        free_writer(writer);
        return NULL;
    }
    cg_log_to(&writer->out);
    return writer;
}

void cg_log_writer_close(struct cg_log_writer *writer) {
    if (writer == NULL) return;
    uv_mutex_lock(&writer->mutex);
    writer->closing = true;
    wait_until_settled(writer, UNTIL_ENDED);
    bool ended = writer->ended;
    uv_mutex_unlock(&writer->mutex);
    if (!ended) return; /* and goes on taking lines, so that nobody else blocks */
    cg_log_to(NULL);
    uv_thread_join(&writer->thread);
    free_writer(writer);
}
