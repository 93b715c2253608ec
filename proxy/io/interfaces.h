/* Which network interface a group request leaves by. No datagram may leave by a default route only because nobody
 * chose, so everything here either names one interface or says what to set. */
#ifndef CG_IO_INTERFACES_H
#define CG_IO_INTERFACES_H

#include "io/devices.h"
#include "model/request.h"

struct cg_interface {
    char name[IF_NAMESIZE]; /* its own, where an alternative one was asked for */
    unsigned index;
    bool has_ipv4;
    struct in_addr ipv4; /* its primary address, when has_ipv4 */
};

#define CG_INTERFACES_FOUND_MAX 8

struct cg_interfaces {
    int query_fd; /* netlink: questions */
    int news_fd;  /* netlink: something about a link or address changed; -1: cannot be had, then nothing is kept */
    /* What follows is up to date, unless news_fd says otherwise. */
    bool known; /* the candidates are */
    size_t candidate_count;
    char only[IF_NAMESIZE]; /* the candidate, when there is exactly one */
    char names[160];        /* the first few candidates, for people */
    char flagless[64];      /* the first few that are up, but lack the flag MULTICAST */
    char down[64];          /* the first few that lack only being up */
    struct {
        char name[CG_DEVICE_NAME_MAX]; /* that was asked for */
        struct cg_interface it;
    } found[CG_INTERFACES_FOUND_MAX]; /* the latest ones; a ring */
    size_t found_count;               /* so far */
};

/* CG_E_EMIT, with problem's detail, when the system gives no socket. */
int cg_interfaces_init(struct cg_interfaces *interfaces, struct cg_problem *problem) CG_MUST_CHECK;
void cg_interfaces_fini(struct cg_interfaces *interfaces);

/* The interface as it is at this moment, by its name or an alternative one. name NULL: the only one that is up,
 * multicast-capable and not loopback. CG_E_EMIT, and problem's detail says which ones there are and what to set: no
 * such interface, down, without carrier, none, several. */
int cg_interfaces_find(struct cg_interfaces *interfaces, const char *name, struct cg_interface *found,
                       struct cg_problem *problem) CG_MUST_CHECK;

#endif
