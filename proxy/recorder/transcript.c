/* The hard thing is that every answer of every exchange is written here, in the turn in which it comes: so numbers take
 * the bytes that they need, nothing is looked up, and who is who (legs, equal payloads) is found by whoever reads. */
#include "recorder/transcript.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/text.h"
#include "legs/ask.h"

const char *const cg_word_names[CG_WORD_COUNT] = {
    [CG_WORD_ADMITTED] = "admitted", [CG_WORD_BEGUN] = "begun",   [CG_WORD_OPENING] = "opening",
    [CG_WORD_SENT] = "sent",         [CG_WORD_ANSWER] = "answer", [CG_WORD_CHALLENGE] = "challenge",
    [CG_WORD_REFUSED] = "refused",   [CG_WORD_ENDED] = "ended",   [CG_WORD_UNSENT] = "unsent",
    [CG_WORD_STRAY] = "stray",       [CG_WORD_SIGN] = "sign",     [CG_WORD_ACKNOWLEDGED] = "acknowledged",
    [CG_WORD_RESTS] = "rests",
};

/* Numbers in groups of seven bits, the lowest first; the highest bit says that more follow. */
enum {
    NUMBER_MAX = 10,                 /* bytes */
    HEAD_MAX = 24 * NUMBER_MAX + 32, /* of a word, its slices' bytes apart */
    SECOND_SEED = 0x5bd1e995,
};

enum {
    IS_CAST = 1 << 0,
    IS_PROVEN = 1 << 1,
    HAS_PAYLOAD = 1 << 2,
    HAS_KID = 1 << 3,
    IS_OTHER_EPOCH = 1 << 4,
    IS_OVERTAKEN = 1 << 5,
    HAS_NUMBER = 1 << 6,
};

void cg_transcript_init(struct cg_transcript *transcript, uint64_t base_us, size_t max) {
    *transcript = (struct cg_transcript){.base_us = base_us, .max = max};
    cg_buf_init(&transcript->words, 0);
}

void cg_transcript_fini(struct cg_transcript *transcript) { cg_buf_fini(&transcript->words); }

void cg_transcript_end(struct cg_transcript *transcript) { transcript->max = 0; }

/* ---- Writing ---- */

static uint8_t *put_number(uint8_t *at, uint64_t number) {
    for (; number > 127; number >>= 7) *at++ = (uint8_t)(number | 128);
    *at++ = (uint8_t)number;
    return at;
}

/* Those near 0 are short, whichever side they are on. */
static uint8_t *put_time(uint8_t *at, int64_t us) {
    return put_number(at, us < 0 ? ~((uint64_t)us << 1) : (uint64_t)us << 1);
}

static uint8_t *put_bytes(uint8_t *at, struct cg_slice bytes) {
    at = put_number(at, bytes.len);
    if (bytes.len > 0) memcpy(at, bytes.data, bytes.len);
    return at + bytes.len;
}

static uint8_t *put_addr(uint8_t *at, const struct cg_addr *addr) {
    *at++ = addr->family;
    if (addr->family == CG_FAMILY_NONE) return at;
    at = put_number(put_number(at, addr->port), addr->scope);
    const struct cg_slice ip = cg_addr_ip(addr);
    memcpy(at, ip.data, ip.len);
    return at + ip.len;
}

static uint8_t *put_opened(uint8_t *at, const struct cg_said *said) {
    const struct cg_opened *opened = &said->opened;
    *at++ = opened->code;
    *at++ = opened->verified;
    at = put_bytes(put_bytes(at, opened->options), opened->kid);
    at = put_bytes(put_bytes(at, opened->identity), opened->gid);
    at = put_bytes(at, opened->echo);
    if (opened->has_number) at = put_number(put_number(at, opened->number), opened->generation);
    at = put_number(at, said->digest);
    return said->has_payload ? put_bytes(at, opened->payload) : put_number(at, opened->payload.len);
}

static uint8_t *put_arrival(uint8_t *at, const struct cg_said *said) {
    at = put_time(put_number(at, said->answered), said->answered_us);
    at = put_number(put_time(at, said->arrival_us), said->mid);
    *at++ = said->via;
    return put_opened(put_addr(at, &said->addr), said);
}

