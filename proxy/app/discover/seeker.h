/* Who looks: a gateway of the command's own, or the one that has the state folder. */
#ifndef CG_APP_DISCOVER_SEEKER_H
#define CG_APP_DISCOVER_SEEKER_H

#include <jansson.h>

#include "app/discover/discover.h"
#include "model/request.h"

/* Both block. The document is the caller's; NULL, with *problem: there is none. */
json_t *cg_discover_alone(struct cg_config *config, const struct cg_discover_words *words, struct cg_problem *problem);
/* CG_E_NOT_FOUND: no gateway runs there. */
json_t *cg_discover_beside(const char *folder, const struct cg_discover_words *words, struct cg_problem *problem);

/* A document's text, made of what anybody may have sent. NULL, with *problem: it is none. */
json_t *cg_discover_parse(struct cg_slice text, struct cg_problem *problem);

#endif
