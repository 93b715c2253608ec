/* What a request would send, before anything is sent and without spending anything: no number, no budget, no token. */
#ifndef CG_RECORDER_PREVIEW_H
#define CG_RECORDER_PREVIEW_H

#include "base/buf.h"
#include "model/wish.h"

struct cg_gateway;

#define CG_PREVIEW_TARGETS 64

/* One group request. */
struct cg_preview_target {
    struct cg_addr group;                     /* family NONE: its name stands for no group at the moment */
    char interface[CG_INTERFACE_MAX + 1];     /* "": the only one */
    uint32_t bytes;                           /* of its CoAP message */
    uint32_t frames;                          /* of 6LoWPAN, as an estimate: cg_frames_6lowpan */
    uint32_t budget_requests, budget_seconds; /* of the interface's send budget; 0: none binds it */
};

struct cg_preview {
    size_t target_count;
    struct cg_preview_target targets[CG_PREVIEW_TARGETS];
    uint32_t datagrams;  /* at once */
    uint32_t at_most;    /* with all that may be asked again or by unicast */
    uint32_t expected;   /* members that are configured */
    bool by_unicast;     /* nothing is cast: members are asked one by one */
    uint32_t frame_size; /* of the settings (R44); 0: none is set */
};

/* CG_OK, or with *problem why it would not go out at all. */
int cg_preview_make(struct cg_gateway *gateway, const struct cg_wish *wish, struct cg_preview *preview,
                    struct cg_problem *problem) CG_MUST_CHECK;
/* The same of a request that has not begun: 401 to 405 as it would be refused. Budgets are not looked at. */
int cg_preview_request(struct cg_gateway *gateway, struct cg_config *config, const struct cg_request *request,
                       struct cg_preview *preview, struct cg_problem *problem) CG_MUST_CHECK;
void cg_preview_put_json(struct cg_buf *to, const struct cg_preview *preview);

/* Frames of IEEE 802.15.4 that a CoAP message of so many bytes takes (RFC 4944 §5.3, RFC 6282): see preview.c. */
uint32_t cg_frames_6lowpan(size_t bytes);

#endif
