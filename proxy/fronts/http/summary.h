/* Castgate-Summary: the figures of a reply as a dictionary (RFC 9651 §3.2). */
#ifndef CG_FRONTS_HTTP_SUMMARY_H
#define CG_FRONTS_HTTP_SUMMARY_H

#include "castgate/plugin.h"

/* Room for the longest figures, whatever a later version adds to them. */
#define CG_SUMMARY_ROOM_COUNT(name) +sizeof(", " #name "=4294967295")
#define CG_SUMMARY_ROOM_TEXT(name)  +sizeof(", " #name "=") + CG_ENDED_BY_MAX
enum {
    CG_ENDED_BY_MAX = 32,
    CG_HTTP_SUMMARY_MAX = 0 CASTGATE_SUMMARY_FIGURES(CG_SUMMARY_ROOM_COUNT, CG_SUMMARY_ROOM_TEXT, CG_SUMMARY_ROOM_COUNT)
};

void cg_http_summary(char text[CG_HTTP_SUMMARY_MAX], const struct castgate_summary *summary);

#endif
