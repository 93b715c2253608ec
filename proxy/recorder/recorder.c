/* The hard thing: memory. What runs has a tape that grows, what has ended has a record and a reference to the tape of
 * its round, which others may have joined; all of it counts, and the oldest records go until it fits. */
#include "recorder/recorder.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/container.h"
#include "model/who.h"
#include "recorder/scene.h"

enum {
    TAPE_SHARE = 8, /* of the memory is one tape's at the most */
    SIGNS = 1024,
    ASKED_MAX = 256, /* addresses whose signs are looked for */
};

/* Seen of an address lately. */
struct sign {
    uint64_t at_us;
    struct cg_addr addr;
    enum cg_sign sign;
};

struct cg_recorder {
    struct cg_exchange_hearer hearer;
    struct cg_transcript_tap tap;
    struct cg_gateway *gateway;
    int64_t (*clock_ms)(void);
    cg_local_fn *local;
    void *local_ctx;
    struct cg_recorder_reader *readers;
    struct cg_record *records; /* utlist, oldest first */
    struct cg_tape *tapes;     /* uthash head: of rounds whose answers may still come */
    uint64_t numbered;
    size_t used;              /* bytes: records, and the tapes in the table */
    size_t size;              /* of the tape that is being added to, before */
    struct sign signs[SIGNS]; /* a ring */
    uint64_t sign_count;
};

static size_t memory(const struct cg_recorder *recorder) {
    return cg_gateway_config(recorder->gateway)->recorder.memory;
}

/* ---- Tapes ---- */

static struct cg_tape *find_tape(const struct cg_recorder *recorder, struct cg_ticket origin) {
    const uint64_t number = cg_ticket_number(origin);
    struct cg_tape *tape;
    HASH_FIND(hh, recorder->tapes, &number, sizeof number, tape);
    return tape;
}

/* Which of a tape's buffers it goes to. */
enum addition { ADD_DATAGRAM, ADD_WORD };

/* Its bytes count as long as it is in the table, where each is that somebody still refers to. */
static void drop_tape(struct cg_recorder *recorder, struct cg_tape *tape) {
    if (tape == NULL) return;
    if (tape->references == 1) {
        HASH_DEL(recorder->tapes, tape);
        recorder->used -= cg_tape_size(tape);
    }
    cg_tape_unref(tape);
}

static void drop_record(struct cg_recorder *recorder, struct cg_record *record) {
    DL_DELETE2(recorder->records, record, previous, next);
    recorder->used -= record->size;
    drop_tape(recorder, record->tape);
    cg_record_free(record);
}

static void make_room(struct cg_recorder *recorder) {
    while (recorder->used > memory(recorder) && recorder->records != NULL) drop_record(recorder, recorder->records);
}

/* What one more may take, at the most: buffers grow by doubling. */
static bool has_room_for(struct cg_recorder *recorder, const struct cg_buf *buf) {
    const size_t more = buf->cap + CG_DATAGRAM_MAX;
    while (recorder->used + more > memory(recorder) && recorder->records != NULL)
        drop_record(recorder, recorder->records);
    return recorder->used + more <= memory(recorder);
}

/* The tape of what is sent for that exchange, while something is added to one of its buffers. NULL: there is none. */
static struct cg_tape *take_to_add(struct cg_recorder *recorder, struct cg_ticket origin, enum addition what) {
    struct cg_tape *tape = find_tape(recorder, origin);
    if (tape == NULL) return NULL;
    tape->references++; /* making room may drop the record that has it */
    if (!has_room_for(recorder, what == ADD_DATAGRAM ? &tape->wire : &tape->said.words)) cg_tape_end(tape);
    recorder->size = cg_tape_size(tape);
    return tape;
}

static void give_back_added(struct cg_recorder *recorder, struct cg_tape *tape) {
    recorder->used += cg_tape_size(tape) - recorder->size;
    drop_tape(recorder, tape);
}

static void note(struct cg_recorder *recorder, const struct cg_leg *leg, enum cg_direction direction,
                 const struct cg_addr *peer, struct cg_slice bytes, uint64_t at_us) {
    struct cg_tape *tape = take_to_add(recorder, leg->request->origin, ADD_DATAGRAM);
    if (tape == NULL) return;
    cg_tape_note(tape, direction, peer, bytes, at_us);
    give_back_added(recorder, tape);
}

static struct cg_recorder *of_tap(struct cg_tap *tap) { return CG_CONTAINER(tap, struct cg_recorder, tap.tap); }

static struct cg_recorder *of_transcripts(struct cg_transcript_tap *tap) {
    return CG_CONTAINER(tap, struct cg_recorder, tap);
}

