/* What is asked of the running gateway about the members that it knows. The hard thing: there may be many, and no turn
 * of the loop may be long, so the list is made in slices. Of members that a mapping hides from its clients the list
 * says that they are there, and not who: what it says gets around. */
#include "app/control_connection.h"

#include <string.h>

#include "app/keeper.h"
#include "base/container.h"
#include "io/loop.h"
#include "legs/protector.h"
#include "model/mapping.h"

enum { ROWS_A_SLICE = 200 };

static struct cg_gateway *gateway_of(const struct cg_control_connection *connection) {
    return connection->control->source.loop->gateway;
}

/* One that the settings do not have any more may have hidden them. */
static bool is_hidden(const struct cg_gateway *gateway, const char *mapping_name) {
    const struct cg_mapping *mapping = cg_mapping_by_name(cg_gateway_config(gateway), mapping_name);
    return mapping == NULL || mapping->anonymise;
}

/* It has yet to take what is sent with its group's key in use. */
static bool is_cold(const struct cg_gateway *gateway, const struct cg_known_record *record) {
    const struct cg_mapping *mapping = cg_mapping_by_name(cg_gateway_config(gateway), record->mapping);
    const struct cg_slice identity = cg_slice_of(record->identity, record->identity_len);
    return mapping != NULL && cg_protector_is_cold(mapping->protector, identity);
}

static void put_who(struct cg_buf *to, const struct cg_known_record *record) {
    char text[CG_ADDR_TEXT_MAX];
    cg_known_shown(record, text);
    cg_buf_put_str(to, "\"member\":");
    cg_buf_put_json(to, cg_slice_str(text));
    cg_buf_put_u8(to, ',');
    cg_known_put_where(to, record);
    cg_buf_put_u8(to, ',');
}

static void put_row(struct cg_buf *to, const struct cg_gateway *gateway, const struct cg_known *known) {
    struct cg_known_record record;
    const int64_t now_us = (int64_t)cg_loop_now_us();
    cg_known_record(known, &record);
    cg_buf_put_str(to, "{");
    if (!is_hidden(gateway, record.mapping)) put_who(to, &record);
    cg_buf_put_str(to, "\"mapping\":");
    cg_buf_put_json(to, cg_slice_str(record.mapping));
    cg_buf_printf(to, ",\"age_s\":%lld,\"median_ms\":%llu,\"casts\":%u,\"loss\":%.3f,\"out_of_reach\":%s,\"cold\":%s}",
                  (long long)((now_us - record.last_us) / 1000000),
                  (unsigned long long)(cg_known_median_us(known) / 1000), record.casts, (double)record.lost,
                  cg_known_is_out_of_reach(known) ? "true" : "false", is_cold(gateway, &record) ? "true" : "false");
}

/* False: that was the last. */
static bool put_some(struct cg_control_connection *connection) {
    const struct cg_gateway *gateway = gateway_of(connection);
    const struct cg_known *known;
    for (unsigned i = 0; i < ROWS_A_SLICE; i++) {
        if ((known = cg_known_walk_next(&connection->walk)) == NULL) return false;
        if (connection->rows++ > 0) cg_buf_put_u8(&connection->reply, ',');
        put_row(&connection->reply, gateway, known);
    }
    return true;
}

static bool put_slice(struct cg_control_connection *connection) {
    if (put_some(connection)) return true;
    cg_known_walk_end(cg_gateway_knowns(gateway_of(connection)), &connection->walk);
    cg_buf_put_u8(&connection->reply, ']');
    return false;
}

static void on_hurry(struct cg_control_connection *connection) { (void)connection; }

static void on_drop(struct cg_control_connection *connection) {
    cg_known_walk_end(cg_gateway_knowns(gateway_of(connection)), &connection->walk);
}

static const struct cg_control_work_ops list_ops = {.hurry = on_hurry, .drop = on_drop};

void cg_control_run_members(struct cg_control_connection *connection, const json_t *line) {
    (void)line;
    cg_buf_put_str(cg_control_begin_success(connection), ",\"members\":[");
    connection->rows = 0;
    cg_known_walk_begin(cg_gateway_knowns(gateway_of(connection)), &connection->walk);
    cg_control_wait(connection, &list_ops);
    if (cg_control_is_open(connection)) cg_control_send_in_slices(connection, put_slice);
}

/* ---- Forgetting ---- */

static void on_forgotten(struct cg_keeper_wish *wish, int err, const struct cg_problem *problem) {
    struct cg_control_connection *connection = CG_CONTAINER(wish, struct cg_control_connection, wish);
    if (cg_control_is_open(connection) && err == CG_OK) {
        cg_buf_printf(cg_control_begin_success(connection), ",\"forgotten\":%zu", wish->forgotten);
        cg_control_send(connection);
    } else if (cg_control_is_open(connection)) {
        cg_control_refuse(connection, problem->detail);
    }
    cg_control_unuse(connection);
}

/* A name, or all of them. */
void cg_control_run_forget_members(struct cg_control_connection *connection, const json_t *line) {
    const struct cg_control_source *source = &connection->control->source;
    struct cg_keeper *keeper = source->keeper(source->ctx);
    const char *name = json_string_value(json_object_get(line, "name"));
    const bool all = json_is_true(json_object_get(line, "all"));
    const size_t len = name == NULL ? 0 : strlen(name);
    if (keeper == NULL || all == (len > 0) || len >= sizeof connection->wish.name) {
        cg_control_refuse(connection, keeper == NULL ? "the gateway is stopping" : "say a member's name, or all");
        return;
    }
    connection->wish = (struct cg_keeper_wish){.done = on_forgotten};
    if (len > 0) memcpy(connection->wish.name, name, len);
    connection->uses++;
    cg_control_wait(connection, NULL);
    cg_keeper_forget(keeper, &connection->wish);
}
