/* The hard thing: whatever the core takes for granted of its settings, of protectors and of legs has to be looked at
 * here, since it comes from a file. What is missing is as if it were 0, no or empty, unless that means nothing. */
#include "app/replay/read.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "legs/ask.h"
#include "model/mapping.h"
#include "model/stand_in.h"
#include "recorder/scene.h"
#include "recorder/transcript_json.h"
#include "settings/reader.h"
#include "settings/settings.h"

enum {
    TARGETS_MAX = 64,
    OPTIONS_MAX = 256,
    LEGS_MAX = 1 << 20,
    MEMORY_MAX = 256 << 20,
    PAYLOAD_MAX = 65535,
    BODY_MAX = 16 << 20,
    EARLIEST_S = 600, /* before the request: as long as signs are remembered, and more */
};
#define DAY_US     (INT64_C(86400) * 1000000)
#define LATEST_US  (400 * DAY_US)
#define PATH       "/r" /* the mapping's: nobody knows it by another */
#define NUMBER_MAX INT64_MAX

struct reading {
    struct cg_replay_script *script;
    struct cg_arena *arena;
    char *wrong;
    int err;
};

/* Only the first is told. */
static void CG_PRINTF(2, 3) refuse(struct reading *reading, const char *format, ...) {
    va_list arguments;
    if (reading->err < 0) return;
    reading->err = CG_E_FORMAT;
    va_start(arguments, format);
    vsnprintf(reading->wrong, 160, format, arguments);
    va_end(arguments);
}

static void lack_memory(struct reading *reading) {
    if (reading->err == CG_OK) reading->err = CG_E_NO_MEMORY;
}

/* ---- Values ---- */

static int64_t number(struct reading *reading, const json_t *of, const char *key, int64_t least, int64_t most) {
    const json_t *json = json_object_get(of, key);
    const int64_t value = json_is_integer(json) ? json_integer_value(json) : 0;
    if ((json == NULL || json_is_integer(json)) && value >= least && value <= most) return value;
    refuse(reading, "\"%s\" is no number from %lld to %lld", key, (long long)least, (long long)most);
    return least;
}

static double fraction(struct reading *reading, const json_t *of, const char *key) {
    const double value = json_number_value(json_object_get(of, key));
    if (value >= 0 && value <= 1) return value;
    refuse(reading, "\"%s\" is not between 0 and 1", key);
    return 0;
}

static bool flag(const json_t *of, const char *key) { return json_is_true(json_object_get(of, key)); }

/* Never NULL; valid as long as the document. */
static const char *text(const json_t *of, const char *key) {
    const char *value = json_string_value(json_object_get(of, key));
    return value == NULL ? "" : value;
}

static const json_t *list(struct reading *reading, const json_t *of, const char *key, size_t most) {
    const json_t *json = json_object_get(of, key);
    if (!json_is_array(json) || json_array_size(json) > most) refuse(reading, "\"%s\" is no list, or too long", key);
    return json_is_array(json) ? json : NULL;
}

static size_t count(const struct reading *reading, const json_t *of) {
    return reading->err < 0 || of == NULL ? 0 : json_array_size(of);
}

static void *zalloc(struct reading *reading, size_t items, size_t size) {
    void *memory = cg_arena_zalloc(reading->arena, (items == 0 ? 1 : items) * size);
    if (memory == NULL) lack_memory(reading);
    return memory;
}

static struct cg_slice bytes(struct reading *reading, const json_t *of, const char *key, size_t most) {
    const struct cg_slice hex = cg_slice_str(text(of, key));
    size_t len = 0;
    if (hex.len == 0) return CG_SLICE_NONE;
    uint8_t *data = hex.len / 2 > most ? NULL : zalloc(reading, 1, hex.len / 2 + 1);
    if (data == NULL || cg_hex_parse(hex, data, hex.len / 2, &len) < 0)
        refuse(reading, "\"%s\" is not in hexadecimal digits, or too long", key);
    return cg_slice_of(data, len);
}

static struct cg_addr addr(struct reading *reading, const json_t *of, const char *key) {
    struct cg_addr at = {0};
    const struct cg_slice value = cg_slice_str(text(of, key));
    if (value.len > 0 && cg_addr_parse(&at, value, CG_COAP_PORT) < 0) refuse(reading, "\"%s\" is no address", key);
    return at;
}