static uint8_t *put_leg(uint8_t *at, const struct cg_said *said) {
    at = put_number(put_number(at, said->ticket), said->request);
    return put_number(put_time(at, said->sent_us), said->opening);
}

/* What only words of its kind have. */
static uint8_t *put_rest(uint8_t *at, const struct cg_said *said) {
    switch (said->word) {
    case CG_WORD_ADMITTED: return put_addr(put_number(put_bytes(at, said->mapping), said->timeout_us), &said->addr);
    case CG_WORD_BEGUN:
    case CG_WORD_STRAY: return put_addr(at, &said->addr);
    case CG_WORD_ANSWER:
    case CG_WORD_CHALLENGE: return put_arrival(at, said);
    case CG_WORD_REFUSED:
        memcpy(at, &said->reason, sizeof said->reason);
        return put_opened(put_addr(at + sizeof said->reason, &said->addr), said);
    case CG_WORD_ENDED:
    case CG_WORD_UNSENT:
        return put_bytes(put_number(put_number(at, (uint64_t)-said->err), said->retry_after), said->why);
    case CG_WORD_SIGN: return put_addr(put_number(at, (uint64_t)said->sign), &said->addr);
    case CG_WORD_OPENING:
    case CG_WORD_SENT:
    case CG_WORD_ACKNOWLEDGED:
    case CG_WORD_RESTS:
    case CG_WORD_COUNT: break;
    }
    return at;
}

static uint8_t flags_of(const struct cg_said *said) {
    const struct cg_opened *opened = &said->opened;
    return (uint8_t)((said->is_cast ? IS_CAST : 0) | (said->is_proven ? IS_PROVEN : 0) |
                     (said->has_payload ? HAS_PAYLOAD : 0) | (opened->has_kid ? HAS_KID : 0) |
                     (opened->is_other_epoch ? IS_OTHER_EPOCH : 0) | (opened->overtaken ? IS_OVERTAKEN : 0) |
                     (opened->has_number ? HAS_NUMBER : 0));
}

static size_t most_of(const struct cg_said *said) {
    const struct cg_opened *opened = &said->opened;
    size_t len = opened->options.len + opened->kid.len + opened->identity.len + opened->gid.len + opened->echo.len;
    if (said->has_payload) len += opened->payload.len;
    return HEAD_MAX + len + said->why.len + said->mapping.len;
}

void cg_transcript_put(struct cg_transcript *transcript, const struct cg_said *said) {
    struct cg_buf *words = &transcript->words;
    const size_t most = most_of(said);
    uint8_t *from = transcript->is_cut || words->len + most > transcript->max ? NULL : cg_buf_reserve(words, most);
    if (from == NULL) {
        transcript->is_cut = true;
        return;
    }
    uint8_t *at = from;
    *at++ = (uint8_t)said->word;
    *at++ = flags_of(said);
    at = put_rest(put_leg(put_time(at, said->at_us), said), said);
    words->len += (size_t)(at - from);
    transcript->count++;
}

/* ---- Reading ---- */

/* What has got a number, by what it is known by. */
struct cg_transcript_number {
    UT_hash_handle hh;
    uint64_t key[2];
    uint32_t number;
};

static uint64_t take_number(const uint8_t **at) {
    uint64_t number = 0;
    unsigned shift = 0;
    for (; **at > 127; shift += 7) number |= (uint64_t)(*(*at)++ & 127) << shift;
    return number | (uint64_t) * (*at)++ << shift;
}

static int64_t take_time(const uint8_t **at) {
    const uint64_t number = take_number(at);
    return (int64_t)(number & 1 ? ~(number >> 1) : number >> 1);
}

static struct cg_slice take_bytes(const uint8_t **at) {
    const size_t len = take_number(at);
    *at += len;
    return cg_slice_of(*at - len, len);
}

static struct cg_addr take_addr(const uint8_t **at) {
    struct cg_addr addr = {.family = *(*at)++};
    if (addr.family == CG_FAMILY_NONE) return addr;
    addr.port = (uint16_t)take_number(at);
    addr.scope = (uint32_t)take_number(at);
    const size_t len = cg_addr_ip(&addr).len;
    memcpy(addr.ip, *at, len);
    *at += len;
    return addr;
}

