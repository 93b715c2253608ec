/* The replayed exchange is recorded as the one before it was, and the two records are compared. The hard thing is time:
 * each word is said at its own, and what the gateway does by itself it does when that is due. But a loop is late now
 * and then, which shows: so what a timer began, and the end, come when they came. */
#include "app/replay/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/replay/read.h"
#include "app/replay/tell.h"
#include "base/container.h"
#include "base/file.h"
#include "base/log.h"
#include "exchange/exchange.h"
#include "recorder/record.h"
#include "reply/sink.h"

#define BASE_US     UINT64_C(1000000000) /* the gateway's time when the request was let in: there is a before */
#define PATIENCE_US UINT64_C(120000000)  /* for an exchange to end that is told to */

enum {
    DIFFERENCES_MAX = 10,
    LATE_US = 25000, /* so late a loop may be */
};

struct stage {
    struct cg_replay_script script;
    struct cg_port port;
    struct cg_mute mute;
    struct cg_telling telling;
    struct cg_gateway *gateway;
    struct cg_exchange_hearer hearer;
    struct cg_sink sink;
    struct cg_ticket ticket;
    struct cg_record *record; /* what came of it */
    json_t *result;           /* the same, as it is given out */
    uint64_t now_us, random;
    uint8_t *payload; /* for those that are not in the file */
    struct cg_buf *to;
    bool is_over;
    unsigned differences;
};

static void CG_PRINTF(2, 3) differ(struct stage *stage, const char *format, ...) {
    char text[400];
    va_list arguments;
    if (stage->differences++ >= DIFFERENCES_MAX) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cg_buf_printf(stage->to, "differs: %s\n", text);
}

static const char *text(const json_t *of, const char *key) {
    const char *value = json_string_value(json_object_get(of, key));
    return value == NULL ? "-" : value;
}

/* ---- What is around the core ---- */

static int emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    (void)ctx, (void)route, (void)datagram, (void)problem;
    return CG_OK;
}

/* Nothing that is compared depends on it. */
static void draw(void *ctx, void *to, size_t len) {
    struct stage *stage = ctx;
    uint8_t *bytes = to;
    for (size_t i = 0; i < len; i++) {
        stage->random = stage->random * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(stage->random >> 56);
    }
}

static uint64_t count_drops(void *ctx) {
    const struct stage *stage = ctx;
    return stage->telling.has_admitted || stage->telling.count > 0 ? stage->script.kernel_drops : 0;
}

/* Who was asked could be. */
static bool is_on_link(void *ctx, const char *interface, const struct cg_addr *addr) {
    const struct cg_replay_script *script = &((const struct stage *)ctx)->script;
    size_t i = 0;
    (void)interface;
    while (i < script->place_count && !cg_addr_same_host(&script->places[i], addr)) i++;
    return i < script->place_count;
}

static uint32_t zone_of(void *ctx, const char *interface) {
    const struct cg_replay_script *script = &((const struct stage *)ctx)->script;
    (void)interface;
    for (size_t i = 0; i < script->place_count; i++)
        if (script->places[i].scope != 0) return script->places[i].scope;
    return 0;
}

static void wake(void *ctx) { (void)ctx; }

/* What whoever makes the reply says of it is no word of the core's: it is taken as it was. */
static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    static const int errs[] = {CG_E_NO_ANSWER, CG_E_CODE, CG_E_INTERNAL};
    const struct stage *stage = CG_CONTAINER(sink, const struct stage, sink);
    const char *type = text(json_object_get(stage->script.exchange, "problem"), "type");
    (void)view, (void)ending;
    for (size_t i = 0; how != CG_SINK_LEFT && problem->err == 0 && i < sizeof errs / sizeof *errs; i++)
        if (strcmp(type, cg_err_info(errs[i])->slug) == 0) cg_problem_set(problem, errs[i], "as it was");
}

static const struct cg_sink_ops sink_ops = {.end = on_end};

