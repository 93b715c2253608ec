/* From what somebody wants to have and what there is to the changes that lead from one to the other. No network, no
 * files. */
#ifndef CG_TOOLS_CTL_PLAN_H
#define CG_TOOLS_CTL_PLAN_H

#include <jansson.h>

#include "tools/ctl/options.h"

/* Whether what is not wanted goes. */
enum cg_ctl_rest { CG_CTL_REST_STAYS, CG_CTL_REST_GOES };

/* The sections that can be applied item by item; NULL behind the last. In the gateway's API a section is a collection
 * of that name. */
extern const char *const cg_ctl_sections[];

struct cg_ctl_plan {
    json_t *changes;    /* body of POST changes: {"changes": […]} */
    json_t *places;     /* of each change, where it stands in the document: "/mappings/1"; "": nowhere */
    json_t *difference; /* [{"kind", "name", "before", "after"}]; null: it is not there, it goes */
};

/* `wanted`: a document with the sections of the settings file, items by name or as a list. `there`: by section and
 * name, items as the gateway shows them; those of its own settings file ("source": "file") are not for changing.
 * "settings" in both: those that are stored. CG_E_BAD_REQUEST with a sentence: what is wanted cannot be had this way;
 * CG_E_NO_MEMORY. Fini in any case. */
int cg_ctl_plan_make(struct cg_ctl_plan *plan, const json_t *wanted, const json_t *there, enum cg_ctl_rest rest,
                     char error[CG_CTL_ERROR_MAX]) CG_MUST_CHECK;
/* A problem that the gateway has with the changes, as one with the document: "#/changes/3/body/timeout" in its errors
 * and its detail becomes "wanted.json: mappings/1/timeout". */
void cg_ctl_plan_place_problem(const struct cg_ctl_plan *plan, const char *file, json_t *problem);
void cg_ctl_plan_fini(struct cg_ctl_plan *plan);

#endif
