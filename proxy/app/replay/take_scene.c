/* The settings that a transcript began with. The hard thing: whatever the core takes for granted of its settings has to
 * be looked at here, since the file may be anybody's. */
#include <stdio.h>
#include <string.h>

#include "app/replay/take.h"
#include "model/mapping.h"
#include "model/stand_in.h"
#include "recorder/scene.h"
#include "settings/reader.h"

enum {
    TARGETS_MAX = 64,
    MEMORY_MAX = 256 << 20,
};

/* A name that stands for no group at the moment, as it did then. */
static void read_group(struct cg_taking *reading, const json_t *json, struct cg_target *target) {
    target->group = cg_take_addr(reading, json, "group");
    if (target->group.family != CG_FAMILY_NONE) {
        if (!cg_addr_is_multicast(&target->group)) cg_take_refuse(reading, "\"group\" is no group");
        return;
    }
    struct cg_resolved *resolved = cg_take_zalloc(reading, 1, sizeof *resolved);
    if (resolved == NULL) return;
    snprintf(resolved->why, sizeof resolved->why, "it was none");
    target->host = cg_take_keep(reading, cg_take_text(json, "host")[0] == 0 ? "nowhere" : cg_take_text(json, "host"));
    target->resolved = resolved;
}

static void read_next_hop(struct cg_taking *reading, const json_t *json, struct cg_target *target) {
    target->group = cg_take_addr(reading, json, "group");
    target->host = cg_take_keep(reading, cg_take_text(json, "host"));
    target->next_hop = (struct cg_next_hop){.uri = "coap://recorded/", .addr = cg_take_addr(reading, json, "next_hop")};
    if (cg_addr_is_unspecified(&target->next_hop.addr)) cg_take_refuse(reading, "\"next_hop\" is nobody's address");
    target->next_hop.round_trip_s = (uint32_t)cg_take_number(reading, json, "round_trip", 1, UINT32_MAX);
    if (cg_take_flag(json, "proxies")) target->group_uri = "coap://recorded/";
}

static void read_target(struct cg_taking *reading, const json_t *json, struct cg_target *target) {
    if (json_object_get(json, "next_hop") != NULL) {
        read_next_hop(reading, json, target);
    } else {
        read_group(reading, json, target);
    }
    target->uri = "coap://recorded/";
    target->path = cg_take_path(reading, json, "path");
    target->query = cg_take_keep(reading, cg_take_text(json, "query"));
    target->interface = cg_take_keep_name(reading, cg_take_text(json, "interface"));
    target->hops = (uint8_t)cg_take_number(reading, json, "hops", 1, 255);
}

static void read_targets(struct cg_taking *reading, const json_t *json, struct cg_mapping *mapping) {
    const json_t *targets = cg_take_list(reading, json, "targets", TARGETS_MAX);
    mapping->target_count = cg_take_count(reading, targets);
    if (mapping->target_count == 0) cg_take_refuse(reading, "\"targets\" is empty");
    mapping->targets = cg_take_zalloc(reading, mapping->target_count, sizeof *mapping->targets);
    for (size_t i = 0; i < mapping->target_count && reading->err == CG_OK; i++)
        read_target(reading, json_array_get(targets, i), &mapping->targets[i]);
}

static void read_finish(struct cg_taking *reading, const json_t *json, struct cg_mapping *mapping) {
    static const char *const words[] = {"deadline", "all", "quorum", "count"};
    struct cg_finish *finish = &mapping->finish;
    finish->rule = (enum cg_finish_rule)cg_take_choice(reading, json, "finish", words, 4);
    if (finish->rule == CG_FINISH_QUORUM) finish->quorum = cg_take_fraction(reading, json, "quorum");
    if (finish->rule == CG_FINISH_COUNT)
        finish->count = (uint32_t)cg_take_number(reading, json, "count", 1, UINT32_MAX);
    mapping->complete = cg_take_flag(json, "complete");
    if (finish->rule == CG_FINISH_ALL && !mapping->complete) cg_take_refuse(reading, "\"finish\" needs \"complete\"");
    if (finish->rule == CG_FINISH_QUORUM && finish->quorum == 0) cg_take_refuse(reading, "\"quorum\" is 0");
}

