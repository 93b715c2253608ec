/* One word a line, so that people read it, too. */
#include "recorder/transcript_json.h"

#include "recorder/put.h"

static void put_payload(struct cg_buf *to, struct cg_slice payload, bool is_shown) {
    cg_put_number(to, "bytes", payload.len);
    if (payload.len > 0 && is_shown) cg_put_hex(to, "payload", payload);
}

static void put_slice(struct cg_buf *to, const char *key, struct cg_slice bytes) {
    if (bytes.len > 0) cg_put_hex(to, key, bytes);
}

static void put_opened(struct cg_buf *to, const struct cg_said *said, enum cg_tape_payloads payloads) {
    const struct cg_opened *opened = &said->opened;
    cg_put_number(to, "code", opened->code);
    if (opened->verified == CASTGATE_VERIFIED_SOURCE) cg_put_bool(to, "verified", true);
    put_slice(to, "options", opened->options);
    if (opened->has_kid) cg_put_hex(to, "kid", opened->kid);
    put_slice(to, "identity", opened->identity);
    put_slice(to, "gid", opened->gid);
    put_slice(to, "echo", opened->echo);
    if (opened->is_other_epoch) cg_put_bool(to, "other_epoch", true);
    if (opened->overtaken) cg_put_bool(to, "overtaken", true);
    if (opened->has_number) cg_put_number(to, "number", opened->number);
    if (opened->has_number) cg_put_number(to, "generation", opened->generation);
    put_payload(to, opened->payload, said->has_payload && payloads == CG_TAPE_SHOWS_PAYLOADS);
    if (said->same != 0) cg_put_number(to, "same", said->same);
}

static void put_leg(struct cg_buf *to, const struct cg_said *said) {
    cg_put_number(to, "leg", said->leg);
    if (said->is_cast) cg_put_bool(to, "cast", true);
    if (!said->is_proven) cg_put_bool(to, "unproven", true);
    if (said->request == 0) return;
    cg_put_number(to, "request", said->request);
    cg_put_time(to, "sent_us", said->sent_us);
    if (said->opening > 0) cg_put_number(to, "opening", said->opening);
}

static void put_arrival(struct cg_buf *to, const struct cg_said *said) {
    cg_put_number(to, "answers", said->answered);
    cg_put_time(to, "answers_us", said->answered_us);
    cg_put_time(to, "arrival_us", said->arrival_us);
    cg_put_number(to, "mid", said->mid);
}

static void put_end(struct cg_buf *to, const struct cg_said *said) {
    if (said->err == 0) return;
    cg_put_text(to, "problem", cg_err_info(said->err)->slug);
    cg_put_number(to, "retry_after", said->retry_after);
    cg_put_key(to, "detail");
    cg_buf_put_json(to, said->why);
}

static void put_admitted(struct cg_buf *to, const struct cg_said *said) {
    cg_put_key(to, "mapping");
    cg_buf_put_json(to, said->mapping);
    cg_put_number(to, "timeout_us", said->timeout_us);
}

static void put_rest(struct cg_buf *to, const struct cg_said *said, enum cg_tape_payloads payloads) {
    if (said->word != CG_WORD_ADMITTED && said->word != CG_WORD_SIGN) put_leg(to, said);
    if (said->addr.family != CG_FAMILY_NONE) cg_put_addr(to, "addr", &said->addr);
    switch (said->word) {
    case CG_WORD_ADMITTED: put_admitted(to, said); break;
    case CG_WORD_ANSWER:
    case CG_WORD_CHALLENGE:
        put_arrival(to, said);
        put_opened(to, said, payloads);
        break;
    case CG_WORD_REFUSED:
        cg_put_text(to, "reason", said->reason);
        put_opened(to, said, payloads);
        break;
    case CG_WORD_ENDED:
    case CG_WORD_UNSENT: put_end(to, said); break;
    case CG_WORD_SIGN: cg_put_number(to, "sign", (uint64_t)said->sign); break;
    case CG_WORD_BEGUN:
    case CG_WORD_OPENING:
    case CG_WORD_SENT:
    case CG_WORD_STRAY:
    case CG_WORD_ACKNOWLEDGED:
    case CG_WORD_RESTS:
    case CG_WORD_COUNT: break;
    }
}

/* False: no memory. */
static bool put_words(struct cg_buf *to, const char *key, const struct cg_transcript *transcript,
                      enum cg_tape_payloads payloads) {
    struct cg_transcript_reading reading;
    struct cg_said said;
    cg_buf_put_str(to, ",\n\"");
    cg_buf_put_str(to, key);
    cg_buf_put_str(to, "\":[");
    cg_transcript_read(&reading, transcript);
    for (const char *between = "\n"; cg_transcript_next(&reading, &said); between = ",\n") {
        cg_buf_put_str(to, between);
        cg_buf_put_u8(to, '{');
        cg_put_text(to, "word", cg_word_names[said.word]);
        cg_put_time(to, "at_us", said.at_us);
        put_rest(to, &said, payloads);
        cg_buf_put_u8(to, '}');
    }
    cg_buf_put_u8(to, ']');
    const bool failed = reading.failed;
    cg_transcript_read_fini(&reading);
    return !failed && !to->failed;
}

static void put_request(struct cg_buf *to, const struct cg_tape *tape, enum cg_tape_payloads payloads) {
    const struct cg_slice payload = {.data = tape->payload.data, .len = tape->payload_len};
    cg_buf_put_str(to, ",\n\"request\":{");
    cg_buf_put_slice(to, cg_buf_slice(&tape->asked));
    put_payload(to, payload, tape->said.keeps_payloads && payloads == CG_TAPE_SHOWS_PAYLOADS);
    cg_buf_put_str(to, "},\n\"scene\":");
    cg_buf_put_slice(to, cg_buf_slice(&tape->scene));
}

static int check(const struct cg_record *record, struct cg_problem *problem) {
    const struct cg_tape *tape = record->tape;
    if (tape == NULL || (tape->scene.len == 0 && !tape->said.is_cut))
        return cg_problem_set(problem, CG_E_NOT_FOUND, "nothing was sent for this exchange");
    if (!tape->said.is_cut && !tape->signs.is_cut) return CG_OK;
    return cg_problem_set(
        problem, CG_E_CONFLICT,
        "it was too much to be kept: an exchange has an eighth of recorder.memory, and mappings of up "
        "to 2048 members are recorded so");
}

int cg_transcript_put_json(struct cg_buf *to, const struct cg_record *record, enum cg_tape_payloads payloads,
                           struct cg_problem *problem) {
    const struct cg_tape *tape = record->tape;
    if (check(record, problem) < 0) return problem->err;
    cg_buf_put_u8(to, '{');
    cg_put_number(to, "transcript", CG_TRANSCRIPT_VERSION);
    cg_put_time(to, "started_us", (int64_t)(tape->started_us - tape->said.base_us));
    cg_put_time(to, "ended_us", (int64_t)(tape->ended_us - tape->said.base_us));
    cg_put_bool(to, "left", tape->has_left);
    cg_put_bool(to, "joined", tape->is_joined);
    put_request(to, tape, payloads);
    cg_buf_put_str(to, ",\n\"exchange\":");
    cg_record_put_json(to, record, CG_RECORD_WHOLE);
    const bool is_whole =
        put_words(to, "signs", &tape->signs, payloads) && put_words(to, "words", &tape->said, payloads);
    cg_buf_put_str(to, "}\n");
    return is_whole && !to->failed ? CG_OK : cg_problem_no_memory(problem);
}
