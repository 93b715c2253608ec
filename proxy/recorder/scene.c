/* The hard thing is to leave out whatever decides nothing above legs, and nothing else: who may do what has been
 * decided (the request was admitted), and how anything is sent is legs'. */
#include "recorder/scene.h"

#include "base/text.h"
#include "recorder/put.h"
#include "rounds/round.h"

static void open(struct cg_buf *to, const char *key, char bracket) {
    if (key != NULL) {
        cg_put_key(to, key);
    } else if (to->len > 0 && to->data[to->len - 1] == '}') {
        cg_buf_put_u8(to, ',');
    }
    cg_buf_put_u8(to, (uint8_t)bracket);
}

static void put_slice(struct cg_buf *to, const char *key, struct cg_slice text) {
    cg_put_key(to, key);
    cg_buf_put_json(to, text);
}

/* Few are, and they are not read in a hurry. */
static void put_fraction(struct cg_buf *to, const char *key, double number) {
    cg_put_key(to, key);
    cg_buf_printf(to, "%.9g", number);
}

/* ---- The request ---- */

static void put_options(struct cg_buf *to, const struct cg_opts *options) {
    open(to, "options", '[');
    for (size_t i = 0; i < options->count; i++) {
        open(to, NULL, '{');
        cg_put_number(to, "number", options->list[i].number);
        cg_put_hex(to, "value", options->list[i].value);
        cg_buf_put_u8(to, '}');
    }
    cg_buf_put_u8(to, ']');
}

void cg_scene_put_request(struct cg_buf *to, const struct cg_wish *wish) {
    const struct cg_request *request = wish->request;
    const char *method = cg_method_name(request->method);
    cg_put_text(to, "method", method == NULL ? "" : method);
    put_slice(to, "rest", wish->rest);
    put_slice(to, "query", request->query);
    put_options(to, &request->options);
    cg_put_text(to, "member", wish->member == NULL || wish->is_stranger ? "" : wish->member->name);
    cg_put_addr(to, "at", &wish->at);
    cg_put_number(to, "timeout_us", wish->timeout_us);
    cg_put_number(to, "no_response", request->no_response);
    cg_put_bool(to, "observes", request->observes);
    cg_put_bool(to, "by_time", request->finishing == CG_FINISH_BY_TIME);
    cg_put_bool(to, "strict", request->is_strict);
}

/* ---- The mapping ---- */

static void put_next_hop(struct cg_buf *to, const struct cg_target *target) {
    const struct cg_addr addr = cg_next_hop_addr(&target->next_hop);
    cg_put_addr(to, "next_hop", &addr);
    cg_put_number(to, "round_trip", target->next_hop.round_trip_s);
    cg_put_bool(to, "proxies", target->group_uri != NULL);
}

static void put_target(struct cg_buf *to, const struct cg_target *target) {
    const struct cg_addr group = cg_target_is_hop(target) ? target->group : cg_target_group(target);
    open(to, NULL, '{');
    cg_put_addr(to, "group", &group);
    if (cg_target_is_hop(target)) put_next_hop(to, target);
    put_slice(to, "host", target->host);
    put_slice(to, "path", target->path);
    put_slice(to, "query", target->query);
    cg_put_text(to, "interface", target->interface == NULL ? "" : target->interface);
    cg_put_number(to, "hops", target->hops);
    cg_buf_put_u8(to, '}');
}

static void put_targets(struct cg_buf *to, const struct cg_mapping *mapping) {
    open(to, "targets", '[');
    for (size_t i = 0; i < mapping->target_count; i++) put_target(to, &mapping->targets[i]);
    cg_buf_put_u8(to, ']');
}

static void put_finish(struct cg_buf *to, const struct cg_finish *finish) {
    static const char *const names[] = {"deadline", "all", "quorum", "count"};
    cg_put_text(to, "finish", names[finish->rule]);
    if (finish->rule == CG_FINISH_QUORUM) put_fraction(to, "quorum", finish->quorum);
    if (finish->rule == CG_FINISH_COUNT) cg_put_number(to, "count", finish->count);
}

static void put_times(struct cg_buf *to, const struct cg_known_record *record) {
    open(to, "times", '[');
    for (unsigned i = 0, last = CG_KNOWN_TIMES; i < CG_KNOWN_TIMES; i++) {
        if (record->times[i] == 0) continue;
        if (last != CG_KNOWN_TIMES) cg_buf_put_u8(to, ',');
        cg_buf_put_u8(to, '[');
        cg_buf_put_decimal(to, i);
        cg_buf_put_u8(to, ',');
        cg_buf_put_decimal(to, record->times[i]);
        cg_buf_put_u8(to, ']');
        last = i;
    }
    cg_buf_put_u8(to, ']');
}

static void put_known(struct cg_buf *to, const struct cg_known *known, uint64_t now_us) {
    struct cg_known_record record;
    cg_known_record(known, &record);
    open(to, "known", '{');
    cg_put_addr(to, "addr", &record.addr);
    cg_put_addr(to, "at", &record.addrs[0]);
    cg_put_time(to, "last_us", record.last_us - (int64_t)now_us);
    put_times(to, &record);
    put_fraction(to, "lost", (double)record.lost);
    cg_put_number(to, "casts", record.casts);
    cg_put_number(to, "missed", record.missed);
    cg_buf_put_u8(to, '}');
}

