/* The control socket's side of the gateway. The hard things: what is in a folder is asked for on a thread, since a disk
 * may hang; and whoever asked may have left before the store has done it, so a connection is freed by its last word. */
#include "app/control.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "base/text.h"
#include "store/beside.h"

enum {
    CONNECTIONS = 16,
    BACKLOG = 16,
    PATIENCE_MS = 10000, /* for a line to come, and for its answer to be taken */
    RETRY_MS = 5000,     /* between looks whether it may listen */
};

struct connection {
    struct cg_control *control; /* NULL: that has closed */
    struct connection *prev, *next;
    uv_pipe_t pipe;
    uv_timer_t patience;
    uv_write_t write;
    uv_fs_t removal; /* of a copy that nobody takes */
    struct cg_buf reply;
    struct cg_store_job job;
    unsigned uses; /* two handles, the job, the removal */
    bool closing;
    char path[1024]; /* BACKUP: of the copy */
    size_t len;
    char line[CG_CONTROL_LINE_MAX];
};

struct cg_control {
    uv_loop_t *uv;
    struct cg_control_source source;
    char *folder;
    uv_timer_t retry;
    uv_pipe_t listener;
    uv_work_t work; /* binding, or taking the socket away */
    bool working;
    bool listens;
    bool closing;
    int bound;                      /* by the work: a descriptor; -1: not now */
    struct connection *connections; /* utlist */
    unsigned count;
    unsigned copies;       /* their names differ */
    unsigned open_handles; /* of its own */
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* ---- A connection's end ---- */

static void drop_use(struct connection *connection) {
    if (--connection->uses > 0) return;
    cg_buf_fini(&connection->reply);
    free(connection);
}

static void on_connection_closed(uv_handle_t *handle) { drop_use(handle->data); }

static void close_connection(struct connection *connection) {
    if (connection->closing) return;
    connection->closing = true;
    struct cg_control *control = connection->control;
    DL_DELETE(control->connections, connection);
    control->count--;
    connection->control = NULL;
    uv_close((uv_handle_t *)&connection->pipe, on_connection_closed);
    uv_close((uv_handle_t *)&connection->patience, on_connection_closed);
}

static void on_impatience(uv_timer_t *patience) { close_connection(patience->data); }

static void be_patient(struct connection *connection) {
    CG_CHECK(uv_timer_start(&connection->patience, on_impatience, PATIENCE_MS, 0) == 0);
}

/* ---- Answers ---- */

static void on_written(uv_write_t *write, int status) {
    (void)status;
    close_connection(write->data);
}

static void send_reply(struct connection *connection) {
    struct cg_buf *reply = &connection->reply;
    cg_buf_put_str(reply, "}\n");
    uv_buf_t bytes = uv_buf_init((char *)reply->data, (unsigned)reply->len);
    connection->write.data = connection;
    be_patient(connection);
    if (reply->failed || uv_write(&connection->write, (uv_stream_t *)&connection->pipe, &bytes, 1, on_written) != 0)
        close_connection(connection);
}

static void refuse(struct connection *connection, const char *why) {
    cg_buf_put_str(&connection->reply, "{\"ok\":false,\"error\":");
    cg_buf_put_json(&connection->reply, cg_slice_str(why));
    send_reply(connection);
}

static void begin_success(struct connection *connection) { cg_buf_put_str(&connection->reply, "{\"ok\":true"); }

/* ---- Commands ---- */

static void on_removal(uv_fs_t *removal) {
    struct connection *connection = removal->data;
    uv_fs_req_cleanup(removal);
    drop_use(connection);
}

static void remove_copy(struct connection *connection) {
    connection->removal.data = connection;
    connection->uses++;
    if (uv_fs_unlink(connection->patience.loop, &connection->removal, connection->path, on_removal) < 0)
        drop_use(connection);
}

static void tell_success(struct connection *connection) {
    begin_success(connection);
    if (connection->job.operation == CG_STORE_COPY)
        cg_buf_printf(&connection->reply, ",\"file\":\"%s\"", strrchr(connection->path, '/') + 1);
    send_reply(connection);
}

static void on_stored(struct cg_store_job *job) {
    struct connection *connection = CG_CONTAINER(job, struct connection, job);
    bool made = job->err == CG_OK && job->operation == CG_STORE_COPY;
    if (!connection->closing && job->err == CG_OK) {
        tell_success(connection);
    } else if (!connection->closing) {
        refuse(connection, job->failure.problem.detail);
    } else if (made) {
        remove_copy(connection);
    }
    drop_use(connection);
}

static void submit(struct connection *connection, enum cg_store_operation operation) {
    const struct cg_control_source *source = &connection->control->source;
    struct cg_store *store = source->store(source->ctx);
    if (store == NULL) {
        refuse(connection, "the gateway is stopping, or has no memory for its store");
        return;
    }
    connection->job.operation = operation;
    connection->job.done = on_stored;
    connection->uses++;
    uv_timer_stop(&connection->patience);
    store->ops->submit(store, &connection->job);
}

static bool get_id(const json_t *line, const char *key, uint8_t to[CG_SENDER_ID_LEN]) {
    const char *text = json_string_value(json_object_get(line, key));
    size_t len;
    return text != NULL && cg_hex_parse(cg_slice_str(text), to, CG_SENDER_ID_LEN, &len) == CG_OK &&
           len == CG_SENDER_ID_LEN;
}

/* Who asks says that the key has never sent. */
static void run_claim(struct connection *connection, const json_t *line) {
    struct cg_sender_id *sender = &connection->job.sender;
    if (get_id(line, "sender", sender->bytes) && get_id(line, "former", sender->former)) {
        submit(connection, CG_STORE_CLAIM);
    } else {
        refuse(connection, "\"sender\" and \"former\" are 64 hexadecimal digits each");
    }
}

/* In the state folder, whoever asks takes it from there. */
static void run_backup(struct connection *connection, const json_t *line) {
    struct cg_control *control = connection->control;
    (void)line;
    int len = snprintf(connection->path, sizeof connection->path, "%s/castgate.copy-%ld-%u", control->folder,
                       (long)getpid(), control->copies++);
    if (len < 0 || (size_t)len >= sizeof connection->path) {
        refuse(connection, "the state folder's name is too long");
        return;
    }
    connection->job.to = connection->path;
    submit(connection, CG_STORE_COPY);
}

static void run_status(struct connection *connection, const json_t *line) {
    const struct cg_control_source *source = &connection->control->source;
    (void)line;
    begin_success(connection);
    source->status(source->ctx, &connection->reply);
    send_reply(connection);
}

static const struct {
    const char *name;
    void (*run)(struct connection *connection, const json_t *line);
} commands[] = {{"claim", run_claim}, {"backup", run_backup}, {"status", run_status}};

static void run_line(struct connection *connection, size_t len) {
    json_t *line = json_loadb(connection->line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(line, "command"));
    size_t i = 0, count = sizeof commands / sizeof commands[0];
    while (i < count && (name == NULL || strcmp(commands[i].name, name) != 0)) i++;
    if (i < count) {
        commands[i].run(connection, line);
    } else {
        refuse(connection, "a line is {\"command\":NAME}, with claim, backup or status");
    }
    json_decref(line);
}

/* ---- A connection's line ---- */

static bool may_ask(const struct connection *connection) {
    struct ucred who;
    socklen_t len = sizeof who;
    uv_os_fd_t fd;
    return uv_fileno((const uv_handle_t *)&connection->pipe, &fd) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == 0 || who.uid == geteuid());
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes) {
    struct connection *connection = handle->data;
    (void)suggested;
    *bytes = uv_buf_init(connection->line + connection->len, (unsigned)(sizeof connection->line - connection->len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *bytes) {
    struct connection *connection = stream->data;
    (void)bytes;
    if (got < 0) {
        close_connection(connection);
        return;
    }
    connection->len += (size_t)got;
    const char *end = memchr(connection->line, '\n', connection->len);
    if (end == NULL && connection->len < sizeof connection->line) return;
    uv_read_stop(stream);
    if (!may_ask(connection)) { /* said only now: who is answered before it is heard may not hear that */
        refuse(connection, "only the gateway's own user and root may ask");
    } else if (end != NULL) {
        run_line(connection, (size_t)(end - connection->line));
    } else {
        refuse(connection, "the line is too long");
    }
}

static void add_connection(struct cg_control *control, struct connection *connection) {
    connection->control = control;
    connection->uses = 2;
    cg_buf_init(&connection->reply, 0);
    DL_PREPEND(control->connections, connection);
    control->count++;
    CG_CHECK(uv_pipe_init(control->uv, &connection->pipe, 0) == 0);
    CG_CHECK(uv_timer_init(control->uv, &connection->patience) == 0);
    connection->pipe.data = connection->patience.data = connection;
}

static void begin(struct connection *connection) {
    be_patient(connection);
    if (uv_read_start((uv_stream_t *)&connection->pipe, on_alloc, on_read) != 0) close_connection(connection);
}

static void on_retry(uv_timer_t *retry);

static void try_later(struct cg_control *control) {
    CG_CHECK(uv_timer_start(&control->retry, on_retry, RETRY_MS, 0) == 0);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct cg_control *control = listener->data;
    if (status < 0) return;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        try_later(control); /* libuv takes nobody else before this one */
        return;
    }
    add_connection(control, connection);
    bool full = control->count > CONNECTIONS;
    if (uv_accept(listener, (uv_stream_t *)&connection->pipe) != 0 || full) {
        close_connection(connection);
    } else {
        begin(connection);
    }
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
    while (control->connections != NULL) close_connection(control->connections);
    uv_timer_stop(&control->retry);
    if (!control->working) finish_closing(control);
}
