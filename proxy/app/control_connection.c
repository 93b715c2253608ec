/* Who asks by the control socket. The hard thing: whoever asked may leave before what was asked for is done, so a
 * connection that has closed stays until those have finished who work for it. */
#include "app/control_connection.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/check.h"
#include "settings/json_load.h"

enum {
    CONNECTIONS = 16,
    SLICE_MS = 1,
    PATIENCE_MS = 10000, /* for a line to come, and for its answer to be taken */
};

static const struct {
    const char *name;
    void (*run)(struct cg_control_connection *connection, const json_t *line);
} commands[] = {{"claim", cg_control_run_claim},
                {"backup", cg_control_run_backup},
                {"status", cg_control_run_status},
                {"check", cg_control_run_check},
                {"check-facts", cg_control_run_check_facts},
                {"reports", cg_control_run_reports},
                {"reactions", cg_control_run_reactions},
                {"discover", cg_control_run_discover},
                {"members", cg_control_run_members},
                {"forget-members", cg_control_run_forget_members},
                {"new-admin-token", cg_control_run_new_admin_token}};

/* The end */

void cg_control_unuse(struct cg_control_connection *connection) {
    if (--connection->uses > 0) return;
    cg_buf_fini(&connection->reply);
    free(connection);
}

static void on_closed(uv_handle_t *handle) { cg_control_unuse(handle->data); }

static void drop_work(struct cg_control_connection *connection) {
    const struct cg_control_work_ops *ops = connection->ops;
    connection->ops = NULL;
    if (ops != NULL) ops->drop(connection);
}

void cg_control_hang_up(struct cg_control_connection *connection) {
    struct cg_control *control = connection->control;
    if (control == NULL) return;
    drop_work(connection);
    DL_DELETE(control->connections, connection);
    control->count--;
    connection->control = NULL;
    uv_close((uv_handle_t *)&connection->pipe, on_closed);
    uv_close((uv_handle_t *)&connection->patience, on_closed);
}

static void on_impatience(uv_timer_t *patience) { cg_control_hang_up(patience->data); }

static void be_patient(struct cg_control_connection *connection) {
    CG_CHECK(uv_timer_start(&connection->patience, on_impatience, PATIENCE_MS, 0) == 0);
}

/* Answers */

static void on_written(uv_write_t *write, int status) {
    (void)status;
    cg_control_hang_up(write->data);
}

void cg_control_send(struct cg_control_connection *connection) {
    struct cg_buf *reply = &connection->reply;
    cg_buf_put_str(reply, "}\n");
    uv_buf_t bytes = uv_buf_init((char *)reply->data, (unsigned)reply->len);
    connection->write.data = connection;
    connection->ops = NULL;
    be_patient(connection);
    if (reply->failed || uv_write(&connection->write, (uv_stream_t *)&connection->pipe, &bytes, 1, on_written) != 0)
        cg_control_hang_up(connection);
}

void cg_control_refuse(struct cg_control_connection *connection, const char *why) {
    cg_buf_put_str(&connection->reply, "{\"ok\":false,\"error\":");
    cg_buf_put_json(&connection->reply, cg_slice_str(why));
    cg_control_send(connection);
}

struct cg_buf *cg_control_begin_success(struct cg_control_connection *connection) {
    cg_buf_put_str(&connection->reply, "{\"ok\":true");
    return &connection->reply;
}

/* Waiting for a command */

static void on_alloc_rest(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes) {
    struct cg_control_connection *connection = handle->data;
    (void)suggested;
    *bytes = uv_buf_init(connection->line, sizeof connection->line); /* the command has been read */
}

/* What more it says counts for nothing; that it says no more does. */
static void on_read_rest(uv_stream_t *stream, ssize_t got, const uv_buf_t *bytes) {
    struct cg_control_connection *connection = stream->data;
    (void)bytes;
    if (got >= 0) return;
    uv_read_stop(stream);
    if (got == UV_EOF && connection->ops != NULL) {
        connection->ops->hurry(connection);
    } else if (connection->ops != NULL) {
        cg_control_hang_up(connection);
    }
}

static void on_slice(uv_timer_t *timer);

