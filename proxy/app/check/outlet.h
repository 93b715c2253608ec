/* How a request leaves this host: by which interface, from which address, and whether an answer to that address would
 * be let in. */
#ifndef CG_APP_CHECK_OUTLET_H
#define CG_APP_CHECK_OUTLET_H

#include "app/check/evidence.h"
#include "io/interfaces.h"
#include "model/request.h"

/* One way out: a target of the mapping. */
struct cg_outlet {
    const struct cg_target *target;
    struct cg_addr group; /* family NONE: its name stands for none */
    bool has_interface;   /* else `problem` says why not */
    struct cg_interface by;
    struct cg_link link;
    struct cg_addr source; /* with port; family NONE: none */
    unsigned route;        /* the interface that the routing table has for the group; 0: none */
    bool is_joined;        /* some program of this host has joined the group there */
    bool self_test_done;   /* a datagram from this host to its own group socket */
    bool self_test_passed;
    struct cg_problem problem;
};

/* Fills in all but the self-test; `target` and `group` are set. `unicast`: it goes where the routing table says, as to
 * the only member. */
void cg_outlet_look(struct cg_outlet *outlet, bool unicast, const struct cg_group_settings *settings,
                    struct cg_interfaces *interfaces, uint16_t port);

/* Sends something that is no CoAP to the outlet's own source. False: it could not be sent. */
bool cg_outlet_send_self_test(const struct cg_outlet *outlet);

#endif
