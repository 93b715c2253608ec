/* What legs told, word by word. The hard thing: whatever the core takes for granted of protectors and of legs has to be
 * looked at here, since the file may be anybody's. */
#include <stdio.h>
#include <string.h>

#include "app/replay/take.h"
#include "legs/ask.h"

enum {
    LEGS_MAX = 1 << 20,
    PAYLOAD_MAX = 65535,
};

static int err_of(const char *slug) {
    for (int i = 0; i < CG_ERR_COUNT; i++)
        if (strcmp(cg_err_info(-1 - i)->slug, slug) == 0) return -1 - i;
    return 0;
}

static void read_payload(struct cg_taking *reading, const json_t *json, struct cg_said *said) {
    struct cg_slice *payload = &said->opened.payload;
    const size_t len = (size_t)cg_take_number(reading, json, "bytes", 0, PAYLOAD_MAX);
    *payload = cg_take_bytes(reading, json, "payload", PAYLOAD_MAX);
    said->has_payload = payload->len > 0;
    said->digest = (uint64_t)cg_take_number(reading, json, "same", 0, UINT32_MAX);
    if (said->has_payload && payload->len != len) cg_take_refuse(reading, "\"payload\" has not so many \"bytes\"");
    payload->len = len;
}

static void read_opened(struct cg_taking *reading, const json_t *json, struct cg_said *said) {
    struct cg_opened *opened = &said->opened;
    struct cg_msg msg = {0};
    opened->code = (uint8_t)cg_take_number(reading, json, "code", 0, UINT8_MAX);
    opened->verified = cg_take_flag(json, "verified") ? CASTGATE_VERIFIED_SOURCE : CASTGATE_VERIFIED_NONE;
    opened->options = cg_take_bytes(reading, json, "options", PAYLOAD_MAX);
    opened->has_kid = json_object_get(json, "kid") != NULL;
    opened->kid = cg_take_bytes(reading, json, "kid", 255);
    opened->identity = cg_take_bytes(reading, json, "identity", CG_KNOWN_IDENTITY_MAX);
    opened->gid = cg_take_bytes(reading, json, "gid", 255);
    opened->echo = cg_take_bytes(reading, json, "echo", CG_ECHO_MAX);
    opened->is_other_epoch = cg_take_flag(json, "other_epoch");
    opened->overtaken = cg_take_flag(json, "overtaken");
    opened->has_number = json_object_get(json, "number") != NULL;
    opened->number = (uint64_t)cg_take_number(reading, json, "number", 0, INT64_MAX);
    opened->generation = (uint64_t)cg_take_number(reading, json, "generation", 0, INT64_MAX);
    read_payload(reading, json, said);
    const bool is_good = cg_msg_parse_body(&msg, opened->options) == CG_OK && msg.payload.len == 0;
    if (!is_good) cg_take_refuse(reading, "\"options\" are none of CoAP");
}

static void read_leg(struct cg_taking *reading, const json_t *json, struct cg_said *said) {
    said->ticket = (uint64_t)cg_take_number(reading, json, "leg", 0, LEGS_MAX) + 1;
    said->is_cast = cg_take_flag(json, "cast");
    said->is_proven = !cg_take_flag(json, "unproven");
    said->request = (uint64_t)cg_take_number(reading, json, "request", 0, INT64_MAX);
    said->sent_us = cg_take_number(reading, json, "sent_us", -CG_REPLAY_DAY_US / 1440, CG_REPLAY_LATEST_US);
    said->opening = (uint32_t)cg_take_number(reading, json, "opening", 0, UINT16_MAX);
}

static void read_arrival(struct cg_taking *reading, const json_t *json, struct cg_said *said) {
    said->answered = (uint64_t)cg_take_number(reading, json, "answers", 0, INT64_MAX);
    said->answered_us = cg_take_number(reading, json, "answers_us", 0, CG_REPLAY_LATEST_US);
    said->arrival_us = cg_take_number(reading, json, "arrival_us", 0, CG_REPLAY_LATEST_US);
    said->mid = (uint16_t)cg_take_number(reading, json, "mid", 0, UINT16_MAX);
    read_opened(reading, json, said);
    if (said->word == CG_WORD_CHALLENGE && said->opened.echo.len == 0)
        cg_take_refuse(reading, "a challenge has no \"echo\"");
    if (!cg_code_is_response(said->opened.code)) cg_take_refuse(reading, "\"code\" is no response's");
}