static int word_of(struct reading *reading, const json_t *of, const char *key, const char *const *words, size_t most) {
    const char *value = text(of, key);
    for (size_t i = 0; i < most; i++)
        if (strcmp(words[i], value) == 0) return (int)i;
    refuse(reading, "\"%s\" is none of the words that it may be", key);
    return 0;
}

/* As settings have paths. */
static struct cg_slice path(struct reading *reading, const json_t *of, const char *key) {
    struct cg_buf normal;
    cg_buf_init(&normal, CG_MAPPING_PATH_MAX);
    if (cg_mapping_normal_path(&normal, cg_slice_str(text(of, key))) < 0) refuse(reading, "\"%s\" is no path", key);
    const struct cg_slice kept = cg_arena_copy(reading->arena, cg_buf_slice(&normal));
    cg_buf_fini(&normal);
    return kept;
}

static struct cg_slice keep(struct reading *reading, const char *value) {
    const struct cg_slice kept = cg_arena_copy(reading->arena, cg_slice_of(value, strlen(value) + 1));
    if (kept.data == NULL) lack_memory(reading);
    return cg_slice_of(kept.data, kept.data == NULL ? 0 : kept.len - 1);
}

/* NULL: empty. */
static const char *keep_name(struct reading *reading, const char *value) {
    return value[0] == 0 ? NULL : (const char *)keep(reading, value).data;
}

/* ---- The scene ---- */

/* A name that stands for no group at the moment, as it did then. */
static void read_group(struct reading *reading, const json_t *json, struct cg_target *target) {
    target->group = addr(reading, json, "group");
    if (target->group.family != CG_FAMILY_NONE) {
        if (!cg_addr_is_multicast(&target->group)) refuse(reading, "\"group\" is no group");
        return;
    }
    struct cg_resolved *resolved = zalloc(reading, 1, sizeof *resolved);
    if (resolved == NULL) return;
    snprintf(resolved->why, sizeof resolved->why, "it was none");
    target->host = keep(reading, text(json, "host")[0] == 0 ? "nowhere" : text(json, "host"));
    target->resolved = resolved;
}

static void read_target(struct reading *reading, const json_t *json, struct cg_target *target) {
    read_group(reading, json, target);
    target->uri = "coap://recorded/";
    target->path = path(reading, json, "path");
    target->query = keep(reading, text(json, "query"));
    target->interface = keep_name(reading, text(json, "interface"));
    target->hops = (uint8_t)number(reading, json, "hops", 1, 255);
}

static void read_targets(struct reading *reading, const json_t *json, struct cg_mapping *mapping) {
    const json_t *targets = list(reading, json, "targets", TARGETS_MAX);
    mapping->target_count = count(reading, targets);
    if (mapping->target_count == 0) refuse(reading, "\"targets\" is empty");
    mapping->targets = zalloc(reading, mapping->target_count, sizeof *mapping->targets);
    for (size_t i = 0; i < mapping->target_count && reading->err == CG_OK; i++)
        read_target(reading, json_array_get(targets, i), &mapping->targets[i]);
}

static void read_finish(struct reading *reading, const json_t *json, struct cg_mapping *mapping) {
    static const char *const words[] = {"deadline", "all", "quorum", "count"};
    struct cg_finish *finish = &mapping->finish;
    finish->rule = (enum cg_finish_rule)word_of(reading, json, "finish", words, 4);
    if (finish->rule == CG_FINISH_QUORUM) finish->quorum = fraction(reading, json, "quorum");
    if (finish->rule == CG_FINISH_COUNT) finish->count = (uint32_t)number(reading, json, "count", 1, UINT32_MAX);
    mapping->complete = flag(json, "complete");
    if (finish->rule == CG_FINISH_ALL && !mapping->complete) refuse(reading, "\"finish\" needs \"complete\"");
    if (finish->rule == CG_FINISH_QUORUM && finish->quorum == 0) refuse(reading, "\"quorum\" is 0");
}

static void read_times(struct reading *reading, const json_t *json, struct cg_known_record *record) {
    const json_t *times = list(reading, json, "times", CG_KNOWN_TIMES);
    int64_t sum = 0;
    for (size_t i = 0; i < count(reading, times); i++) {
        const json_t *pair = json_array_get(times, i);
        const json_int_t bucket = json_integer_value(json_array_get(pair, 0));
        const json_int_t value = json_integer_value(json_array_get(pair, 1));
        if (bucket < 0 || bucket >= (json_int_t)CG_KNOWN_TIMES || value < 0 || (sum += value) > CG_KNOWN_TIME_SUM_MAX) {
            refuse(reading, "\"times\" are none");
            return;
        }
        record->times[bucket] = (uint16_t)value;
    }
}

