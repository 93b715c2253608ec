/* How much each mapping and client is used, and what came of it lately, for people who look at a list of them; and
 * counters of all. Counted as exchanges end, so that nobody walks anything for it; bounded, since names come and go;
 * nothing of it is durable. */
#ifndef CG_RECORDER_FIGURES_H
#define CG_RECORDER_FIGURES_H

#include "recorder/record.h"

struct cg_figures;

#define CG_FIGURES_MAX  16384 /* mappings and clients; beyond, those unused for longest are forgotten */
#define CG_FIGURE_LASTS 16    /* of the latest exchanges it is known how long each took */

struct cg_figure_counts {
    uint64_t requests; /* that have ended, those that were refused included */
    uint64_t refused;
    uint64_t answers, failed, missing, rejected; /* members' */
};

enum cg_figure_of { CG_FIGURE_OF_MAPPING, CG_FIGURE_OF_CLIENT };

struct cg_figure {
    struct cg_figure *previous, *next; /* least lately used first */
    enum cg_figure_of of;
    char name[CG_NAME_MAX + 1];
    uint64_t number; /* of its last use, among all uses; 1 and upwards */
    uint64_t requests;
    int64_t last_ms; /* Unix time of the end of its last exchange */
    enum cg_outcome outcome;
    uint32_t answered, expected; /* by members, in that one; 0 expected: nobody is known beforehand */
    uint32_t lasts[CG_FIGURE_LASTS];
    UT_hash_handle hh;
};

/* Hears of the gateway's exchanges from now on. `clock_ms`: Unix time. NULL: no memory. */
struct cg_figures *cg_figures_new(struct cg_gateway *gateway, int64_t (*clock_ms)(void));
/* After the gateway, which tells it until its end. NULL is fine. */
void cg_figures_free(struct cg_figures *figures);

const struct cg_figure_counts *cg_figures_counts(const struct cg_figures *figures);
/* The latest used first, below that number (0: the latest); NULL: none. Valid until the gateway runs. */
const struct cg_figure *cg_figures_before(const struct cg_figures *figures, uint64_t number);
/* The one that was used before it; NULL: none. */
const struct cg_figure *cg_figures_older(const struct cg_figures *figures, const struct cg_figure *figure);
/* Of how long its latest exchanges took, from the beginning to the end of the reply's collecting. */
uint32_t cg_figure_median_ms(const struct cg_figure *figure);

#endif
