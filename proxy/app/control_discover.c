/* --discover beside the running gateway: a job like any other of the gateway's own. The hard thing: what it has found
 * may be large, and no turn of the loop may be long, so it is written in slices; and whoever asked may leave at any of
 * them. */
#include "app/control_connection.h"

#include "app/discover/discover.h"
#include "jobs/discovery.h"

enum { SLICE_BYTES = 32768 };

static void on_hurry(struct cg_control_connection *connection) { cg_discovery_hurry(connection->discovery); }

static void on_drop(struct cg_control_connection *connection) { cg_discovery_free(connection->discovery); }

static const struct cg_control_work_ops job_ops = {.hurry = on_hurry, .drop = on_drop};

/* What is written is all that there is, so nothing can be hurried any more. */
static void on_hurry_written(struct cg_control_connection *connection) { (void)connection; }

static const struct cg_control_work_ops writing_ops = {.hurry = on_hurry_written, .drop = on_drop};

/* False: that was all. */
static bool put_some(struct cg_control_connection *connection) {
    const size_t start = connection->reply.len;
    while (connection->reply.len - start < SLICE_BYTES && !connection->reply.failed) {
        if (!cg_found_writer_put(&connection->found, &connection->reply)) return false;
    }
    return !connection->reply.failed;
}

static bool put_slice(struct cg_control_connection *connection) {
    bool more = put_some(connection);
    if (!more) cg_discovery_free(connection->discovery);
    return more;
}

static void on_done(void *ctx, struct cg_discovery *job) {
    struct cg_control_connection *connection = ctx;
    cg_control_begin_success(connection);
    cg_found_writer_init(&connection->found, cg_discovery_found(job));
    connection->ops = &writing_ops;
    cg_control_send_in_slices(connection, put_slice);
}

static bool get_text(const json_t *line, const char *key, const char **text) {
    const json_t *value = json_object_get(line, key);
    *text = json_string_value(value);
    return value == NULL || (*text != NULL && strlen(*text) == json_string_length(value));
}

static bool read_order(const json_t *line, struct cg_discovery_order *order) {
    const json_int_t seconds = json_integer_value(json_object_get(line, "seconds"));
    const char *filter;
    if (!get_text(line, "where", &order->where) || !get_text(line, "filter", &filter)) return false;
    if (filter != NULL) order->filter = cg_slice_str(filter);
    order->seconds = seconds > 0 && seconds <= CG_DISCOVERY_SECONDS ? (uint32_t)seconds : CG_DISCOVER_SECONDS;
    return true;
}

void cg_control_run_discover(struct cg_control_connection *connection, const json_t *line) {
    struct cg_discovery_order order = {.done = on_done, .ctx = connection};
    struct cg_problem problem = {0};
    if (!read_order(line, &order)) {
        cg_control_refuse(connection, "\"where\" and \"filter\" are texts");
        return;
    }
    connection->discovery = cg_discovery_begin(connection->control->source.discoveries, &order, &problem);
    if (connection->discovery == NULL) {
        cg_control_refuse(connection, problem.detail);
        return;
    }
    cg_control_wait(connection, &job_ops);
}
