/* Datagrams are noted in the turn in which they come or go, so it is one copy each into memory that grows by doubling.
 */
#include "recorder/tape.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SIGNS_MAX = 16384 /* bytes */ };

static size_t padded(size_t len) { return (len + 7) & ~(size_t)7; }

struct cg_tape *cg_tape_new(uint64_t origin, size_t max) {
    struct cg_tape *tape = calloc(1, sizeof *tape);
    if (tape == NULL) return NULL;
    tape->references = 1;
    tape->origin = origin;
    tape->max = max;
    cg_buf_init(&tape->wire, 0);
    cg_buf_init(&tape->asked, 0);
    cg_buf_init(&tape->scene, 0);
    cg_buf_init(&tape->payload, 0);
    cg_transcript_init(&tape->said, 0, max);
    cg_transcript_init(&tape->signs, 0, SIGNS_MAX);
    return tape;
}

void cg_tape_unref(struct cg_tape *tape) {
    if (tape == NULL || --tape->references > 0) return;
    cg_buf_fini(&tape->wire);
    cg_buf_fini(&tape->asked);
    cg_buf_fini(&tape->scene);
    cg_buf_fini(&tape->payload);
    cg_transcript_fini(&tape->said);
    cg_transcript_fini(&tape->signs);
    free(tape->prediction);
    free(tape);
}

size_t cg_tape_size(const struct cg_tape *tape) {
    return sizeof *tape + tape->wire.cap + tape->asked.cap + tape->scene.cap + tape->payload.cap +
           tape->said.words.cap + tape->signs.words.cap;
}

void cg_tape_end(struct cg_tape *tape) {
    tape->max = 0;
    cg_transcript_end(&tape->said);
}

/* Beside its datagrams. */
static size_t rest_of(const struct cg_tape *tape) {
    return tape->asked.len + tape->scene.len + tape->payload.len + tape->said.words.len;
}

void cg_tape_bound(struct cg_tape *tape) {
    const size_t taken = tape->wire.len + rest_of(tape) - tape->said.words.len;
    tape->said.max = tape->max > taken ? tape->max - taken : 0;
}

static void count(struct cg_traffic *traffic, enum cg_direction direction, const struct cg_addr *peer, size_t len) {
    if (direction == CG_DIRECTION_IN) {
        traffic->received++;
        traffic->received_bytes += len;
        return;
    }
    traffic->sent++;
    traffic->sent_bytes += len;
    if (!cg_addr_is_multicast(peer)) return;
    traffic->sent_to_groups++;
    if (len > traffic->largest_to_group) traffic->largest_to_group = (uint32_t)len;
}

void cg_tape_note(struct cg_tape *tape, enum cg_direction direction, const struct cg_addr *peer, struct cg_slice bytes,
                  uint64_t at_us) {
    const struct cg_tape_datagram datagram = {
        .at_us = at_us, .peer = *peer, .len = (uint32_t)bytes.len, .direction = (uint8_t)direction};
    const size_t len = sizeof datagram + padded(bytes.len);
    count(&tape->traffic, direction, peer, bytes.len);
    uint8_t *to = tape->wire.len + rest_of(tape) + len > tape->max ? NULL : cg_buf_reserve(&tape->wire, len);
    if (to == NULL) {
        tape->is_cut = true;
        return;
    }
    memcpy(to, &datagram, sizeof datagram);
    if (bytes.len > 0) memcpy(to + sizeof datagram, bytes.data, bytes.len);
    tape->wire.len += len;
}

bool cg_tape_next_datagram(const struct cg_tape *tape, size_t *at, struct cg_tape_datagram *datagram,
                           struct cg_slice *bytes) {
    if (*at >= tape->wire.len) return false;
    memcpy(datagram, tape->wire.data + *at, sizeof *datagram);
    *bytes = cg_slice_of(tape->wire.data + *at + sizeof *datagram, datagram->len);
    *at += sizeof *datagram + padded(datagram->len);
    return true;
}

void cg_traffic_put_json(struct cg_buf *to, const struct cg_traffic *traffic) {
    cg_buf_printf(to,
                  "{\"datagrams\":%" PRIu32 ",\"to_groups\":%" PRIu32 ",\"bytes\":%" PRIu64 ",\"largest\":%" PRIu32
                  ",\"received\":%" PRIu32 ",\"received_bytes\":%" PRIu64 "}",
                  traffic->sent, traffic->sent_to_groups, traffic->sent_bytes, traffic->largest_to_group,
                  traffic->received, traffic->received_bytes);
}