static void read_times(struct cg_taking *reading, const json_t *json, struct cg_known_record *record) {
    const json_t *times = cg_take_list(reading, json, "times", CG_KNOWN_TIMES);
    int64_t sum = 0;
    for (size_t i = 0; i < cg_take_count(reading, times); i++) {
        const json_t *pair = json_array_get(times, i);
        const json_int_t bucket = json_integer_value(json_array_get(pair, 0));
        const json_int_t value = json_integer_value(json_array_get(pair, 1));
        if (bucket < 0 || bucket >= (json_int_t)CG_KNOWN_TIMES || value < 0 || (sum += value) > CG_KNOWN_TIME_SUM_MAX) {
            cg_take_refuse(reading, "\"times\" are none");
            return;
        }
        record->times[bucket] = (uint16_t)value;
    }
}

/* Its last answer is told in the gateway's time by whoever restores it. */
static void read_known(struct cg_taking *reading, const json_t *json, const struct cg_member *member) {
    struct cg_replay_script *script = reading->script;
    if (json == NULL) return;
    struct cg_known_record *record = &script->knowns[script->known_count++];
    if (member->identity.len > 0) memcpy(record->identity, member->identity.data, member->identity.len);
    record->identity_len = (uint8_t)member->identity.len;
    if (record->identity_len == 0) record->addr = cg_take_addr(reading, json, "addr");
    record->addrs[0] = cg_take_addr(reading, json, "at");
    record->addr_count = 1;
    snprintf(record->mapping, sizeof record->mapping, "%s", script->mapping->name);
    record->last_us = cg_take_number(reading, json, "last_us", -CG_REPLAY_LATEST_US, 0);
    read_times(reading, json, record);
    record->lost = (float)cg_take_fraction(reading, json, "lost");
    record->casts = (uint8_t)cg_take_number(reading, json, "casts", 0, UINT8_MAX);
    record->missed = (uint8_t)cg_take_number(reading, json, "missed", 0, UINT8_MAX);
}

static void read_standing(struct cg_taking *reading, const json_t *json, struct cg_mute_member *member) {
    static const char *const words[] = {"none", "member", "proven"};
    *member = (struct cg_mute_member){.found = cg_take_addr(reading, json, "found"),
                                      .standing = CG_STANDING_MEMBER,
                                      .is_cold = cg_take_flag(json, "cold")};
    if (json_object_get(json, "standing") != NULL)
        member->standing = (enum cg_standing)cg_take_choice(reading, json, "standing", words, 3);
}

static void read_member(struct cg_taking *reading, const json_t *json, size_t index) {
    struct cg_member *member = &reading->script->mapping->members[index];
    member->name = cg_take_keep_name(reading, cg_take_text(json, "name"));
    member->addr = cg_take_addr(reading, json, "address");
    member->identity = cg_take_bytes(reading, json, "identity", CG_KNOWN_IDENTITY_MAX);
    member->number = (uint32_t)index;
    member->is_unicast_only = cg_take_flag(json, "unicast_only") && member->addr.family != CG_FAMILY_NONE;
    if (member->name == NULL) cg_take_refuse(reading, "a member has no name");
    if (reading->err < 0) return;
    read_standing(reading, json, &reading->script->standings[index]);
    reading->script->probes[index] = (struct cg_replay_probe){
        .at = cg_take_addr(reading, json, "probed_at"),
        .signs = (uint32_t)cg_take_number(reading, json, "probed", 0, (1 << CG_SIGN_KINDS) - 1)};
    read_known(reading, json_object_get(json, "known"), member);
}

static bool is_same(const struct cg_member *one, const struct cg_member *other) {
    bool has_addr = one->addr.family != CG_FAMILY_NONE, has_identity = one->identity.len > 0;
    return strcmp(one->name, other->name) == 0 || (has_addr && cg_addr_equal(&one->addr, &other->addr)) ||
           (has_identity && cg_slice_equal(one->identity, other->identity));
}

static void check_members(struct cg_taking *reading, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->member_count && reading->err == CG_OK; i++) {
        for (size_t j = 0; j < i; j++)
            if (is_same(&mapping->members[i], &mapping->members[j])) cg_take_refuse(reading, "a member is there twice");
    }
}

static void read_members(struct cg_taking *reading, const json_t *json, struct cg_mapping *mapping) {
    struct cg_replay_script *script = reading->script;
    const json_t *members = cg_take_list(reading, json, "members", CG_SCENE_MEMBERS_MAX);
    const size_t most = cg_take_count(reading, members);
    mapping->members = cg_take_zalloc(reading, most, sizeof *mapping->members);
    script->standings = cg_take_zalloc(reading, most, sizeof *script->standings);
    script->probes = cg_take_zalloc(reading, most, sizeof *script->probes);
    script->knowns = cg_take_zalloc(reading, most, sizeof *script->knowns);
    for (size_t i = 0; i < most && reading->err == CG_OK; i++) read_member(reading, json_array_get(members, i), i);
    mapping->member_count = reading->err == CG_OK ? most : 0;
    check_members(reading, mapping);
}