static void on_over(struct cg_exchange_hearer *hearer, const struct cg_progress *progress) {
    struct stage *stage = CG_CONTAINER(hearer, struct stage, hearer);
    stage->is_over = true;
    stage->record = cg_record_new(progress, 0);
}

/* ---- Playing ---- */

static void restore(struct stage *stage) {
    const struct cg_replay_script *script = &stage->script;
    for (size_t i = 0; i < script->known_count; i++) {
        struct cg_known_record record = script->knowns[i];
        record.last_us += (int64_t)BASE_US;
        (void)cg_known_restore(cg_gateway_knowns(stage->gateway), &record); /* without memory it differs */
    }
    struct cg_engine *engine = cg_gateway_engine(stage->gateway);
    for (size_t i = 0; i < script->mapping->member_count; i++) {
        const struct cg_replay_probe *probe = &script->probes[i];
        bool was_probed = probe->at.family != CG_FAMILY_NONE &&
                          cg_signs_begin_probe(engine, &probe->at, &stage->mute.protector, CG_PROBE_REST_US);
        if (was_probed) cg_signs_end_probe(engine, &probe->at, probe->signs);
    }
}

static struct cg_exchange *exchange_of(const struct stage *stage) {
    return cg_slots_get(&stage->gateway->exchanges, stage->ticket);
}

/* Its own time does not end it earlier than it did. Returns when something else is due. */
static uint64_t run(struct stage *stage) {
    cg_telling_hold(&stage->telling);
    const uint64_t next_us = cg_gateway_run(stage->gateway, stage->now_us);
    struct cg_exchange *exchange = exchange_of(stage);
    cg_telling_hold(&stage->telling);
    if (exchange == NULL || stage->now_us >= BASE_US + (uint64_t)stage->script.ended_us) return next_us;
    cg_engine_clear_timer(&stage->gateway->engine, &exchange->timer);
    return next_us > stage->now_us ? cg_engine_next_us(&stage->gateway->engine) : next_us;
}

/* What is due less than `late_us` before that is done then. */
static void run_until(struct stage *stage, uint64_t until_us, uint64_t late_us) {
    for (uint64_t next_us; (next_us = run(stage)) <= until_us - late_us;) {
        if (next_us > stage->now_us) stage->now_us = next_us;
    }
    if (until_us > stage->now_us) stage->now_us = until_us;
    while (run(stage) <= stage->now_us) continue;
}

static bool open_stage(struct stage *stage) {
    struct cg_replay_script *script = &stage->script;
    stage->now_us = BASE_US + (uint64_t)script->started_us;
    stage->port = (struct cg_port){.ctx = stage,
                                   .emit = emit,
                                   .random = draw,
                                   .kernel_drops = count_drops,
                                   .zone = zone_of,
                                   .on_link = is_on_link,
                                   .wake = wake};
    cg_mute_init(&stage->mute);
    stage->mute.roster = script->mapping->roster;
    stage->mute.members = script->standings;
    script->mapping->protector = &stage->mute.protector;
    stage->gateway = cg_gateway_new(script->config, &stage->port);
    if (stage->gateway == NULL) return false;
    cg_telling_begin(&stage->telling, cg_gateway_engine(stage->gateway), &stage->mute, BASE_US);
    stage->hearer.over = on_over;
    cg_gateway_add_exchange_hearer(stage->gateway, &stage->hearer);
    (void)cg_gateway_run(stage->gateway, stage->now_us); /* it has its time */
    restore(stage);
    return true;
}

/* The request's bytes are the script's, which outlives the exchange. */
static bool ask(struct stage *stage) {
    struct cg_problem problem = {0};
    if (cg_gateway_new_exchange(stage->gateway, &stage->ticket, &problem) < 0) return false;
    *cg_gateway_request(stage->gateway, stage->ticket) = stage->script.request;
    stage->sink.ops = &sink_ops;
    cg_gateway_start(stage->gateway, stage->ticket, &stage->sink, stage->now_us);
    run_until(stage, BASE_US, 0);
    return true;
}

