/* The hard thing is that a gateway may end a thousand exchanges a second: a reader gets some of them and the number of
 * the others, or its queue would overflow and its stream be cut for what it cannot show anyway. */
#include "fronts/admin/live.h"

#include <inttypes.h>
#include <time.h>

#include "base/calendar.h"
#include "base/container.h"
#include "base/text.h"
#include "fronts/admin/figures.h"
#include "fronts/admin/private.h"
#include "io/loop.h"
#include "settings/settings.h"

enum { FIGURES_LOOKS = 4, WARNINGS_LOOKS = 10 }; /* of the events' looks, twice a second */

/* ---- Exchanges ---- */

static bool may_tell(struct cg_live *live) {
    const uint64_t now_us = cg_loop_now_us();
    if (now_us - live->second_us >= 1000000) {
        live->second_us = now_us;
        live->told = 0;
        live->told_bytes = 0;
    }
    return live->told < CG_LIVE_EXCHANGES_A_SECOND && live->told_bytes < CG_LIVE_BYTES_A_SECOND;
}

static void on_recorded(struct cg_recorder_reader *reader, const struct cg_record *record) {
    struct cg_live *live = CG_CONTAINER(reader, struct cg_live, reader);
    struct cg_events *events = &live->admin->events;
    struct cg_buf data;
    if (!cg_events_want(events, CG_EVENT_EXCHANGE)) return;
    if (!may_tell(live)) {
        live->skipped++;
        return;
    }
    cg_buf_init(&data, 0);
    cg_record_put_json(&data, record, CG_RECORD_BRIEF);
    if (!data.failed) data.len--; /* its end: there is one more key */
    cg_buf_printf(&data, ",\"skipped\":%" PRIu64 "}", live->skipped);
    live->told++;
    live->told_bytes += data.len;
    live->skipped = 0;
    cg_events_tell_now(events, CG_EVENT_EXCHANGE, &data);
}

/* ---- Warnings ---- */

static uint32_t hash_text(uint32_t hash, const char *text) {
    return text == NULL ? hash : cg_fnv(hash, text, strlen(text) + 1);
}

static uint32_t hash_of(const struct cg_mistakes *warnings) {
    uint32_t hash = cg_fnv(CG_FNV_START, &warnings->count, sizeof warnings->count);
    for (const struct cg_mistake *at = warnings->first; at != NULL; at = at->next)
        hash = hash_text(hash_text(hash_text(hash, at->code), at->pointer), at->message);
    return hash == 0 ? 1 : hash;
}

static void look_at_warnings(struct cg_live *live) {
    struct cg_mistakes warnings;
    struct cg_buf data;
    cg_mistakes_init(&warnings);
    cg_admin_find_warnings(live->admin, &warnings);
    const uint32_t hash = hash_of(&warnings);
    if (hash != live->warnings) {
        cg_buf_init(&data, 0);
        cg_buf_printf(&data, "{\"count\":%zu}", warnings.count);
        cg_events_tell_now(&live->admin->events, CG_EVENT_WARNINGS, &data);
    }
    live->warnings = hash;
    cg_mistakes_fini(&warnings);
}

/* ---- Figures ---- */

static void tell_figures(const struct cg_live *live) {
    char now[CG_CALENDAR_MAX];
    struct cg_buf data;
    cg_calendar_emit_s(now, (int64_t)time(NULL));
    cg_buf_init(&data, 0);
    cg_buf_printf(&data, "{\"at\":\"%s\",\"skipped\":%" PRIu64 ",", now, live->skipped);
    cg_admin_put_counts(&data, live->admin);
    cg_buf_put_u8(&data, '}');
    cg_events_tell_now(&live->admin->events, CG_EVENT_FIGURES, &data);
}

/* ---- All ---- */

static void look(void *ctx) {
    struct cg_live *live = ctx;
    const struct cg_events *events = &live->admin->events;
    live->looks++;
    if (cg_events_want(events, CG_EVENT_FIGURES) && live->looks % FIGURES_LOOKS == 0) tell_figures(live);
    if (!cg_events_want(events, CG_EVENT_WARNINGS)) {
        live->warnings = 0; /* whoever comes next is told once */
    } else if (live->warnings == 0 || live->looks % WARNINGS_LOOKS == 0) {
        look_at_warnings(live);
    }
}

void cg_live_open(struct cg_live *live, struct cg_admin *admin) {
    live->admin = admin;
    live->reader.recorded = on_recorded;
    admin->events.look = look;
    admin->events.look_ctx = live;
    if (admin->source.recorder != NULL) cg_recorder_follow(admin->source.recorder, &live->reader);
}

void cg_live_close(struct cg_live *live) {
    if (live->admin->source.recorder != NULL) cg_recorder_leave(live->admin->source.recorder, &live->reader);
}
