/* The request, what came of it, and the whole file. The hard thing: a path has to become again what it was when a
 * client sent it, with the member that it asks for. Settings and words are in files of their own. */
#include "app/replay/read.h"

#include <stdio.h>
#include <string.h>

#include "app/replay/take.h"
#include "base/text.h"
#include "model/mapping.h"
#include "model/stand_in.h"
#include "recorder/transcript_json.h"
#include "settings/settings.h"

enum {
    OPTIONS_MAX = 256,
    BODY_MAX = 16 << 20,
    EARLIEST_S = 600, /* before the request: as long as signs are remembered, and more */
};

/* ---- The request ---- */

static void read_options(struct cg_taking *reading, const json_t *json, struct cg_opts *options) {
    const json_t *items = cg_take_list(reading, json, "options", OPTIONS_MAX);
    uint16_t before = 0;
    options->list = cg_take_zalloc(reading, cg_take_count(reading, items), sizeof *options->list);
    for (size_t i = 0; i < cg_take_count(reading, items); i++) {
        const json_t *item = json_array_get(items, i);
        struct cg_opt *option = &options->list[options->count++];
        option->number = (uint16_t)cg_take_number(reading, item, "number", before, UINT16_MAX);
        option->value = cg_take_bytes(reading, item, "value", 1024);
        before = option->number;
    }
}

/* What is not there is made up, of that length. */
static void read_body(struct cg_taking *reading, const json_t *json, struct cg_slice *payload) {
    const size_t len = (size_t)cg_take_number(reading, json, "bytes", 0, BODY_MAX);
    *payload = cg_take_bytes(reading, json, "payload", BODY_MAX);
    if (payload->len == len) return;
    if (payload->len > 0) cg_take_refuse(reading, "\"payload\" has not so many \"bytes\"");
    *payload = cg_slice_of(cg_take_zalloc(reading, 1, len), len);
}

static void put_path(struct cg_buf *to, const json_t *json, struct cg_slice rest) {
    const char *member = cg_take_text(json, "member");
    cg_buf_put_str(to, CG_REPLAY_PATH);
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

static void read_path(struct cg_taking *reading, const json_t *json, struct cg_request *request) {
    struct cg_buf made, normal;
    cg_buf_init(&made, 0);
    cg_buf_init(&normal, 0);
    put_path(&made, json, cg_take_path(reading, json, "rest"));
    if (cg_mapping_normal_path(&normal, cg_buf_slice(&made)) < 0) cg_take_refuse(reading, "\"rest\" is no path");
    request->path = cg_arena_copy(reading->arena, cg_buf_slice(&normal));
    cg_buf_fini(&made);
    cg_buf_fini(&normal);
}

static void read_request(struct cg_taking *reading, const json_t *json) {
    struct cg_replay_script *script = reading->script;
    struct cg_request *request = &script->request;
    request->method = (uint8_t)cg_method_code(cg_take_text(json, "method"));
    request->proof = CG_PROOF_ADMIN;
    request->mapping = script->mapping->name;
    request->asks = cg_take_addr(reading, json, "at");
    request->query = cg_take_keep(reading, cg_take_text(json, "query"));
    request->finishing = cg_take_flag(json, "by_time") ? CG_FINISH_BY_TIME : CG_FINISH_AS_MAPPING;
    request->no_response = (uint32_t)cg_take_number(reading, json, "no_response", 0, UINT32_MAX);
    request->is_strict = cg_take_flag(json, "strict");
    script->mapping->timeout_us = (uint64_t)cg_take_number(reading, json, "timeout_us", 0, CG_REPLAY_LATEST_US);
    read_path(reading, json, request);
    read_options(reading, json, &request->options);
    read_body(reading, json, &request->payload);
    if (request->method == 0) cg_take_refuse(reading, "\"method\" is none");
    if (cg_take_flag(json, "observes"))
        cg_take_refuse(reading, "it observes, and what goes on for as long as it likes is not replayed");
}

/* ---- The file ---- */

static void read_result(struct cg_taking *reading, const json_t *root) {
    struct cg_replay_script *script = reading->script;
    script->exchange = json_object_get(root, "exchange");
    const json_t *summary = json_object_get(script->exchange, "summary");
    if (!json_is_object(summary)) cg_take_refuse(reading, "\"exchange\" says nothing of what came of it");
    script->kernel_drops = (uint32_t)cg_take_number(reading, summary, "kernel_drops", 0, UINT32_MAX);
    script->started_us = cg_take_number(reading, root, "started_us", -CG_REPLAY_DAY_US / 1440, 0);
    script->ended_us = cg_take_number(reading, root, "ended_us", 0, CG_REPLAY_LATEST_US);
    script->has_left = cg_take_flag(root, "left");
    script->is_joined = cg_take_flag(root, "joined");
}

static void read_root(struct cg_taking *reading, const json_t *root) {
    struct cg_replay_script *script = reading->script;
    if (json_integer_value(json_object_get(root, "transcript")) != CG_TRANSCRIPT_VERSION)
        cg_take_refuse(reading, "it is no transcript of version %d", CG_TRANSCRIPT_VERSION);
    if (reading->err == CG_OK) read_result(reading, root);
    if (reading->err == CG_OK) cg_take_scene(reading, json_object_get(root, "scene"));
    if (reading->err == CG_OK) read_request(reading, json_object_get(root, "request"));
    script->places = cg_take_zalloc(reading, CG_REPLAY_PLACES, sizeof *script->places);
    if (reading->err == CG_OK) cg_take_words(reading, "signs", &script->signs, -INT64_C(1000000) * EARLIEST_S);
    if (reading->err == CG_OK) cg_take_words(reading, "words", &script->words, 0);
    if (reading->err == CG_OK && cg_config_index(script->config) < 0) cg_take_lack_memory(reading);
}

int cg_replay_read(struct cg_replay_script *script, struct cg_slice text, char wrong[CG_REPLAY_WRONG_MAX]) {
    json_error_t error;
    *script = (struct cg_replay_script){.config = cg_settings_defaults()};
    cg_transcript_init(&script->words, 0, SIZE_MAX / 2);
    cg_transcript_init(&script->signs, 0, SIZE_MAX / 2);
    if (script->config == NULL) return CG_E_NO_MEMORY;
    struct cg_taking reading = {.script = script, .arena = &script->config->arena, .wrong = wrong};
    script->root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (script->root != NULL) {
        read_root(&reading, script->root);
    } else if (json_error_code(&error) == json_error_out_of_memory) {
        cg_take_lack_memory(&reading);
    } else {
        cg_take_refuse(&reading, "line %d, column %d: not JSON: %.100s", error.line, error.column, error.text);
    }
    return reading.err;
}

void cg_replay_give_up(struct cg_replay_script *script) {
    cg_transcript_fini(&script->words);
    cg_transcript_fini(&script->signs);
    json_decref(script->root);
    cg_config_unref(script->config);
}