/* What its protector says of it now. */
static void put_standing(struct cg_buf *to, const struct cg_mapping *mapping, const struct cg_member *member) {
    static const char *const names[] = {"none", "member", "proven"};
    struct cg_protector *protector = mapping->protector;
    const struct cg_protector_ops *ops = protector->ops;
    struct cg_addr at;
    if (member->identity.len == 0) return;
    cg_put_hex(to, "identity", member->identity);
    if (ops->find != NULL && ops->find(protector, member->identity, &at)) cg_put_addr(to, "found", &at);
    if (cg_protector_is_cold(protector, member->identity)) cg_put_bool(to, "cold", true);
    if (ops->standing != NULL) cg_put_text(to, "standing", names[ops->standing(protector, member->identity)]);
}

/* Asked lately why it was silent, it is not asked again, and what came of that counts. */
static void put_probe(struct cg_buf *to, const struct cg_engine *engine, const struct cg_mapping *mapping,
                      const struct cg_member *member) {
    const void *keys = mapping->protector;
    struct cg_addr at;
    if (engine->signs.by_addr == NULL || !cg_protector_find(mapping->protector, member, &at)) return;
    at = cg_port_addr(engine->port, mapping->targets[0].interface, &at);
    if (!cg_signs_was_probed(engine, &at, keys, CG_PROBE_REST_US)) return;
    cg_put_addr(to, "probed_at", &at);
    cg_put_number(to, "probed", cg_signs_of_probe(engine, &at, keys, CG_PROBE_REST_US));
}

static void put_member(struct cg_buf *to, const struct cg_engine *engine, const struct cg_mapping *mapping,
                       const struct cg_member *member, const struct cg_knowns *knowns) {
    const struct cg_known *known = knowns == NULL ? NULL : cg_known_find(knowns, mapping, member);
    open(to, NULL, '{');
    cg_put_text(to, "name", member->name);
    cg_put_addr(to, "address", &member->addr);
    if (member->is_unicast_only) cg_put_bool(to, "unicast_only", true);
    put_standing(to, mapping, member);
    put_probe(to, engine, mapping, member);
    if (known != NULL) put_known(to, known, cg_engine_now(engine));
    cg_buf_put_u8(to, '}');
}

static void put_members(struct cg_buf *to, const struct cg_engine *engine, const struct cg_mapping *mapping,
                        const struct cg_knowns *knowns) {
    open(to, "members", '[');
    for (size_t i = 0; i < mapping->member_count; i++) put_member(to, engine, mapping, &mapping->members[i], knowns);
    cg_buf_put_u8(to, ']');
}

static void put_mapping(struct cg_buf *to, const struct cg_engine *engine, const struct cg_mapping *mapping,
                        const struct cg_knowns *knowns) {
    static const char *const securities[] = {"none", "relay", "group"};
    open(to, "mapping", '{');
    cg_put_text(to, "name", mapping->name);
    cg_put_text(to, "security", securities[mapping->security]);
    cg_put_number(to, "leisure_us", cg_mapping_leisure_us(mapping));
    put_finish(to, &mapping->finish);
    cg_put_bool(to, "complete", mapping->complete);
    cg_put_bool(to, "repair_unicast", mapping->repair_unicast);
    cg_put_bool(to, "repair_probe", mapping->repair_probe);
    cg_put_bool(to, "repair_large_requests", mapping->repair_large_requests);
    cg_put_number(to, "block_size", mapping->block_size);
    cg_put_number(to, "max_answers", mapping->max_answers);
    put_targets(to, mapping);
    put_members(to, engine, mapping, knowns);
    cg_buf_put_u8(to, '}');
}

static void put_limits(struct cg_buf *to, const struct cg_limits *limits) {
    open(to, "limits", '{');
    cg_put_number(to, "exchange_memory", limits->exchange_memory);
    cg_put_number(to, "total_memory", limits->total_memory);
    cg_put_number(to, "answer", limits->answer);
    cg_put_number(to, "stream_queue", limits->stream_queue);
    cg_buf_put_u8(to, '}');
}

static void put_numbers(struct cg_buf *to, const struct cg_option_numbers *numbers) {
    open(to, "options", '{');
    cg_put_number(to, "multicast_timeout", numbers->multicast_timeout);
    cg_put_number(to, "reply_from", numbers->reply_from);
    cg_put_number(to, "group_etag", numbers->group_etag);
    cg_put_number(to, "uri_path_abbrev", numbers->uri_path_abbrev);
    cg_put_number(to, "proxy_cri", numbers->proxy_cri);
    cg_put_number(to, "proxy_scheme_number", numbers->proxy_scheme_number);
    cg_buf_put_u8(to, '}');
}

bool cg_scene_put(struct cg_buf *to, const struct cg_engine *engine, const struct cg_leg *leg,
                  const struct cg_knowns *knowns) {
    if (leg->mapping->member_count > CG_SCENE_MEMBERS_MAX) return false;
    open(to, NULL, '{');
    put_limits(to, &leg->config->limits);
    put_numbers(to, &leg->config->options);
    put_mapping(to, engine, leg->mapping, knowns);
    cg_buf_put_u8(to, '}');
    return true;
}
