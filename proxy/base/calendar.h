/* Moments as text (RFC 3339): "2026-11-29T12:00:00Z". Always UTC, whatever the host's time zone. */
#ifndef CG_BASE_CALENDAR_H
#define CG_BASE_CALENDAR_H

#include "base/err.h"
#include "base/slice.h"

#define CG_CALENDAR_MAX 32 /* bytes of such a text, with NUL */

/* Milliseconds since 1970, before it negative; years 0 to 9999, what is beyond is shown as the nearest. To the second,
 * or to the millisecond. */
void cg_calendar_emit_s(char to[CG_CALENDAR_MAX], int64_t s);
void cg_calendar_emit_ms(char to[CG_CALENDAR_MAX], int64_t ms);

/* A date, a time and an offset or Z; a fraction of a second is dropped, a leap second is the one before it.
 * CG_E_FORMAT. */
int cg_calendar_parse(struct cg_slice text, int64_t *s) CG_MUST_CHECK;

#endif
