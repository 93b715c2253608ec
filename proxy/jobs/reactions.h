/* What follows alerts (R25): each alert that a reaction of the settings waits for makes the gateway give that
 * reaction's commands, all in the turn in which it was accepted, in the order of the settings. A command is an exchange
 * of the internal client reaction/NAME: no mapping need name that client, but methods, budgets and limits of the
 * mapping bind it, and it has exchanges and turns of its own, so that clients hold none up.
 *
 * What an alert says goes into no command: whoever can send alerts chooses when, and nothing else; and a reaction has a
 * rate. Reactions make no alerts: what the gateway sends goes out of the sockets of groups, alerts come in by unicast
 * to sockets of their own, and are only taken from a group's other members, never under the gateway's own Sender ID. */
#ifndef CG_JOBS_REACTIONS_H
#define CG_JOBS_REACTIONS_H

#include "exchange/gateway.h"
#include "model/alert.h"

struct cg_reactions;

/* NULL: no memory. */
struct cg_reactions *cg_reactions_new(struct cg_gateway *gateway);
/* Who is to be told of each alert; not from inside a sink. */
struct cg_alert_hearer *cg_reactions_hearer(struct cg_reactions *reactions);
/* The gateway has other settings: figures of reactions that are gone go, too. What runs of these is ended by the
 * gateway itself. */
void cg_reactions_look(struct cg_reactions *reactions);

/* What became of commands. */
enum cg_reaction_outcome {
    CG_REACTION_ANSWERED,
    CG_REACTION_NO_ANSWER, /* it went out, and nobody answered */
    CG_REACTION_REFUSED,   /* it did not go out, or was ended, with an error */
    CG_REACTION_LIMITED,   /* their alert came beyond the reaction's rate */
    CG_REACTION_OUTCOMES,
};
extern const char *const cg_reaction_outcome_names[CG_REACTION_OUTCOMES]; /* as in the metrics */

/* Prometheus text. */
void cg_reactions_metrics(const struct cg_reactions *reactions, struct cg_buf *to);
/* A JSON array: each reaction that has had an alert, with its figures and its latest command's end. */
void cg_reactions_put_json(const struct cg_reactions *reactions, struct cg_buf *to);

/* Nothing more begins, and what runs is given up. NULL is fine. */
void cg_reactions_close(struct cg_reactions *reactions);
/* After the gateway is freed. NULL is fine. */
void cg_reactions_free(struct cg_reactions *reactions);

#endif