static void read_refused(struct cg_taking *reading, const json_t *json, struct cg_said *said) {
    const int err = err_of(cg_take_text(json, "reason"));
    if (err == 0) cg_take_refuse(reading, "\"reason\" is none");
    if (err < 0) said->reason = cg_err_info(err)->slug;
    read_opened(reading, json, said);
}

static void read_end(struct cg_taking *reading, const json_t *json, struct cg_said *said) {
    const char *problem = cg_take_text(json, "problem");
    said->err = err_of(problem);
    said->retry_after = (uint32_t)cg_take_number(reading, json, "retry_after", 0, UINT32_MAX);
    said->why = cg_slice_str(cg_take_text(json, "detail"));
    if (problem[0] != 0 && said->err == 0) cg_take_refuse(reading, "\"problem\" is none");
}

static void read_rest(struct cg_taking *reading, const json_t *json, struct cg_said *said) {
    switch (said->word) {
    case CG_WORD_ADMITTED:
        said->mapping = cg_slice_str(cg_take_text(json, "mapping"));
        said->timeout_us = (uint64_t)cg_take_number(reading, json, "timeout_us", 0, CG_REPLAY_LATEST_US);
        break;
    case CG_WORD_ANSWER:
    case CG_WORD_CHALLENGE: read_arrival(reading, json, said); break;
    case CG_WORD_REFUSED: read_refused(reading, json, said); break;
    case CG_WORD_ENDED: read_end(reading, json, said); break;
    case CG_WORD_SIGN:
        said->sign = (enum cg_sign)cg_take_number(reading, json, "sign", 1, 1 << (CG_SIGN_KINDS - 1));
        break;
    case CG_WORD_UNSENT:
    case CG_WORD_STRAY:
        cg_take_refuse(reading, "\"%s\" is said to those who observe", cg_word_names[said->word]);
        break;
    case CG_WORD_BEGUN:
    case CG_WORD_OPENING:
    case CG_WORD_SENT:
    case CG_WORD_ACKNOWLEDGED:
    case CG_WORD_RESTS:
    case CG_WORD_COUNT: break;
    }
    if (said->word == CG_WORD_SIGN && (said->sign & (said->sign - 1)) != 0) cg_take_refuse(reading, "\"sign\" is none");
}

static bool needs_address(enum cg_word word) {
    return word == CG_WORD_ANSWER || word == CG_WORD_CHALLENGE || word == CG_WORD_REFUSED || word == CG_WORD_SIGN;
}

static void note_place(struct cg_replay_script *script, const struct cg_said *said) {
    bool is_ask = said->word == CG_WORD_BEGUN && !said->is_cast && said->addr.family != CG_FAMILY_NONE;
    if (is_ask && script->place_count < CG_REPLAY_PLACES) script->places[script->place_count++] = said->addr;
}

static int64_t read_word(struct cg_taking *reading, const json_t *json, struct cg_transcript *to, int64_t from_us) {
    struct cg_said said = {
        .word = (enum cg_word)cg_take_choice(reading, json, "word", cg_word_names, CG_WORD_COUNT),
        .at_us = cg_take_number(reading, json, "at_us", from_us, CG_REPLAY_LATEST_US),
        .addr = cg_take_addr(reading, json, "addr"),
    };
    if (said.word != CG_WORD_ADMITTED && said.word != CG_WORD_SIGN) read_leg(reading, json, &said);
    read_rest(reading, json, &said);
    if (said.addr.family == CG_FAMILY_NONE && needs_address(said.word)) cg_take_refuse(reading, "\"addr\" is missing");
    if (reading->err < 0) return said.at_us;
    note_place(reading->script, &said);
    cg_transcript_put(to, &said);
    if (to->is_cut) cg_take_lack_memory(reading);
    return said.at_us;
}

/* Each not before the one before it. */
void cg_take_words(struct cg_taking *reading, const char *key, struct cg_transcript *to, int64_t from_us) {
    const json_t *words = cg_take_list(reading, reading->script->root, key, SIZE_MAX);
    for (size_t i = 0; i < cg_take_count(reading, words); i++) {
        const json_t *json = json_array_get(words, i);
        from_us = read_word(reading, json, to, from_us);
        if (reading->err == CG_E_FORMAT) { /* the first: where it is */
            char why[100];
            snprintf(why, sizeof why, "%.99s", reading->wrong);
            snprintf(reading->wrong, CG_REPLAY_WRONG_MAX, "/%s/%zu: %s", key, i, why);
        }
    }
}