/* Anonymous, since it was let in: whatever it may. */
static void read_mapping(struct cg_taking *reading, const json_t *json, struct cg_mapping *mapping) {
    static const char *const securities[] = {"none", "relay", "group"};
    mapping->name = cg_take_keep_name(reading, cg_take_text(json, "name"));
    if (mapping->name == NULL || !cg_name_is_valid(mapping->name)) cg_take_refuse(reading, "the mapping has no name");
    if (reading->err < 0) return;
    mapping->path = CG_REPLAY_PATH;
    mapping->security = (enum cg_security)cg_take_choice(reading, json, "security", securities, 3);
    mapping->methods = CG_METHODS_ALL;
    mapping->unsafe_methods = mapping->has_timeout = mapping->enabled = true;
    mapping->stand_in = CG_STAND_IN_MEMBERS;
    mapping->leisure = (double)cg_take_number(reading, json, "leisure_us", 0, CG_REPLAY_DAY_US) / 1e6;
    mapping->max_timeout_us = (uint64_t)CG_REPLAY_LATEST_US;
    read_finish(reading, json, mapping);
    mapping->repair_unicast = cg_take_flag(json, "repair_unicast");
    mapping->repair_probe = cg_take_flag(json, "repair_probe");
    mapping->repair_large_requests = cg_take_flag(json, "repair_large_requests");
    mapping->block_size = (uint16_t)cg_take_number(reading, json, "block_size", 0, 1024);
    mapping->max_answers = (uint32_t)cg_take_number(reading, json, "max_answers", 0, UINT32_MAX);
    read_targets(reading, json, mapping);
    read_members(reading, json, mapping);
    if ((mapping->block_size & (mapping->block_size - 1)) != 0 || (mapping->block_size > 0 && mapping->block_size < 16))
        cg_take_refuse(reading, "\"block_size\" is none");
    if (mapping->complete && mapping->member_count == 0) cg_take_refuse(reading, "\"complete\" needs members");
}

static void read_limits(struct cg_taking *reading, const json_t *json, struct cg_limits *limits) {
    limits->exchange_memory = (size_t)cg_take_number(reading, json, "exchange_memory", 1024, INT64_MAX);
    limits->total_memory = (size_t)cg_take_number(reading, json, "total_memory", 1024, INT64_MAX);
    limits->answer = (size_t)cg_take_number(reading, json, "answer", 64, INT64_MAX);
    limits->stream_queue = (size_t)cg_take_number(reading, json, "stream_queue", 0, INT64_MAX);
    if (limits->exchange_memory > MEMORY_MAX) limits->exchange_memory = MEMORY_MAX;
    if (limits->total_memory > MEMORY_MAX) limits->total_memory = MEMORY_MAX;
    if (limits->answer > MEMORY_MAX) limits->answer = MEMORY_MAX;
}

static void read_numbers(struct cg_taking *reading, const json_t *json, struct cg_option_numbers *numbers) {
    numbers->multicast_timeout = (uint16_t)cg_take_number(reading, json, "multicast_timeout", 0, UINT16_MAX);
    numbers->reply_from = (uint16_t)cg_take_number(reading, json, "reply_from", 0, UINT16_MAX);
    numbers->group_etag = (uint16_t)cg_take_number(reading, json, "group_etag", 0, UINT16_MAX);
    numbers->uri_path_abbrev = (uint16_t)cg_take_number(reading, json, "uri_path_abbrev", 0, UINT16_MAX);
    numbers->proxy_cri = (uint16_t)cg_take_number(reading, json, "proxy_cri", 0, UINT16_MAX);
    numbers->proxy_scheme_number = (uint16_t)cg_take_number(reading, json, "proxy_scheme_number", 0, UINT16_MAX);
}

void cg_take_scene(struct cg_taking *reading, const json_t *json) {
    struct cg_config *config = reading->script->config;
    config->mappings = reading->script->mapping = cg_take_zalloc(reading, 1, sizeof *config->mappings);
    if (config->mappings == NULL) return;
    read_limits(reading, json_object_get(json, "limits"), &config->limits);
    read_numbers(reading, json_object_get(json, "options"), &config->options);
    read_mapping(reading, json_object_get(json, "mapping"), config->mappings);
    config->mapping_count = 1;
}
