/* Who reads reports by the control socket: first {"ok":true}, then a line for each that is kept, and with "follow" for
 * each that is handed on later. The hard thing: a reader may be slow or take nothing at all. So nothing is gathered for
 * it beyond one write: what it has not taken is what is kept anyway, and what is kept no more by the time that it goes
 * on it has missed, which is counted, and which it is told. */
#include "app/control_connection.h"

#include <stdlib.h>

#include "app/report_line.h"
#include "base/check.h"
#include "base/container.h"
#include "io/loop.h"
#include "jobs/reactions.h"

enum {
    FOLLOWERS = 8,       /* at once: the others of the connections are for other commands */
    CHUNK = 64 * 1024,   /* bytes, about, of a write */
    SLICE = 200,         /* reports looked at in a turn */
    PATIENCE_MS = 10000, /* with one who takes nothing and does not follow */
};

struct cg_control_follower {
    struct cg_control_connection *connection; /* NULL: it has gone, and a write of it has not ended */
    struct cg_control *control;
    struct cg_reports *reports;
    struct cg_reports_reader reader;
    uv_write_t write;
    struct cg_buf out; /* is being written */
    bool is_writing, follows;
    uint64_t index;              /* of the latest that it was told */
    char group[CG_NAME_MAX + 1]; /* "": all */
};

/* The end. */

static void free_follower(struct cg_control_follower *follower) {
    cg_buf_fini(&follower->out);
    free(follower);
}

static void drop(struct cg_control_connection *connection) {
    struct cg_control_follower *follower = connection->follower;
    connection->follower = NULL;
    cg_reports_leave(follower->reports, &follower->reader);
    follower->control->followers--;
    follower->connection = NULL;
    if (!follower->is_writing) free_follower(follower);
}

/* Who follows says by that that it has enough; who does not gets all that is kept. */
static void hurry(struct cg_control_connection *connection) {
    if (connection->follower->follows) cg_control_hang_up(connection);
}

static const struct cg_control_work_ops follow_ops = {.hurry = hurry, .drop = drop};

/* What there is to say. */

static void say_missed(struct cg_control_follower *follower, const struct cg_handed *next) {
    const uint64_t missed = next->index - follower->index - 1;
    if (missed == 0) return;
    cg_buf_printf(&follower->out, "{\"missed\":%llu}\n", (unsigned long long)missed);
    cg_reports_missed(follower->reports, missed);
}

static void say(struct cg_control_follower *follower, const struct cg_handed *handed) {
    const uint64_t now_us = cg_loop_now_us(), came_us = handed->alert.arrival_us;
    say_missed(follower, handed);
    follower->index = handed->index;
    if (follower->group[0] != '\0' && strcmp(follower->group, handed->alert.group) != 0) return;
    cg_report_line(&follower->out, handed, now_us > came_us ? now_us - came_us : 0);
}

/* True: there may be more. */
static bool say_some(struct cg_control_follower *follower) {
    const struct cg_handed *next;
    for (unsigned i = 0; i < SLICE && follower->out.len < CHUNK; i++) {
        if ((next = cg_reports_after(follower->reports, follower->index)) == NULL) return false;
        say(follower, next);
    }
    return true;
}

static void go_on(struct cg_control_follower *follower);

static void on_written(uv_write_t *write, int status) {
    struct cg_control_follower *follower = CG_CONTAINER(write, struct cg_control_follower, write);
    follower->is_writing = false;
    cg_buf_clear(&follower->out);
    if (follower->connection == NULL) {
        free_follower(follower);
    } else if (status < 0) {
        cg_control_hang_up(follower->connection);
    } else {
        go_on(follower);
    }
}

static void on_impatience(uv_timer_t *patience) { cg_control_hang_up(patience->data); }

static void write_out(struct cg_control_follower *follower) {
    struct cg_control_connection *connection = follower->connection;
    uv_buf_t bytes = uv_buf_init((char *)follower->out.data, (unsigned)follower->out.len);
    if (!follower->follows) CG_CHECK(uv_timer_start(&connection->patience, on_impatience, PATIENCE_MS, 0) == 0);
    follower->is_writing = !follower->out.failed &&
                           uv_write(&follower->write, (uv_stream_t *)&connection->pipe, &bytes, 1, on_written) == 0;
    if (!follower->is_writing) cg_control_hang_up(connection);
}

static void on_slice(uv_timer_t *timer) {
    struct cg_control_connection *connection = timer->data;
    if (!connection->follower->is_writing) go_on(connection->follower);
}

/* Nothing is being written. */
static void go_on(struct cg_control_follower *follower) {
    bool more = say_some(follower);
    if (follower->out.len > 0) {
        write_out(follower);
    } else if (more) {
        CG_CHECK(uv_timer_start(&follower->connection->patience, on_slice, 0, 0) == 0); /* all were of other groups */
    } else if (!follower->follows) {
        cg_control_hang_up(follower->connection);
    }
}

static void on_report(struct cg_reports_reader *reader, const struct cg_handed *handed) {
    struct cg_control_follower *follower = CG_CONTAINER(reader, struct cg_control_follower, reader);
    (void)handed;
    if (follower->follows && !follower->is_writing) go_on(follower);
}

/* The beginning. */

/* What was handed on before the oldest that is kept nobody has missed. */
static uint64_t before_the_first(const struct cg_reports *reports) {
    const struct cg_handed *first = cg_reports_after(reports, 0);
    return first == NULL ? cg_reports_handed(reports) : first->index - 1;
}

static bool knows_group(const struct cg_control *control, const char *name) {
    const struct cg_config *config = cg_gateway_config(control->source.loop->gateway);
    struct cg_security_keys *group;
    HASH_FIND_STR(config->security_groups_by_name, name, group);
    return group != NULL;
}

static struct cg_control_follower *new_follower(struct cg_control_connection *connection, const char *group,
                                                bool follows) {
    struct cg_control_follower *follower = calloc(1, sizeof *follower);
    if (follower == NULL) return NULL;
    follower->connection = connection;
    follower->control = connection->control;
    follower->reports = connection->control->source.reports;
    follower->reader.hear = on_report;
    follower->follows = follows;
    follower->index = before_the_first(follower->reports);
    cg_buf_init(&follower->out, 0);
    if (group != NULL) memcpy(follower->group, group, strlen(group)); /* a name of the settings */
    return follower;
}

void cg_control_run_reports(struct cg_control_connection *connection, const json_t *line) {
    struct cg_control *control = connection->control;
    const char *group = json_string_value(json_object_get(line, "group"));
    if (group != NULL && !knows_group(control, group)) {
        cg_control_refuse(connection, "no security group of the settings in use has this name");
        return;
    }
    if (control->followers >= FOLLOWERS) {
        cg_control_refuse(connection, "8 others read reports already");
        return;
    }
    connection->follower = new_follower(connection, group, json_is_true(json_object_get(line, "follow")));
    if (connection->follower == NULL) {
        cg_control_refuse(connection, "no memory");
        return;
    }
    control->followers++;
    cg_reports_follow(control->source.reports, &connection->follower->reader);
    cg_buf_put_str(&connection->follower->out, "{\"ok\":true}\n");
    cg_control_wait(connection, &follow_ops);
    if (cg_control_is_open(connection)) go_on(connection->follower);
}

/* ---- Reactions ---- */

void cg_control_run_reactions(struct cg_control_connection *connection, const json_t *line) {
    (void)line;
    struct cg_buf *reply = cg_control_begin_success(connection);
    cg_buf_put_str(reply, ",\"reactions\":");
    cg_reactions_put_json(connection->control->source.reactions, reply);
    cg_control_send(connection);
}