static bool keeps_payloads(const struct cg_recorder *recorder, const struct cg_mapping *mapping) {
    const enum cg_recorded_payloads payloads = cg_gateway_config(recorder->gateway)->recorder.payloads;
    if (mapping->record_payloads != CG_RECORD_AS_SETTINGS) return mapping->record_payloads == CG_RECORD_PAYLOADS;
    return payloads == CG_PAYLOADS_ALL || (payloads == CG_PAYLOADS_PLAIN && mapping->security == CG_SECURITY_NONE);
}

static void keep_request(struct cg_recorder *recorder, struct cg_tape *tape, const struct cg_wish *wish) {
    cg_scene_put_request(&tape->asked, wish);
    tape->payload_len = wish->request->payload.len;
    tape->said.keeps_payloads = keeps_payloads(recorder, wish->mapping);
    if (tape->said.keeps_payloads && tape->payload_len < tape->max)
        cg_buf_put_slice(&tape->payload, wish->request->payload);
    if (tape->asked.failed || tape->payload.failed || tape->payload.len > tape->max) cg_transcript_end(&tape->said);
    tape->said.base_us = tape->signs.base_us = cg_gateway_now(recorder->gateway);
    cg_tape_bound(tape);
    cg_transcript_put_admitted(&tape->said, wish, tape->said.base_us);
}

/* Of one that joins a round nothing will be on its own, and its end drops it. */
static void on_admitted(struct cg_tap *tap, const struct cg_wish *wish) {
    struct cg_recorder *recorder = of_tap(tap);
    if (memory(recorder) == 0) return;
    struct cg_tape *tape = cg_tape_new(cg_ticket_number(wish->origin), memory(recorder) / TAPE_SHARE);
    if (tape == NULL) return;
    tape->unix_us = (uint64_t)recorder->clock_ms() * 1000 - cg_gateway_now(recorder->gateway);
    keep_request(recorder, tape, wish);
    HASH_ADD(hh, recorder->tapes, origin, sizeof tape->origin, tape);
    if (CG_HASH_HAS(hh, tape)) {
        recorder->used += cg_tape_size(tape);
        make_room(recorder);
    } else {
        cg_tape_unref(tape);
    }
}

static void on_emitted(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_route *route) {
    struct cg_recorder *recorder = of_tap(tap);
    note(recorder, leg, CG_DIRECTION_OUT, &route->to, cg_buf_slice(&leg->sending.datagram),
         cg_gateway_now(recorder->gateway));
}

static void on_received(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_datagram *datagram) {
    note(of_tap(tap), leg, CG_DIRECTION_IN, &datagram->from, datagram->bytes, datagram->arrival_us);
}

/* When the first of its legs begins: of one that joins a round none does. */
static void set_scene(struct cg_recorder *recorder, struct cg_tape *tape, const struct cg_leg *leg) {
    const struct cg_knowns *knowns = cg_gateway_knowns(recorder->gateway);
    if (tape->scene.len > 0 || tape->said.is_cut) return;
    bool is_whole = cg_scene_put(&tape->scene, recorder->tap.engine, leg, knowns);
    if (!is_whole || tape->scene.failed || tape->scene.len > tape->max) {
        cg_buf_fini(&tape->scene);
        cg_buf_init(&tape->scene, 0);
        cg_transcript_end(&tape->said);
    }
}

static struct cg_transcript *take_transcript(struct cg_transcript_tap *tap, const struct cg_leg *leg) {
    struct cg_recorder *recorder = of_transcripts(tap);
    struct cg_tape *tape = take_to_add(recorder, leg->request->origin, ADD_WORD);
    if (tape == NULL) return NULL;
    set_scene(recorder, tape, leg);
    cg_tape_bound(tape);
    return &tape->said;
}

static void give_transcript_back(struct cg_transcript_tap *tap, const struct cg_leg *leg) {
    struct cg_recorder *recorder = of_transcripts(tap);
    give_back_added(recorder, find_tape(recorder, leg->request->origin));
}

/* Of whom it is is found out at the end of exchanges that miss somebody. */
static void on_sign(struct cg_tap *tap, const struct cg_addr *addr, enum cg_sign sign) {
    struct cg_recorder *recorder = of_tap(tap);
    recorder->signs[recorder->sign_count++ % SIGNS] =
        (struct sign){.at_us = cg_gateway_now(recorder->gateway), .addr = *addr, .sign = sign};
}

/* ---- Signs of those who are missing ---- */

struct asked {
    struct cg_addr addrs[ASKED_MAX];
    size_t count;
};

/* Whom unicast requests have gone to. */
static void find_asked(struct asked *asked, const struct cg_tape *tape) {
    struct cg_transcript_reading reading;
    struct cg_said said;
    asked->count = 0;
    cg_transcript_read(&reading, &tape->said);
    while (asked->count < ASKED_MAX && cg_transcript_next(&reading, &said))
        if (said.word == CG_WORD_BEGUN && !said.is_cast) asked->addrs[asked->count++] = said.addr;
    cg_transcript_read_fini(&reading);
}

