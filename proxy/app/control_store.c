/* What is asked of the running gateway about its store. The hard thing: the store does it on its thread, and whoever
 * asked may have left by then, with a copy made for nobody. */
#include "app/control_connection.h"

#include <stdio.h>
#include <unistd.h>

#include "base/container.h"
#include "base/text.h"

static void on_removal(uv_fs_t *removal) {
    struct cg_control_connection *connection = removal->data;
    uv_fs_req_cleanup(removal);
    cg_control_unuse(connection);
}

static void remove_copy(struct cg_control_connection *connection) {
    connection->removal.data = connection;
    connection->uses++;
    if (uv_fs_unlink(connection->patience.loop, &connection->removal, connection->path, on_removal) < 0)
        cg_control_unuse(connection);
}

static void tell_success(struct cg_control_connection *connection) {
    struct cg_buf *reply = cg_control_begin_success(connection);
    if (connection->job.operation == CG_STORE_COPY)
        cg_buf_printf(reply, ",\"file\":\"%s\"", strrchr(connection->path, '/') + 1);
    cg_control_send(connection);
}

static void on_stored(struct cg_store_job *job) {
    struct cg_control_connection *connection = CG_CONTAINER(job, struct cg_control_connection, job);
    bool is_open = cg_control_is_open(connection);
    bool made = job->err == CG_OK && job->operation == CG_STORE_COPY;
    if (is_open && job->err == CG_OK) {
        tell_success(connection);
    } else if (is_open) {
        cg_control_refuse(connection, job->failure.problem.detail);
    } else if (made) {
        remove_copy(connection);
    }
    cg_control_unuse(connection);
}

static void submit(struct cg_control_connection *connection, enum cg_store_operation operation) {
    const struct cg_control_source *source = &connection->control->source;
    struct cg_store *store = source->store(source->ctx);
    if (store == NULL) {
        cg_control_refuse(connection, "the gateway is stopping, or has no memory for its store");
        return;
    }
    connection->job.operation = operation;
    connection->job.done = on_stored;
    connection->uses++;
    cg_control_wait(connection, NULL);
    store->ops->submit(store, &connection->job);
}

static bool get_id(const json_t *line, const char *key, uint8_t to[CG_SENDER_ID_LEN]) {
    const char *text = json_string_value(json_object_get(line, key));
    size_t len;
    return text != NULL && cg_hex_parse(cg_slice_str(text), to, CG_SENDER_ID_LEN, &len) == CG_OK &&
           len == CG_SENDER_ID_LEN;
}

/* Who asks says that the key has never sent. */
void cg_control_run_claim(struct cg_control_connection *connection, const json_t *line) {
    struct cg_sender_id *sender = &connection->job.sender;
    if (get_id(line, "sender", sender->bytes) && get_id(line, "former", sender->former)) {
        submit(connection, CG_STORE_CLAIM);
    } else {
        cg_control_refuse(connection, "\"sender\" and \"former\" are 64 hexadecimal digits each");
    }
}

/* In the state folder, whoever asks takes it from there. */
void cg_control_run_backup(struct cg_control_connection *connection, const json_t *line) {
    struct cg_control *control = connection->control;
    (void)line;
    int len = snprintf(connection->path, sizeof connection->path, "%s/castgate.copy-%ld-%u", control->folder,
                       (long)getpid(), control->copies++);
    if (len < 0 || (size_t)len >= sizeof connection->path) {
        cg_control_refuse(connection, "the state folder's name is too long");
        return;
    }
    connection->job.to = connection->path;
    submit(connection, CG_STORE_COPY);
}