static void take_opened(const uint8_t **at, uint8_t flags, struct cg_said *said) {
    struct cg_opened *opened = &said->opened;
    opened->code = *(*at)++;
    opened->verified = *(*at)++;
    opened->options = take_bytes(at);
    opened->kid = take_bytes(at);
    opened->identity = take_bytes(at);
    opened->gid = take_bytes(at);
    opened->echo = take_bytes(at);
    opened->has_kid = flags & HAS_KID;
    opened->is_other_epoch = flags & IS_OTHER_EPOCH;
    opened->overtaken = flags & IS_OVERTAKEN;
    opened->has_number = flags & HAS_NUMBER;
    if (opened->has_number) opened->number = take_number(at);
    if (opened->has_number) opened->generation = take_number(at);
    said->digest = take_number(at);
    said->has_payload = flags & HAS_PAYLOAD;
    opened->payload = said->has_payload ? take_bytes(at) : cg_slice_of(NULL, take_number(at));
}

static void take_arrival(const uint8_t **at, uint8_t flags, struct cg_said *said) {
    said->answered = take_number(at);
    said->answered_us = take_time(at);
    said->arrival_us = take_time(at);
    said->mid = (uint16_t)take_number(at);
    said->via = *(*at)++;
    said->addr = take_addr(at);
    take_opened(at, flags, said);
}

static void take_admitted(const uint8_t **at, struct cg_said *said) {
    said->mapping = take_bytes(at);
    said->timeout_us = take_number(at);
    said->addr = take_addr(at);
}

static void take_refused(const uint8_t **at, uint8_t flags, struct cg_said *said) {
    memcpy(&said->reason, *at, sizeof said->reason);
    *at += sizeof said->reason;
    said->addr = take_addr(at);
    take_opened(at, flags, said);
}

static void take_end(const uint8_t **at, struct cg_said *said) {
    said->err = -(int)take_number(at);
    said->retry_after = (uint32_t)take_number(at);
    said->why = take_bytes(at);
}

static void take_sign(const uint8_t **at, struct cg_said *said) {
    said->sign = (enum cg_sign)take_number(at);
    said->addr = take_addr(at);
}

static void take_rest(const uint8_t **at, uint8_t flags, struct cg_said *said) {
    switch (said->word) {
    case CG_WORD_ADMITTED: take_admitted(at, said); break;
    case CG_WORD_BEGUN:
    case CG_WORD_STRAY: said->addr = take_addr(at); break;
    case CG_WORD_ANSWER:
    case CG_WORD_CHALLENGE: take_arrival(at, flags, said); break;
    case CG_WORD_REFUSED: take_refused(at, flags, said); break;
    case CG_WORD_ENDED:
    case CG_WORD_UNSENT: take_end(at, said); break;
    case CG_WORD_SIGN: take_sign(at, said); break;
    case CG_WORD_OPENING:
    case CG_WORD_SENT:
    case CG_WORD_ACKNOWLEDGED:
    case CG_WORD_RESTS:
    case CG_WORD_COUNT: break;
    }
}

static void take_word(const uint8_t **at, struct cg_said *said) {
    *said = (struct cg_said){.word = (enum cg_word)(*at)[0], .leg = CG_NO_LEG};
    const uint8_t flags = (*at)[1];
    *at += 2;
    said->is_cast = flags & IS_CAST;
    said->is_proven = flags & IS_PROVEN;
    said->at_us = take_time(at);
    said->ticket = take_number(at);
    said->request = take_number(at);
    said->sent_us = take_time(at);
    said->opening = (uint32_t)take_number(at);
    take_rest(at, flags, said);
}

static const struct cg_transcript_number *find(const struct cg_transcript_number *numbers, const uint64_t key[2]) {
    struct cg_transcript_number *found;
    HASH_FIND(hh, numbers, key, 2 * sizeof *key, found);
    return found;
}

/* False: no memory. */
static bool add(struct cg_transcript_number **numbers, const uint64_t key[2], uint32_t number) {
    struct cg_transcript_number *added = calloc(1, sizeof *added);
    if (added == NULL) return false;
    memcpy(added->key, key, sizeof added->key);
    added->number = number;
    HASH_ADD(hh, *numbers, key, sizeof added->key, added);
    if (CG_HASH_HAS(hh, added)) return true;
    free(added);
    return false;
}