/* Its last answer is told in the gateway's time by whoever restores it. */
static void read_known(struct reading *reading, const json_t *json, const struct cg_member *member) {
    struct cg_replay_script *script = reading->script;
    if (json == NULL) return;
    struct cg_known_record *record = &script->knowns[script->known_count++];
    if (member->identity.len > 0) memcpy(record->identity, member->identity.data, member->identity.len);
    record->identity_len = (uint8_t)member->identity.len;
    if (record->identity_len == 0) record->addr = addr(reading, json, "addr");
    record->addrs[0] = addr(reading, json, "at");
    record->addr_count = 1;
    snprintf(record->mapping, sizeof record->mapping, "%s", script->mapping->name);
    record->last_us = number(reading, json, "last_us", -LATEST_US, 0);
    read_times(reading, json, record);
    record->lost = (float)fraction(reading, json, "lost");
    record->casts = (uint8_t)number(reading, json, "casts", 0, UINT8_MAX);
    record->missed = (uint8_t)number(reading, json, "missed", 0, UINT8_MAX);
}

static void read_standing(struct reading *reading, const json_t *json, struct cg_mute_member *member) {
    static const char *const words[] = {"none", "member", "proven"};
    *member = (struct cg_mute_member){
        .found = addr(reading, json, "found"), .standing = CG_STANDING_MEMBER, .is_cold = flag(json, "cold")};
    if (json_object_get(json, "standing") != NULL)
        member->standing = (enum cg_standing)word_of(reading, json, "standing", words, 3);
}

static void read_member(struct reading *reading, const json_t *json, size_t index) {
    struct cg_member *member = &reading->script->mapping->members[index];
    member->name = keep_name(reading, text(json, "name"));
    member->addr = addr(reading, json, "address");
    member->identity = bytes(reading, json, "identity", CG_KNOWN_IDENTITY_MAX);
    member->number = (uint32_t)index;
    member->is_unicast_only = flag(json, "unicast_only") && member->addr.family != CG_FAMILY_NONE;
    if (member->name == NULL) refuse(reading, "a member has no name");
    if (reading->err < 0) return;
    read_standing(reading, json, &reading->script->standings[index]);
    reading->script->probes[index] =
        (struct cg_replay_probe){.at = addr(reading, json, "probed_at"),
                                 .signs = (uint32_t)number(reading, json, "probed", 0, (1 << CG_SIGN_KINDS) - 1)};
    read_known(reading, json_object_get(json, "known"), member);
}

static bool is_same(const struct cg_member *one, const struct cg_member *other) {
    bool has_addr = one->addr.family != CG_FAMILY_NONE, has_identity = one->identity.len > 0;
    return strcmp(one->name, other->name) == 0 || (has_addr && cg_addr_equal(&one->addr, &other->addr)) ||
           (has_identity && cg_slice_equal(one->identity, other->identity));
}

static void check_members(struct reading *reading, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->member_count && reading->err == CG_OK; i++) {
        for (size_t j = 0; j < i; j++)
            if (is_same(&mapping->members[i], &mapping->members[j])) refuse(reading, "a member is there twice");
    }
}

static void read_members(struct reading *reading, const json_t *json, struct cg_mapping *mapping) {
    struct cg_replay_script *script = reading->script;
    const json_t *members = list(reading, json, "members", CG_SCENE_MEMBERS_MAX);
    const size_t most = count(reading, members);
    mapping->members = zalloc(reading, most, sizeof *mapping->members);
    script->standings = zalloc(reading, most, sizeof *script->standings);
    script->probes = zalloc(reading, most, sizeof *script->probes);
    script->knowns = zalloc(reading, most, sizeof *script->knowns);
    for (size_t i = 0; i < most && reading->err == CG_OK; i++) read_member(reading, json_array_get(members, i), i);
    mapping->member_count = reading->err == CG_OK ? most : 0;
    check_members(reading, mapping);
}

