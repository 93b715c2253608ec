/* What a group's member has sent by itself, and was accepted: opened, verified, no replay (R15, R24). A member reports;
 * where the settings say so its report is an alert that commands others (R25). Who hears of them is a list, in whose
 * order they are told, each report once, in the order in which they came. */
#ifndef CG_MODEL_ALERT_H
#define CG_MODEL_ALERT_H

#include "model/config.h"

/* Borrowed for the call. */
struct cg_alert {
    const char *group;  /* the security group's name */
    const char *member; /* as the group's file calls it */
    struct cg_slice kid;
    struct cg_addr from;
    uint8_t method;        /* POST, PUT, … */
    struct cg_slice path;  /* normalised, begins with '/' */
    struct cg_slice query; /* without '?'; empty: none */
    bool has_format;       /* of the payload */
    uint16_t format;       /* CoAP Content-Format */
    struct cg_slice payload;
    uint64_t number;     /* its Partial IV */
    uint64_t arrival_us; /* monotonic */
};

/* What became of what came (the slugs are its metric's labels). */
enum cg_alert_fate {
    CG_ALERT_ACCEPTED,
    CG_ALERT_REPLAYED,   /* opened before, or too old */
    CG_ALERT_CHALLENGED, /* the window was lost: 4.01 with Echo */
    CG_ALERT_FORGED,     /* it does not verify */
    CG_ALERT_FOREIGN,    /* of no alert group, or of nobody who is in it */
    CG_ALERT_UNPROTECTED,
    CG_ALERT_WRONG_MODE, /* group mode where the group has the pairwise mode */
    CG_ALERT_MALFORMED,
    CG_ALERT_OVERLOAD, /* beyond what may be verified a second */
    CG_ALERT_FATES,
};

/* Embedded in who hears; zero-initialise, then set `hear`. */
struct cg_alert_hearer {
    void (*hear)(struct cg_alert_hearer *hearer, const struct cg_alert *alert);
    struct cg_alert_hearer *next;
};

#endif
