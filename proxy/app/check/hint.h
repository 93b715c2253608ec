/* What a check has found out, as sentences: the inside of hints.c and of the files that it has its rules from. A rule
 * says one thing, or nothing where its condition does not hold. */
#ifndef CG_APP_CHECK_HINT_H
#define CG_APP_CHECK_HINT_H

#include "app/check/findings.h"
#include "base/buf.h"

struct cg_hints {
    struct cg_buf *to;
    const struct cg_findings *findings;
    unsigned causes; /* hints that explain the silence */
};

void cg_hint(struct cg_hints *hints, const char *format, ...) CG_PRINTF(2, 3);
/* One that explains the silence. */
#define CG_HINT_CAUSE(hints, ...) ((hints)->causes++, cg_hint((hints), __VA_ARGS__))
/* The lines below a hint, as they are. */
void cg_hint_quote(struct cg_hints *hints, struct cg_slice lines);

typedef void cg_hint_rule_fn(struct cg_hints *hints, const struct cg_outlet *outlet);
void cg_hint_each_outlet(struct cg_hints *hints, cg_hint_rule_fn *rule);

/* hints_host.c: what this host did not send, or dropped */
void cg_hint_not_sent(struct cg_hints *hints);
void cg_hint_full_buffer(struct cg_hints *hints);
void cg_hint_reverse_path(struct cg_hints *hints);
void cg_hint_martians(struct cg_hints *hints);
void cg_hint_checksums(struct cg_hints *hints);
void cg_hint_firewall(struct cg_hints *hints);
void cg_hint_small_buffer(struct cg_hints *hints);
void cg_hint_blindness(struct cg_hints *hints);

/* hints_way.c: by which interface it went, and from which address */
void cg_hint_members_elsewhere(struct cg_hints *hints);
void cg_hint_answers_elsewhere(struct cg_hints *hints);
void cg_hint_no_interface(struct cg_hints *hints, const struct cg_outlet *outlet);
void cg_hint_no_multicast(struct cg_hints *hints, const struct cg_outlet *outlet);
void cg_hint_loopback(struct cg_hints *hints, const struct cg_outlet *outlet);
void cg_hint_route_elsewhere(struct cg_hints *hints, const struct cg_outlet *outlet);
void cg_hint_wrong_source(struct cg_hints *hints, const struct cg_outlet *outlet);

/* hints_answers.c: answers that were no good, or too late */
void cg_hint_rejections(struct cg_hints *hints);
void cg_hint_refusals(struct cg_hints *hints);
void cg_hint_over_time(struct cg_hints *hints);
void cg_hint_short_timeout(struct cg_hints *hints);
void cg_hint_challenges(struct cg_hints *hints);
void cg_hint_strangers(struct cg_hints *hints);
void cg_hint_strays(struct cg_hints *hints);

#endif