/* Anonymous, since it was let in: whatever it may. */
static void read_mapping(struct reading *reading, const json_t *json, struct cg_mapping *mapping) {
    static const char *const securities[] = {"none", "relay", "group"};
    mapping->name = keep_name(reading, text(json, "name"));
    if (mapping->name == NULL || !cg_name_is_valid(mapping->name)) refuse(reading, "the mapping has no name");
    if (reading->err < 0) return;
    mapping->path = PATH;
    mapping->security = (enum cg_security)word_of(reading, json, "security", securities, 3);
    mapping->methods = CG_METHODS_ALL;
    mapping->unsafe_methods = mapping->has_timeout = mapping->enabled = true;
    mapping->stand_in = CG_STAND_IN_MEMBERS;
    mapping->leisure = (double)number(reading, json, "leisure_us", 0, DAY_US) / 1e6;
    mapping->max_timeout_us = (uint64_t)LATEST_US;
    read_finish(reading, json, mapping);
    mapping->repair_unicast = flag(json, "repair_unicast");
    mapping->repair_probe = flag(json, "repair_probe");
    mapping->repair_large_requests = flag(json, "repair_large_requests");
    mapping->block_size = (uint16_t)number(reading, json, "block_size", 0, 1024);
    mapping->max_answers = (uint32_t)number(reading, json, "max_answers", 0, UINT32_MAX);
    read_targets(reading, json, mapping);
    read_members(reading, json, mapping);
    if ((mapping->block_size & (mapping->block_size - 1)) != 0 || (mapping->block_size > 0 && mapping->block_size < 16))
        refuse(reading, "\"block_size\" is none");
    if (mapping->complete && mapping->member_count == 0) refuse(reading, "\"complete\" needs members");
}

static void read_limits(struct reading *reading, const json_t *json, struct cg_limits *limits) {
    limits->exchange_memory = (size_t)number(reading, json, "exchange_memory", 1024, NUMBER_MAX);
    limits->total_memory = (size_t)number(reading, json, "total_memory", 1024, NUMBER_MAX);
    limits->answer = (size_t)number(reading, json, "answer", 64, NUMBER_MAX);
    limits->stream_queue = (size_t)number(reading, json, "stream_queue", 0, NUMBER_MAX);
    if (limits->exchange_memory > MEMORY_MAX) limits->exchange_memory = MEMORY_MAX;
    if (limits->total_memory > MEMORY_MAX) limits->total_memory = MEMORY_MAX;
    if (limits->answer > MEMORY_MAX) limits->answer = MEMORY_MAX;
}

static void read_numbers(struct reading *reading, const json_t *json, struct cg_option_numbers *numbers) {
    numbers->multicast_timeout = (uint16_t)number(reading, json, "multicast_timeout", 0, UINT16_MAX);
    numbers->reply_from = (uint16_t)number(reading, json, "reply_from", 0, UINT16_MAX);
    numbers->group_etag = (uint16_t)number(reading, json, "group_etag", 0, UINT16_MAX);
    numbers->uri_path_abbrev = (uint16_t)number(reading, json, "uri_path_abbrev", 0, UINT16_MAX);
    numbers->proxy_cri = (uint16_t)number(reading, json, "proxy_cri", 0, UINT16_MAX);
    numbers->proxy_scheme_number = (uint16_t)number(reading, json, "proxy_scheme_number", 0, UINT16_MAX);
}

static void read_scene(struct reading *reading, const json_t *json) {
    struct cg_config *config = reading->script->config;
    config->mappings = reading->script->mapping = zalloc(reading, 1, sizeof *config->mappings);
    if (config->mappings == NULL) return;
    read_limits(reading, json_object_get(json, "limits"), &config->limits);
    read_numbers(reading, json_object_get(json, "options"), &config->options);
    read_mapping(reading, json_object_get(json, "mapping"), config->mappings);
    config->mapping_count = 1;
}

/* ---- The request ---- */

static void read_options(struct reading *reading, const json_t *json, struct cg_opts *options) {
    const json_t *items = list(reading, json, "options", OPTIONS_MAX);
    uint16_t before = 0;
    options->list = zalloc(reading, count(reading, items), sizeof *options->list);
    for (size_t i = 0; i < count(reading, items); i++) {
        const json_t *item = json_array_get(items, i);
        struct cg_opt *option = &options->list[options->count++];
        option->number = (uint16_t)number(reading, item, "number", before, UINT16_MAX);
        option->value = bytes(reading, item, "value", 1024);
        before = option->number;
    }
}

