/* Statuses of whole replies. The hard thing: a group's silence means two things. Whoever says how long to listen knows
 * that it asks a group, and "nobody" is one of the answers (GCP); whoever uses an ordinary HTTP client takes 204 for a
 * command that was carried out. */
#include "reply/outcome.h"

#include <stdio.h>

static bool is_silent(const struct cg_view *view) { return view->summary.answered == 0; }

static bool expects_silence(const struct cg_view *view) {
    const struct cg_request *request = view->request;
    if (cg_request_has(request, CG_OPT_NO_RESPONSE, NULL)) return true;
    if (view->member != NULL) return false; /* it was asked alone: its silence is no answer of a group */
    return request->has_timeout || view->mapping->silence == CG_SILENCE_IS_FINE;
}

bool cg_outcome_is_strict(const struct cg_view *view) {
    return view->request->is_strict && !view->request->has_timeout;
}

bool cg_outcome_is_silence(const struct cg_view *view) { return is_silent(view) && cg_outcome_status(view) == 504; }

unsigned cg_outcome_status(const struct cg_view *view) {
    if (!view->expects_answers) return 204;
    if (cg_outcome_is_strict(view) && view->summary.missing > 0) return 504;
    if (cg_outcome_is_strict(view) && view->summary.failed > 0) return 502;
    if (!is_silent(view)) return 200;
    return expects_silence(view) ? 204 : 504;
}

/* What to think of it. */
static void describe(const struct cg_view *view, char *text, size_t size) {
    char unnamed[CG_ASKED_TYPE_MAX];
    const char *type = cg_request_asked_type(view->request, unnamed);
    if (view->summary.rejected > 0) {
        snprintf(text, size, "%u answers were rejected (Accept: application/json lists why)",
                 (unsigned)view->summary.rejected);
    } else if (type != NULL) {
        snprintf(text, size, CG_SILENT_ABOUT_ACCEPT ": %s", type);
    } else if (view->member != NULL) {
        snprintf(text, size, "%s was asked by unicast", view->member->name);
    } else {
        snprintf(text, size, "members that have nothing at this path are silent, too");
    }
}

void cg_outcome_silence(const struct cg_view *view, struct cg_problem *problem) {
    char about[160];
    describe(view, about, sizeof about);
    cg_problem_set(problem, CG_E_NO_ANSWER,
                   "nobody answered within %u.%u s; the request went out, and members may have acted on it; %s",
                   (unsigned)view->summary.ms / 1000, (unsigned)view->summary.ms % 1000 / 100, about);
}
