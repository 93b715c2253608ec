/* The table of what was seen of addresses. The hard thing: what is seen of one is often another request's doing, so
 * each kind has its time, and whoever looks says since when it counts. */
#include "legs/tap.h"

#include <stdlib.h>

static struct cg_sign_row *find(const struct cg_engine *engine, const struct cg_addr *addr) {
    struct cg_sign_row *row;
    HASH_FIND(hh, engine->signs.by_addr, addr, sizeof *addr, row);
    return row;
}

/* NULL: no memory, or too many. */
static struct cg_sign_row *get(struct cg_engine *engine, const struct cg_addr *addr, unsigned most) {
    struct cg_sign_row *row = find(engine, addr);
    if (row != NULL || HASH_COUNT(engine->signs.by_addr) >= most) return row;
    row = calloc(1, sizeof *row);
    if (row == NULL) return NULL;
    row->addr = *addr;
    HASH_ADD(hh, engine->signs.by_addr, addr, sizeof row->addr, row);
    if (CG_HASH_HAS(hh, row)) return row;
    free(row);
    return NULL;
}

static void note(const struct cg_engine *engine, struct cg_sign_row *row, enum cg_sign sign) {
    if (row != NULL) row->at_us[__builtin_ctz((unsigned)sign)] = engine->now_us + 1; /* never 0 */
}

void cg_engine_sign(struct cg_engine *engine, const struct cg_addr *addr, enum cg_sign sign) {
    CG_TAP(engine, sign, addr, sign);
    note(engine, sign == CG_SIGN_LATE ? get(engine, addr, CG_SIGNS_LATE) : find(engine, addr), sign);
}

/* Pings */

bool cg_signs_hear(struct cg_engine *engine, const struct cg_addr *from, uint16_t mid, enum cg_type type) {
    struct cg_sign_row *row = find(engine, from);
    bool answers = row != NULL && row->ping_us != 0 && row->ping_mid == mid && type == CG_RST;
    if (!answers) return false;
    row->ping_us = 0;
    cg_engine_sign(engine, from, CG_SIGN_THERE);
    return true;
}

/* Who would have to wait for it wants to know no more when it comes. */
static bool take_room(struct cg_engine *engine, struct cg_room *room, uint32_t link) {
    return cg_room_when(engine, room->lane, link) == 0 && cg_room_take(engine, room, link);
}

bool cg_signs_ping(struct cg_engine *engine, const struct cg_addr *addr, uint32_t link) {
    struct cg_sign_row *row = get(engine, addr, CG_SIGNS_MAX);
    struct cg_room room = {.lane = CG_LANE_MEMBERS};
    if (row == NULL || !take_room(engine, &room, link)) {
        cg_room_return(engine, &room);
        return false;
    }
    if (row->ping_us == 0) {
        engine->port->random(engine->port->ctx, &row->ping_mid, sizeof row->ping_mid);
        row->ping_mid |= CG_MID_UNICAST;
        row->ping_us = engine->now_us + 1;
    }
    note(engine, row, CG_SIGN_PINGED);
    cg_engine_send_empty(engine, addr, CG_CON, row->ping_mid);
    cg_room_use(engine, &room);
    return true;
}

/* What owners know */

void cg_signs_note_asked(struct cg_engine *engine, const struct cg_addr *addr) {
    note(engine, get(engine, addr, CG_SIGNS_MAX), CG_SIGN_ASKED);
}

static void forget(struct cg_engine *engine, struct cg_sign_row *row) {
    HASH_DEL(engine->signs.by_addr, row);
    free(row);
}

/* The row stays, as purging may stand at it. */
void cg_signs_forget(struct cg_engine *engine, const struct cg_addr *addr) {
    struct cg_sign_row *row = engine->signs.by_addr == NULL ? NULL : find(engine, addr);
    if (row == NULL) return;
    memset(row->at_us, 0, sizeof row->at_us);
    row->ping_us = row->probed_us = 0;
}

static uint32_t seen_since(const struct cg_sign_row *row, uint64_t since_us, uint64_t now_us) {
    uint32_t signs = 0;
    for (unsigned i = 0; i < CG_SIGN_KINDS; i++) {
        bool is_recent = i == __builtin_ctz(CG_SIGN_LATE)
                             ? now_us - row->at_us[i] < CG_SIGNS_US || now_us < row->at_us[i]
                             : row->at_us[i] > since_us;
        if (row->at_us[i] != 0 && is_recent) signs |= 1u << i;
    }
    return signs;
}

uint32_t cg_signs_since(const struct cg_engine *engine, const struct cg_addr *addr, uint64_t since_us) {
    const struct cg_sign_row *row = engine->signs.by_addr == NULL ? NULL : find(engine, addr);
    return row == NULL ? 0 : seen_since(row, since_us, engine->now_us);
}

/* Probes */

static bool was_probed(const struct cg_engine *engine, const struct cg_sign_row *row, const void *keys,
                       uint64_t rest_us) {
    return row->probed_us != 0 && row->probe == keys && engine->now_us - row->probed_us < rest_us;
}

bool cg_signs_begin_probe(struct cg_engine *engine, const struct cg_addr *addr, const void *keys, uint64_t rest_us) {
    struct cg_sign_row *row = get(engine, addr, CG_SIGNS_MAX);
    if (row == NULL || was_probed(engine, row, keys, rest_us)) return false;
    row->probed_us = engine->now_us;
    row->probe = keys;
    row->probe_signs = 0;
    return true;
}

void cg_signs_end_probe(struct cg_engine *engine, const struct cg_addr *addr, uint32_t signs) {
    struct cg_sign_row *row = find(engine, addr);
    if (row != NULL) row->probe_signs |= signs;
}

bool cg_signs_was_probed(const struct cg_engine *engine, const struct cg_addr *addr, const void *keys,
                         uint64_t rest_us) {
    const struct cg_sign_row *row = engine->signs.by_addr == NULL ? NULL : find(engine, addr);
    return row != NULL && was_probed(engine, row, keys, rest_us);
}

uint32_t cg_signs_of_probe(const struct cg_engine *engine, const struct cg_addr *addr, const void *keys,
                           uint64_t rest_us) {
    const struct cg_sign_row *row = engine->signs.by_addr == NULL ? NULL : find(engine, addr);
    if (row == NULL || !was_probed(engine, row, keys, rest_us)) return 0;
    return row->probe_signs | seen_since(row, row->probed_us, engine->now_us);
}

/* The end */

static bool is_past(const struct cg_engine *engine, const struct cg_sign_row *row) {
    uint64_t latest_us = row->probed_us;
    for (unsigned i = 0; i < CG_SIGN_KINDS; i++) latest_us = row->at_us[i] > latest_us ? row->at_us[i] : latest_us;
    return engine->now_us > latest_us && engine->now_us - latest_us >= CG_SIGNS_US;
}

bool cg_signs_purge(struct cg_engine *engine, size_t *rows) {
    struct cg_sign_row *row;
    CG_HASH_SWEEP(engine->signs.by_addr, engine->signs.sweep, row, *rows) {
        if (is_past(engine, row)) forget(engine, row);
    }
    return engine->signs.sweep != NULL;
}

void cg_signs_fini(struct cg_engine *engine) {
    struct cg_sign_row *row, *next;
    HASH_ITER(hh, engine->signs.by_addr, row, next) forget(engine, row);
}