/* What is not there is made up, of that length. */
static void read_body(struct reading *reading, const json_t *json, struct cg_slice *payload) {
    const size_t len = (size_t)number(reading, json, "bytes", 0, BODY_MAX);
    *payload = bytes(reading, json, "payload", BODY_MAX);
    if (payload->len == len) return;
    if (payload->len > 0) refuse(reading, "\"payload\" has not so many \"bytes\"");
    *payload = cg_slice_of(zalloc(reading, 1, len), len);
}

static void put_path(struct cg_buf *to, const json_t *json, struct cg_slice rest) {
    const char *member = text(json, "member");
    cg_buf_put_str(to, PATH);
    if (member[0] != 0) {
        cg_buf_put_str(to, "/" CG_STAND_IN_MARKER "/");
        for (; *member != 0; member++) {
            if (strchr("/%?#", *member) != NULL || (uint8_t)*member <= ' ' || (uint8_t)*member > '~') {
                cg_buf_printf(to, "%%%02X", (unsigned)(uint8_t)*member);
            } else {
                cg_buf_put_u8(to, (uint8_t)*member);
            }
        }
    }
    cg_buf_put_slice(to, rest);
}

static void read_path(struct reading *reading, const json_t *json, struct cg_request *request) {
    struct cg_buf made, normal;
    cg_buf_init(&made, 0);
    cg_buf_init(&normal, 0);
    put_path(&made, json, path(reading, json, "rest"));
    if (cg_mapping_normal_path(&normal, cg_buf_slice(&made)) < 0) refuse(reading, "\"rest\" is no path");
    request->path = cg_arena_copy(reading->arena, cg_buf_slice(&normal));
    cg_buf_fini(&made);
    cg_buf_fini(&normal);
}

static void read_request(struct reading *reading, const json_t *json) {
    struct cg_replay_script *script = reading->script;
    struct cg_request *request = &script->request;
    request->method = (uint8_t)cg_method_code(text(json, "method"));
    request->proof = CG_PROOF_ADMIN;
    request->mapping = script->mapping->name;
    request->asks = addr(reading, json, "at");
    request->query = keep(reading, text(json, "query"));
    request->finishing = flag(json, "by_time") ? CG_FINISH_BY_TIME : CG_FINISH_AS_MAPPING;
    request->no_response = (uint32_t)number(reading, json, "no_response", 0, UINT32_MAX);
    request->is_strict = flag(json, "strict");
    script->mapping->timeout_us = (uint64_t)number(reading, json, "timeout_us", 0, LATEST_US);
    read_path(reading, json, request);
    read_options(reading, json, &request->options);
    read_body(reading, json, &request->payload);
    if (request->method == 0) refuse(reading, "\"method\" is none");
    if (flag(json, "observes"))
        refuse(reading, "it observes, and what goes on for as long as it likes is not replayed");
}

/* ---- Words ---- */

static int err_of(const char *slug) {
    for (int i = 0; i < CG_ERR_COUNT; i++)
        if (strcmp(cg_err_info(-1 - i)->slug, slug) == 0) return -1 - i;
    return 0;
}

static void read_payload(struct reading *reading, const json_t *json, struct cg_said *said) {
    struct cg_slice *payload = &said->opened.payload;
    const size_t len = (size_t)number(reading, json, "bytes", 0, PAYLOAD_MAX);
    *payload = bytes(reading, json, "payload", PAYLOAD_MAX);
    said->has_payload = payload->len > 0;
    said->digest = (uint64_t)number(reading, json, "same", 0, UINT32_MAX);
    if (said->has_payload && payload->len != len) refuse(reading, "\"payload\" has not so many \"bytes\"");
    payload->len = len;
}

static void read_opened(struct reading *reading, const json_t *json, struct cg_said *said) {
    struct cg_opened *opened = &said->opened;
    struct cg_msg msg = {0};
    opened->code = (uint8_t)number(reading, json, "code", 0, UINT8_MAX);
    opened->verified = flag(json, "verified") ? CASTGATE_VERIFIED_SOURCE : CASTGATE_VERIFIED_NONE;
    opened->options = bytes(reading, json, "options", PAYLOAD_MAX);
    opened->has_kid = json_object_get(json, "kid") != NULL;
    opened->kid = bytes(reading, json, "kid", 255);
    opened->identity = bytes(reading, json, "identity", CG_KNOWN_IDENTITY_MAX);
    opened->gid = bytes(reading, json, "gid", 255);
    opened->echo = bytes(reading, json, "echo", CG_ECHO_MAX);
    opened->is_other_epoch = flag(json, "other_epoch");
    opened->overtaken = flag(json, "overtaken");
    opened->has_number = json_object_get(json, "number") != NULL;
    opened->number = (uint64_t)number(reading, json, "number", 0, NUMBER_MAX);
    opened->generation = (uint64_t)number(reading, json, "generation", 0, NUMBER_MAX);
    read_payload(reading, json, said);
    const bool is_good = cg_msg_parse_body(&msg, opened->options) == CG_OK && msg.payload.len == 0;
    if (!is_good) refuse(reading, "\"options\" are none of CoAP");
}

