/* The control socket: where it listens, from the folder's first moment to the gateway's end. The hard thing: what is in
 * a folder is asked for on a thread, since a disk may hang. */
#include "app/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/control_connection.h"
#include "base/check.h"

enum {
    BACKLOG = 16,
    RETRY_MS = 5000, /* between looks whether it may listen */
};

void cg_control_run_status(struct cg_control_connection *connection, const json_t *line) {
    const struct cg_control_source *source = &connection->control->source;
    (void)line;
    source->status(source->ctx, cg_control_begin_success(connection));
    cg_control_send(connection);
}

static void on_retry(uv_timer_t *retry);

static void try_later(struct cg_control *control) {
    CG_CHECK(uv_timer_start(&control->retry, on_retry, RETRY_MS, 0) == 0);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct cg_control *control = listener->data;
    if (status < 0) return;
    if (!cg_control_accept(control)) try_later(control); /* libuv takes nobody else before this one */
}

/* ---- Listening; on a thread ---- */

/* A full backlog is somebody's, too. */
static bool somebody_listens(const struct sockaddr_un *address) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return true;
    bool alive = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
    close(fd);
    return alive;
}

/* What a gateway that was killed has left behind is replaced. */
static int bind_socket(const struct sockaddr_un *address) {
    if (somebody_listens(address)) return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    (void)unlink(address->sun_path);
    if (fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    close(fd);
    return -1;
}

static void with_address(struct cg_control *control,
                         void (*act)(struct cg_control *control, const struct sockaddr_un *)) {
    struct sockaddr_un address;
    struct cg_problem unused;
    int folder_fd;
    if (cg_control_address(control->folder, &address, &folder_fd, &unused) < 0) return;
    act(control, &address);
    if (folder_fd >= 0) close(folder_fd);
}

static void bind_at(struct cg_control *control, const struct sockaddr_un *address) {
    control->bound = bind_socket(address);
}

static void remove_at(struct cg_control *control, const struct sockaddr_un *address) {
    (void)control;
    (void)unlink(address->sun_path);
}

static void on_bind_work(uv_work_t *work) {
    struct cg_control *control = work->data;
    control->bound = -1;
    with_address(control, bind_at);
}

static void on_remove_work(uv_work_t *work) { with_address(work->data, remove_at); }

/* ---- Listening; on the loop ---- */

static void finish_closing(struct cg_control *control);

static bool listen_on(struct cg_control *control, int fd) {
    if (uv_pipe_open(&control->listener, fd) != 0) {
        close(fd);
        return false;
    }
    control->listens = true;
    CG_CHECK(uv_listen((uv_stream_t *)&control->listener, BACKLOG, on_connection) == 0);
    return true;
}

static void on_bind_done(uv_work_t *work, int status) {
    struct cg_control *control = work->data;
    control->working = false;
    bool bound = status == 0 && control->bound >= 0;
    bool listens = bound && listen_on(control, control->bound);
    if (control->closing) {
        finish_closing(control);
    } else if (!listens) {
        try_later(control);
    }
}

static void on_retry(uv_timer_t *retry) {
    struct cg_control *control = retry->data;
    if (control->listens) {
        on_connection((uv_stream_t *)&control->listener, 0);
        return;
    }
    control->working = uv_queue_work(control->uv, &control->work, on_bind_work, on_bind_done) == 0;
    if (!control->working) try_later(control);
}

struct cg_control *cg_control_open(uv_loop_t *uv, const char *folder, const struct cg_control_source *source,
                                   struct cg_problem *problem) {
    struct cg_control *control = calloc(1, sizeof *control);
    char *name = strdup(folder);
    if (control == NULL || name == NULL) {
        free(control);
        free(name);
        cg_problem_no_memory(problem);
        return NULL;
    }
    control->uv = uv;
    control->folder = name;
    control->source = *source;
    CG_CHECK(uv_timer_init(uv, &control->retry) == 0);
    CG_CHECK(uv_pipe_init(uv, &control->listener, 0) == 0);
    control->open_handles = 2;
    control->retry.data = control->listener.data = control->work.data = control;
    on_retry(&control->retry);
    return control;
}

/* ---- The end ---- */

static void on_handle_closed(uv_handle_t *handle) {
    struct cg_control *control = handle->data;
    if (--control->open_handles > 0) return;
    if (control->closed != NULL) control->closed(control->closed_ctx);
    free(control->folder);
    free(control);
}

static void close_handles(struct cg_control *control) {
    uv_close((uv_handle_t *)&control->retry, on_handle_closed);
    uv_close((uv_handle_t *)&control->listener, on_handle_closed);
}

static void on_removed(uv_work_t *work, int status) {
    (void)status;
    close_handles(work->data);
}

/* No work runs. */
static void finish_closing(struct cg_control *control) {
    if (!control->listens || uv_queue_work(control->uv, &control->work, on_remove_work, on_removed) != 0)
        close_handles(control);
}

void cg_control_close(struct cg_control *control, void (*closed)(void *ctx), void *ctx) {
    if (control == NULL) {
        if (closed != NULL) closed(ctx);
        return;
    }
    control->closing = true;
    control->closed = closed;
    control->closed_ctx = ctx;
    while (control->connections != NULL) cg_control_hang_up(control->connections);
    uv_timer_stop(&control->retry);
    if (!control->working) finish_closing(control);
}
