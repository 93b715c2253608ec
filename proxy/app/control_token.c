/* --new-admin-token beside the running gateway: a change like any other, which needs no admin. */
#include "app/control_connection.h"

#include <stdlib.h>

#include "base/container.h"
#include "io/loop.h"
#include "manage/admin_client.h"

struct token_order {
    struct cg_admin_token token;
    struct cg_control_connection *connection;
};

static void tell(struct cg_control_connection *connection, const struct cg_admin_token *token) {
    if (token->change.err < 0) {
        cg_control_refuse(connection, token->change.problem.detail);
        return;
    }
    struct cg_buf *reply = cg_control_begin_success(connection);
    cg_buf_put_str(reply, ",\"client\":");
    cg_buf_put_json(reply, cg_slice_str(token->client.name));
    cg_buf_put_str(reply, ",\"token\":");
    cg_buf_put_json(reply, cg_slice_str(token->token.text));
    cg_control_send(connection);
}

static void on_done(struct cg_admin_token *token) {
    struct token_order *order = CG_CONTAINER(token, struct token_order, token);
    struct cg_control_connection *connection = order->connection;
    if (cg_control_is_open(connection)) tell(connection, token);
    cg_admin_token_fini(token);
    free(order);
    cg_control_unuse(connection);
}

void cg_control_run_new_admin_token(struct cg_control_connection *connection, const json_t *line) {
    const struct cg_control_source *source = &connection->control->source;
    struct token_order *order = calloc(1, sizeof *order);
    (void)line;
    if (order == NULL) {
        cg_control_refuse(connection, "no memory");
        return;
    }
    cg_admin_token_init(&order->token, source->loop->gateway, "new-admin-token", "new admin token");
    order->token.done = on_done;
    order->connection = connection;
    connection->uses++;
    cg_control_wait(connection, NULL);
    cg_manage_change(source->manage, &order->token.change);
}