static void fill(struct stage *stage, struct cg_said *said) {
    const size_t len = said->opened.payload.len;
    if (len == 0 || said->has_payload) return;
    for (size_t i = 0; i < len; i++) stage->payload[i] = (uint8_t)(said->same >> 8 * (i % 4));
    said->opened.payload.data = stage->payload;
}

static void say(struct stage *stage, struct cg_said *said) {
    const bool is_by_timer = said->word == CG_WORD_BEGUN || said->word == CG_WORD_ENDED;
    if (said->at_us > 0) run_until(stage, BASE_US + (uint64_t)said->at_us, is_by_timer ? LATE_US : 0);
    fill(stage, said);
    const enum cg_told told = cg_telling_say(&stage->telling, said);
    run_until(stage, stage->now_us, 0);
    if (told == CG_TOLD || stage->is_over || (told == CG_TOLD_TO_NOBODY && said->word == CG_WORD_ENDED)) return;
    differ(stage, "at %.3f ms leg %d was told \"%s\", and %s", (double)said->at_us / 1e3, (int)said->leg,
           cg_word_names[said->word], told == CG_TOLD_TO_NOBODY ? "has ended before" : "is not as it was");
}

/* What is seen of an address follows what went there, be it in the same turn. */
static void say_all(struct stage *stage) {
    struct cg_transcript_reading words, signs;
    struct cg_said word, sign;
    cg_transcript_read(&words, &stage->script.words);
    cg_transcript_read(&signs, &stage->script.signs);
    bool has_sign = cg_transcript_next(&signs, &sign);
    while (!stage->telling.failed && cg_transcript_next(&words, &word)) {
        for (; has_sign && sign.at_us < word.at_us; has_sign = cg_transcript_next(&signs, &sign)) say(stage, &sign);
        say(stage, &word);
    }
    for (; has_sign; has_sign = cg_transcript_next(&signs, &sign)) say(stage, &sign);
    cg_transcript_read_fini(&words);
    cg_transcript_read_fini(&signs);
}

/* Its client leaves when it did; what ended it otherwise, from outside, ends it. */
static void end(struct stage *stage) {
    run_until(stage, BASE_US + (uint64_t)stage->script.ended_us, LATE_US);
    if (!stage->is_over && stage->script.has_left) cg_gateway_abandon(stage->gateway, stage->ticket);
    if (!stage->is_over) cg_gateway_wake(exchange_of(stage));
    run_until(stage, stage->now_us, 0);
    if (!stage->is_over) cg_gateway_finish(stage->gateway, stage->ticket);
    run_until(stage, stage->now_us, 0);
    if (!stage->is_over) run_until(stage, stage->now_us + PATIENCE_US, 0);
}

static void close_stage(struct stage *stage) {
    if (stage->gateway != NULL) {
        cg_telling_end(&stage->telling);
        cg_gateway_free(stage->gateway);
    }
    cg_record_free(stage->record);
    json_decref(stage->result);
    free(stage->payload);
    cg_replay_give_up(&stage->script);
}

/* ---- What came of it ---- */

static long long number(const json_t *of, const char *key) {
    return (long long)json_integer_value(json_object_get(of, key));
}

static void print_answers(struct cg_buf *to, const json_t *answers) {
    size_t i;
    json_t *answer;
    json_array_foreach(answers, i, answer) {
        cg_buf_printf(to, "  %-24s %-24s %6lld ms  %s  by %s, %lld bytes\n", text(answer, "member"),
                      text(answer, "from"), number(answer, "ms"), text(answer, "code"), text(answer, "via"),
                      number(answer, "bytes"));
    }
}

static void print_missing(struct cg_buf *to, const json_t *missing) {
    size_t i;
    json_t *member;
    json_array_foreach(missing, i, member) {
        cg_buf_printf(to, "  %-24s %-24s missing: %s\n", text(member, "member"), text(member, "from"),
                      text(member, "cause"));
    }
}