static void number_leg(struct cg_transcript_reading *reading, struct cg_said *said) {
    const uint64_t key[2] = {said->ticket, 0};
    const struct cg_transcript_number *found = find(reading->legs, key);
    if (found == NULL && said->word == CG_WORD_BEGUN) {
        said->leg = reading->leg_count++;
        reading->failed |= !add(&reading->legs, key, said->leg);
    } else if (found != NULL) {
        said->leg = found->number;
    }
}

static void number_payload(struct cg_transcript_reading *reading, struct cg_said *said) {
    const uint64_t key[2] = {said->digest, said->opened.payload.len};
    const struct cg_transcript_number *found = find(reading->payloads, key);
    if (found != NULL) {
        said->same = found->number;
    } else {
        said->same = ++reading->payload_count;
        reading->failed |= !add(&reading->payloads, key, said->same);
    }
}

void cg_transcript_read(struct cg_transcript_reading *reading, const struct cg_transcript *transcript) {
    *reading = (struct cg_transcript_reading){.transcript = transcript};
}

bool cg_transcript_next(struct cg_transcript_reading *reading, struct cg_said *said) {
    const struct cg_buf *words = &reading->transcript->words;
    if (reading->at >= words->len || reading->failed) return false;
    const uint8_t *at = words->data + reading->at;
    take_word(&at, said);
    reading->at = (size_t)(at - words->data);
    if (said->ticket != 0) number_leg(reading, said);
    if (said->opened.payload.len > 0) number_payload(reading, said);
    return true;
}

static void forget(struct cg_transcript_number **numbers) {
    struct cg_transcript_number *number, *next;
    HASH_ITER(hh, *numbers, number, next) {
        HASH_DEL(*numbers, number);
        free(number);
    }
}

void cg_transcript_read_fini(struct cg_transcript_reading *reading) {
    forget(&reading->legs);
    forget(&reading->payloads);
}

/* ---- Hearing ---- */

static struct cg_transcript_tap *of(struct cg_tap *tap) { return CG_CONTAINER(tap, struct cg_transcript_tap, tap); }

static int64_t since(const struct cg_transcript *transcript, uint64_t us) {
    return (int64_t)(us - transcript->base_us);
}

static bool is_cast(const struct cg_leg *leg) { return leg->kind->type == CG_NON; }

/* NULL: nobody wants to have it. */
static struct cg_transcript *begin(struct cg_tap *tap, enum cg_word word, const struct cg_leg *leg,
                                   struct cg_said *said) {
    struct cg_transcript *transcript = of(tap)->take(of(tap), leg);
    if (transcript == NULL) return NULL;
    *said = (struct cg_said){.word = word,
                             .at_us = since(transcript, cg_engine_now(of(tap)->engine)),
                             .ticket = cg_ticket_number(leg->ticket),
                             .is_cast = is_cast(leg),
                             .request = leg->sending.request,
                             .opening = leg->opening};
    if (leg->sending.sent_us != 0) said->sent_us = since(transcript, leg->sending.sent_us);
    said->is_proven = said->is_cast || cg_ask_is_proven(CG_CONTAINER(leg, const struct cg_ask, leg));
    return transcript;
}

static void end(struct cg_tap *tap, const struct cg_leg *leg, struct cg_transcript *transcript,
                const struct cg_said *said) {
    cg_transcript_put(transcript, said);
    of(tap)->give_back(of(tap), leg);
}

static void keep_opened(const struct cg_transcript *transcript, struct cg_said *said, const struct cg_opened *opened) {
    const struct cg_slice *payload = &opened->payload;
    said->opened = *opened;
    said->has_payload = transcript->keeps_payloads;
    if (payload->len == 0) return;
    said->digest = (uint64_t)cg_fnv(CG_FNV_START, payload->data, payload->len) << 32 |
                   cg_fnv(SECOND_SEED, payload->data, payload->len);
}

static void hear_arrival(struct cg_tap *tap, enum cg_word word, const struct cg_leg *leg,
                         const struct cg_arrival *arrival) {
    struct cg_said said;
    struct cg_transcript *transcript = begin(tap, word, leg, &said);
    if (transcript == NULL) return;
    said.addr = arrival->from;
    said.answered = arrival->request;
    said.answered_us = since(transcript, arrival->sent_us);
    said.arrival_us = since(transcript, arrival->arrival_us);
    said.mid = arrival->mid;
    said.via = arrival->via;
    keep_opened(transcript, &said, arrival->opened);
    end(tap, leg, transcript, &said);
}

