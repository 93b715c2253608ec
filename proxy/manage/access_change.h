/* Who may send what once a change is made, and may not now, and the other way round. */
#ifndef CG_MANAGE_ACCESS_CHANGE_H
#define CG_MANAGE_ACCESS_CHANGE_H

#include "manage/manage.h"

/* Of a dry run that is done: [{"client", "mapping", "methods": ["GET"…]}], by mapping; a client "anonymous" is
 * whoever comes unknown. New references. CG_E_NO_MEMORY: there are none. */
int cg_access_change(const struct cg_change *change, json_t **gains, json_t **loses) CG_MUST_CHECK;

#endif
