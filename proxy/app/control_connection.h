/* A connection of the control socket, for the commands and for control.c alone: one line in, one out.
 *
 * Ownership: it is freed by its last user. Whoever works for it beyond the call that began the work counts itself, and
 * says its last word by cg_control_unuse. */
#ifndef CG_APP_CONTROL_CONNECTION_H
#define CG_APP_CONTROL_CONNECTION_H

#include <jansson.h>

#include "app/control.h"
#include "fronts/admin/found_document.h"
#include "app/keeper.h"
#include "manage/manage.h"
#include "store/beside.h"

struct cg_control_connection;
struct cg_control_follower;

/* What is under way for a connection: told of its end. */
struct cg_control_work_ops {
    void (*hurry)(struct cg_control_connection *connection); /* nothing more is sent to us: an answer soon, please */
    void (*drop)(struct cg_control_connection *connection);  /* nobody hears the answer any more */
};

/* A file in the state folder that whoever asked takes from there. */
struct cg_control_copy {
    char path[1024];
    bool is_made;
    uv_fs_t removal; /* where nobody takes it */
};

struct cg_control_connection {
    struct cg_control *control; /* NULL: that has closed, or the connection has */
    struct cg_control_connection *prev, *next;
    uv_pipe_t pipe;
    uv_timer_t patience;
    uv_write_t write;
    struct cg_buf reply;
    unsigned uses;                                               /* two handles, and who works for it */
    const struct cg_control_work_ops *ops;                       /* NULL: nothing is under way that may be ended */
    bool (*put_slice)(struct cg_control_connection *connection); /* of a reply that is made in slices */
    struct cg_control_follower *follower;                        /* control_reports.c */
    struct cg_trial *trial;                                      /* control_check.c */
    struct cg_discovery *discovery;                              /* control_discover.c, as what follows */
    struct cg_found_writer found;
    struct cg_store_job job; /* control_store.c, as what follows */
    struct cg_control_copy numbers, items;
    struct cg_manage_reading reading; /* of the items */
    struct cg_problem problem;        /* of that */
    int err;
    struct cg_known_walk walk; /* control_members.c, as what follows */
    size_t rows;
    struct cg_keeper_wish wish;
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
    int bound;                                 /* by the work: a descriptor; -1: not now */
    struct cg_control_connection *connections; /* utlist */
    unsigned count;
    unsigned copies;       /* their names differ */
    unsigned checks;       /* that run */
    unsigned followers;    /* who read reports */
    unsigned open_handles; /* of its own */
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* control_connection.c */

/* Takes the next that waits at the listener. False: no memory for it, and none is taken before this one. */
bool cg_control_accept(struct cg_control *control) CG_MUST_CHECK;
void cg_control_hang_up(struct cg_control_connection *connection);

/* For commands: either a refusal, or what begin_success gives, more members of it, and `send`. */
void cg_control_refuse(struct cg_control_connection *connection, const char *why);
struct cg_buf *cg_control_begin_success(struct cg_control_connection *connection);
void cg_control_send(struct cg_control_connection *connection);
/* The rest of the reply is made by `put_slice`, a part in each call, so that no turn of the loop is long. False: that
 * was all, and it is sent. */
void cg_control_send_in_slices(struct cg_control_connection *connection,
                               bool (*put_slice)(struct cg_control_connection *connection));
/* It takes longer: the peer waits without limit, and `ops` is told where it does not. */
void cg_control_wait(struct cg_control_connection *connection, const struct cg_control_work_ops *ops);
static inline bool cg_control_is_open(const struct cg_control_connection *connection) {
    return connection->control != NULL;
}
void cg_control_unuse(struct cg_control_connection *connection);

/* Commands, by their names in control_connection.c: each answers, now or later. */
void cg_control_run_claim(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_backup(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_status(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_check(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_check_facts(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_reports(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_reactions(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_discover(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_members(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_forget_members(struct cg_control_connection *connection, const json_t *line);
void cg_control_run_new_admin_token(struct cg_control_connection *connection, const json_t *line);

#endif