static void print_rejected(struct cg_buf *to, const json_t *rejected) {
    size_t i;
    json_t *refusal;
    json_array_foreach(rejected, i, refusal) {
        cg_buf_printf(to, "  %-24s %-24s rejected: %s\n", "-", text(refusal, "from"), text(refusal, "reason"));
    }
}

static void print_result(struct stage *stage) {
    const json_t *result = stage->result, *summary = json_object_get(result, "summary");
    const json_t *problem = json_object_get(result, "problem");
    cg_buf_printf(stage->to,
                  "exchange %s: %s by mapping %s, %s: %lld answered, %lld failed, %lld missing, ended by %s "
                  "after %lld ms\n",
                  text(stage->script.exchange, "id"), text(result, "method"), text(result, "mapping"),
                  text(result, "outcome"), number(summary, "answered"), number(summary, "failed"),
                  number(summary, "missing"), text(summary, "ended_by"), number(summary, "ms"));
    if (json_is_object(problem))
        cg_buf_printf(stage->to, "  problem: %s: %s\n", text(problem, "type"), text(problem, "detail"));
    print_answers(stage->to, json_object_get(result, "answers"));
    print_missing(stage->to, json_object_get(result, "missing"));
    print_rejected(stage->to, json_object_get(result, "rejected"));
}

/* ---- Comparing ---- */

static void differ_in(struct stage *stage, const char *where, const json_t *was, const json_t *is) {
    char *before = was == NULL ? NULL : json_dumps(was, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    char *now = is == NULL ? NULL : json_dumps(is, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    differ(stage, "%s was %.150s and is %.150s", where, before == NULL ? "not there" : before,
           now == NULL ? "not there" : now);
    free(before);
    free(now);
}

static void compare_list(struct stage *stage, const char *key) {
    const json_t *was = json_object_get(stage->script.exchange, key), *is = json_object_get(stage->result, key);
    const size_t before = json_array_size(was), now = json_array_size(is);
    for (size_t i = 0; i < (before > now ? before : now); i++) {
        const json_t *one = json_array_get(was, i), *other = json_array_get(is, i);
        char where[64];
        snprintf(where, sizeof where, "%s/%zu", key, i);
        if (one == NULL || other == NULL || !json_equal(one, other)) differ_in(stage, where, one, other);
    }
}

/* When the exchange saw that collecting was over is not recorded: in a later turn than what ended it, if need be. */
static bool is_same_figure(const char *key, const json_t *was, const json_t *is) {
    const json_int_t late_ms = json_integer_value(was) - json_integer_value(is);
    if (strcmp(key, "ms") == 0) return json_is_integer(was) && late_ms >= 0 && late_ms <= LATE_US / 1000;
    return json_equal(was, is);
}

static void compare_summaries(struct stage *stage, const json_t *was, const json_t *is) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)is, key, value) {
        const json_t *before = json_object_get(was, key);
        char where[64];
        snprintf(where, sizeof where, "summary/%s", key);
        if (before == NULL || !is_same_figure(key, before, value)) differ_in(stage, where, before, value);
    }
}

static void compare(struct stage *stage) {
    const json_t *was = stage->script.exchange, *is = stage->result;
    const json_t *before = json_object_get(was, "problem"), *now = json_object_get(is, "problem");
    compare_summaries(stage, json_object_get(was, "summary"), json_object_get(is, "summary"));
    if (strcmp(text(was, "outcome"), text(is, "outcome")) != 0)
        differ_in(stage, "outcome", json_object_get(was, "outcome"), json_object_get(is, "outcome"));
    if (strcmp(text(before, "type"), text(now, "type")) != 0) differ_in(stage, "problem", before, now);
    compare_list(stage, "answers");
    compare_list(stage, "missing");
    compare_list(stage, "rejected");
}