static void hear_plain(struct cg_tap *tap, enum cg_word word, const struct cg_leg *leg, const struct cg_addr *addr) {
    struct cg_said said;
    struct cg_transcript *transcript = begin(tap, word, leg, &said);
    if (transcript == NULL) return;
    if (addr != NULL) said.addr = *addr;
    end(tap, leg, transcript, &said);
}

static void hear_end(struct cg_tap *tap, enum cg_word word, const struct cg_leg *leg,
                     const struct cg_problem *problem) {
    struct cg_said said;
    struct cg_transcript *transcript = begin(tap, word, leg, &said);
    if (transcript == NULL) return;
    if (problem != NULL) {
        said.err = problem->err;
        said.retry_after = problem->retry_after;
        said.why = cg_slice_str(problem->detail);
    }
    end(tap, leg, transcript, &said);
}

static void on_begun(struct cg_tap *tap, const struct cg_leg *leg) {
    hear_plain(tap, CG_WORD_BEGUN, leg, &leg->sending.to);
}

static void on_opening(struct cg_tap *tap, const struct cg_leg *leg) { hear_plain(tap, CG_WORD_OPENING, leg, NULL); }

static void on_sent(struct cg_tap *tap, const struct cg_leg *leg) { hear_plain(tap, CG_WORD_SENT, leg, NULL); }

static void on_answer(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_arrival *arrival) {
    hear_arrival(tap, CG_WORD_ANSWER, leg, arrival);
}

static void on_challenge(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_arrival *arrival) {
    hear_arrival(tap, CG_WORD_CHALLENGE, leg, arrival);
}

static void on_refused(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    struct cg_said said;
    struct cg_transcript *transcript = begin(tap, CG_WORD_REFUSED, leg, &said);
    if (transcript == NULL) return;
    said.addr = *from;
    said.reason = reason;
    keep_opened(transcript, &said, opened);
    end(tap, leg, transcript, &said);
}

static void on_ended(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_problem *problem) {
    hear_end(tap, CG_WORD_ENDED, leg, problem);
}

static void on_unsent(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_problem *problem) {
    hear_end(tap, CG_WORD_UNSENT, leg, problem);
}

static void on_stray(struct cg_tap *tap, const struct cg_leg *leg, const struct cg_addr *from) {
    hear_plain(tap, CG_WORD_STRAY, leg, from);
}

static void on_acknowledged(struct cg_tap *tap, const struct cg_leg *leg) {
    hear_plain(tap, CG_WORD_ACKNOWLEDGED, leg, NULL);
}

static void on_rests(struct cg_tap *tap, const struct cg_leg *leg) { hear_plain(tap, CG_WORD_RESTS, leg, NULL); }

void cg_transcript_tap_init(struct cg_transcript_tap *tap, struct cg_engine *engine) {
    tap->engine = engine;
    tap->tap = (struct cg_tap){.begun = on_begun,
                               .opening = on_opening,
                               .sent = on_sent,
                               .answer = on_answer,
                               .challenge = on_challenge,
                               .refused = on_refused,
                               .ended = on_ended,
                               .unsent = on_unsent,
                               .stray = on_stray,
                               .acknowledged = on_acknowledged,
                               .rests = on_rests};
}

void cg_transcript_put_admitted(struct cg_transcript *transcript, const struct cg_wish *wish, uint64_t now_us) {
    cg_transcript_put(transcript, &(struct cg_said){.word = CG_WORD_ADMITTED,
                                                    .at_us = since(transcript, now_us),
                                                    .mapping = cg_slice_str(wish->mapping->name),
                                                    .timeout_us = wish->timeout_us,
                                                    .addr = wish->at});
}

void cg_transcript_put_sign(struct cg_transcript *transcript, const struct cg_addr *addr, enum cg_sign sign,
                            uint64_t at_us) {
    cg_transcript_put(
        transcript,
        &(struct cg_said){.word = CG_WORD_SIGN, .at_us = since(transcript, at_us), .sign = sign, .addr = *addr});
}