static bool was_asked(const struct asked *asked, const struct cg_addr *addr) {
    size_t i = 0;
    while (i < asked->count && !cg_addr_equal(&asked->addrs[i], addr)) i++;
    return i < asked->count;
}

/* That somebody answers late counts for minutes. */
static bool counts(const struct sign *sign, const struct cg_tape *tape, uint64_t now_us) {
    return sign->at_us >= tape->said.base_us || (sign->sign == CG_SIGN_LATE && now_us - sign->at_us < CG_SIGNS_US);
}

static void keep_signs(struct cg_recorder *recorder, struct cg_tape *tape, const struct cg_progress *progress) {
    const struct cg_mapping *mapping = progress->view.mapping;
    struct asked asked;
    if (progress->view.summary.missing == 0 || recorder->sign_count == 0) return;
    find_asked(&asked, tape);
    for (uint64_t i = recorder->sign_count > SIGNS ? recorder->sign_count - SIGNS : 0; i < recorder->sign_count; i++) {
        const struct sign *sign = &recorder->signs[i % SIGNS];
        if (!counts(sign, tape, progress->now_us)) continue;
        if (cg_who_is_configured(mapping, &sign->addr) || was_asked(&asked, &sign->addr))
            cg_transcript_put_sign(&tape->signs, &sign->addr, sign->sign, sign->at_us);
    }
}

/* ---- Records ---- */

/* Its own, also where it has joined another's round. */
static struct cg_preview *take_prediction(struct cg_recorder *recorder, const struct cg_progress *progress) {
    struct cg_tape *own = find_tape(recorder, progress->ticket);
    struct cg_preview *prediction = own == NULL ? NULL : own->prediction;
    if (own != NULL) own->prediction = NULL;
    return prediction;
}

/* What has become of the exchange that has begun it. */
static void close_tape(struct cg_recorder *recorder, struct cg_tape *tape, const struct cg_progress *progress) {
    const size_t before = cg_tape_size(tape);
    tape->started_us = progress->started_us;
    tape->ended_us = progress->now_us;
    tape->has_left = progress->has_left;
    keep_signs(recorder, tape, progress);
    recorder->used += cg_tape_size(tape) - before;
}

/* The reference that the table had for the exchange becomes its record's, or goes; who has joined takes one more. */
static struct cg_tape *take_tape(struct cg_recorder *recorder, const struct cg_progress *progress) {
    struct cg_tape *own = find_tape(recorder, progress->ticket), *tape = find_tape(recorder, progress->origin);
    if (own == tape) {
        if (own != NULL) close_tape(recorder, own, progress);
        return own;
    }
    drop_tape(recorder, own);
    if (tape == NULL) return NULL;
    tape->references++;
    tape->is_joined = true;
    return tape;
}

static void tell(const struct cg_recorder *recorder, const struct cg_record *record) {
    struct cg_recorder_reader *reader, *next;
    DL_FOREACH_SAFE2(recorder->readers, reader, next, next) reader->recorded(reader, record);
}

static void on_over(struct cg_exchange_hearer *hearer, const struct cg_progress *progress) {
    struct cg_recorder *recorder = CG_CONTAINER(hearer, struct cg_recorder, hearer);
    struct cg_preview *prediction = take_prediction(recorder, progress);
    struct cg_tape *tape = take_tape(recorder, progress);
    struct cg_record *record = memory(recorder) == 0 ? NULL : cg_record_new(progress, recorder->clock_ms());
    if (record == NULL) {
        drop_tape(recorder, tape);
        free(prediction);
        return;
    }
    record->tape = tape;
    record->has_joined = tape != NULL && tape->origin != cg_ticket_number(progress->ticket);
    record->prediction = prediction;
    if (prediction != NULL) record->size += sizeof *prediction;
    record->number = ++recorder->numbered;
    recorder->used += record->size;
    DL_APPEND2(recorder->records, record, previous, next);
    tell(recorder, record);
    make_room(recorder);
}

void cg_recorder_follow(struct cg_recorder *recorder, struct cg_recorder_reader *reader) {
    DL_APPEND2(recorder->readers, reader, previous, next);
}

void cg_recorder_leave(struct cg_recorder *recorder, struct cg_recorder_reader *reader) {
    DL_DELETE2(recorder->readers, reader, previous, next);
}

bool cg_record_fits(const struct cg_record *record, const struct cg_record_filter *filter) {
    if (filter->mapping[0] != 0 && strcmp(filter->mapping, record->mapping) != 0) return false;
    if (filter->client[0] != 0 && strcmp(filter->client, record->client) != 0) return false;
    if (filter->outcome != CG_OUTCOME_COUNT && filter->outcome != record->outcome) return false;
    return filter->member[0] == 0 || cg_record_has_member(record, filter->member);
}

