/* --check beside the running gateway: one request of the check's, sent by the gateway that is asked about, under its
 * own keys and from its own port. What else a check looks at it looks at itself. */
#include "app/control_connection.h"

#include "app/check/trial.h"
#include "exchange/gateway.h"
#include "model/mapping.h"

enum { CHECKS = 4 /* at once */ };

static struct cg_loop *loop_of(const struct cg_control_connection *connection) {
    return connection->control->source.loop;
}

static const struct cg_mapping *mapping_of(const struct cg_control_connection *connection, const json_t *line) {
    const char *name = json_string_value(json_object_get(line, "mapping"));
    return name == NULL ? NULL : cg_mapping_by_name(cg_gateway_config(loop_of(connection)->gateway), name);
}

static void put_groups(struct cg_buf *to, const struct cg_check_facts *facts, size_t count) {
    cg_buf_put_str(to, ",\"groups\":[");
    for (size_t i = 0; i < count && i < CG_CHECK_SENT_MAX; i++) {
        char text[CG_ADDR_TEXT_MAX] = "";
        if (facts->groups[i].family != CG_FAMILY_NONE) cg_addr_emit(&facts->groups[i], text);
        cg_buf_printf(to, "%s\"%s\"", i > 0 ? "," : "", text);
    }
    cg_buf_put_str(to, "],\"why\":");
    cg_buf_put_json(to, cg_slice_str(facts->why));
}

void cg_control_run_check_facts(struct cg_control_connection *connection, const json_t *line) {
    const struct cg_mapping *mapping = mapping_of(connection, line);
    struct cg_check_facts facts;
    cg_check_facts(loop_of(connection), mapping, &facts);
    struct cg_buf *reply = cg_control_begin_success(connection);
    cg_buf_printf(reply, ",\"port_v4\":%u,\"port_v6\":%u,\"buffer_v4\":%u,\"buffer_v6\":%u,\"malformed\":%u",
                  facts.port_v4, facts.port_v6, facts.buffer_v4, facts.buffer_v6, facts.malformed);
    cg_buf_printf(reply, ",\"known\":%s,\"digest\":%u", mapping == NULL ? "false" : "true",
                  mapping == NULL ? 0 : cg_check_digest(mapping));
    put_groups(reply, &facts, mapping == NULL ? 0 : mapping->target_count);
    cg_control_send(connection);
}

static void on_hurry(struct cg_control_connection *connection) { cg_trial_hurry(connection->trial); }

static void on_drop(struct cg_control_connection *connection) {
    connection->control->checks--;
    cg_trial_drop(connection->trial);
    cg_control_unuse(connection);
}

static const struct cg_control_work_ops check_ops = {.hurry = on_hurry, .drop = on_drop};

static void on_done(void *ctx, struct cg_check_result *result) {
    struct cg_control_connection *connection = ctx;
    connection->control->checks--;
    cg_check_result_emit(cg_control_begin_success(connection), result);
    cg_control_send(connection);
    cg_control_unuse(connection);
}

static struct cg_slice get_slice(const json_t *line, const char *key) {
    const json_t *text = json_object_get(line, key);
    return cg_slice_of(json_string_value(text), json_string_length(text));
}

static const struct cg_member *find_member(const struct cg_mapping *mapping, const char *name) {
    const struct cg_member *member = cg_mapping_member(mapping, cg_slice_str(name));
    return member == NULL || member->addr.family == CG_FAMILY_NONE ? NULL : member;
}

/* NULL, or why not. */
static const char *read_order(const struct cg_control_connection *connection, const json_t *line,
                              struct cg_check_order *order) {
    const char *only = json_string_value(json_object_get(line, "only"));
    *order = (struct cg_check_order){.mapping = mapping_of(connection, line),
                                     .rest = get_slice(line, "rest"),
                                     .query = get_slice(line, "query"),
                                     .core = json_is_true(json_object_get(line, "core"))};
    if (order->mapping == NULL) return "no such mapping";
    if (order->mapping->security == CG_SECURITY_RELAY) return "it relays what its clients have protected";
    if (order->rest.len > 0 && order->rest.data[0] != '/') return "\"rest\" begins with a slash";
    if (only == NULL) return NULL;
    order->only = find_member(order->mapping, only);
    return order->only == NULL ? "no such member with an address" : NULL;
}

void cg_control_run_check(struct cg_control_connection *connection, const json_t *line) {
    struct cg_check_order order;
    struct cg_problem problem = {0};
    const char *why = connection->control->checks >= CHECKS ? "other checks are running, 4 at most: ask later"
                                                            : read_order(connection, line, &order);
    if (why != NULL) {
        cg_control_refuse(connection, why);
        return;
    }
    connection->trial = cg_trial_begin(loop_of(connection), &order, on_done, connection, &problem);
    if (connection->trial == NULL) {
        cg_control_refuse(connection, problem.detail);
        return;
    }
    connection->control->checks++;
    connection->uses++;
    cg_control_wait(connection, &check_ops);
}