static void read_leg(struct reading *reading, const json_t *json, struct cg_said *said) {
    said->ticket = (uint64_t)number(reading, json, "leg", 0, LEGS_MAX) + 1;
    said->is_cast = flag(json, "cast");
    said->is_proven = !flag(json, "unproven");
    said->request = (uint64_t)number(reading, json, "request", 0, NUMBER_MAX);
    said->sent_us = number(reading, json, "sent_us", -DAY_US / 1440, LATEST_US);
    said->opening = (uint32_t)number(reading, json, "opening", 0, UINT16_MAX);
}

static void read_arrival(struct reading *reading, const json_t *json, struct cg_said *said) {
    said->answered = (uint64_t)number(reading, json, "answers", 0, NUMBER_MAX);
    said->answered_us = number(reading, json, "answers_us", 0, LATEST_US);
    said->arrival_us = number(reading, json, "arrival_us", 0, LATEST_US);
    said->mid = (uint16_t)number(reading, json, "mid", 0, UINT16_MAX);
    read_opened(reading, json, said);
    if (said->word == CG_WORD_CHALLENGE && said->opened.echo.len == 0) refuse(reading, "a challenge has no \"echo\"");
    if (!cg_code_is_response(said->opened.code)) refuse(reading, "\"code\" is no response's");
}

static void read_refused(struct reading *reading, const json_t *json, struct cg_said *said) {
    const int err = err_of(text(json, "reason"));
    if (err == 0) refuse(reading, "\"reason\" is none");
    if (err < 0) said->reason = cg_err_info(err)->slug;
    read_opened(reading, json, said);
}

static void read_end(struct reading *reading, const json_t *json, struct cg_said *said) {
    const char *problem = text(json, "problem");
    said->err = err_of(problem);
    said->retry_after = (uint32_t)number(reading, json, "retry_after", 0, UINT32_MAX);
    said->why = cg_slice_str(text(json, "detail"));
    if (problem[0] != 0 && said->err == 0) refuse(reading, "\"problem\" is none");
}

static void read_rest(struct reading *reading, const json_t *json, struct cg_said *said) {
    switch (said->word) {
    case CG_WORD_ADMITTED:
        said->mapping = cg_slice_str(text(json, "mapping"));
        said->timeout_us = (uint64_t)number(reading, json, "timeout_us", 0, LATEST_US);
        break;
    case CG_WORD_ANSWER:
    case CG_WORD_CHALLENGE: read_arrival(reading, json, said); break;
    case CG_WORD_REFUSED: read_refused(reading, json, said); break;
    case CG_WORD_ENDED: read_end(reading, json, said); break;
    case CG_WORD_SIGN: said->sign = (enum cg_sign)number(reading, json, "sign", 1, 1 << (CG_SIGN_KINDS - 1)); break;
    case CG_WORD_UNSENT:
    case CG_WORD_STRAY: refuse(reading, "\"%s\" is said to those who observe", cg_word_names[said->word]); break;
    case CG_WORD_BEGUN:
    case CG_WORD_OPENING:
    case CG_WORD_SENT:
    case CG_WORD_COUNT: break;
    }
    if (said->word == CG_WORD_SIGN && (said->sign & (said->sign - 1)) != 0) refuse(reading, "\"sign\" is none");
}

static bool needs_address(enum cg_word word) {
    return word == CG_WORD_ANSWER || word == CG_WORD_CHALLENGE || word == CG_WORD_REFUSED || word == CG_WORD_SIGN;
}

static void note_place(struct cg_replay_script *script, const struct cg_said *said) {
    bool is_ask = said->word == CG_WORD_BEGUN && !said->is_cast && said->addr.family != CG_FAMILY_NONE;
    if (is_ask && script->place_count < CG_REPLAY_PLACES) script->places[script->place_count++] = said->addr;
}

