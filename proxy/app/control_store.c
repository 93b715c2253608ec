/* What is asked of the running gateway about its store. The hard thing: the store does it on its thread, and whoever
 * asked may have left by then, with a copy made for nobody. */
#include "app/control_connection.h"

#include <stdio.h>
#include <unistd.h>

#include "base/container.h"
#include "base/text.h"
#include "store/items.h"

static void on_removal(uv_fs_t *removal) {
    struct cg_control_connection *connection = removal->data;
    uv_fs_req_cleanup(removal);
    cg_control_unuse(connection);
}

static void remove_copy(struct cg_control_connection *connection, struct cg_control_copy *copy) {
    if (!copy->is_made) return;
    copy->removal.data = connection;
    connection->uses++;
    if (uv_fs_unlink(connection->patience.loop, &copy->removal, copy->path, on_removal) < 0)
        cg_control_unuse(connection);
}

static void remove_copies(struct cg_control_connection *connection) {
    remove_copy(connection, &connection->numbers);
    remove_copy(connection, &connection->items);
}

static void tell_copy(struct cg_buf *reply, const char *key, const struct cg_control_copy *copy) {
    if (copy->is_made) cg_buf_printf(reply, ",\"%s\":\"%s\"", key, strrchr(copy->path, '/') + 1);
}

static void tell_success(struct cg_control_connection *connection) {
    struct cg_buf *reply = cg_control_begin_success(connection);
    tell_copy(reply, "file", &connection->numbers);
    tell_copy(reply, "items", &connection->items);
    cg_control_send(connection);
}

static void refuse_and_remove(struct cg_control_connection *connection, const char *why) {
    remove_copies(connection);
    if (cg_control_is_open(connection)) cg_control_refuse(connection, why);
}

static void on_stored(struct cg_store_job *job) {
    struct cg_control_connection *connection = CG_CONTAINER(job, struct cg_control_connection, job);
    connection->numbers.is_made = job->err == CG_OK && job->operation == CG_STORE_COPY;
    if (job->err < 0) {
        refuse_and_remove(connection, job->failure.problem.detail);
    } else if (cg_control_is_open(connection)) {
        tell_success(connection);
    } else {
        remove_copies(connection);
    }
    cg_control_unuse(connection);
}

static void submit(struct cg_control_connection *connection, enum cg_store_operation operation) {
    const struct cg_control_source *source = &connection->control->source;
    struct cg_store *store = source->store(source->ctx);
    if (store == NULL) {
        refuse_and_remove(connection, "the gateway is stopping, or has no memory for its store");
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

/* On the disk's thread. */
static void copy_items(struct cg_manage_reading *reading, struct cg_items_file *file) {
    struct cg_control_connection *connection = CG_CONTAINER(reading, struct cg_control_connection, reading);
    connection->err = cg_items_copy(file, connection->items.path, &connection->problem);
}

/* Numbers last: what the items say was claimed is among them. */
static void on_items(struct cg_manage_reading *reading) {
    struct cg_control_connection *connection = CG_CONTAINER(reading, struct cg_control_connection, reading);
    connection->items.is_made = connection->err == CG_OK;
    if (connection->err < 0 && connection->err != CG_E_NOT_FOUND) {
        refuse_and_remove(connection, connection->problem.detail);
    } else if (cg_control_is_open(connection)) {
        submit(connection, CG_STORE_COPY);
    } else {
        remove_copies(connection);
    }
    cg_control_unuse(connection);
}

static bool name_copy(struct cg_control_copy *copy, struct cg_control *control, const char *suffix) {
    int len = snprintf(copy->path, sizeof copy->path, "%s/castgate.copy-%ld-%u%s", control->folder, (long)getpid(),
                       control->copies, suffix);
    return len > 0 && (size_t)len < sizeof copy->path;
}

/* In the state folder, whoever asks takes it from there. */
void cg_control_run_backup(struct cg_control_connection *connection, const json_t *line) {
    struct cg_control *control = connection->control;
    (void)line;
    control->copies++;
    if (!name_copy(&connection->numbers, control, "") || !name_copy(&connection->items, control, CG_ITEMS_COPY)) {
        cg_control_refuse(connection, "the state folder's name is too long");
        return;
    }
    connection->job.to = connection->numbers.path;
    connection->reading = (struct cg_manage_reading){.run = copy_items, .done = on_items};
    connection->uses++;
    cg_control_wait(connection, NULL);
    cg_manage_read(control->source.manage, &connection->reading);
}