static void go_on_with_slices(struct cg_control_connection *connection) {
    CG_CHECK(uv_timer_start(&connection->patience, on_slice, SLICE_MS, 0) == 0);
}

static void on_slice(uv_timer_t *timer) {
    struct cg_control_connection *connection = timer->data;
    if (connection->put_slice(connection)) {
        go_on_with_slices(connection);
    } else {
        cg_control_send(connection);
    }
}

void cg_control_send_in_slices(struct cg_control_connection *connection,
                               bool (*put_slice)(struct cg_control_connection *connection)) {
    connection->put_slice = put_slice;
    go_on_with_slices(connection);
}

void cg_control_wait(struct cg_control_connection *connection, const struct cg_control_work_ops *ops) {
    uv_timer_stop(&connection->patience);
    connection->ops = ops;
    if (ops == NULL) return;
    if (uv_read_start((uv_stream_t *)&connection->pipe, on_alloc_rest, on_read_rest) != 0)
        cg_control_hang_up(connection);
}

/* The line */

static void run_line(struct cg_control_connection *connection, size_t len) {
    json_error_t error;
    json_t *line = cg_json_load(cg_slice_of(connection->line, len), JSON_REJECT_DUPLICATES, &error);
    const char *name = json_string_value(json_object_get(line, "command"));
    size_t i = 0, count = sizeof commands / sizeof commands[0];
    while (i < count && (name == NULL || strcmp(commands[i].name, name) != 0)) i++;
    if (i < count) {
        commands[i].run(connection, line);
    } else if (line == NULL && json_error_code(&error) == json_error_out_of_memory) {
        cg_control_refuse(connection, "no memory");
    } else {
        cg_control_refuse(connection,
                          "a line is {\"command\":NAME}, with claim, backup, check, discover, status, members, "
                          "forget-members, new-admin-token, reactions or reports");
    }
    json_decref(line);
}

static bool may_ask(const struct cg_control_connection *connection) {
    struct ucred who;
    socklen_t len = sizeof who;
    uv_os_fd_t fd;
    return uv_fileno((const uv_handle_t *)&connection->pipe, &fd) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == 0 || who.uid == geteuid());
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes) {
    struct cg_control_connection *connection = handle->data;
    (void)suggested;
    *bytes = uv_buf_init(connection->line + connection->len, (unsigned)(sizeof connection->line - connection->len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *bytes) {
    struct cg_control_connection *connection = stream->data;
    (void)bytes;
    if (got < 0) {
        cg_control_hang_up(connection);
        return;
    }
    connection->len += (size_t)got;
    const char *end = memchr(connection->line, '\n', connection->len);
    if (end == NULL && connection->len < sizeof connection->line) return;
    uv_read_stop(stream);
    if (!may_ask(connection)) { /* said only now: who is answered before it is heard may not hear that */
        cg_control_refuse(connection, "only the gateway's own user and root may ask");
    } else if (end != NULL) {
        run_line(connection, (size_t)(end - connection->line));
    } else {
        cg_control_refuse(connection, "the line is too long");
    }
}

/* The beginning */

static void add(struct cg_control *control, struct cg_control_connection *connection) {
    connection->control = control;
    connection->uses = 2;
    cg_buf_init(&connection->reply, 0);
    DL_PREPEND(control->connections, connection);
    control->count++;
    CG_CHECK(uv_pipe_init(control->uv, &connection->pipe, 0) == 0);
    CG_CHECK(uv_timer_init(control->uv, &connection->patience) == 0);
    connection->pipe.data = connection->patience.data = connection;
}

static void begin(struct cg_control_connection *connection) {
    be_patient(connection);
    if (uv_read_start((uv_stream_t *)&connection->pipe, on_alloc, on_read) != 0) cg_control_hang_up(connection);
}

bool cg_control_accept(struct cg_control *control) {
    struct cg_control_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) return false;
    add(control, connection);
    bool full = control->count > CONNECTIONS;
    if (uv_accept((uv_stream_t *)&control->listener, (uv_stream_t *)&connection->pipe) != 0 || full) {
        cg_control_hang_up(connection);
    } else {
        begin(connection);
    }
    return true;
}