static int64_t read_word(struct reading *reading, const json_t *json, struct cg_transcript *to, int64_t from_us) {
    struct cg_said said = {
        .word = (enum cg_word)word_of(reading, json, "word", cg_word_names, CG_WORD_COUNT),
        .at_us = number(reading, json, "at_us", from_us, LATEST_US),
        .addr = addr(reading, json, "addr"),
    };
    if (said.word != CG_WORD_ADMITTED && said.word != CG_WORD_SIGN) read_leg(reading, json, &said);
    read_rest(reading, json, &said);
    if (said.addr.family == CG_FAMILY_NONE && needs_address(said.word)) refuse(reading, "\"addr\" is missing");
    if (reading->err < 0) return said.at_us;
    note_place(reading->script, &said);
    cg_transcript_put(to, &said);
    if (to->is_cut) lack_memory(reading);
    return said.at_us;
}

/* Each not before the one before it. */
static void read_words(struct reading *reading, const char *key, struct cg_transcript *to, int64_t from_us) {
    const json_t *words = list(reading, reading->script->root, key, SIZE_MAX);
    for (size_t i = 0; i < count(reading, words); i++) {
        const json_t *json = json_array_get(words, i);
        from_us = read_word(reading, json, to, from_us);
        if (reading->err == CG_E_FORMAT) { /* the first: where it is */
            char why[100];
            snprintf(why, sizeof why, "%.99s", reading->wrong);
            snprintf(reading->wrong, 160, "/%s/%zu: %s", key, i, why);
        }
    }
}

/* ---- The file ---- */

static void read_result(struct reading *reading, const json_t *root) {
    struct cg_replay_script *script = reading->script;
    script->exchange = json_object_get(root, "exchange");
    const json_t *summary = json_object_get(script->exchange, "summary");
    if (!json_is_object(summary)) refuse(reading, "\"exchange\" says nothing of what came of it");
    script->kernel_drops = (uint32_t)number(reading, summary, "kernel_drops", 0, UINT32_MAX);
    script->started_us = number(reading, root, "started_us", -DAY_US / 1440, 0);
    script->ended_us = number(reading, root, "ended_us", 0, LATEST_US);
    script->has_left = flag(root, "left");
    script->is_joined = flag(root, "joined");
}

static void read_root(struct reading *reading, const json_t *root) {
    struct cg_replay_script *script = reading->script;
    if (json_integer_value(json_object_get(root, "transcript")) != CG_TRANSCRIPT_VERSION)
        refuse(reading, "it is no transcript of version %d", CG_TRANSCRIPT_VERSION);
    if (reading->err == CG_OK) read_result(reading, root);
    if (reading->err == CG_OK) read_scene(reading, json_object_get(root, "scene"));
    if (reading->err == CG_OK) read_request(reading, json_object_get(root, "request"));
    script->places = zalloc(reading, CG_REPLAY_PLACES, sizeof *script->places);
    if (reading->err == CG_OK) read_words(reading, "signs", &script->signs, -INT64_C(1000000) * EARLIEST_S);
    if (reading->err == CG_OK) read_words(reading, "words", &script->words, 0);
    if (reading->err == CG_OK && cg_config_index(script->config) < 0) lack_memory(reading);
}

int cg_replay_read(struct cg_replay_script *script, struct cg_slice text, char wrong[160]) {
    json_error_t error;
    *script = (struct cg_replay_script){.config = cg_settings_defaults()};
    cg_transcript_init(&script->words, 0, SIZE_MAX / 2);
    cg_transcript_init(&script->signs, 0, SIZE_MAX / 2);
    if (script->config == NULL) return CG_E_NO_MEMORY;
    struct reading reading = {.script = script, .arena = &script->config->arena, .wrong = wrong};
    script->root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (script->root != NULL) {
        read_root(&reading, script->root);
    } else if (json_error_code(&error) == json_error_out_of_memory) {
        lack_memory(&reading);
    } else {
        refuse(&reading, "line %d, column %d: not JSON: %.100s", error.line, error.column, error.text);
    }
    return reading.err;
}

void cg_replay_give_up(struct cg_replay_script *script) {
    cg_transcript_fini(&script->words);
    cg_transcript_fini(&script->signs);
    json_decref(script->root);
    cg_config_unref(script->config);
}
