/* What castgatectl says in words. What came from elsewhere never reaches the terminal as control characters. */
#ifndef CG_TOOLS_CTL_WORDS_H
#define CG_TOOLS_CTL_WORDS_H

#include <jansson.h>
#include <stdio.h>

#include "tools/ctl/client.h"

/* A text of the gateway's, control characters as '?'. */
void cg_ctl_say(FILE *to, const char *text);
/* JSON, indented, in ASCII, with a newline at its end. */
void cg_ctl_say_json(FILE *to, const json_t *json);
/* The body of a reply as it came, made into one of these. */
void cg_ctl_say_body(FILE *to, const struct cg_ctl_reply *reply);

/* [{"kind", "name", "before", "after"}]: a line an item, and one for each key that differs. */
void cg_ctl_say_difference(FILE *to, const json_t *difference);
/* Why the gateway refused (RFC 9457): title, detail, and a line for each of "errors" and "depends". */
void cg_ctl_say_problem(FILE *to, const struct cg_ctl_reply *reply);
/* A revision or an event in one line. */
void cg_ctl_say_revision(FILE *to, const json_t *revision);
void cg_ctl_say_event(FILE *to, const char *event, const json_t *data);
/* A reply of a group, as application/json has it: a line a member. */
void cg_ctl_say_answers(FILE *to, const json_t *reply);

#endif