const struct cg_record *cg_recorder_before(const struct cg_recorder *recorder, uint64_t number) {
    const struct cg_record *first = recorder->records;
    const struct cg_record *record = first == NULL ? NULL : first->previous; /* utlist: the last one */
    while (record != NULL && number != 0 && record->number >= number) record = cg_recorder_older(recorder, record);
    return record;
}

const struct cg_record *cg_recorder_older(const struct cg_recorder *recorder, const struct cg_record *record) {
    return record == recorder->records ? NULL : record->previous;
}

const struct cg_record *cg_recorder_find(const struct cg_recorder *recorder, const char *id) {
    const struct cg_record *record;
    DL_FOREACH(recorder->records, record) {
        if (strcmp(record->id, id) == 0) return record;
    }
    return NULL;
}

static struct cg_record *running(struct cg_recorder *recorder, const struct cg_progress *progress) {
    return cg_record_new(progress, recorder->clock_ms());
}

struct cg_record *cg_recorder_next_running(struct cg_recorder *recorder, uint32_t *place) {
    struct cg_progress progress;
    return cg_gateway_next_running(recorder->gateway, place, &progress) ? running(recorder, &progress) : NULL;
}

struct cg_record *cg_recorder_find_running(struct cg_recorder *recorder, const char *id) {
    struct cg_progress progress;
    for (uint32_t place = 0; cg_gateway_next_running(recorder->gateway, &place, &progress);) {
        if (strcmp(progress.view.exchange, id) == 0) return running(recorder, &progress);
    }
    return NULL;
}

void cg_recorder_predict(struct cg_recorder *recorder, struct cg_ticket ticket, const struct cg_preview *prediction) {
    struct cg_tape *tape = find_tape(recorder, ticket);
    if (tape == NULL || tape->prediction != NULL) return;
    tape->prediction = malloc(sizeof *prediction);
    if (tape->prediction != NULL) *tape->prediction = *prediction;
}

struct cg_traffic cg_recorder_traffic(const struct cg_recorder *recorder, struct cg_ticket ticket) {
    const struct cg_tape *tape = find_tape(recorder, ticket);
    return tape == NULL ? (struct cg_traffic){0} : tape->traffic;
}

int cg_recorder_put_transcript(const struct cg_recorder *recorder, const struct cg_record *record,
                               enum cg_tape_payloads payloads, struct cg_buf *to, struct cg_problem *problem) {
    const struct cg_record *other;
    if (!record->has_joined) return cg_transcript_put_json(to, record, payloads, problem);
    DL_FOREACH2(recorder->records, other, next) {
        if (other->tape == record->tape && !other->has_joined)
            return cg_problem_set(problem, CG_E_CONFLICT,
                                  "it has joined the requests of exchange %s, whose transcript tells of both",
                                  other->id);
    }
    return cg_problem_set(problem, CG_E_CONFLICT,
                          "it has joined the requests of an exchange that still runs, or is kept no longer");
}

void cg_recorder_put_pcap(const struct cg_recorder *recorder, const struct cg_record *record,
                          enum cg_tape_payloads payloads, struct cg_buf *to) {
    cg_pcap_put(to, record->tape, payloads, recorder->local, recorder->local_ctx);
}

/* ---- Beginning and end ---- */

struct cg_recorder *cg_recorder_new(const struct cg_recorder_options *options) {
    struct cg_recorder *recorder = calloc(1, sizeof *recorder);
    if (recorder == NULL) return NULL;
    recorder->gateway = options->gateway;
    recorder->clock_ms = options->clock_ms;
    recorder->local = options->local;
    recorder->local_ctx = options->local_ctx;
    recorder->hearer.over = on_over;
    cg_transcript_tap_init(&recorder->tap, cg_gateway_engine(options->gateway));
    recorder->tap.take = take_transcript;
    recorder->tap.give_back = give_transcript_back;
    recorder->tap.tap.admitted = on_admitted;
    recorder->tap.tap.sign = on_sign;
    recorder->tap.tap.emitted = on_emitted;
    recorder->tap.tap.received = on_received;
    cg_gateway_add_exchange_hearer(options->gateway, &recorder->hearer);
    cg_tap_add(cg_gateway_engine(options->gateway), &recorder->tap.tap);
    return recorder;
}

void cg_recorder_free(struct cg_recorder *recorder) {
    if (recorder == NULL) return;
    struct cg_tape *tape, *next_tape;
    while (recorder->records != NULL) drop_record(recorder, recorder->records);
    HASH_ITER(hh, recorder->tapes, tape, next_tape) {
        HASH_DEL(recorder->tapes, tape);
        cg_tape_unref(tape);
    }
    free(recorder);
}
