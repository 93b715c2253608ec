/* Hosts that messages may go to though nobody there has proven anything: whoever writes to the gateway may do so from a
 * made-up address, so nothing goes off the link that the settings do not know of.
 *
 * Routes are asked for through the port, which costs a system call. What was found about a host is remembered for ten
 * seconds, and beyond CG_REACH_QUESTIONS at once nothing is asked and nobody answered (RFC 7252 §4.2 allows that). */
#ifndef CG_LEGS_REACH_H
#define CG_LEGS_REACH_H

#include "model/allowance.h"
#include "model/config.h"

struct cg_engine;

#define CG_REACH_QUESTIONS      1024.0
#define CG_REACH_QUESTIONS_RATE 100.0 /* a second, beyond that */
#define CG_REACH_HOSTS          1024

struct cg_reach {
    struct cg_allowance questions; /* about links, that may be asked now */
    struct cg_reached {
        struct cg_addr host; /* port 0 */
        uint64_t until_us;   /* when to find out again */
        bool may_hear;
    } hosts[CG_REACH_HOSTS]; /* each in the place of its hash */
};

/* Whether the host is in group.prefixes, or on the link of the target's interface. Asks the port, unbounded. */
bool cg_reach_near(const struct cg_engine *engine, const struct cg_group_settings *settings,
                   const struct cg_target *target, const struct cg_addr *addr);
/* Whether an acknowledgement or a Reset may go there: somebody there has answered a unicast request, it is a host of
 * some mapping's members, in group.prefixes, or on the link of some target's interface. */
bool cg_reach_may_hear(struct cg_engine *engine, const struct cg_addr *addr);
void cg_reach_init(struct cg_engine *engine); /* also when there are other settings: forgets */

#endif
