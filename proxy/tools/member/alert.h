/* A member that sends a request of its own (castgate-member --alert): once, protected, until it is answered. */
#ifndef CG_TOOLS_MEMBER_ALERT_H
#define CG_TOOLS_MEMBER_ALERT_H

#include "tools/member/options.h"

/* Says on stdout what it was answered, and on stderr what went wrong. The process's exit status: 0 for 2.xx, 1. */
int cg_member_alert(const struct cg_member_options *options);

#endif
