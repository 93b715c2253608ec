/* The hard thing: clients may ask for what there is not, and settings come and go, so names are counted that are real
 * (a mapping that was found, a client that is known), and what has not been used for longest makes room. */
#include "recorder/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/container.h"
#include "base/hash.h"
#include "rounds/round.h"

enum { KINDS = 2 };

struct cg_figures {
    struct cg_exchange_hearer hearer;
    int64_t (*clock_ms)(void);
    struct cg_figure_counts counts;
    struct cg_figure *by_name[KINDS]; /* uthash heads */
    struct cg_figure *used;           /* utlist */
    size_t count;
    uint64_t uses;
};

static void forget_oldest(struct cg_figures *figures) {
    struct cg_figure *oldest = figures->used;
    DL_DELETE2(figures->used, oldest, previous, next);
    HASH_DEL(figures->by_name[oldest->of], oldest);
    figures->count--;
    free(oldest);
}

static struct cg_figure *make(struct cg_figures *figures, enum cg_figure_of of, const char *name) {
    struct cg_figure *figure = calloc(1, sizeof *figure);
    if (figure == NULL) return NULL;
    figure->of = of;
    snprintf(figure->name, sizeof figure->name, "%s", name);
    HASH_ADD_STR(figures->by_name[of], name, figure);
    if (!CG_HASH_HAS(hh, figure)) {
        free(figure);
        return NULL;
    }
    DL_APPEND2(figures->used, figure, previous, next);
    figures->count++;
    if (figures->count > CG_FIGURES_MAX) forget_oldest(figures);
    return figure;
}

/* NULL: no memory. */
static struct cg_figure *use(struct cg_figures *figures, enum cg_figure_of of, const char *name) {
    struct cg_figure *figure;
    HASH_FIND_STR(figures->by_name[of], name, figure);
    if (figure == NULL) figure = make(figures, of, name);
    if (figure == NULL) return NULL;
    DL_DELETE2(figures->used, figure, previous, next);
    DL_APPEND2(figures->used, figure, previous, next);
    figure->number = ++figures->uses;
    return figure;
}

static void note(struct cg_figures *figures, enum cg_figure_of of, const char *name,
                 const struct cg_progress *progress) {
    const struct castgate_summary *summary = &progress->view.summary;
    struct cg_figure *figure = use(figures, of, name);
    if (figure == NULL) return;
    figure->lasts[figure->requests++ % CG_FIGURE_LASTS] = cg_whole_ms(progress->now_us - progress->started_us);
    figure->last_ms = figures->clock_ms();
    figure->outcome = cg_outcome_of(progress);
    figure->answered = summary->answered;
    figure->expected = summary->expected;
}

static void count(struct cg_figure_counts *counts, const struct cg_progress *progress) {
    const struct castgate_summary *summary = &progress->view.summary;
    counts->requests++;
    counts->refused += cg_outcome_of(progress) == CG_OUTCOME_REFUSED;
    counts->answers += summary->answered;
    counts->failed += summary->failed;
    counts->missing += summary->missing;
    counts->rejected += summary->rejected;
}

static void on_over(struct cg_exchange_hearer *hearer, const struct cg_progress *progress) {
    struct cg_figures *figures = CG_CONTAINER(hearer, struct cg_figures, hearer);
    const struct cg_view *view = &progress->view;
    count(&figures->counts, progress);
    if (view->mapping != NULL) note(figures, CG_FIGURE_OF_MAPPING, view->mapping->name, progress);
    if (view->request->client != NULL) note(figures, CG_FIGURE_OF_CLIENT, view->request->client->name, progress);
}

const struct cg_figure_counts *cg_figures_counts(const struct cg_figures *figures) { return &figures->counts; }

const struct cg_figure *cg_figures_before(const struct cg_figures *figures, uint64_t number) {
    const struct cg_figure *figure = figures->used == NULL ? NULL : figures->used->previous; /* utlist: the last one */
    while (figure != NULL && number != 0 && figure->number >= number) figure = cg_figures_older(figures, figure);
    return figure;
}

const struct cg_figure *cg_figures_older(const struct cg_figures *figures, const struct cg_figure *figure) {
    return figure == figures->used ? NULL : figure->previous;
}

static int compare(const void *a, const void *b) {
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

uint32_t cg_figure_median_ms(const struct cg_figure *figure) {
    uint32_t lasts[CG_FIGURE_LASTS];
    const size_t count = figure->requests < CG_FIGURE_LASTS ? (size_t)figure->requests : CG_FIGURE_LASTS;
    memcpy(lasts, figure->lasts, sizeof lasts);
    qsort(lasts, count, sizeof lasts[0], compare);
    return count == 0 ? 0 : lasts[count / 2];
}

struct cg_figures *cg_figures_new(struct cg_gateway *gateway, int64_t (*clock_ms)(void)) {
    struct cg_figures *figures = calloc(1, sizeof *figures);
    if (figures == NULL) return NULL;
    figures->clock_ms = clock_ms;
    figures->hearer.over = on_over;
    cg_gateway_add_exchange_hearer(gateway, &figures->hearer);
    return figures;
}

void cg_figures_free(struct cg_figures *figures) {
    if (figures == NULL) return;
    while (figures->used != NULL) forget_oldest(figures);
    free(figures);
}