static void conclude(struct stage *stage) {
    if (stage->differences == 0) {
        cg_buf_put_str(stage->to, "same as recorded\n");
        return;
    }
    if (stage->differences > DIFFERENCES_MAX)
        cg_buf_printf(stage->to, "and %u differences more\n", stage->differences - DIFFERENCES_MAX);
    cg_buf_put_str(stage->to, "not the same as recorded");
    if (stage->script.is_joined)
        cg_buf_put_str(stage->to, "; other exchanges had joined it, who are not in the transcript and may be why");
    cg_buf_put_u8(stage->to, '\n');
}

/* ---- All of it ---- */

static enum cg_replayed lack_memory(struct cg_buf *to) {
    cg_buf_put_str(to, "the system has no memory left\n");
    return CG_REPLAYED_NOT;
}

static bool make_result(struct stage *stage) {
    struct cg_buf json;
    if (stage->record == NULL) return false;
    cg_buf_init(&json, 0);
    cg_record_put_json(&json, stage->record, CG_RECORD_WHOLE);
    if (!json.failed) stage->result = json_loadb((const char *)json.data, json.len, 0, NULL);
    cg_buf_fini(&json);
    return stage->result != NULL;
}

static enum cg_replayed play(struct stage *stage) {
    stage->payload = malloc(CG_DATAGRAM_MAX + 64);
    if (stage->payload == NULL || !open_stage(stage) || !ask(stage)) return lack_memory(stage->to);
    say_all(stage);
    end(stage);
    if (stage->telling.failed || !make_result(stage)) return lack_memory(stage->to);
    print_result(stage);
    compare(stage);
    conclude(stage);
    return stage->differences == 0 ? CG_REPLAYED_SAME : CG_REPLAYED_OTHERWISE;
}

/* What is in the file goes to a terminal. */
static void make_printable(struct cg_buf *to) {
    for (size_t i = 0; i < to->len; i++) {
        bool is_good = to->data[i] == '\n' || (to->data[i] >= ' ' && to->data[i] <= '~');
        if (!is_good) to->data[i] = '?';
    }
}

enum cg_replayed cg_replay_text(struct cg_slice text, struct cg_buf *to) {
    struct stage *stage = calloc(1, sizeof *stage);
    char wrong[CG_REPLAY_WRONG_MAX] = "";
    enum cg_replayed replayed = CG_REPLAYED_NOT;
    if (stage == NULL) return lack_memory(to);
    stage->to = to;
    int err = cg_replay_read(&stage->script, text, wrong);
    if (err == CG_OK) {
        replayed = play(stage);
    } else if (err == CG_E_NO_MEMORY) {
        lack_memory(to);
    } else {
        cg_buf_printf(to, "cannot be replayed: %s\n", wrong);
    }
    close_stage(stage);
    free(stage);
    make_printable(to);
    return replayed;
}

/* 0 or errno. */
static int read_file(const char *file, struct cg_buf *to) {
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int why = cg_file_read_all(fd, CG_REPLAY_FILE_MAX, to);
    close(fd);
    return why == 0 && to->len > CG_REPLAY_FILE_MAX ? EFBIG : why;
}

int cg_replay_print(const char *file) {
    struct cg_buf text, told;
    cg_buf_init(&text, 0);
    cg_buf_init(&told, 0);
    cg_log_set_level(CG_LOG_ERROR); /* what the exchange logs is told below */
    enum cg_replayed replayed = CG_REPLAYED_NOT;
    int why = read_file(file, &text);
    if (why == 0) {
        replayed = cg_replay_text(cg_buf_slice(&text), &told);
    } else {
        cg_buf_printf(&told, "cannot be read: %s\n", strerror(why));
    }
    FILE *to = replayed == CG_REPLAYED_NOT ? stderr : stdout;
    if (replayed == CG_REPLAYED_NOT) fprintf(to, "castgate: %s: ", file);
    bool is_written = fwrite(told.data, 1, told.len, to) == told.len && fflush(to) == 0;
    cg_buf_fini(&text);
    cg_buf_fini(&told);
    return is_written ? (int)replayed : EXIT_FAILURE;
}
